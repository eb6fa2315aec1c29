"""Intervals: known values, edge cases, independence of order."""

from __future__ import annotations

import math
import random

import pytest

from agenttuning.scores.intervals import bootstrap_mean, mean, proportion, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (15, 50, 0.1910, 0.4375),
        (42, 50, 0.7149, 0.9166),
        (1, 1, 0.2065, 1.0),
        (0, 1, 0.0, 0.7935),
        (10, 10, 0.7225, 1.0),
        (0, 50, 0.0, 0.0713),
    ],
)
def test_wilson_known_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(1, 4), (15, 50), (42, 50), (3.5, 9), (325, 1319)])
def test_wilson_limits_are_where_the_normal_test_just_rejects(successes: float, n: int) -> None:
    for limit in wilson(successes, n):
        z = abs(successes / n - limit) / math.sqrt(limit * (1 - limit) / n)
        assert z == pytest.approx(1.959964, abs=1e-6)


def test_wilson_of_nothing_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_is_exact_at_the_ends() -> None:
    for n in (1, 3, 7, 50, 1319):
        assert wilson(0, n)[0] == 0.0
        assert wilson(n, n)[1] == 1.0


def test_wilson_covers_about_95_percent() -> None:
    rng = random.Random(5)
    hits = 0
    for _ in range(1000):
        low, high = wilson(sum(rng.random() < 0.3 for _ in range(50)), 50)
        hits += low <= 0.3 <= high
    assert 920 <= hits <= 980


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, 0), (0, -1)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError):
        wilson(successes, n)


def test_bootstrap_is_deterministic_and_ignores_order() -> None:
    values = [0.1, 0.4, 0.35, 0.8, 0.0, 1.0, 0.55]
    assert bootstrap_mean(values) == bootstrap_mean(list(reversed(values)))
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_bootstrap_agrees_with_the_normal_interval_for_many_values() -> None:
    rng = random.Random(0)
    values = [rng.random() for _ in range(2000)]
    middle = sum(values) / len(values)
    half = 1.96 * (sum((v - middle) ** 2 for v in values) / 1999 / 2000) ** 0.5
    assert bootstrap_mean(values) == pytest.approx((middle - half, middle + half), abs=0.002)


def test_bootstrap_of_more_values_than_one_block_holds() -> None:
    low, high = bootstrap_mean([0.0, 1.0] * 10_000, resamples=250)  # 20,000 x 250 > the block size
    assert 0.49 < low < 0.5 < high < 0.51


def test_bootstrap_edge_cases() -> None:
    with pytest.raises(ValueError):
        bootstrap_mean([])
    assert bootstrap_mean([0.4]) == (0.4, 0.4)
    assert bootstrap_mean([1.0] * 9) == (1.0, 1.0)


def test_proportion() -> None:
    metric = proportion([1, 0, 1, 1])
    assert (metric.value, metric.n, metric.method) == (75.0, 4, "wilson")
    assert metric.low == pytest.approx(30.06, abs=0.01)
    assert metric.high == pytest.approx(95.44, abs=0.01)


@pytest.mark.parametrize("function", [proportion, mean])
def test_no_samples_give_no_value(function) -> None:
    metric = function([])
    assert (metric.value, metric.n, metric.low, metric.high) == (None, 0, None, None)


def test_mean_of_graded_values() -> None:
    metric = mean([0.2, 0.4, 0.9])
    assert metric.value == pytest.approx(50.0)
    assert metric.method == "bootstrap"
    assert metric.low is not None and metric.high is not None
    assert 20.0 <= metric.low < 50.0 < metric.high <= 90.0


def test_mean_of_equal_rewards_is_not_claimed_to_be_certain() -> None:
    """Twelve zeros once gave the bootstrap interval [0, 0], and with it the verdict 'outside' for 1.5 %."""
    metric = mean([0.0] * 12)
    assert (metric.value, metric.low, metric.method) == (0.0, 0.0, "wilson")
    assert metric.high == pytest.approx(24.25, abs=0.01)
    single = mean([0.4])
    assert single.value == pytest.approx(40.0)
    assert single.low is not None and single.high is not None
    assert single.high - single.low > 60


def test_mean_of_equal_values_off_the_unit_scale_has_no_interval() -> None:
    metric = mean([7.0, 7.0], scale=1.0)
    assert (metric.value, metric.low, metric.high, metric.method) == (7.0, None, None, None)
