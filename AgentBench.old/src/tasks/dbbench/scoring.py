"""Accuracies of a run. Follows `metrics` of AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from agenttuning.episodes.types import Metric
from agenttuning.scores.intervals import proportion, wilson

SELECT_TYPES = (
    "other",
    "counting",
    "comparison",
    "ranking",
    "aggregation-SUM",
    "aggregation-MIN",
    "aggregation-MAX",
    "aggregation-AVG",
)
CATEGORIES = ("SELECT", "INSERT", "UPDATE")
RESAMPLES = 2000


def category(kind: str) -> str:
    """Which of the three accuracies a type belongs to (a DELETE, which no split has, falls under SELECT)."""
    return kind if kind in ("INSERT", "UPDATE") else "SELECT"


def accuracies(
    results: Iterable[tuple[str, bool]], sizes: Mapping[str, int] | None = None
) -> dict[str, Metric]:
    """All accuracies in percent, from (type, right) pairs.

    Args:
        results: one pair per finished sample.
        sizes: number of samples of each type in the split, the denominators. Samples without a result then count
            as not solved. None: only the results given count, as upstream does when it loses a sample.

    Returns:
        TYPE_accuracy for the eight select-like types, SELECT_/INSERT_/UPDATE_accuracy, overall_cat_accuracy (their
        mean). Upstream gives a type without samples the accuracy 0; so do we, with n = 0.
    """
    rewards: dict[str, list[float]] = {}
    for kind, right in results:
        rewards.setdefault(kind, []).append(float(right))
    for kind, size in (sizes or {}).items():
        found = rewards.setdefault(kind, [])
        found.extend([0.0] * (size - len(found)))
    groups: dict[str, list[float]] = {name: [] for name in CATEGORIES}
    for kind, values in rewards.items():
        groups[category(kind)].extend(values)
    named = {kind: rewards.get(kind, []) for kind in SELECT_TYPES} | groups
    metrics = {
        f"{name}_accuracy": proportion(values) if values else Metric(0.0, 0) for name, values in named.items()
    }
    return {**metrics, "overall_cat_accuracy": category_mean(list(groups.values()))}


def category_mean(groups: Sequence[Sequence[float]]) -> Metric:
    """Mean of the groups' means in percent, with a bootstrap that resamples within each group.

    A group whose rewards are all equal shows no spread to a bootstrap; if every group is like that, the interval is
    Wilson's on the pooled rewards, as in `agenttuning.scores.intervals.mean`.
    """
    filled = [np.sort(np.asarray(group, dtype=float)) for group in groups if len(group)]
    n = sum(len(group) for group in filled)
    value = 100.0 * math.fsum(float(group.mean()) for group in filled) / len(groups)
    if not n:
        return Metric(value, 0)
    if all(group[0] == group[-1] for group in filled):
        low, high = wilson(sum(float(group.sum()) for group in filled), n)
        return Metric(value, n, 100.0 * low, 100.0 * high, "wilson")
    rng = np.random.default_rng(0)
    means = sum(
        group[rng.integers(0, len(group), size=(RESAMPLES, len(group)))].mean(axis=1) for group in filled
    )
    low, high = np.percentile(np.asarray(means) / len(groups), [2.5, 97.5])
    return Metric(value, n, 100.0 * float(low), 100.0 * float(high), "bootstrap")


def average(values: Sequence[float]) -> Metric:
    """A plain mean without interval (numbers of messages and the like)."""
    return Metric(math.fsum(values) / len(values) if values else None, len(values))


def type_counts(kinds: Iterable[str]) -> dict[str, int]:
    """Number of samples of each type."""
    return dict(Counter(kinds))


def share_of(records: Sequence[dict[str, Any]], key: str) -> list[tuple[str, bool]]:
    """(type, right) pairs of records under one grading."""
    return [(r["metrics"]["type"], bool(r["metrics"][key])) for r in records]
