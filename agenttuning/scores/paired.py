"""Two runs on the same samples: is the difference larger than chance?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agenttuning.scores.intervals import bootstrap_mean


@dataclass(frozen=True)
class Paired:
    """Comparison of run A with run B on the samples both have scored.

    Attributes:
        shared: samples scored in both runs.
        only_a, only_b: samples scored in one run only (left out).
        mean_a, mean_b: mean reward on the shared samples, None for no shared sample.
        difference: mean of (reward A - reward B).
        low, high: 95 % bootstrap interval of the difference; None below two shared samples, and where all
            differences are equal, because resampling can show no spread there.
        a_better, b_better, ties: shared samples by sign of the difference.
        p_value: exact two-sided McNemar test; None unless all shared rewards are 0 or 1.
    """

    shared: int
    only_a: int
    only_b: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    a_better: int
    b_better: int
    ties: int
    p_value: float | None


def mcnemar(a_only: int, b_only: int) -> float:
    """Exact two-sided McNemar p-value from the two counts of discordant pairs; 1.0 when there are none."""
    n = a_only + b_only
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(a_only, b_only) + 1))
    return min(1.0, 2 * tail / 2**n)


def compare(a: Mapping[str, float | None], b: Mapping[str, float | None], seed: int = 0) -> Paired:
    """Compare two runs.

    Args:
        a, b: reward by sample id; None (infrastructure failure) counts as not scored.
        seed: of the bootstrap.
    """
    scored_a = {key: float(value) for key, value in a.items() if value is not None}
    scored_b = {key: float(value) for key, value in b.items() if value is not None}
    keys = sorted(scored_a.keys() & scored_b.keys())
    n = len(keys)
    differences = [scored_a[key] - scored_b[key] for key in keys]
    a_better = sum(d > 0 for d in differences)
    b_better = sum(d < 0 for d in differences)
    low = high = p_value = None
    if n >= 2 and min(differences) != max(differences):
        low, high = bootstrap_mean(differences, seed)
    if n and all(scored[key] in (0.0, 1.0) for scored in (scored_a, scored_b) for key in keys):
        p_value = mcnemar(a_better, b_better)
    return Paired(
        shared=n,
        only_a=len(scored_a) - n,
        only_b=len(scored_b) - n,
        mean_a=math.fsum(scored_a[key] for key in keys) / n if n else None,
        mean_b=math.fsum(scored_b[key] for key in keys) / n if n else None,
        difference=math.fsum(differences) / n if n else None,
        low=low,
        high=high,
        a_better=a_better,
        b_better=b_better,
        ties=n - a_better - b_better,
        p_value=p_value,
    )
