"""Choice of one face among several by the user's option."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.errors import FaceError
from fadm.face.topology import NUM_LANDMARKS
from fadm.face.tracker import LandmarkTracker, face_box
from fadm.media.crop import to_pixels
from fadm.options import check_face

FloatArray = NDArray[np.float32]

MIN_FACE_SIZE = 24  # pixels of the oval's longer side; landmarks of smaller faces are unreliable


def choose_face(faces: Sequence[FloatArray], choice: str, where: str) -> int:
    """Choose a face by the user's option.

    Args:
        faces: Landmarks (478, 3) in pixels of each face in the picture.
        choice: `largest`, `left`, `only` (there must not be another), or a number counted from the left.
        where: Name of the picture, to begin error messages with.

    Returns:
        Index of the chosen face.

    Raises:
        OptionError: The choice is none of these.
        FaceError: The chosen face is missing or too small; the message lists all faces.
    """
    check_face(choice)
    if not faces:
        raise FaceError(
            f"{where}: no face found; a face must be seen from the front, at least {MIN_FACE_SIZE} pixels high"
        )
    boxes = [face_box(face) for face in faces]
    from_left = sorted(range(len(faces)), key=lambda i: boxes[i][0] + boxes[i][2])
    sizes = [max(right - left, bottom - top) for left, top, right, bottom in boxes]
    listing = "; ".join(f"{n}: {_describe(boxes[i])}" for n, i in enumerate(from_left, 1))
    if choice == "only" and len(faces) > 1:
        raise FaceError(f"{where}: {len(faces)} faces, choose one by its number: {listing}")
    if choice.isdecimal() and int(choice) > len(faces):
        raise FaceError(f"{where}: face {choice} asked for, {len(faces)} found: {listing}")
    if choice.isdecimal():
        chosen = from_left[int(choice) - 1]
    else:
        chosen = from_left[0] if choice in ("left", "only") else int(np.argmax(sizes))
    if sizes[chosen] < MIN_FACE_SIZE:
        raise FaceError(
            f"{where}: the face is {sizes[chosen]:.0f} pixels high, at least {MIN_FACE_SIZE} are needed; "
            f"give a larger picture (faces: {listing})"
        )
    return chosen


def track_pictures(pictures: Iterable[Tensor], tracker: LandmarkTracker) -> Tensor:
    """Find the landmarks of the largest face in each picture.

    Args:
        pictures: Pictures (3, H, W) in [0, 1].
        tracker: Finds the landmarks; with `FaceTracker(is_video=False)` a picture's landmarks do not depend
            on the pictures before it.

    Returns:
        Landmarks (T, 478, 3) in pixels, NaN where no face was found.
    """
    found = [_track_largest(picture, tracker) for picture in pictures]
    return torch.stack(found) if found else torch.empty(0, NUM_LANDMARKS, 3)


def _track_largest(picture: Tensor, tracker: LandmarkTracker) -> Tensor:
    def area(face: Tensor) -> float:
        left, top, right, bottom = face_box(face.numpy())
        return (right - left) * (bottom - top)

    faces = [torch.from_numpy(face.landmarks) for face in tracker.track(to_pixels(picture[None]))]
    return max(faces, key=area) if faces else torch.full((NUM_LANDMARKS, 3), torch.nan)


def _describe(box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = (round(v) for v in box)
    return f"{right - left}x{bottom - top} pixels at x {left}, y {top}"
