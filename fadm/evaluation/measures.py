"""The metrics of an evaluation by name, and the measurement of one case against its reference."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.temporal import Values, measure_steadiness
from fadm.face.masks import FEATURE, draw_attention, outline_mask
from fadm.metrics import attributes, identity, landmarks, pixel
from fadm.metrics.perceptual import perceptual_distance


@dataclass(frozen=True)
class Metric:
    """A metric with a value for each frame, or for each window of `span` consecutive frames.

    Attributes:
        name: Name in files.
        group: Its group.
        title: Name in tables, with the unit.
        better: 1 where higher is better, -1 where lower is, 0 where neither.
        digits: Decimals in tables.
        needs_truth: Whether the driving frames must be the ground truth of the result.
        span: Frames in a window.
    """

    name: str
    group: str
    title: str
    better: int
    digits: int = 4
    needs_truth: bool = True
    span: int = 1

    def count(self, num_frames: int) -> int:
        """Count the values of a video.

        Args:
            num_frames: Its frames.

        Returns:
            The number of windows.
        """
        return max(0, num_frames - self.span + 1)


METRICS = (
    Metric("l1", "pixel", "L1", -1),
    Metric("psnr", "pixel", "PSNR, dB", 1, 2),
    Metric("ssim", "pixel", "SSIM", 1),
    Metric("ssim_legacy", "pixel", "SSIM, legacy", 1),
    Metric("l1_face", "pixel", "L1, face", -1),
    Metric("psnr_face", "pixel", "PSNR, face, dB", 1, 2),
    Metric("l1_mouth_eyes", "pixel", "L1, mouth and eyes", -1),
    Metric("psnr_mouth_eyes", "pixel", "PSNR, mouth and eyes, dB", 1, 2),
    Metric("efficientnet_lite0_distance", "perceptual", "EfficientNet-Lite0 distance", -1),
    Metric("lpips_alex", "perceptual", "LPIPS (alex)", -1),
    Metric("lpips_vgg", "perceptual", "LPIPS (vgg)", -1),
    Metric("akd", "landmarks", "AKD (MediaPipe), px", -1, 3),
    Metric("akd_x", "landmarks", "AKD in x, px", -1, 3),
    Metric("akd_y", "landmarks", "AKD in y, px", -1, 3),
    Metric("akd_fan68", "landmarks", "AKD (FAN, 68), px", -1, 3),
    Metric("nme_interocular", "landmarks", "NME, interocular", -1),
    Metric("nme_box", "landmarks", "NME, box", -1),
    Metric("missing_face", "landmarks", "no face found, share", -1, 4, needs_truth=False),
    Metric("missing_face_driver", "landmarks", "no face found in the driver, share", 0, 4, needs_truth=False),
    Metric("csim_dlib", "identity", "CSIM (dlib)", 1, 4, needs_truth=False),
    Metric("aed_l2_dlib", "identity", "AED (dlib, L2)", -1, 4, needs_truth=False),
    Metric("aed_squared_dlib", "identity", "AED (dlib, squared)", -1, 4, needs_truth=False),
    Metric("csim_arcface", "identity", "CSIM (ArcFace)", 1, 4, needs_truth=False),
    Metric("aed_l2_arcface", "identity", "AED (ArcFace, L2)", -1, 3, needs_truth=False),
    Metric("aed_squared_arcface", "identity", "AED (ArcFace, squared)", -1, 2, needs_truth=False),
    Metric("expression_distance_l1", "attributes", "expression, L1", -1, 4, needs_truth=False),
    Metric("expression_distance_l2", "attributes", "expression, L2", -1, 3, needs_truth=False),
    Metric("pose_distance_l1", "attributes", "pose, L1, rad", -1, 4, needs_truth=False),
    Metric("pose_distance_l2", "attributes", "pose, L2, rad", -1, 4, needs_truth=False),
    Metric("head_angle", "attributes", "head angle, degrees", -1, 3, needs_truth=False),
    Metric("flicker_still", "temporal", "flicker where the driver stands still", -1, 5, span=3),
    Metric("flicker_face", "temporal", "flicker of the stabilised face", -1, 5, False, span=3),
    Metric("flicker_face_driver", "temporal", "flicker of the driver's stabilised face", 0, 5, False, span=3),
    Metric("warp_error", "temporal", "error along the driver's flow", -1, 5, span=2),
    Metric("warp_error_driver", "temporal", "error of the driver along its own flow", 0, 5, span=2),
    Metric("landmark_jitter", "temporal", "jitter of the landmarks, px", -1, 3, False, span=3),
    Metric("landmark_jitter_driver", "temporal", "jitter of the driver's landmarks, px", 0, 3, False, span=3),
    Metric("jitter_against_driver", "temporal", "jitter against the driver, px", -1, 3, span=3),
)
BY_NAME = {metric.name: metric for metric in METRICS}
FOLLOWING = "following"
FACE_GROUPS = frozenset({"landmarks", "identity", "attributes", FOLLOWING, "temporal"})


@dataclass(frozen=True)
class Reference:
    """What a case's results are measured against, frame by frame.

    Attributes:
        source: The source frame.
        targets: The T driving frames.
        stored: Their landmarks (T, 478, 3) in pixels.
        identities: Fitted identities (1, I) of the source's person and of the driver's.
        has_truth: Whether both are the same person, so that the targets are the ground truth.
        is_video: Whether the frames are a video.
    """

    source: FrameFeatures
    targets: list[FrameFeatures]
    stored: Tensor
    identities: tuple[Tensor, Tensor]
    has_truth: bool
    is_video: bool


def measured_names(
    groups: Sequence[str], *, has_truth: bool, is_video: bool, missing: Iterable[str], has_motion: bool = True
) -> list[str]:
    """List the metrics that apply and have a value for each frame or window.

    The shares of missing faces are added to every group that measures faces.

    Args:
        groups: Groups of metrics.
        has_truth: Whether the driving frames are the ground truth.
        is_video: Whether a case is a video.
        missing: Metrics that cannot be measured here.
        has_motion: Whether there is a motion to follow.

    Returns:
        Names in the order of `METRICS`.
    """
    left_out = {group for group, fits in (("temporal", is_video), (FOLLOWING, has_motion)) if not fits}
    groups = [group for group in groups if group not in left_out]
    chosen = {metric.name for metric in METRICS if metric.group in groups}
    if not FACE_GROUPS.isdisjoint(groups):
        chosen |= {"missing_face", "missing_face_driver"}
    fitting = [metric.name for metric in METRICS if has_truth or not metric.needs_truth]
    return [name for name in fitting if name in chosen and name not in missing]


def measure(
    results: list[FrameFeatures], reference: Reference, names: Sequence[str], extractors: FeatureExtractors
) -> Values:
    """Measure metrics of one case's results.

    Args:
        results: Frames of the result; they may be fewer than the targets.
        reference: What they are measured against.
        names: Names of the metrics.
        extractors: The networks.

    Returns:
        Values by metric, NaN where the result has no frame or no face.
    """
    groups = {BY_NAME[name].group for name in names}
    found: Values = {}
    for group, measure_group in GROUP_MEASURES.items():
        if group not in groups:
            continue
        with extractors.watch.time(group):
            for name, numbers in measure_group(results, reference, extractors).items():
                length = BY_NAME[name].count(len(reference.targets))
                found[name] = numbers + [float("nan")] * (length - len(numbers))
    return {name: found[name] for name in names}


def _measure_pixels(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    rows = []
    for result, target, points in zip(results, reference.targets, reference.stored, strict=False):
        a, b = result.picture, target.picture
        size = (a.shape[2], a.shape[3])
        face = outline_mask(points[None], size)
        features = _mouth_and_eyes(points, size)
        row = {"l1": pixel.l1(a, b), "psnr": pixel.psnr(a, b)}
        row |= {"ssim": pixel.ssim(a, b), "ssim_legacy": pixel.ssim_legacy(a, b)}
        for part, mask in (("face", face), ("mouth_eyes", features)):
            row |= {f"l1_{part}": pixel.l1(a, b, mask), f"psnr_{part}": pixel.psnr(a, b, mask)}
        rows.append({name: value.item() for name, value in row.items()})
    return _columns(rows, [metric.name for metric in METRICS if metric.group == "pixel"])


def _mouth_and_eyes(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Draw the mask (1, 1, H, W) of mouth and eyes from landmarks (478, 3) in pixels; empty without a face."""
    if not points.isfinite().all():
        return torch.zeros(1, 1, *size)
    drawn = draw_attention(points.numpy(), max(size))[None]
    return (drawn[..., : size[0], : size[1]] == FEATURE).float()


