"""Strips of the frames in which the drivers move most, with eyes and mouth enlarged, for a report."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fadm.evaluation.evaluator import Evaluation, predict_cases
from fadm.evaluation.features import FrameFeatures
from fadm.evaluation.following import Motions, collect_motions
from fadm.evaluation.journal import CaseResult
from fadm.evaluation.pairs import Case
from fadm.evaluation.prediction import Prediction
from fadm.face.topology import MOUTH_CORNERS
from fadm.media.crop import resize_pixels, to_pixels, to_tensor
from fadm.metrics.alignment import warp_by_similarity
from fadm.metrics.following import EXPRESSIONS, SIGNALS, Movement, eye_frames
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

PER_MOVEMENT = 2  # frames shown, each of another driving clip
SIDE = 224  # pixels of width of a column, and of height of its picture
EYES_HEIGHT, MOUTH_HEIGHT = 88, 128
EYES_WIDTH, MOUTH_WIDTH = 2.3, 1.4  # of a column, in distances between the middles of the eyes
JPEG_QUALITY = 88
GREY = 128  # where there is no picture or no face


@dataclass(frozen=True)
class MovementExample:
    """A frame in which the driver makes a large movement.

    Attributes:
        strip: Source, driver and every stage's picture side by side as a JPEG file.
        caption: Case, frame, and the largest coefficient's difference from its mean, of the driver and each stage.
    """

    strip: bytes
    caption: str


@dataclass(frozen=True)
class _Place:
    """A frame and a signal: a case, the frame's index in it, and the signal's column."""

    case: Case
    frame: int
    column: int
    size: float


def draw_movements(
    evaluation: Evaluation, results: Mapping[str, CaseResult], progress: Progress = NO_PROGRESS
) -> dict[str, list[MovementExample]]:
    """Draw the frames in which the drivers' coefficients are largest; their cases are made again.

    Args:
        evaluation: What was evaluated.
        results: The measured cases by name.
        progress: Follows the cases.

    Returns:
        Examples by the title of each movement, the largest first.
    """
    cases, stages = evaluation.pairs.cases, evaluation.method.stages
    motions = {stage: collect_motions(results, evaluation.pairs, stage) for stage in stages}
    deviations = _deviations(motions, cases)
    chosen = {movement.title: _choose_frames(movement, deviations, cases) for movement in EXPRESSIONS}
    wanted = {place.case.name for places in chosen.values() for place in places}
    progress.stage("largest movements", len(wanted))
    drawn: dict[tuple[str, int], bytes] = {}
    for case, made in predict_cases(evaluation, [case for case in cases if case.name in wanted]):
        frames = {p.frame for places in chosen.values() for p in places if p.case == case}
        drawn |= {(case.name, frame): _draw_strip(evaluation, case, made, frame) for frame in sorted(frames)}
        progress.advance()
    return {
        title: [MovementExample(drawn[p.case.name, p.frame], _caption(p, deviations)) for p in places]
        for title, places in chosen.items()
        if places
    }


Deviations = dict[str, dict[str, Tensor]]  # of the driver ("driver") and of each stage, by case (T, S)


def _deviations(motions: Mapping[str, Motions], cases: tuple[Case, ...]) -> Deviations:
    """Differences of the signals from the means of their clips, case by case."""
    series = {"driver": {key: pair[0] for key, pair in next(iter(motions.values())).items()}}
    series |= {stage: {key: pair[1] for key, pair in motion.items()} for stage, motion in motions.items()}
    found: Deviations = {}
    for title, by_clip in series.items():
        centred = {key: signals - signals.nanmean(dim=0) for key, signals in by_clip.items()}
        begun = dict.fromkeys(centred, 0)
        found[title] = {}
        for case in cases:
            key = (case.source_clip, case.driving_clip)
            found[title][case.name] = centred[key][begun[key] : begun[key] + len(case.driving_frames)]
            begun[key] += len(case.driving_frames)
    return found


def _choose_frames(movement: Movement, deviations: Deviations, cases: tuple[Case, ...]) -> list[_Place]:
    """Find the frames with a movement's largest coefficients, one of each driving clip."""
    best: dict[str, _Place] = {}
    for case in cases:
        values = deviations["driver"][case.name][:, movement.columns].nan_to_num(nan=-torch.inf)
        size, index = values.flatten().max(dim=0)
        frame, column = divmod(int(index), len(movement.columns))
        place = _Place(case, frame, movement.columns[column], float(size))
        if size > 0 and (case.driving_clip not in best or size > best[case.driving_clip].size):
            best[case.driving_clip] = place
    return sorted(best.values(), key=lambda p: (-p.size, p.case.name))[:PER_MOVEMENT]


