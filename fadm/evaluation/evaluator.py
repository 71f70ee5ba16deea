"""One evaluation: the cases in turn, each measured once and kept, then everything that is written about them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm import __version__
from fadm.errors import OptionError
from fadm.evaluation.features import ClipFrames, FeatureExtractors, FrameFeatures
from fadm.evaluation.journal import CaseResult, Journal
from fadm.evaluation.measures import BY_NAME, Reference, Values, measure, measured_names
from fadm.evaluation.methods import Method, Prediction
from fadm.evaluation.pairs import Case, PairList
from fadm.files import explain_failure
from fadm.media.image import write_image
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

FRAMES = "frames"
REFERENCE = "reference"
CHUNK = 16  # frames of a video that are measured together


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated on what, and what is measured; names: of the metrics."""

    method: Method
    pairs: PairList
    frames: ClipFrames
    extractors: FeatureExtractors
    groups: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The metrics that apply and can be measured."""
        return measured_names(
            self.groups,
            has_truth=self.pairs.has_truth,
            is_video=self.pairs.is_video,
            missing=self.extractors.missing,
        )

    @property
    def pools(self) -> list[str]:
        """The networks by whose features sets of pictures are compared."""
        return [*self.extractors.pools] if "distribution" in self.groups else []

    def tell(self) -> dict[str, Any]:
        """What decides the numbers: two runs that are told the same go on with each other."""
        clips = sorted({case.driving_clip for case in self.pairs.cases} | {c.source_clip for c in self.pairs.cases})
        sizes = [(key, [picture.size for picture in self.frames.clip(key).pictures]) for key in clips]
        versions = {"fadm": __version__} | {name: version(name) for name in ("torch", "mediapipe")}
        return {
            **self.method.description,
            **self.extractors.told,
            "stages": self.method.stages,
            "protocol": self.pairs.protocol,
            "pairs": self.pairs.sha256,
            "data": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
            "groups": self.groups,
            "metrics": self.names,
            "not measured": self.extractors.missing,
            "versions": versions,
        }


def evaluate(
    evaluation: Evaluation, folder: Path, *, save_frames: bool = False, progress: Progress = NO_PROGRESS
) -> dict[str, CaseResult]:
    """Measure every case that the folder does not hold yet -> results by case.

    Raises OptionError for a folder that holds something else or where nothing is to be measured, InputError for a
    damaged picture of a clip.
    """
    pairs = evaluation.pairs
    if not evaluation.names and not evaluation.pools:
        reason = "; ".join(dict.fromkeys(evaluation.extractors.missing.values())) or "choose other groups"
        raise OptionError(f"--metrics {','.join(evaluation.groups)}: nothing of it suits {pairs.protocol} ({reason})")
    notes = evaluation.method.find_notes(pairs.cases)
    with closing(Journal(folder, evaluation.tell() | {"notes": notes}, pairs)) as journal:
        left = [case for case in pairs.cases if case.name not in journal.results]
        progress.stage("evaluating", sum(len(case.driving_frames) for case in left))
        for case, made in make_all(evaluation, left):
            if save_frames:
                _save_frames(folder / FRAMES, case, made, is_video=pairs.is_video)
            journal.add(measure_case(evaluation, case, made))
            for _ in case.driving_frames:
                progress.advance()
        return journal.results


def make_all(evaluation: Evaluation, cases: Sequence[Case]) -> Iterator[tuple[Case, Prediction]]:
    """The results of cases, those of one driver and one source together."""
    ordered = sorted(cases, key=lambda c: (c.driving_clip, c.source_clip, c.source_frame, c.name))
    for _, group in groupby(ordered, lambda c: (c.driving_clip, c.source_clip, c.source_frame)):
        same = list(group)
        yield from zip(same, evaluation.method.make(same, evaluation.frames), strict=True)


def measure_case(evaluation: Evaluation, case: Case, made: Prediction) -> CaseResult:
    """Measure what was made of one case, a few frames at a time."""
    extractors, names = evaluation.extractors, evaluation.names
    by_frame = [name for name in names if BY_NAME[name].group != "temporal"]
    over_time = [name for name in names if BY_NAME[name].group == "temporal"]
    looks = {stage: [FrameFeatures(pixels, extractors) for pixels in made.pictures[stage]] for stage in made.pictures}
    values: dict[str, Values] = {stage: {name: [] for name in names} for stage in looks}
    counts = {stage: len(results) for stage, results in looks.items()}
    result = CaseResult(case.name, values, counts, list(made.notes))
    features: dict[str, dict[str, list[torch.Tensor]]] = {network: {} for network in evaluation.pools}
    targets: list[FrameFeatures] = []
    for first in range(0, len(case.driving_frames), CHUNK):
        part = slice(first, first + CHUNK)
        scene = _make_reference(evaluation, case, part)
        for stage, results in looks.items():
            _append(result.values[stage], measure(results[part], scene, by_frame, extractors))
        if features:
            shown = {stage: results[part] for stage, results in looks.items()}
            _collect_features(features, shown | {REFERENCE: _reference(evaluation, case, scene, part)})
        targets += scene.targets
        if evaluation.pairs.is_video:
            for look in (*scene.targets, *(look for results in looks.values() for look in results[part])):
                look.forget()
    if over_time:
        scene = _make_reference(evaluation, case, slice(None), targets)
        for stage, results in looks.items():
            result.values[stage] |= measure(results, scene, over_time, extractors)
    result.features = {
        network: {stage: torch.stack(rows) for stage, rows in by_stage.items()}
        for network, by_stage in features.items()
    }
    result.seconds = extractors.watch.take()
    return result


def _make_reference(
    evaluation: Evaluation, case: Case, part: slice, targets: list[FrameFeatures] | None = None
) -> Reference:
    frames, numbers = evaluation.frames, case.driving_frames[part]
    targets = targets or [frames.look(case.driving_clip, number) for number in numbers]
    return Reference(
        source=frames.look(case.source_clip, case.source_frame),
        targets=targets,
        stored=torch.from_numpy(frames.landmarks(case.driving_clip, numbers)),
        identities=(frames.identity(case.source_clip), frames.identity(case.driving_clip)),
        has_truth=evaluation.pairs.has_truth,
        is_video=evaluation.pairs.is_video,
    )


def _append(values: Values, found: Values) -> None:
    for name, numbers in found.items():
        values[name] += numbers


def _collect_features(
    features: dict[str, dict[str, list[torch.Tensor]]], looks: dict[str, list[FrameFeatures]]
) -> None:
    for network, by_stage in features.items():
        for stage, shown in looks.items():
            if shown:
                by_stage.setdefault(stage, []).extend(look.pool(network) for look in shown)


def _reference(evaluation: Evaluation, case: Case, scene: Reference, part: slice) -> list[FrameFeatures]:
    """Real pictures, as many as are made: the driving frames, or where these show another person, the source's clip."""
    if scene.has_truth:
        return scene.targets
    num = len(evaluation.frames.clip(case.source_clip).pictures)
    numbers = range(len(case.driving_frames))[part]
    return [evaluation.frames.look(case.source_clip, number % num) for number in numbers]


def _save_frames(folder: Path, case: Case, made: Prediction, *, is_video: bool) -> None:
    """PNG files by stage: one of the case's name, or for videos a folder of that name."""
    for stage, pictures in made.pictures.items():
        place = folder / stage / case.name if is_video else folder / stage
        with explain_failure(place):
            place.mkdir(parents=True, exist_ok=True)
        for index, pixels in enumerate(pictures):
            write_image(place / (f"{index:05d}.png" if is_video else f"{case.name}.png"), pixels)
