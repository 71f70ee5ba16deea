"""Statistics of expression following: gains and correlations with intervals over driving clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.evaluation.evaluator import REFERENCE
from fadm.evaluation.journal import CaseResult
from fadm.evaluation.pairs import PairList
from fadm.metrics.bootstrap import Interval, bootstrap_statistic
from fadm.metrics.following import COEFFICIENTS, MOVEMENTS, SIGNALS, Movement, correlation, gain, motion_products

Array = NDArray[np.float64]
ByClip = dict[str, Array]  # a product of motions for all frames, by driving clip
Motions = dict[tuple[str, str], tuple[Tensor, Tensor]]  # signals (T, S) of driver and result by source, driving clip


@dataclass(frozen=True)
class Change:
    """What a stage changes, on the frames that it and its baseline have.

    Attributes:
        against: The baseline.
        gain: Difference of the gains.
        correlation: Difference of the correlations; None where one of them does not move.
    """

    against: str
    gain: Interval
    correlation: Interval | None


@dataclass(frozen=True)
class Following:
    """How the results of one stage make a movement.

    Attributes:
        extent: Root mean square of the driver's motion, in the movement's unit.
        gain: The result's motion as a share of the driver's.
        correlation: How alike both run; None where the result does not move.
        change: What the stage changes; None for a baseline and for a single coefficient.
    """

    extent: float
    gain: Interval
    correlation: Interval | None
    change: Change | None = None


Followings = dict[str, dict[str, Following]]  # by the movement's name, then the stage


def collect_motions(results: Mapping[str, CaseResult], pairs: PairList, stage: str) -> Motions:
    """Collect the signals of drivers and results.

    The frames of one source clip and one driving clip belong together: a video, or all random pairs of a clip.

    Args:
        results: The measured cases by name.
        pairs: The cases.
        stage: The stage.

    Returns:
        Signals of the driver and of the result, NaN where there is no result.
    """
    parts: dict[tuple[str, str], list[tuple[Tensor, Tensor]]] = {}
    for case in pairs.cases:
        signals = results[case.name].signals if case.name in results else {}
        rows = tuple(_pad(signals.get(name), len(case.driving_frames)) for name in (REFERENCE, stage))
        parts.setdefault((case.source_clip, case.driving_clip), []).append((rows[0], rows[1]))
    return {key: (torch.cat([d for d, _ in rows]), torch.cat([r for _, r in rows])) for key, rows in parts.items()}


def _pad(signals: Tensor | None, length: int) -> Tensor:
    rows = torch.full((length, len(SIGNALS)), torch.nan)
    if signals is not None:
        rows[: len(signals)] = signals[:length]
    return rows


def measure_following(motions: Mapping[str, Motions], baselines: Mapping[str, str]) -> Followings:
    """Measure every movement and every single coefficient; changes between stages of the movements alone.

    Args:
        motions: Signals by stage, on the same pairs.
        baselines: The stage that another one is compared with.

    Returns:
        Gains and correlations by movement and stage; without movements that the drivers do not make.
    """
    found: Followings = {}
    for movement in (*MOVEMENTS, *COEFFICIENTS):
        compared = baselines if movement in MOVEMENTS else {}
        by_stage = {stage: _follow(movement, stage, motions, compared.get(stage)) for stage in motions}
        measured = {stage: following for stage, following in by_stage.items() if following is not None}
        if measured:
            found[movement.name] = measured
    return found


def _follow(movement: Movement, stage: str, motions: Mapping[str, Motions], baseline: str | None) -> Following | None:
    """Measure one movement of one stage; None where the driver's does not move or no result has a face."""
    xx, xy, yy = _multiply(movement, motions[stage])
    total, num = (sum(function(column) for column in xx.values()) for function in (np.nansum, _count))
    if not total > 0:
        return None
    extent = float(np.sqrt(total / num / len(movement.signals)))
    with np.errstate(all="ignore"):
        followed = bootstrap_statistic((xx, xy), gain)
        alike = _finite(bootstrap_statistic((xx, xy, yy), correlation))
    change = _compare(movement, motions[stage], motions[baseline], baseline) if baseline is not None else None
    return Following(extent, followed, alike, change)


def _compare(movement: Movement, stage: Motions, baseline: Motions, against: str) -> Change | None:
    """Differences of gain and correlation; None where stage and baseline have no frames in common."""
    columns = _multiply(movement, baseline, stage)
    if not sum(np.nansum(column) for column in columns[0].values()) > 0:
        return None
    with np.errstate(all="ignore"):
        gains = bootstrap_statistic(columns, lambda xx, xy, yy, xz, zz: gain(xx, xz) - gain(xx, xy))
        correlations = bootstrap_statistic(
            columns, lambda xx, xy, yy, xz, zz: correlation(xx, xz, zz) - correlation(xx, xy, yy)
        )
    return Change(against, gains, _finite(correlations))


def _multiply(movement: Movement, *motions: Motions) -> Sequence[ByClip]:
    """Products of the motions of the driver and of one or two results, as `motion_products` orders them."""
    parts: dict[str, list[Array]] = {}
    columns = movement.columns
    for (source, driver), (driving, _) in motions[0].items():
        results = [motion[source, driver][1][:, columns] for motion in motions]
        parts.setdefault(driver, []).append(motion_products(driving[:, columns], *results).numpy())
    tables = {driver: np.concatenate(rows) for driver, rows in parts.items()}
    return [{driver: table[:, i] for driver, table in tables.items()} for i in range(1 + 2 * len(motions))]


def _count(column: Array) -> int:
    return int((~np.isnan(column)).sum())


def _finite(interval: Interval) -> Interval | None:
    return interval if np.isfinite(interval.estimate) else None