def _measure_perceptual(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    found: Values = {}
    pairs = list(zip(results, reference.targets, strict=False))
    if extractors.efficientnet is not None:
        found["efficientnet_lite0_distance"] = [perceptual_distance(a.features, b.features).item() for a, b in pairs]
    for lpips in extractors.lpips:
        with torch.inference_mode():
            found[lpips.name] = [lpips(a.picture, b.picture).item() for a, b in pairs]
    return found


def _measure_landmarks(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    if not results:
        return {name: [] for name, metric in BY_NAME.items() if metric.group == "landmarks"}
    found = {"missing_face": [float(not result.has_face) for result in results]}
    found["missing_face_driver"] = [float(not target.has_face) for target in reference.targets[: len(results)]]
    if reference.has_truth:
        a, b = _landmarks(results), _landmarks(reference.targets[: len(results)])
        side = results[0].picture.shape[3]
        axes = landmarks.axis_distance(a, b, side)
        found["akd"] = landmarks.average_keypoint_distance(a, b, side).tolist()
        found["akd_x"], found["akd_y"] = axes[:, 0].tolist(), axes[:, 1].tolist()
        found["nme_interocular"] = landmarks.nme_interocular(a, b).tolist()
        found["nme_box"] = landmarks.nme_box(a, b).tolist()
        if extractors.fan is not None:
            c, d = (torch.stack([x.fan for x in frames]) for frames in (results, reference.targets[: len(results)]))
            found["akd_fan68"] = landmarks.average_keypoint_distance(c, d, side).tolist()
    return found


def _measure_identity(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    """Compare with the driving frame where it shows the same person, else with the source."""
    if not results:
        return {name: [] for name, metric in BY_NAME.items() if metric.group == "identity"}
    wanted = reference.targets[: len(results)] if reference.has_truth else [reference.source] * len(results)
    found: Values = {}
    for network in extractors.embedders:
        a, b = (torch.stack([frame.embed(network) for frame in frames]) for frames in (results, wanted))
        found |= {f"{name}_{network}": distance(a, b).tolist() for name, distance in identity.DISTANCES.items()}
    return found


def _measure_attributes(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    """Compare with the driving frame, with each person's identity fitted to the whole clip."""
    shown, driver = reference.identities
    if not results:
        return {name: [] for name, metric in BY_NAME.items() if metric.group == "attributes"}
    a = fit_person(results, shown, extractors)
    b = fit_person(reference.targets[: len(results)], driver, extractors)
    names = [name for name, metric in BY_NAME.items() if metric.group == "attributes"]
    return {name: getattr(attributes, name)(a, b).tolist() for name in names}


def _measure_temporal(results: list[FrameFeatures], reference: Reference, extractors: FeatureExtractors) -> Values:
    if len(results) < 2:
        return {name: [] for name, metric in BY_NAME.items() if metric.group == "temporal"}
    return measure_steadiness(results, reference.targets[: len(results)], has_truth=reference.has_truth)


def fit_person(frames: Sequence[FrameFeatures], person: Tensor, extractors: FeatureExtractors) -> FaceAttributes:
    """Fit the attributes of a known person.

    Args:
        frames: T frames, at least one.
        person: The fitted identity (1, I).
        extractors: The networks.

    Returns:
        T rows of attributes, NaN without a face.
    """
    points = _landmarks(frames)
    seen = points.isfinite().all(dim=2).all(dim=1)
    fitted, _ = extractors.model.fit(points.where(seen[:, None, None], extractors.model.mean), person)
    absent = torch.where(seen, 0.0, torch.nan)[:, None]
    return FaceAttributes(*(getattr(fitted, field.name) + absent for field in fields(FaceAttributes)))


def _landmarks(frames: Sequence[FrameFeatures]) -> Tensor:
    return torch.stack([frame.landmarks for frame in frames])


def _columns(rows: list[dict[str, float]], names: Sequence[str]) -> Values:
    return {name: [row[name] for row in rows] for name in names}


GROUP_MEASURES: dict[str, Callable[[list[FrameFeatures], Reference, FeatureExtractors], Values]] = {
    "landmarks": _measure_landmarks,
    "pixel": _measure_pixels,
    "perceptual": _measure_perceptual,
    "identity": _measure_identity,
    "attributes": _measure_attributes,
    "temporal": _measure_temporal,
}
