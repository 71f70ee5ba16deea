"""Where the faces of a picture are, by MediaPipe's BlazeFace detectors.

Bazarevsky et al., "BlazeFace: sub-millisecond neural face detection on mobile GPUs", arXiv 1907.05047. The
short-range model sees faces that fill much of its window, the full-range model small and far ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fadm.face.litert import ModelPerThread
from fadm.face.region import Region, cut_region, shared_area, shrink, whole_region

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

RIGHT_EYE, LEFT_EYE = 0, 1  # of a detection's six points
WINDOW = 1.5  # side of the landmark network's region, in lengths of the detection's longer side
OVERLAP = 0.3  # boxes that share more than this part of their union are one face
ALIKE = 0.7  # cosine of the largest angle between two detections of one face, which stands one way only
UPRIGHT = (0.0,)
QUARTER_TURNS = tuple(np.pi / 2 * turns for turns in range(4))
TILE = 256  # about the smallest tiles of a search; in them the full-range model finds faces of 24 pixels
TILE_STRIDE = 2 / 3  # of the tile's side
TURNED_STEPS = 2  # steps of tiles that are searched for turned faces, too
MAX_TILES = 600  # of a step, which bounds the time for the largest pictures
MAX_DETECTIONS = 16  # of a step


@dataclass(frozen=True)
class Detection:
    """A face that a detector found.

    Attributes:
        region: Region around the face, upright with it, for the landmark network.
        score: How sure the detector is, in [0, 1].
    """

    region: Region
    score: float


@dataclass(frozen=True)
class Detector:
    """One of the two models.

    Attributes:
        run: The network: window (1, side, side, 3) in [-1, 1] -> numbers (1, A, 16) and scores (1, A, 1).
        side: Side of its window in pixels.
        anchors: Centres (A, 2) of its anchors, in shares of the window.
        min_score: Lowest score of a face.
    """

    run: Callable[[FloatArray], list[FloatArray]]
    side: int
    anchors: FloatArray
    min_score: float


def _make_anchors(layers: Sequence[tuple[int, int]]) -> FloatArray:
    """Centres (A, 2) of the anchors of layers given by cells along a side and anchors in each cell."""
    centres = []
    for cells, count in layers:
        step = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(step, step)
        centres.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(centres)


SHORT_RANGE = Detector(ModelPerThread("face_detector"), 128, _make_anchors([(16, 2), (8, 6)]), 0.5)
FULL_RANGE = Detector(ModelPerThread("face_detection_full_range_sparse"), 192, _make_anchors([(48, 1)]), 0.6)
MODELS = (SHORT_RANGE, FULL_RANGE)


def search_faces(
    pixels: Pixels,
    *,
    models: Sequence[Detector] = MODELS,
    turns: Sequence[float] = UPRIGHT,
    is_thorough: bool = False,
) -> Iterator[list[Detection]]:
    """Search a picture for faces, in steps that see ever more.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        models: Models that search the whole picture.
        turns: How far the faces may be turned clockwise, in radians, about.
        is_thorough: Also look, step by step, for ever smaller faces in tiles of the picture.

    Yields:
        The faces that a step found, surest first; whoever is content with them stops. One face may be found at several
        turns.
    """
    yield _search(models, pixels, [whole_region(pixels, angle) for angle in turns])
    if is_thorough:
        for step, tiles in enumerate(_tile(pixels)):
            angles = turns if step < TURNED_STEPS else UPRIGHT
            yield _search((FULL_RANGE,), pixels, [replace(tile, angle=angle) for angle in angles for tile in tiles])


def _search(models: Sequence[Detector], pixels: Pixels, windows: Sequence[Region]) -> list[Detection]:
    """Find the faces within windows of one size; the picture is shrunk once for all."""
    factor = max(1, int(windows[0].side / max(model.side for model in models)))
    small = shrink(pixels, factor)
    inner = [window.scaled(1 / factor) for window in windows]
    found = [detection for window in inner for model in models for detection in _detect(model, small, window)]
    return [replace(d, region=d.region.scaled(factor)) for d in _without_repeats(found)[:MAX_DETECTIONS]]


def _detect(detector: Detector, pixels: Pixels, window: Region) -> list[Detection]:
    """Find the faces within a window of the picture."""
    picture = cut_region(pixels, window, detector.side, padding="zeros")
    numbers, logits = detector.run(picture * 2 - 1)
    scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
    chosen = scores >= detector.min_score
    detections = []
    for values, anchor, score in zip(numbers[0, chosen], detector.anchors[chosen], scores[chosen], strict=True):
        points = values.reshape(8, 2) / np.float32(detector.side)  # centre, size, six points
        corners = anchor + points[0] + np.array([[-0.5], [0.5]], np.float32) * points[1]
        inside = np.concatenate([corners, anchor + points[2:]])
        right = window.to_picture(inside[[2 + LEFT_EYE]]) - window.to_picture(inside[[2 + RIGHT_EYE]])
        centre, side = window.to_picture(corners.mean(0, keepdims=True))[0], float(points[1].max()) * window.side
        angle = float(np.arctan2(right[0, 1], right[0, 0]))
        detections.append(Detection(Region(float(centre[0]), float(centre[1]), side * WINDOW, angle), float(score)))
    return _without_repeats(detections)


def _tile(pixels: Pixels) -> Iterator[list[Region]]:
    """Cover the picture by tiles of half its longer side, a quarter of it, and so on."""
    height, width = pixels.shape[:2]
    side = max(height, width) / 2
    while side >= TILE / 2:
        step = side * TILE_STRIDE
        rows, columns = (int(max(0, np.ceil((length - side) / step))) + 1 for length in (height, width))
        if rows * columns > MAX_TILES:
            return
        yield [Region((j * step + side / 2), (i * step + side / 2), side) for i in range(rows) for j in range(columns)]
        side /= 2


def _without_repeats(detections: list[Detection]) -> list[Detection]:
    """Keep the surest of the detections that lie on each other and are turned alike."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        if not any(_is_repeat(detection.region, other.region) for other in kept):
            kept.append(detection)
    return kept


def _is_repeat(region: Region, other: Region) -> bool:
    return shared_area(region, other) >= OVERLAP and np.cos(region.angle - other.angle) > ALIKE
