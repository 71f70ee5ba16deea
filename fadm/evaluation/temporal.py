"""The temporal metrics of one case, a few frames at a time, so that a long video is never in memory as floats."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fadm.evaluation.features import FrameFeatures
from fadm.face.masks import outline_mask
from fadm.media.crop import to_tensor
from fadm.metrics import temporal
from fadm.metrics.flow import estimate_flow

CHUNK = 32  # values that are computed together
Values = dict[str, list[float]]


def measure_steadiness(
    results: Sequence[FrameFeatures], targets: Sequence[FrameFeatures], *, has_truth: bool
) -> Values:
    """Measure every temporal metric of a video.

    Args:
        results: T frames of the result, at least 2.
        targets: The T driving frames.
        has_truth: Whether these are the ground truth; else the metrics that need it are left out.

    Returns:
        Values by metric.
    """
    a, b = (torch.stack([frame.landmarks for frame in frames]) for frames in (results, targets))
    side = results[0].pixels.shape[1]
    values = {
        "flicker_face": _flicker_face(results, a),
        "flicker_face_driver": _flicker_face(targets, b),
        "landmark_jitter": temporal.landmark_jitter(a, side).tolist(),
        "landmark_jitter_driver": temporal.landmark_jitter(b, side).tolist(),
        "jitter_against_driver": temporal.jitter_against(a, b, side).tolist(),
    }
    return values | _measure_against_truth(results, targets) if has_truth else values


def _measure_against_truth(results: Sequence[FrameFeatures], targets: Sequence[FrameFeatures]) -> Values:
    """Measure flicker where the true video is still, and the errors of both videos along its flow."""
    pixels = [frame.pixels for frame in targets]
    still = temporal.still_mask(_stack([np.minimum.reduce(pixels), np.maximum.reduce(pixels)]))
    values: Values = {"flicker_still": [], "warp_error": [], "warp_error_driver": []}
    for first in range(0, len(results), CHUNK):
        part = slice(first, first + CHUNK + 2)
        video, truth = (_stack([frame.pixels for frame in frames[part]]) for frames in (results, targets))
        values["flicker_still"] += temporal.flicker(video, still).tolist()
        moving = slice(CHUNK + 1)
        flow, mask = estimate_flow(truth[moving])
        values["warp_error"] += temporal.warp_error(video[moving], flow, mask).tolist()
        values["warp_error_driver"] += temporal.warp_error(truth[moving], flow, mask).tolist()
    return values


def _flicker_face(frames: Sequence[FrameFeatures], points: Tensor) -> list[float]:
    """Measure flicker within the face's outline, after the head is stabilised to the first face."""
    seen = points[points.isfinite().all(dim=2).all(dim=1)]
    if not len(seen):
        return [float("nan")] * (len(frames) - 2)
    height, width, _ = frames[0].pixels.shape
    mask = outline_mask(seen[:1], (height, width))
    values: list[float] = []
    for first in range(0, len(frames), CHUNK):
        part = slice(first, first + CHUNK + 2)
        video = _stack([frame.pixels for frame in frames[part]])
        held = temporal.stabilise(torch.cat([video[:1], video]), torch.cat([seen[:1], points[part]]))[1:]
        values += temporal.flicker(held, mask).tolist()
    return values


def _stack(pictures: Sequence[np.ndarray]) -> Tensor:
    return torch.cat([to_tensor(pixels) for pixels in pictures])
