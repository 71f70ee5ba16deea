"""Statistics of a run: means with intervals over clips, and the changes between stages."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.errors import MetricError
from fadm.evaluation.evaluator import REFERENCE
from fadm.evaluation.features import EFFICIENTNET, INCEPTION
from fadm.evaluation.following import Followings, collect_motions, measure_following
from fadm.evaluation.journal import CaseResult, ordered_results
from fadm.evaluation.measures import BY_NAME, FOLLOWING
from fadm.evaluation.methods import WITHOUT
from fadm.evaluation.pairs import PairList
from fadm.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean, bootstrap_ratio
from fadm.metrics.distribution import (
    FID_NAME,
    FRECHET_NAME,
    KERNEL_NAME,
    KID_NAME,
    frechet_distance,
    kernel_distance,
)

Array = NDArray[np.float64]
ByClip = dict[str, Array]  # values of all frames by driving clip, NaN where there is nothing to measure

MOST_LISTED = 3
SET_MEASURES = {
    EFFICIENTNET: {FRECHET_NAME: frechet_distance, KERNEL_NAME: kernel_distance},
    INCEPTION: {FID_NAME: frechet_distance, KID_NAME: kernel_distance},
}
SET_TITLES = {
    FRECHET_NAME: "Fréchet distance (EfficientNet-Lite0)",
    KERNEL_NAME: "KID (EfficientNet-Lite0)",
    FID_NAME: "FID (Inception)",
    KID_NAME: "KID (Inception)",
}


@dataclass(frozen=True)
class Change:
    """The change of a metric from one stage to another, on the frames that both have.

    Attributes:
        against: The stage that is compared with.
        difference: Difference of the means.
        percent: Relative change in percent; None where it is not finite.
    """

    against: str
    difference: Interval
    percent: Interval | None


@dataclass
class Summary:
    """The statistics of a run.

    Attributes:
        manifest: The run's manifest.
        stages: Names of the stages.
        num_cases: Number of cases.
        num_frames: Number of driving frames.
        made: Number of frames of the results by stage.
        means: Means with intervals by metric, then stage.
        changes: Changes by metric, then stage.
        sets: Distances between sets of pictures by metric, then stage.
        set_size: Pictures in the reference set.
        notes: Sentences on what was not as expected.
        following: How the results follow the drivers' movements, by movement, then stage.
    """

    manifest: dict[str, Any]
    stages: list[str]
    num_cases: int
    num_frames: int
    made: dict[str, int]
    means: dict[str, dict[str, Interval]]
    changes: dict[str, dict[str, Change]]
    sets: dict[str, dict[str, float]]
    set_size: int = 0
    notes: list[str] = field(default_factory=list)
    following: Followings = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that have a value, in the order of `METRICS`."""
        return list(self.means)


def summarise(manifest: dict[str, Any], pairs: PairList, results: Mapping[str, CaseResult]) -> Summary:
    """Compute means, changes from each stage's baseline, and notes; the order of the results does not matter.

    Args:
        manifest: The run's manifest.
        pairs: The cases.
        results: The measured cases by name.

    Returns:
        The summary.
    """
    stages, names = list(manifest["stages"]), list(manifest["metrics"])
    values = {name: {stage: collect(results, pairs, stage, name) for stage in stages} for name in names}
    means, changes = {}, {}
    for name, by_stage in values.items():
        found = {stage: mean for stage in stages if (mean := mean_of(by_stage[stage])) is not None}
        if not found:
            continue
        means[name] = found
        if BY_NAME[name].better:
            changed = {stage: compare(by_stage, stage, baseline_of(stage, stages)) for stage in stages[1:]}
            changes[name] = {stage: change for stage, change in changed.items() if change is not None}
    sets, set_size = compare_sets(results, pairs, stages)
    notes = [
        *_gather_notes(ordered_results(dict(results), pairs)),
        *(f"{kind}: {text}" for kind, text in manifest["notes"]),
    ]
    notes += [note for stage in stages for note in find_infinite(results, pairs, stage, stage)]
    for reason in dict.fromkeys(manifest["not measured"].values()):
        without = [name for name, why in manifest["not measured"].items() if why == reason]
        notes.append(f"{', '.join(without)} {'is' if len(without) == 1 else 'are'} not measured: {reason}")
    motions = {stage: collect_motions(results, pairs, stage) for stage in stages}
    following = measure_following(motions, {stage: baseline_of(stage, stages) for stage in stages[1:]})
    if FOLLOWING in manifest["groups"] and not pairs.has_motion:
        notes.append(f"{FOLLOWING} is not measured: no clip drives a source with two frames, so there is no motion")
    made = {stage: sum(result.made.get(stage, 0) for result in results.values()) for stage in stages}
    counts = (len(pairs.cases), pairs.num_frames, made)
    return Summary(manifest, stages, *counts, means, changes, sets, set_size, notes, following)


