"""The coarse generators behind one protocol: `draw` gives frame i of the animation, in a window of the picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.landmark_model import FittedFace, LandmarkModel, pose_landmarks
from fadm.attributes.motion import Motion
from fadm.coarse.face_vid2vid.model import FaceVid2Vid
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.device import count_workers
from fadm.face.segmentation import segment_person
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square, copy_square, cut_square, square_around, to_tensor
from fadm.media.frames import Frame
from fadm.options import Gains

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

CROP_SCALE = 1.75  # side of the crop in heights of the face, as in the field's VoxCeleb crops
REGION_SCALE = 2.8  # side of the region that may move
PERSON_SIZE = 256  # pixels at which the person is told from the background
WINDOW_SAMPLES = 64  # frames of a shot that say where its face is
NETWORK_SIZE = 256  # pixels of the pictures that the papers' networks are made for


@dataclass(frozen=True)
class PreparedSource:
    """A source in the resolution of the result.

    picture (H, W, 3); face: its fit, in the picture's pixels; is_crop: the result is the crop alone, size x size
    pixels, instead of the whole picture.
    """

    picture: Pixels
    face: FittedFace
    is_crop: bool
    size: int

    @property
    def crop(self) -> Square:
        """The window around the face that renderers see."""
        return square_around(self.oval, CROP_SCALE)

    @property
    def region(self) -> Square:
        """The window of the picture that may move."""
        return square_around(self.oval, REGION_SCALE)

    @property
    def oval(self) -> FloatArray:
        """Outline of the face (36, 3) in the picture's pixels."""
        return self.face.landmarks[0, list(FACE_OVAL)].numpy()


@dataclass(frozen=True)
class AnchoredMotion:
    """A motion without gaps, and for each of its shots the frame from which it is measured.

    anchors: frame by shot; empty where pose and expression are taken as they are. stand_ins (T,): the driver's
    frame that is seen at each frame, another one where it shows no face.
    """

    motion: Motion
    anchors: dict[int, int]
    stand_ins: Tensor


@dataclass(frozen=True)
class DrawnFrame:
    """One frame: index in the motion; view (1, 3, S, S) in 0..1 and the window of the picture it belongs to.

    crop: the window around the face, inside the other; None where there is no face. driving (1, 3, 256, 256):
    the driver's crop, if it was asked for. If the generator knows them: landmarks (478, 3) in picture pixels,
    confidence (1, 1, S, S) in 0..1, how far the view's detail can be trusted, and flow (1, S, S, 2), the place in the
    source's picture that each pixel shows.
    """

    index: int
    view: Tensor
    window: Square
    crop: Square | None
    driving: Tensor | None = None
    landmarks: Tensor | None = None
    confidence: Tensor | None = None
    flow: Tensor | None = None


class CoarseGenerator(Protocol):
    """Draws the coarse frames of one animation; in so many threads at once, each frame for itself."""

    workers: int

    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """Frame `index`; driving (1, 3, 256, 256): the driver's crop, for generators that look at it."""


class GeometricAnimation:
    """Warps the source at its full resolution by the motion's numbers alone."""

    def __init__(
        self,
        model: LandmarkModel,
        prepared: PreparedSource,
        anchored: AnchoredMotion,
        gains: Gains,
        device: torch.device,
    ) -> None:
        self.workers = count_workers()
        self._model, self._prepared, self._anchored, self._gains = model, prepared, anchored, gains
        self._window = prepared.crop if prepared.is_crop else prepared.region
        size = prepared.size if prepared.is_crop else self._window.side
        person = segment_person(copy_square(prepared.picture, prepared.region, PERSON_SIZE))
        picture = to_tensor(prepared.picture).to(device)
        landmarks = prepared.face.landmarks[0].numpy()
        self._state = prepare_source(picture, landmarks, person, prepared.region, self._window, size)
        self._transfers: dict[int, MotionTransfer] = {}

    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """See `CoarseGenerator`."""
        motion, anchors = self._anchored.motion, self._anchored.anchors
        shot = int(motion.shot[index])
        anchor = motion.attributes[[anchors[shot]]] if anchors else None
        landmarks, carried = self._transfer_of(shot).move(motion.attributes[[index]], anchor)
        coarse = drive_source(self._state, landmarks[0], carried[0])
        crop, known = self._prepared.crop, (landmarks[0], coarse.confidence, coarse.flow)
        return DrawnFrame(index, coarse.frame, self._window, crop, driving, *known)

    def _transfer_of(self, shot: int) -> MotionTransfer:
        """Another shot may show another person."""
        if shot not in self._transfers:
            identity = self._anchored.motion.identity[shot : shot + 1]
            reach = self._state.mesh.reach
            self._transfers[shot] = MotionTransfer(self._model, self._prepared.face, self._gains, identity, reach)
        return self._transfers[shot]


