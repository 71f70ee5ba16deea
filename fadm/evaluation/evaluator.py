"""Measures the cases of an evaluation one after another and keeps each result."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm import __version__
from fadm.errors import OptionError
from fadm.evaluation.clip_frames import ClipFrames
from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.journal import CaseResult, Journal
from fadm.evaluation.measures import BY_NAME, FOLLOWING, Reference, Values, measure, measured_names
from fadm.evaluation.pairs import Case, PairList
from fadm.evaluation.prediction import Method, Prediction
from fadm.evaluation.signals import read_signals
from fadm.files import explain_failure
from fadm.media.image import write_image
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

FRAMES = "frames"
REFERENCE = "reference"
CHUNK = 16  # frames of a video that are measured together


@dataclass(frozen=True)
class Evaluation:
    """A method, the cases it is evaluated on, and the metrics.

    Attributes:
        method: Makes the results.
        pairs: The cases.
        frames: The clips' frames.
        extractors: The networks that the metrics need.
        groups: Groups of metrics.
    """

    method: Method
    pairs: PairList
    frames: ClipFrames
    extractors: FeatureExtractors
    groups: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the metrics that apply and can be measured."""
        return measured_names(
            self.groups,
            has_truth=self.pairs.has_truth,
            is_video=self.pairs.is_video,
            missing=self.extractors.missing,
            has_motion=self.pairs.has_motion,
        )

    @property
    def follows(self) -> bool:
        """Whether it is measured how the results follow the drivers' movements."""
        return FOLLOWING in self.groups and self.pairs.has_motion

    @property
    def pools(self) -> list[str]:
        """The networks whose features compare sets of pictures."""
        return [*self.extractors.pools] if "distribution" in self.groups else []

    def describe(self) -> dict[str, Any]:
        """Describe everything that determines the numbers, for the run's manifest; an equal one resumes the run."""
        clips = sorted({case.driving_clip for case in self.pairs.cases} | {c.source_clip for c in self.pairs.cases})
        sizes = [(key, [picture.size for picture in self.frames.clip(key).pictures]) for key in clips]
        versions = {"fadm": __version__} | {name: version(name) for name in ("torch", "ai-edge-litert")}
        return {
            **self.method.description,
            **self.extractors.digests,
            "stages": self.method.stages,
            "protocol": self.pairs.protocol,
            "pairs": self.pairs.sha256,
            "data": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
            "groups": self.groups,
            "metrics": self.names,
            "not measured": self.extractors.missing,
            "versions": versions,
        }


def measure_cases(
    evaluation: Evaluation, folder: Path, *, save_frames: bool = False, progress: Progress = NO_PROGRESS
) -> dict[str, CaseResult]:
    """Measure every case that the folder does not hold yet.

    Args:
        evaluation: The evaluation.
        folder: Folder of the run.
        save_frames: Whether the frames of the results are saved as PNG files.
        progress: Follows the work.

    Returns:
        Results by case.

    Raises:
        OptionError: The folder holds another run or other files, or no metric applies.
        InputError: A picture of a clip is damaged.
        OutputError: The folder cannot be written.
    """
    pairs = evaluation.pairs
    if not evaluation.names and not evaluation.pools:
        reason = "; ".join(dict.fromkeys(evaluation.extractors.missing.values())) or "choose other groups"
        raise OptionError(
            f"--metrics {','.join(evaluation.groups)}: no metric of it applies to {pairs.protocol} ({reason})"
        )
    notes = evaluation.method.find_notes(pairs.cases)
    with closing(Journal(folder, evaluation.describe() | {"notes": notes}, pairs)) as journal:
        left = [case for case in pairs.cases if case.name not in journal.results]
        progress.stage("evaluating", sum(len(case.driving_frames) for case in left))
        for case, prediction in predict_cases(evaluation, left):
            if save_frames:
                _save_frames(folder / FRAMES, case, prediction, is_video=pairs.is_video)
            journal.add(measure_case(evaluation, case, prediction))
            for _ in case.driving_frames:
                progress.advance()
        return journal.results


def predict_cases(evaluation: Evaluation, cases: Sequence[Case]) -> Iterator[tuple[Case, Prediction]]:
    """Make the results of cases, grouped by driver and source so that cached frames are used again.

    Args:
        evaluation: The evaluation.
        cases: The cases.

    Yields:
        Each case with its result.
    """
    for case in sorted(cases, key=lambda c: (c.driving_clip, c.source_clip, c.source_frame, c.name)):
        yield case, evaluation.method.predict(case, evaluation.frames)


