"""Which pieces become clips, which of their frames are kept, and the one window that holds the face in all of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.attributes.landmark_model import LandmarkModel
from fadm.coarse.generators import CROP_SCALE
from fadm.data.prepare.face_tracks import FaceTrack
from fadm.data.prepare.options import LOST, MOVES, NO_FACE, OUTSIDE, TOO_SHORT, TOO_SMALL, ClipOptions
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square, square_around

FloatArray = NDArray[np.float32]

STRIP = 8  # frames of a clip on the contact sheet
HEAD_STEP, JAW_STEP = 0.2, 0.1  # radians that make as much difference as the expression's standard deviation


@dataclass(frozen=True)
class Candidate:
    """A clip, or what would have been one: reason says why it is dropped, and is empty for a clip that is kept.

    numbers (T,): its frames' places in the video; landmarks (T, 478, 3) in the video's pixels.
    """

    shot: int
    person: int
    window: Square
    numbers: tuple[int, ...]
    landmarks: FloatArray
    face: float
    began: float
    seconds: float
    reason: str = ""
    detail: str = ""


def judge_track(
    piece: FaceTrack, size: tuple[int, int], options: ClipOptions, model: LandmarkModel, *, is_whole: bool = False
) -> Candidate:
    """Keep or drop a piece of a video of `size` (width, height), and choose its frames.

    is_whole: the window is the middle square of the picture.
    """
    landmarks = np.stack(piece.landmarks)
    ovals = landmarks[:, list(FACE_OVAL), :2]
    face = float(np.median(np.ptp(ovals, axis=1).max(1)))
    extent = float(np.ptp(ovals, axis=(0, 1)).max())  # of all the places where the face is
    window = middle_square(*size) if is_whole else face_window(ovals, face, extent)
    seconds = piece.ended - piece.began
    lost = 1 - len(piece.numbers) / piece.looks
    outside = _share_outside(window, *size)
    rules = (
        (TOO_SHORT, seconds < options.shortest or len(landmarks) < 2, f"{seconds:.2f} s, {len(landmarks)} frames"),
        (TOO_SMALL, face < options.smallest, f"{face:.0f} pixels"),
        (LOST, lost > options.lost, f"in {lost:.0%} of the frames"),
        (MOVES, extent > options.extent * face, f"over {extent / face:.1f} faces"),
        (OUTSIDE, outside > options.outside, f"{outside:.0%} of the crop"),
    )
    reason, detail = next(((name, said) for name, is_broken, said in rules if is_broken), ("", ""))
    if reason:
        chosen = spread_evenly(len(landmarks), STRIP)
    elif options.every:
        chosen = list(range(len(landmarks)))[: options.frames]
    else:
        chosen = choose_different(landmarks, options.frames, model)
    numbers = tuple(piece.numbers[i] for i in chosen)
    return Candidate(
        piece.shot, piece.person, window, numbers, landmarks[chosen], face, piece.began, seconds, reason, detail
    )


def judge_still(
    faces: list[FloatArray], size: tuple[int, int], options: ClipOptions, *, is_whole: bool = False
) -> Candidate:
    """Keep or drop a still picture: its largest face makes a clip of one frame."""
    if not faces:
        nothing = np.zeros((1, 478, 3), np.float32)
        return Candidate(0, 0, middle_square(*size), (0,), nothing, 0, 0, 0, NO_FACE)
    sides = [float(np.ptp(face[list(FACE_OVAL), :2], axis=0).max()) for face in faces]
    landmarks, face = faces[int(np.argmax(sides))][None], max(sides)
    window = middle_square(*size) if is_whole else face_window(landmarks[:, list(FACE_OVAL), :2], face, face)
    outside = _share_outside(window, *size)
    reason, detail = "", ""
    if face < options.smallest:
        reason, detail = TOO_SMALL, f"{face:.0f} pixels"
    elif outside > options.outside:
        reason, detail = OUTSIDE, f"{outside:.0%} of the crop"
    return Candidate(0, 0, window, (0,), landmarks, face, 0, 0, reason, detail)


def face_window(ovals: FloatArray, face: float, extent: float) -> Square:
    """The window around all places (T, 36, 2) of a face of that height, with the margin that renderers see."""
    return square_around(ovals.reshape(-1, 2), (extent + (CROP_SCALE - 1) * face) / extent)


def middle_square(width: int, height: int) -> Square:
    """The largest square in the middle of a picture."""
    side = min(width, height)
    return Square((width - side) // 2, (height - side) // 2, side)


def spread_evenly(length: int, count: int) -> list[int]:
    """At most `count` of `length` indices, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, count)).round().astype(int)).tolist()


def choose_different(landmarks: FloatArray, count: int, model: LandmarkModel) -> list[int]:
    """Indices, in order, of at most `count` of the frames (T, 478, 3) that differ most in pose and expression.

    Farthest-point sampling: from the most usual frame on, always the one that is farthest from all chosen.
    """
    if len(landmarks) <= count:
        return list(range(len(landmarks)))
    attributes, _ = model.fit(torch.from_numpy(landmarks))
    parts = [
        attributes.head / HEAD_STEP,
        attributes.jaw / JAW_STEP,
        attributes.expression / attributes.expression.shape[1] ** 0.5,
    ]
    places = torch.cat(parts, 1).double().numpy()
    chosen = [int(np.linalg.norm(places - np.median(places, 0), axis=1).argmin())]
    distance = np.full(len(places), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
    return sorted(chosen)


def _share_outside(window: Square, width: int, height: int) -> float:
    inside = [
        max(0, min(low + window.side, length) - max(low, 0))
        for low, length in ((window.left, width), (window.top, height))
    ]
    return 1 - inside[0] * inside[1] / window.side**2
