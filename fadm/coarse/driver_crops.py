"""The driver's crops: one window around the face for each shot, and the frames cut to it for networks."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.landmark_model import LandmarkModel, pose_landmarks
from fadm.attributes.motion import Motion
from fadm.coarse.source import CROP_SCALE, NETWORK_SIZE
from fadm.errors import OptionError
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square, cut_square, square_around, to_tensor
from fadm.media.frames import Frame, FrameSource

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

WINDOW_SAMPLES = 64  # frames of a shot from which its window is measured


def measure_face(ovals: FloatArray) -> tuple[float, float]:
    """Measure a moving face and the area in which it moves.

    Args:
        ovals: Outline of the face in T frames (T, 36, 2), pixels.

    Returns:
        Median of the longer side of the face, and the longer side of the area in which it moves, in pixels.
    """
    return float(np.median(np.ptp(ovals, axis=1).max(1))), float(np.ptp(ovals, axis=(0, 1)).max())


def face_window(ovals: FloatArray, face: float, extent: float) -> Square:
    """Choose one window for all frames of a shot, with the margin of the field's VoxCeleb crops around the face.

    Args:
        ovals: Outline of the face in T frames (T, 36, 2), pixels.
        face: Longer side of the face, in pixels, from `measure_face`.
        extent: Longer side of the area in which it moves, in pixels, from `measure_face`.

    Returns:
        The window, in the frames' pixels.
    """
    return square_around(ovals.reshape(-1, 2), (extent + (CROP_SCALE - 1) * face) / extent)


def driver_windows(model: LandmarkModel, motion: Motion, whole: Square | None = None) -> dict[int, Square]:
    """Choose one window for each shot with a face, fixed over the shot as in the papers' data.

    Args:
        model: The face model of the motion.
        motion: The driver's motion.
        whole: Window of every shot, for pictures that are crops already; None measures the face.

    Returns:
        Windows by shot.
    """
    windows = {}
    for shot in motion.shot.unique().tolist():
        rows = torch.nonzero((motion.shot == shot) & motion.is_tracked)[:, 0]
        if not len(rows):
            continue
        rows = rows[:: max(1, len(rows) // WINDOW_SAMPLES)]
        shape = model.shape(motion.identity[shot : shot + 1])
        ovals = pose_landmarks(shape, motion.attributes[rows])[:, list(FACE_OVAL), :2].numpy()
        windows[shot] = whole or face_window(ovals, *measure_face(ovals))
    return windows


def whole_window(driver: FrameSource) -> Square:
    """Use the whole picture of a driver as its window.

    Args:
        driver: The driver's frames.

    Returns:
        The window.

    Raises:
        OptionError: The pictures are not square.
    """
    if driver.width != driver.height:
        raise OptionError(
            f"--window picture: '{driver.path}' is {driver.width}x{driver.height}, not square; choose --window face"
        )
    return Square(0, 0, driver.width)


def cut_face(pixels: Pixels, window: Square) -> Tensor:
    """Cut a frame to the size of the papers' networks.

    Args:
        pixels: The frame (H, W, 3) uint8.
        window: The window around the face.

    Returns:
        The crop (1, 3, 256, 256) in [0, 1].
    """
    return cut_square(to_tensor(pixels), window, NETWORK_SIZE)


def cut_frames(driver: Iterable[Frame], windows: dict[int, Square]) -> dict[int, Tensor]:
    """Cut some of the driver's frames in one pass.

    Args:
        driver: The driver's frames.
        windows: Windows by frame number, for the frames that are needed.

    Returns:
        Crops (1, 3, 256, 256) by frame.
    """
    crops: dict[int, Tensor] = {}
    for index, frame in enumerate(driver if windows else ()):
        if index in windows:
            crops[index] = cut_face(frame.pixels, windows[index])
        if len(crops) == len(windows):
            break
    return crops


def cut_anchors(driver: Iterable[Frame], windows: dict[int, Square], anchors: dict[int, int]) -> dict[int, Tensor]:
    """Cut the driver's frames at the anchors.

    Args:
        driver: The driver's frames.
        windows: Windows by shot; shots without one (after the end of a motion that stops at a gap) are left out.
        anchors: Anchor frames by shot.

    Returns:
        Crops (1, 3, 256, 256) by shot.
    """
    kept = {shot: frame for shot, frame in anchors.items() if shot in windows}
    crops = cut_frames(driver, {frame: windows[shot] for shot, frame in kept.items()})
    return {shot: crops[frame] for shot, frame in kept.items()}


def follow_driver(driver: Iterable[Frame], windows: dict[int, Square], anchored: AnchoredMotion) -> Iterator[Tensor]:
    """Cut the driver at each frame of its motion.

    Args:
        driver: The driver's frames.
        windows: Windows by shot.
        anchored: The driver's motion; its stand-ins replace frames without a face.

    Yields:
        Crops (1, 3, 256, 256), one for each frame of the motion.
    """
    stand_ins, shots = anchored.stand_ins.tolist(), anchored.motion.shot.tolist()
    last, elsewhere = -1, {}  # stand-ins other than the last frame with a face are cut in a pass of their own
    for index, stand_in in enumerate(stand_ins):
        last = index if stand_in == index else last
        if stand_in != last:
            elsewhere[stand_in] = windows[shots[index]]
    crops, crop = cut_frames(driver, elsewhere), None
    for index, frame in enumerate(islice(driver, len(stand_ins))):
        stand_in = stand_ins[index]
        if stand_in == index:
            crop = cut_face(frame.pixels, windows[shots[index]])
        shown = crops[stand_in] if stand_in in elsewhere else crop
        assert shown is not None
        yield shown
