"""Frames of stored clips with their landmarks, given to the animation path as it takes sources and drivers."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadm.data.shards import TrackedClip, scale_landmarks
from fadm.errors import InputError
from fadm.face.topology import mirror_partners
from fadm.face.tracker import FaceTracker, LandmarkTracker, TrackedFace
from fadm.media.crop import resize_pixels
from fadm.media.frames import FrameSource
from fadm.options import AnimateOptions

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

FRAMES_PER_SECOND = 25


@dataclass(frozen=True)
class Face:
    """One frame and its face.

    Attributes:
        pixels: The frame (S, S, 3) uint8.
        landmarks: Landmarks (478, 3) in its pixels.
    """

    pixels: Pixels
    landmarks: FloatArray


def read_face(clip: TrackedClip, frame: int, size: int | None, mirrored: bool = False) -> Face:
    """Read a frame of a clip.

    Args:
        clip: The clip.
        frame: Number of the frame, from 0.
        size: Side to which it is scaled, pixels; None leaves it as it is stored.
        mirrored: Whether left and right are exchanged.

    Returns:
        The frame with its face.

    Raises:
        InputError: The frame is damaged or not square.
    """
    pixels = clip.pictures[frame].read()
    if pixels.shape[0] != pixels.shape[1]:
        raise InputError(
            f"{clip.key}: a frame is {pixels.shape[1]}x{pixels.shape[0]}; clips are squares (data prepare)"
        )
    if size is not None and len(pixels) != size:
        pixels = resize_pixels(pixels, size, size)
    landmarks = scale_landmarks(clip.landmarks[frame], len(pixels))
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        landmarks = landmarks[mirror_partners()]
        landmarks[:, 0] = len(pixels) - 1 - landmarks[:, 0]
    return Face(pixels, landmarks)


def resize_face(face: Face, size: int) -> Face:
    """Scale a square frame with its face.

    Args:
        face: The frame.
        size: New side in pixels.

    Returns:
        The frame; the same where its side does not change.
    """
    side = len(face.pixels)
    if side == size:
        return face
    landmarks = (face.landmarks - [[-0.5, -0.5, 0]]) * np.float32(size / side)
    return Face(resize_pixels(face.pixels, size, size), (landmarks - [[0.5, 0.5, 0]]).astype(np.float32))


def clip_options(size: int, **changes: Any) -> AnimateOptions:
    """Give the options by which a stored clip is animated.

    Its pictures are crops already, chosen to differ rather than to follow each other, and tracked before.

    Args:
        size: Side of the pictures and of the result, pixels.
        changes: Further options of `AnimateOptions`.

    Returns:
        The options.
    """
    return AnimateOptions(crop=True, window="picture", size=size, stills=True, smoothing=0.0, **changes)


def open_pictures(name: str, pictures: Sequence[Callable[[], Pixels]], side: tuple[int, int]) -> FrameSource:
    """Open pictures as a driver.

    Args:
        name: What errors call the driver.
        pictures: Each reads one picture (H, W, 3).
        side: Width and height of the pictures.

    Returns:
        Their frames, 25 in a second.
    """
    rate = Fraction(FRAMES_PER_SECOND)

    def decode(is_wanted: Callable[[int], bool]) -> Any:
        for number, read in enumerate(pictures):
            yield number, read() if is_wanted(number) else None

    return FrameSource(Path(name), *side, rate, 1 / rate, len(pictures), None, decode)


class StoredFaces:
    """Landmarks that are known already, by the pixels of their frames."""

    def __init__(self) -> None:
        self._landmarks: dict[bytes, FloatArray] = {}

    def add(self, pixels: Pixels, landmarks: FloatArray) -> None:
        """Remember a frame's face.

        Args:
            pixels: The frame (H, W, 3).
            landmarks: Landmarks (478, 3) in its pixels; NaN where it shows no face.
        """
        self._landmarks[_digest(pixels)] = landmarks

    def find(self, pixels: Pixels) -> FloatArray | None:
        """Find what is known of a frame.

        Args:
            pixels: The frame (H, W, 3).

        Returns:
            Its landmarks (478, 3), None for a frame that is not known.
        """
        return self._landmarks.get(_digest(pixels))

    def make_tracker(self, *, is_video: bool) -> LandmarkTracker:
        """Make a tracker for `Animator`.

        Args:
            is_video: Whether frames that are not known follow each other.

        Returns:
            A tracker that gives the known landmarks, and tracks any other frame.
        """
        return StoredTracker(self, FaceTracker(is_video=is_video))


class StoredTracker:
    """Gives the landmarks of known frames and tracks the others; see `LandmarkTracker`."""

    def __init__(self, faces: StoredFaces, other: LandmarkTracker) -> None:
        self._faces, self._other = faces, other

    def track(self, pixels: Pixels) -> Sequence[TrackedFace]:
        """See `LandmarkTracker`."""
        known = self._faces.find(pixels)
        if known is None:
            return self._other.track(pixels)
        return [TrackedFace(known)] if np.isfinite(known).all() else []

    def reset(self) -> None:
        """See `LandmarkTracker`."""
        self._other.reset()

    def close(self) -> None:
        """See `LandmarkTracker`."""
        self._other.close()


def _digest(pixels: Pixels) -> bytes:
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest() + str(pixels.shape).encode()