def measure_case(evaluation: Evaluation, case: Case, prediction: Prediction) -> CaseResult:
    """Measure the result of one case, a few frames at a time.

    Args:
        evaluation: The evaluation.
        case: The case.
        prediction: Its result.

    Returns:
        The numbers of every frame by stage and metric.
    """
    extractors, names = evaluation.extractors, evaluation.names
    by_frame = [name for name in names if BY_NAME[name].group != "temporal"]
    over_time = [name for name in names if BY_NAME[name].group == "temporal"]
    stages = {
        stage: [FrameFeatures(pixels, extractors) for pixels in pictures]
        for stage, pictures in prediction.pictures.items()
    }
    values: dict[str, Values] = {stage: {name: [] for name in names} for stage in stages}
    counts = {stage: len(results) for stage, results in stages.items()}
    result = CaseResult(case.name, values, counts, list(prediction.notes))
    pooled: dict[str, dict[str, list[torch.Tensor]]] = {network: {} for network in evaluation.pools}
    targets: list[FrameFeatures] = []
    for first in range(0, len(case.driving_frames), CHUNK):
        part = slice(first, first + CHUNK)
        reference = _make_reference(evaluation, case, part)
        for stage, results in stages.items():
            _append(result.values[stage], measure(results[part], reference, by_frame, extractors))
        if pooled:
            predicted = {stage: results[part] for stage, results in stages.items()}
            _pool(pooled, predicted | {REFERENCE: _real_frames(evaluation, case, reference, part)})
        targets += reference.targets
        if evaluation.pairs.is_video:
            for frame in (*reference.targets, *(f for results in stages.values() for f in results[part])):
                frame.forget()
    if over_time:
        reference = _make_reference(evaluation, case, slice(None), targets)
        for stage, results in stages.items():
            result.values[stage] |= measure(results, reference, over_time, extractors)
    if evaluation.follows:
        shown, driver = (evaluation.frames.identity(clip) for clip in (case.source_clip, case.driving_clip))
        result.signals = {REFERENCE: read_signals(targets, driver, extractors)}
        result.signals |= {stage: read_signals(frames, shown, extractors) for stage, frames in stages.items()}
    result.features = {
        network: {stage: torch.stack(rows) for stage, rows in by_stage.items()} for network, by_stage in pooled.items()
    }
    result.seconds = extractors.watch.take()
    return result


def _make_reference(
    evaluation: Evaluation, case: Case, part: slice, targets: list[FrameFeatures] | None = None
) -> Reference:
    frames, numbers = evaluation.frames, case.driving_frames[part]
    targets = targets or [frames.features(case.driving_clip, number) for number in numbers]
    return Reference(
        source=frames.features(case.source_clip, case.source_frame),
        targets=targets,
        stored=torch.from_numpy(frames.landmarks(case.driving_clip, numbers)),
        identities=(frames.identity(case.source_clip), frames.identity(case.driving_clip)),
        has_truth=evaluation.pairs.has_truth,
        is_video=evaluation.pairs.is_video,
    )


def _append(values: Values, found: Values) -> None:
    for name, numbers in found.items():
        values[name] += numbers


def _pool(pooled: dict[str, dict[str, list[torch.Tensor]]], stages: dict[str, list[FrameFeatures]]) -> None:
    for network, by_stage in pooled.items():
        for stage, frames in stages.items():
            if frames:
                by_stage.setdefault(stage, []).extend(frame.pool(network) for frame in frames)


def _real_frames(evaluation: Evaluation, case: Case, reference: Reference, part: slice) -> list[FrameFeatures]:
    """Choose as many real frames: the driving ones, or for another person's driver those of the source's clip."""
    if reference.has_truth:
        return reference.targets
    num = len(evaluation.frames.clip(case.source_clip).pictures)
    numbers = range(len(case.driving_frames))[part]
    return [evaluation.frames.features(case.source_clip, number % num) for number in numbers]


def _save_frames(folder: Path, case: Case, prediction: Prediction, *, is_video: bool) -> None:
    """Save PNG files by stage: one with the case's name, or for videos a folder of that name."""
    for stage, pictures in prediction.pictures.items():
        place = folder / stage / case.name if is_video else folder / stage
        with explain_failure(place):
            place.mkdir(parents=True, exist_ok=True)
        for index, pixels in enumerate(pictures):
            write_image(place / (f"{index:05d}.png" if is_video else f"{case.name}.png"), pixels)