class NetworkAnimation:
    """FOMM or Face vid2vid on 256-pixel crops; anchor_crops: the driver's crop (1, 3, 256, 256) by shot."""

    def __init__(
        self,
        network: FOMM | FaceVid2Vid,
        prepared: PreparedSource,
        anchored: AnchoredMotion,
        anchor_crops: dict[int, Tensor],
        angles: dict[str, float],
        device: torch.device,
    ) -> None:
        self.workers = 1  # the network itself computes in many threads
        self._network = cast(Any, network.to(device))  # the two networks' states are of different types
        self._angles, self._device = angles, device
        self._shot, self._window = anchored.motion.shot, prepared.crop
        self._size = prepared.size if prepared.is_crop else prepared.crop.side
        source = cut_face(prepared.picture, prepared.crop).to(device)
        with torch.inference_mode():
            self._absolute = self._network.prepare(source)
            self._relative = {
                shot: self._network.anchor(self._absolute, crop.to(device)) for shot, crop in anchor_crops.items()
            }

    @torch.inference_mode()
    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """See `CoarseGenerator`."""
        assert driving is not None
        state = self._relative.get(int(self._shot[index]), self._absolute)
        coarse = self._network.drive(state, driving.to(self._device), **self._angles)
        size = (self._size, self._size)
        view = F.interpolate(coarse, size=size, mode="bicubic", align_corners=False, antialias=True)
        return DrawnFrame(index, view.clamp(0, 1), self._window, self._window, driving)


def driver_windows(model: LandmarkModel, motion: Motion) -> dict[int, Square]:
    """For each shot with a face one window around it, fixed over the shot as in the papers' data."""
    windows = {}
    for shot in motion.shot.unique().tolist():
        rows = torch.nonzero((motion.shot == shot) & motion.is_tracked)[:, 0]
        if not len(rows):
            continue
        rows = rows[:: max(1, len(rows) // WINDOW_SAMPLES)]
        shape = model.shape(motion.identity[shot : shot + 1])
        ovals = pose_landmarks(shape, motion.attributes[rows])[:, list(FACE_OVAL), :2].numpy()
        face = float(np.median(np.ptp(ovals, axis=1).max(1)))
        extent = float(np.ptp(ovals, axis=(0, 1)).max())  # of all the places where the face is
        windows[shot] = square_around(ovals.reshape(-1, 2), (extent + (CROP_SCALE - 1) * face) / extent)
    return windows


def cut_face(pixels: Pixels, window: Square) -> Tensor:
    """The window of a frame (H, W, 3) as the networks see it: (1, 3, 256, 256)."""
    return cut_square(to_tensor(pixels), window, NETWORK_SIZE)


def cut_frames(driver: Iterable[Frame], windows: dict[int, Square]) -> dict[int, Tensor]:
    """The windows of some of the driver's frames, by frame, from one pass: crops (1, 3, 256, 256) by frame."""
    crops: dict[int, Tensor] = {}
    for index, frame in enumerate(driver if windows else ()):
        if index in windows:
            crops[index] = cut_face(frame.pixels, windows[index])
        if len(crops) == len(windows):
            break
    return crops


def cut_anchors(driver: Iterable[Frame], windows: dict[int, Square], anchors: dict[int, int]) -> dict[int, Tensor]:
    """The driver's crops (1, 3, 256, 256) at the anchors, by shot.

    Shots without a window, which a motion that stops at a gap no longer has, are left out.
    """
    kept = {shot: frame for shot, frame in anchors.items() if shot in windows}
    crops = cut_frames(driver, {frame: windows[shot] for shot, frame in kept.items()})
    return {shot: crops[frame] for shot, frame in kept.items()}


def follow_driver(driver: Iterable[Frame], windows: dict[int, Square], anchored: AnchoredMotion) -> Iterator[Tensor]:
    """The driver's crop (1, 3, 256, 256) at each frame of the motion, its stand-in's where it shows no face."""
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