def _caption(place: _Place, deviations: Deviations) -> str:
    case, frame = place.case, place.frame
    values = ", ".join(
        f"{title} {by_case[case.name][frame, place.column]:+.2f}" for title, by_case in deviations.items()
    )
    return f"{case.name}, frame {case.driving_frames[frame]}, {SIGNALS[place.column]} from its mean: {values}"


def _draw_strip(evaluation: Evaluation, case: Case, made: Prediction, frame: int) -> bytes:
    """Columns of source, driver and each stage as a JPEG file."""
    frames, extractors = evaluation.frames, evaluation.extractors
    source = frames.features(case.source_clip, case.source_frame)
    driver = frames.features(case.driving_clip, case.driving_frames[frame])
    shown: list[FrameFeatures | None] = [source, driver]
    for stage in evaluation.method.stages:
        pictures = made.pictures[stage]
        shown.append(FrameFeatures(pictures[frame], extractors) if frame < len(pictures) else None)
    return pack_jpeg(np.concatenate([_draw_column(features) for features in shown], axis=1))


def _draw_column(features: FrameFeatures | None) -> Pixels:
    """A picture, its eyes and its mouth (H, 224, 3); grey where there is nothing to show."""
    column = np.full((SIDE + EYES_HEIGHT + MOUTH_HEIGHT, SIDE, 3), GREY, np.uint8)
    if features is None:
        return column
    height, width = features.pixels.shape[:2]
    scale = SIDE / max(height, width)
    small = resize_pixels(features.pixels, max(1, round(scale * width)), max(1, round(scale * height)))
    column[: small.shape[0], : small.shape[1]] = small
    if features.has_face:
        picture, landmarks = to_tensor(features.pixels), features.landmarks[None]
        column[SIDE:-MOUTH_HEIGHT] = enlarge_eyes(picture, landmarks)
        column[-MOUTH_HEIGHT:] = enlarge_mouth(picture, landmarks)
    return column


def enlarge_eyes(picture: Tensor, landmarks: Tensor) -> Pixels:
    """Cut out both eyes, upright.

    Args:
        picture: The picture (1, 3, H, W) in [0, 1].
        landmarks: Landmarks (1, 478, 2 or 3) in pixels.

    Returns:
        Pixels (88, 224, 3).
    """
    return _enlarge(picture, landmarks, eye_frames(landmarks)[0].mean(dim=1), EYES_WIDTH, EYES_HEIGHT)


def enlarge_mouth(picture: Tensor, landmarks: Tensor) -> Pixels:
    """Cut out the mouth, turned as the eyes are, so that its own slant stays.

    Args:
        picture: The picture (1, 3, H, W) in [0, 1].
        landmarks: Landmarks (1, 478, 2 or 3) in pixels.

    Returns:
        Pixels (128, 224, 3).
    """
    center = landmarks[:, list(MOUTH_CORNERS), :2].mean(dim=1)
    return _enlarge(picture, landmarks, center, MOUTH_WIDTH, MOUTH_HEIGHT)


def _enlarge(picture: Tensor, landmarks: Tensor, center: Tensor, width: float, height: int) -> Pixels:
    """A window `width` distances of the eyes wide, around a place (1, 2)."""
    right, left = eye_frames(landmarks)[0].unbind(dim=1)
    along = (left - right) * (width / SIDE)
    matrix = torch.stack([along, torch.stack([-along[:, 1], along[:, 0]], dim=1)], dim=2)
    middle = matrix.new_tensor([(SIDE - 1) / 2, (height - 1) / 2])
    return to_pixels(warp_by_similarity(picture, matrix, center - matrix @ middle, (height, SIDE)))


def pack_jpeg(pixels: Pixels) -> bytes:
    """Encode a strip.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        A JPEG file.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
