"""From numbers of frames to what is said of a method: means with intervals, and what a stage changes."""

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
from fadm.evaluation.journal import CaseResult, walk_results
from fadm.evaluation.measures import BY_NAME
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
    """A stage against another on the same frames: difference of the means, and relative change in percent."""

    against: str
    difference: Interval
    percent: Interval | None


@dataclass
class Summary:
    """What a run found.

    made: frames by stage; means and changes: by metric, then stage; sets: distances of set_size pictures by metric.
    """

    told: dict[str, Any]
    stages: list[str]
    num_cases: int
    num_frames: int
    made: dict[str, int]
    means: dict[str, dict[str, Interval]]
    changes: dict[str, dict[str, Change]]
    sets: dict[str, dict[str, float]]
    set_size: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that have a value, in their usual order."""
        return list(self.means)


def summarise(told: dict[str, Any], pairs: PairList, results: Mapping[str, CaseResult]) -> Summary:
    """Means, changes against each stage's baseline and notes; results in any order give the same."""
    stages, names = list(told["stages"]), list(told["metrics"])
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
    notes = [*_gather_notes(walk_results(dict(results), pairs)), *(f"{kind}: {said}" for kind, said in told["notes"])]
    notes += [said for stage in stages for said in find_infinite(results, pairs, stage, stage)]
    for reason in dict.fromkeys(told["not measured"].values()):
        without = [name for name, why in told["not measured"].items() if why == reason]
        notes.append(f"{', '.join(without)} {'is' if len(without) == 1 else 'are'} not measured: {reason}")
    made = {stage: sum(result.made.get(stage, 0) for result in results.values()) for stage in stages}
    return Summary(told, stages, len(pairs.cases), pairs.num_frames, made, means, changes, sets, set_size, notes)


def collect(results: Mapping[str, CaseResult], pairs: PairList, stage: str, name: str) -> ByClip:
    """Values of a metric, every frame in its place: those of missing results are NaN, as are infinite ones (PSNR)."""
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
    """What to say of frames that equal the truth to the bit, whose PSNR is infinite; title: of the stage."""
    counts: Counter[str] = Counter()
    for result in walk_results(dict(results), pairs):
        for name, numbers in result.values.get(stage, {}).items():
            counts[name] += sum(np.isinf(numbers).tolist())
    shown = ", ".join(f"{BY_NAME[name].title}: {num} frames" for name, num in counts.items() if num)
    return [f"equal to the truth, so infinite and left out of these means of {title}: {shown}"] if shown else []


def mean_of(values: ByClip) -> Interval | None:
    """Mean with its interval over clips; None where nothing was measured."""
    try:
        return bootstrap_mean(values)
    except MetricError:
        return None


def baseline_of(stage: str, stages: Sequence[str]) -> str:
    """What a stage is compared with: the whole renderer where a condition is switched off, else the first stage."""
    whole, _, condition = stage.partition(WITHOUT)
    return whole if condition and whole in stages else stages[0]


def compare(by_stage: Mapping[str, ByClip], stage: str, against: str) -> Change | None:
    """Change of the mean against a baseline on the frames that both have; None where there are none."""
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
    """Distances of each stage's pictures from the reference set, and how many pictures this has."""
    sets: dict[str, dict[str, float]] = {}
    set_size = 0
    for network, measures in SET_MEASURES.items():
        features: dict[str, list[torch.Tensor]] = {}
        for result in walk_results(dict(results), pairs):
            for stage, rows in result.features.get(network, {}).items():
                features.setdefault(stage, []).append(rows)
        joined = {stage: torch.cat(rows) for stage, rows in features.items()}
        if len(joined.get(REFERENCE, ())) < 2:
            continue
        set_size = len(joined[REFERENCE])
        there = [stage for stage in stages if len(joined.get(stage, ())) >= 2]
        sets |= {n: {stage: f(joined[stage], joined[REFERENCE]) for stage in there} for n, f in measures.items()}
    return sets, set_size


def _gather_notes(results: Iterable[CaseResult]) -> list[str]:
    """One sentence for each kind of note, with how many cases it concerns and the first of them."""
    kinds: dict[str, list[str]] = {}
    for result in results:
        for kind, said in result.notes:
            kinds.setdefault(kind, []).append(said)
    notes = []
    for kind, sentences in kinds.items():
        num = len(sentences)
        shown = "; ".join(sentences[:MOST_LISTED]) + ("; ..." if num > MOST_LISTED else "")
        notes.append(f"{kind}: {num} result{'s' if num > 1 else ''} ({shown})")
    return notes
