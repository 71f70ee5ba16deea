"""Means with intervals: frames of one video resemble each other, so whole videos are resampled, not frames.

Cluster bootstrap with percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fadm.errors import MetricError

Values = Mapping[str, ArrayLike]
Array = NDArray[np.float64]
MOST_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How groups are resampled.

    Attributes:
        num_draws: Number of resamples.
        confidence: Share of the draws within the interval.
        seed: Seed of the draws.
    """

    num_draws: int = 2000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval around it.

    Attributes:
        estimate: The estimate from all values.
        low: Lower end of the interval; the estimate itself for a single group.
        high: Upper end of the interval; the estimate itself for a single group.
        num_groups: Groups that have a value.
        num_values: Values that are not NaN.
    """

    estimate: float
    low: float
    high: float
    num_groups: int
    num_values: int


def bootstrap_mean(values: Values, config: BootstrapConfig | None = None) -> Interval:
    """Estimate the mean over all values: each frame counts once.

    Args:
        values: Values of the frames by group (video or shot); NaN, where nothing was measured, does not count.
        config: How groups are resampled; 2000 draws and 95 % by default.

    Returns:
        The mean and its interval.

    Raises:
        MetricError: No value is left.
    """
    return _resample(_measured({name: (_array(numbers),) for name, numbers in values.items()}), lambda a: a, config)


def bootstrap_difference(a: Values, b: Values, config: BootstrapConfig | None = None) -> Interval:
    """Estimate the mean of a minus the mean of b on the same frames; zero outside the interval: they differ.

    Args:
        a: Values of one method's frames by group; frames that either method lacks (NaN) count for neither.
        b: Values of the other method on the same groups and frames.
        config: How groups are resampled; 2000 draws and 95 % by default.

    Returns:
        The difference and its interval.

    Raises:
        MetricError: Groups or frames are not the same, or no value is left.
    """
    return _resample(_paired(a, b), lambda a, b: a - b, config)


def bootstrap_ratio(a: Values, b: Values, config: BootstrapConfig | None = None) -> Interval:
    """Estimate the mean of a over the mean of b on the same frames; one outside the interval: they differ.

    Args:
        a: Values of one method's frames by group; frames that either method lacks (NaN) count for neither.
        b: Values of the other method on the same groups and frames.
        config: How groups are resampled; 2000 draws and 95 % by default.

    Returns:
        The ratio and its interval.

    Raises:
        MetricError: Groups or frames are not the same, or no value is left.
    """
    return _resample(_paired(a, b), lambda a, b: a / b, config)


def bootstrap_statistic(
    columns: Sequence[Values], statistic: Callable[..., Array], config: BootstrapConfig | None = None
) -> Interval:
    """Estimate a function of several means over the same frames, such as a correlation of mean products.

    Args:
        columns: Values of the frames by group, each on the same groups and frames; frames that one of them lacks (NaN)
            do not count.
        statistic: Takes the mean of each column, single numbers or arrays (draws,), and returns one of that shape.
        config: How groups are resampled; 2000 draws and 95 % by default.

    Returns:
        The statistic and its interval.

    Raises:
        MetricError: Groups or frames are not the same, or no value is left.
    """
    return _resample(_paired(*columns), statistic, config)


def _paired(a: Values, *others: Values) -> dict[str, Array]:
    alone = sorted({name for b in others for name in a.keys() ^ b.keys()})
    if alone:
        raise MetricError(f"two methods compare on the same groups; only one has {', '.join(alone[:MOST_LISTED])}")
    rows = {name: tuple(_array(column[name]) for column in (a, *others)) for name in a}
    for name, (left, *rights) in rows.items():
        other = next((right for right in rights if right.shape != left.shape), None)
        if other is not None:
            raise MetricError(f"two methods compare on the same frames; {name} has {len(left)} and {len(other)}")
    return _measured(rows)


def _array(numbers: ArrayLike) -> Array:
    return np.asarray(numbers, dtype=np.float64).reshape(-1)


def _measured(groups: Mapping[str, tuple[Array, ...]]) -> dict[str, Array]:
    """Rows of each group (frames, methods) in which every method has a value; groups without any are left out."""
    rows = {name: np.stack(columns, axis=1) for name, columns in groups.items()}
    rows = {name: table[~np.isnan(table).any(axis=1)] for name, table in rows.items()}
    return {name: table for name, table in rows.items() if len(table)}


def _resample(groups: dict[str, Array], statistic: Callable[..., Array], config: BootstrapConfig | None) -> Interval:
    """Apply a statistic of the methods' means to all groups, and to groups drawn with replacement."""
    if not groups:
        raise MetricError("nothing was measured: there is no value, or every one is NaN (no face found)")
    from scipy.stats import DegenerateDataWarning, bootstrap

    config = config or BootstrapConfig()
    sums = [np.array(column) for column in zip(*(table.sum(axis=0) for table in groups.values()), strict=True)]
    counts = np.array([len(table) for table in groups.values()], dtype=np.float64)

    def measure(*columns: Array, axis: int = -1) -> Array:
        *totals, number = (column.sum(axis=axis) for column in columns)
        return statistic(*(total / number for total in totals))

    with np.errstate(all="ignore"), warnings.catch_warnings():  # infinite values, and ratios to zero
        warnings.simplefilter("ignore", DegenerateDataWarning)
        estimate = draws = measure(*sums, counts)
        if len(groups) > 1:
            resampled = bootstrap(
                (*sums, counts),
                measure,
                paired=True,  # a group keeps its sums and its count
                vectorized=True,
                n_resamples=config.num_draws,
                method="percentile",
                rng=np.random.default_rng(config.seed),
            )
            draws = resampled.bootstrap_distribution
    tail = (1 - config.confidence) / 2
    # Not scipy's own interval, which interpolates between draws: nothing lies between an infinite draw and another.
    low, high = np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(estimate), float(low), float(high), len(groups), int(counts.sum()))
