"""95 % intervals of means and proportions. Everything is deterministic: the same values give the same interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agenttuning.episodes.types import Metric

Z95 = 1.959963984540054
"""Quantile of the standard normal distribution that leaves 2.5 % on each side."""

_CELLS = 2_000_000  # values drawn at a time, so that memory stays bounded for long sample lists


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson score interval of a proportion, 95 %.

    Args:
        successes: number of successes; a sum of fractional rewards in [0, 1] is allowed and gives an interval
            that is never too narrow, because the variance of such rewards is at most p (1 - p).
        n: number of trials.

    Returns:
        Lower and upper limit as fractions in 0..1; (0, 1) for n = 0, where nothing is known.

    Raises:
        ValueError: successes outside 0..n.
    """
    if n < 0 or not -1e-9 <= successes <= n + 1e-9:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return 0.0, 1.0
    p = min(1.0, max(0.0, successes / n))
    centre = p + Z95**2 / (2 * n)
    margin = Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    scale = 1 + Z95**2 / n
    # At p = 0 and p = 1 the exact limits are 0 and 1; the formula misses them by one rounding error.
    low = 0.0 if p == 0.0 else max(0.0, (centre - margin) / scale)
    high = 1.0 if p == 1.0 else min(1.0, (centre + margin) / scale)
    return low, high


def bootstrap_mean(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, 95 %, on the scale of the values.

    The values are sorted first, so the interval does not depend on the order in which samples finished.
    Values that are all equal (also a single value) give an interval of width 0: see `mean` for what to do then.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("no values")
    data = np.sort(np.asarray(values, dtype=float))
    n = len(data)
    if data[0] == data[-1]:
        return float(data[0]), float(data[0])
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // n)
    means = np.concatenate(
        [
            data[rng.integers(0, n, size=(min(block, resamples - start), n))].mean(axis=1)
            for start in range(0, resamples, block)
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def proportion(rewards: Sequence[float], scale: float = 100.0) -> Metric:
    """Mean of 0/1 rewards with its Wilson interval, times `scale`; value None for no rewards."""
    n = len(rewards)
    if n == 0:
        return Metric(None, 0)
    total = math.fsum(rewards)
    low, high = wilson(total, n)
    return Metric(scale * total / n, n, scale * low, scale * high, "wilson")


def mean(values: Sequence[float], scale: float = 100.0) -> Metric:
    """Mean of graded values with its bootstrap interval, times `scale`; value None for no values.

    Resampling equal values can show no spread. Such values (also a single one) get the Wilson interval if they
    lie in 0..1, where it is valid and wide, and no interval otherwise.
    """
    n = len(values)
    if n == 0:
        return Metric(None, 0)
    value = scale * math.fsum(values) / n
    if min(values) == max(values):
        if not 0.0 <= values[0] <= 1.0:
            return Metric(value, n)
        low, high = wilson(math.fsum(values), n)
        return Metric(value, n, scale * low, scale * high, "wilson")
    low, high = bootstrap_mean(values)
    return Metric(value, n, scale * low, scale * high, "bootstrap")
