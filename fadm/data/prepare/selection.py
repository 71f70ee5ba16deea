"""Which face tracks become clips, which of their frames are kept, and the one window around the face in all of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.attributes.landmark_model import LandmarkModel
from fadm.coarse.driver_crops import face_window, measure_face
from fadm.data.prepare.face_tracks import FaceTrack
from fadm.data.prepare.options import LOST, MOVES, NO_FACE, OUTSIDE, TOO_SHORT, TOO_SMALL, ClipOptions
from fadm.face.topology import FACE_OVAL
from fadm.media.crop import Square

FloatArray = NDArray[np.float32]

STRIP = 8  # frames of a clip on the contact sheet
HEAD_STEP, JAW_STEP = 0.2, 0.1  # radians that count as much as one standard deviation of the expression


@dataclass(frozen=True)
class Candidate:
    """A clip that is kept or dropped.

    Attributes:
        shot: Number of the shot in the video, from 0.
        person: Number of the person in the shot, from 0.
        window: The crop, in pixels of the video.
        numbers: Numbers of its T frames in the video.
        landmarks: Landmarks (T, 478, 3) in pixels of the video.
        face: Side of the face in pixels.
        began: Seconds at its first frame.
        seconds: Its duration.
        reason: Why it is dropped; empty for a clip that is kept.
        detail: The measure behind the reason.
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
    track: FaceTrack, size: tuple[int, int], options: ClipOptions, model: LandmarkModel, *, is_whole: bool = False
) -> Candidate:
    """Keep or drop a face track, and choose its frames.

    Args:
        track: One person in one shot.
        size: Width and height of the video.
        options: The rules, and how many frames are kept.
        model: Measures pose and expression, in which the frames shall differ.
        is_whole: Whether the window is the middle square of the picture.

    Returns:
        The clip; of a dropped one at most STRIP frames.
    """
    landmarks = np.stack(track.landmarks)
    ovals = landmarks[:, list(FACE_OVAL), :2]
    face, extent = measure_face(ovals)
    window = middle_square(*size) if is_whole else face_window(ovals, face, extent)
    seconds = track.ended - track.began
    lost = 1 - len(track.numbers) / track.num_sampled
    outside = _share_outside(window, *size)
    rules = (
        (TOO_SHORT, seconds < options.shortest or len(landmarks) < 2, f"{seconds:.2f} s, {len(landmarks)} frames"),
        (TOO_SMALL, face < options.smallest, f"{face:.0f} pixels"),
        (LOST, lost > options.lost, f"in {lost:.0%} of the frames"),
        (MOVES, extent > options.extent * face, f"over {extent / face:.1f} faces"),
        (OUTSIDE, outside > options.outside, f"{outside:.0%} of the crop"),
    )
    reason, detail = next(((name, measure) for name, is_broken, measure in rules if is_broken), ("", ""))
    if reason:
        chosen = spread_evenly(len(landmarks), STRIP)
    elif options.every:
        chosen = list(range(len(landmarks)))[: options.frames]
    else:
        chosen = choose_different(landmarks, options.frames, model)
    numbers = tuple(track.numbers[i] for i in chosen)
    return Candidate(
        track.shot, track.person, window, numbers, landmarks[chosen], face, track.began, seconds, reason, detail
    )


def judge_still(
    faces: list[FloatArray], size: tuple[int, int], options: ClipOptions, *, is_whole: bool = False
) -> Candidate:
    """Keep or drop a still picture; its largest face makes a clip of one frame.

    Args:
        faces: Landmarks (478, 3) of each face, in pixels.
        size: Width and height of the picture.
        options: The rules.
        is_whole: Whether the window is the middle square of the picture.

    Returns:
        The clip.
    """
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


def middle_square(width: int, height: int) -> Square:
    """Choose the largest square in the middle of a picture.

    Args:
        width: Width of the picture in pixels.
        height: Its height.

    Returns:
        The square.
    """
    side = min(width, height)
    return Square((width - side) // 2, (height - side) // 2, side)


def spread_evenly(length: int, count: int) -> list[int]:
    """Choose indices evenly, the first and the last among them.

    Args:
        length: The indices are 0 to length - 1.
        count: The most that are chosen.

    Returns:
        The chosen indices, in order.
    """
    return np.unique(np.linspace(0, length - 1, min(length, count)).round().astype(int)).tolist()


def choose_different(landmarks: FloatArray, count: int, model: LandmarkModel) -> list[int]:
    """Choose the frames that differ most in pose and expression, by farthest-point sampling.

    The first one is nearest to the median; then comes always the one that is farthest from all chosen.

    Args:
        landmarks: Landmarks (T, 478, 3) in pixels.
        count: The most that are chosen.
        model: Measures pose and expression.

    Returns:
        Indices of the chosen frames, in order.
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
