"""Means with intervals: frames of one video resemble each other, so whole videos are drawn again, not frames.

Cluster bootstrap with percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from fadm.device import seeded_generator
from fadm.errors import MetricError

Values = Mapping[str, ArrayLike]
Array = NDArray[np.float64]
MOST_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How often groups are drawn again, the share of the draws within the interval, and the seed of the draws."""

    num_draws: int = 2000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """An estimate, the interval around it, and how many groups and values had something to measure."""

    estimate: float
    low: float
    high: float
    num_groups: int
    num_values: int


def bootstrap_mean(values: Values, config: BootstrapConfig | None = None) -> Interval:
    """Mean over all values, by group (video or shot): each frame counts once, NaN (nothing to measure) not at all.

    Raises MetricError when no value is left.
    """
    groups = _measured({name: (_array(numbers),) for name, numbers in values.items()})
    return _draw(groups, lambda means: means[..., 0], config or BootstrapConfig())


def bootstrap_difference(a: Values, b: Values, config: BootstrapConfig | None = None) -> Interval:
    """Mean of a minus mean of b on the same frames of the same groups; frames that either lacks count for neither.

    Zero outside the interval: the methods differ. Raises MetricError for different groups or frames.
    """
    return _draw(_paired(a, b), lambda means: means[..., 0] - means[..., 1], config or BootstrapConfig())


def bootstrap_ratio(a: Values, b: Values, config: BootstrapConfig | None = None) -> Interval:
    """Mean of a over mean of b, as `bootstrap_difference`; one outside the interval: the methods differ."""
    return _draw(_paired(a, b), lambda means: means[..., 0] / means[..., 1], config or BootstrapConfig())


def _paired(a: Values, b: Values) -> dict[str, Array]:
    alone = sorted(a.keys() ^ b.keys())
    if alone:
        raise MetricError(f"two methods compare on the same groups; only one has {', '.join(alone[:MOST_LISTED])}")
    pairs = {name: (_array(a[name]), _array(b[name])) for name in a}
    for name, (left, right) in pairs.items():
        if left.shape != right.shape:
            raise MetricError(f"two methods compare on the same frames; {name} has {len(left)} and {len(right)}")
    return _measured(pairs)


def _array(numbers: ArrayLike) -> Array:
    return np.asarray(numbers, dtype=np.float64).reshape(-1)


def _measured(groups: Mapping[str, tuple[Array, ...]]) -> dict[str, Array]:
    """Rows of each group (frames, methods) in which every method has a value; groups without any are left out."""
    rows = {name: np.stack(columns, axis=1) for name, columns in groups.items()}
    rows = {name: table[~np.isnan(table).any(axis=1)] for name, table in rows.items()}
    return {name: table for name, table in rows.items() if len(table)}


def _draw(groups: dict[str, Array], statistic: Callable[[Array], Array], config: BootstrapConfig) -> Interval:
    """Apply a statistic to the means (..., methods), of all groups and of groups drawn with replacement."""
    if not groups:
        raise MetricError("nothing was measured: there is no value, or every one is NaN (no face found)")
    sums = np.stack([table.sum(axis=0) for table in groups.values()])  # (groups, methods)
    counts = np.array([len(table) for table in groups.values()], dtype=np.float64)
    shape = (config.num_draws, len(sums))
    drawn = torch.randint(len(sums), shape, generator=seeded_generator(config.seed)).numpy()
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]  # (draws, methods)
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(statistic(means), [tail, 1 - tail], method="inverted_cdf")
    estimate = statistic(sums.sum(axis=0) / counts.sum())
    return Interval(float(estimate), float(low), float(high), len(sums), int(counts.sum()))