def collect(results: Mapping[str, CaseResult], pairs: PairList, stage: str, name: str) -> ByClip:
    """Collect the values of a metric, NaN for missing results and infinite values (PSNR).

    Args:
        results: The measured cases by name.
        pairs: The cases.
        stage: The stage.
        name: The metric.

    Returns:
        Values by driving clip, in the order of the cases and their frames.
    """
    parts: dict[str, list[Array]] = {}
    for case in pairs.cases:
        num = len(case.driving_frames)
        length = BY_NAME[name].count(num)
        found = results[case.name].values.get(stage, {}).get(name, []) if case.name in results else []
        row = np.full(length, np.nan)
        row[: len(found)] = found[:length]
        row[np.isinf(row)] = np.nan
        parts.setdefault(case.driving_clip, []).append(row)
    return {clip: np.concatenate(rows) for clip, rows in parts.items()}


def find_infinite(results: Mapping[str, CaseResult], pairs: PairList, stage: str, title: str) -> list[str]:
    """Describe frames that equal the ground truth exactly, so that their PSNR is infinite.

    Args:
        results: The measured cases by name.
        pairs: The cases.
        stage: The stage.
        title: The stage's title in the text.

    Returns:
        One sentence, or none where every value is finite.
    """
    counts: Counter[str] = Counter()
    for result in ordered_results(dict(results), pairs):
        for name, numbers in result.values.get(stage, {}).items():
            counts[name] += sum(np.isinf(numbers).tolist())
    shown = ", ".join(f"{BY_NAME[name].title}: {num} frames" for name, num in counts.items() if num)
    return [f"equal to the truth, so infinite and left out of these means of {title}: {shown}"] if shown else []


def mean_of(values: ByClip) -> Interval | None:
    """Compute the mean with its bootstrap interval over clips.

    Args:
        values: Values by clip.

    Returns:
        The interval; None where nothing was measured.
    """
    try:
        return bootstrap_mean(values)
    except MetricError:
        return None


def baseline_of(stage: str, stages: Sequence[str]) -> str:
    """Choose the stage to compare with: the whole renderer for one without a condition, else the first stage.

    Args:
        stage: The stage.
        stages: All stages.

    Returns:
        Name of the baseline.
    """
    whole, _, condition = stage.partition(WITHOUT)
    return whole if condition and whole in stages else stages[0]


def compare(by_stage: Mapping[str, ByClip], stage: str, against: str) -> Change | None:
    """Compute the change of the mean from a baseline, on the frames that both have.

    Args:
        by_stage: Values of a metric by stage.
        stage: The stage.
        against: The baseline.

    Returns:
        The change; None where they have no frame in common.
    """
    values, baseline = by_stage[stage], by_stage[against]
    try:
        with np.errstate(all="ignore"):
            difference, ratio = bootstrap_difference(values, baseline), bootstrap_ratio(values, baseline)
    except MetricError:
        return None
    estimate, low, high = (100 * (number - 1) for number in (ratio.estimate, ratio.low, ratio.high))
    is_finite = np.isfinite([estimate, low, high]).all()
    percent = Interval(estimate, low, high, ratio.num_groups, ratio.num_values) if is_finite else None
    return Change(against, difference, percent)


def compare_sets(
    results: Mapping[str, CaseResult], pairs: PairList, stages: Sequence[str]
) -> tuple[dict[str, dict[str, float]], int]:
    """Compute the distances of each stage's pictures from the reference set.

    Args:
        results: The measured cases by name.
        pairs: The cases.
        stages: The stages.

    Returns:
        Distances by metric and stage, and the number of pictures in the reference set.
    """
    sets: dict[str, dict[str, float]] = {}
    set_size = 0
    for network, measures in SET_MEASURES.items():
        features: dict[str, list[torch.Tensor]] = {}
        for result in ordered_results(dict(results), pairs):
            for stage, rows in result.features.get(network, {}).items():
                features.setdefault(stage, []).append(rows)
        joined = {stage: torch.cat(rows) for stage, rows in features.items()}
        if len(joined.get(REFERENCE, ())) < 2:
            continue
        set_size = len(joined[REFERENCE])
        present = [stage for stage in stages if len(joined.get(stage, ())) >= 2]
        sets |= {n: {stage: f(joined[stage], joined[REFERENCE]) for stage in present} for n, f in measures.items()}
    return sets, set_size


def _gather_notes(results: Iterable[CaseResult]) -> list[str]:
    """Write one sentence for each kind of note, with the number of its cases and the first of them."""
    kinds: dict[str, list[str]] = {}
    for result in results:
        for kind, text in result.notes:
            kinds.setdefault(kind, []).append(text)
    notes = []
    for kind, sentences in kinds.items():
        num = len(sentences)
        shown = "; ".join(sentences[:MOST_LISTED]) + ("; ..." if num > MOST_LISTED else "")
        notes.append(f"{kind}: {num} result{'s' if num > 1 else ''} ({shown})")
    return notes
