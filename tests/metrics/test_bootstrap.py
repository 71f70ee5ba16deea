import itertools
import math

import numpy as np
import pytest

from fadm.errors import MetricError
from fadm.metrics.bootstrap import (
    BootstrapConfig,
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_ratio,
    bootstrap_statistic,
)


def draw_groups(num_groups, num_frames, seed=0):
    """Groups whose means have deviation 1, frames that scarcely differ within a group."""
    rng = np.random.default_rng(seed)
    return {f"video {n}": 5 + rng.normal() + 0.01 * rng.normal(size=num_frames) for n in range(num_groups)}


def test_the_interval_is_that_of_the_groups_not_of_the_frames():
    """1.96 standard errors of 100 groups, however many frames each has."""
    interval = bootstrap_mean(draw_groups(100, 30))
    half = (interval.high - interval.low) / 2
    assert half == pytest.approx(1.96 / math.sqrt(100), rel=0.2)
    assert (interval.num_groups, interval.num_values) == (100, 3000)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    config = BootstrapConfig(num_draws=400, confidence=0.8)
    intervals = [bootstrap_mean(draw_groups(40, 2, seed), config) for seed in range(200)]
    assert 0.7 < np.mean([interval.low <= 5 <= interval.high for interval in intervals]) < 0.88


def test_each_frame_counts_once_and_a_missing_one_not_at_all():
    values = {"long": [1.0, 1.0, 1.0, math.nan], "short": [5.0], "faceless": [math.nan, math.nan]}
    interval = bootstrap_mean(values)
    assert interval == Interval(estimate=2.0, low=1.0, high=5.0, num_groups=2, num_values=4)


def test_the_same_seed_gives_the_same_interval():
    values = draw_groups(10, 3)
    first, again, other = (bootstrap_mean(values, BootstrapConfig(seed=seed)) for seed in (1, 1, 2))
    assert first == again and first.low != other.low


def test_the_interval_is_that_of_all_ways_to_draw_the_groups():
    """Four groups can be drawn in 256 ways: the quantiles of their ratios are known exactly."""
    a = {"w": [1.0, 2.0, 4.0], "x": [3.0], "y": [2.0, 2.5], "z": [7.0, 5.0, 6.0, 4.0]}
    b = {"w": [1.5, 2.5, 3.0], "x": [2.0], "y": [4.0, 1.0], "z": [6.0, 6.0, 5.0, 7.0]}
    ways = [[np.concatenate([v[name] for name in way]) for v in (a, b)] for way in itertools.product(a, repeat=4)]
    exact = np.quantile([left.mean() / right.mean() for left, right in ways], [0.09, 0.91], method="inverted_cdf")
    for seed in range(3):
        ratio = bootstrap_ratio(a, b, BootstrapConfig(num_draws=20000, confidence=0.82, seed=seed))
        assert (ratio.low, ratio.high) == pytest.approx(exact)


def test_a_single_group_has_no_interval():
    interval = bootstrap_mean({"video": [1.0, 2.0, 6.0]})
    assert interval == Interval(estimate=3.0, low=3.0, high=3.0, num_groups=1, num_values=3)


def test_a_paired_difference_is_sharper_than_the_means():
    a = draw_groups(20, 5)
    b = {name: numbers - 0.1 for name, numbers in a.items()}
    difference = bootstrap_difference(a, b)
    assert (difference.estimate, difference.low, difference.high) == pytest.approx((0.1, 0.1, 0.1))
    assert bootstrap_mean(a).low < bootstrap_mean(b).estimate


def test_a_ratio_of_means():
    a = draw_groups(20, 5)
    ratio = bootstrap_ratio(a, {name: 2 * numbers for name, numbers in a.items()})
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_frames_that_one_method_lacks_count_for_neither():
    difference = bootstrap_difference({"video": [1.0, 9.0, 2.0]}, {"video": [0.5, math.nan, 1.5]})
    assert difference.estimate == pytest.approx(0.5) and difference.num_values == 2


def test_infinite_values_are_kept():
    assert bootstrap_mean({"a": [math.inf], "b": [1.0]}).high == math.inf


@pytest.mark.filterwarnings("error")
def test_a_ratio_to_zero_has_no_interval():
    ratio = bootstrap_ratio({"a": [0.0], "b": [1.0]}, {"a": [0.0], "b": [0.0]})
    assert ratio.estimate == math.inf and math.isnan(ratio.low) and math.isnan(ratio.high)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({"one": [1.0]}, {"two": [1.0]}, "only one has one, two"),
        ({"one": [1.0]}, {"one": [1.0, 2.0]}, "the same frames; one has 1 and 2"),
        ({"one": [math.nan]}, {"one": [1.0]}, "nothing was measured"),
    ],
)
def test_what_does_not_compare_is_refused(a, b, message):
    with pytest.raises(MetricError, match=message):
        bootstrap_difference(a, b)


def test_any_function_of_means_has_an_interval():
    """A ratio by it is `bootstrap_ratio`; a correlation of products is numpy's."""
    a, b = draw_groups(12, 4), draw_groups(12, 4, seed=1)
    a["video 3"][1] = math.nan
    assert bootstrap_statistic((a, b), lambda a, b: a / b) == bootstrap_ratio(a, b)
    x, y = ({name: numbers - 5 for name, numbers in values.items()} for values in draw_twins())
    products = [{name: left[name] * right[name] for name in x} for left, right in ((x, y), (x, x), (y, y))]
    found = bootstrap_statistic(products, lambda xy, xx, yy: xy / (xx * yy) ** 0.5)
    columns = [np.concatenate([*values.values()]) for values in (x, y)]
    exact = columns[0] @ columns[1] / (np.linalg.norm(columns[0]) * np.linalg.norm(columns[1]))
    assert found.estimate == pytest.approx(exact) and found.low < exact < found.high and found.num_groups == 20
    with pytest.raises(MetricError, match="only one has video 11"):
        bootstrap_statistic((a, b, draw_groups(11, 4)), lambda a, b, c: a)


def draw_twins():
    x, noise = draw_groups(20, 5, seed=2), draw_groups(20, 5, seed=3)
    return x, {name: x[name] + 0.5 * (noise[name] - 5) for name in x}
