"""F1 of a question and the numbers of a run. Follows `metrics` of AgentBench.old/src/tasks/knowledgegraph/task.py @ e33a45d."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from agenttuning.episodes.types import Metric, Scores
from agenttuning.scores.intervals import mean, proportion


def graded(predicted: Collection[str], gold: Collection[str]) -> dict[str, float]:
    """F1, EM and executability of one question, 0..1.

    Without a common member F1 is 0, also where both sides are empty; EM is then 1.
    """
    said, right = set(predicted), set(gold)
    common = len(said & right)
    f1 = 0.0
    if common:
        precision, recall = common / len(said), common / len(right)
        f1 = 2 * precision * recall / (precision + recall)
    return {"f1": f1, "em": float(said == right), "executability": float(bool(said))}


def upstream_means(results: Sequence[dict[str, float] | None]) -> dict[str, float]:
    """Upstream's four numbers, as fractions: means over the samples that did not crash (None), 0 without any."""
    kept = [result for result in results if result is not None]
    names = {"main": "f1", "F1": "f1", "EM": "em", "executability": "executability"}
    return {
        shown: math.fsum(result[name] for result in kept) / len(kept) if kept else 0
        for shown, name in names.items()
    }


def scores_of(records: Sequence[dict[str, Any]], size: int) -> Scores:
    """Scores of a run, in percent.

    Args:
        records: finished samples.
        size: samples of the split. Those without a record, and those whose final answer could not be executed, count
            with 0 in `f1`, `em`, `executability`; the `*_upstream` numbers leave them out.
    """
    finished = [record["metrics"] for record in records]
    kept = [metrics for metrics in finished if not metrics["crashed"]]
    missing = [0.0] * (size - len(kept))
    over_all = {name: [m[name] for m in kept] + missing for name in ("f1", "em", "executability")}
    crashed = len(finished) - len(kept)
    metrics = {
        "f1": mean(over_all["f1"]),
        "em": proportion(over_all["em"]),
        "executability": proportion(over_all["executability"]),
        "f1_upstream": mean([m["f1"] for m in kept]),
        "em_upstream": proportion([m["em"] for m in kept]),
        "executability_upstream": proportion([m["executability"] for m in kept]),
        "crashed": Metric(float(crashed), len(finished)),
        "turns": _plain([m["turns"] for m in finished]),
        "tool_calls": _plain([m["tool_calls"] for m in finished]),
        "failed_turns": _plain([m["failed_turns"] for m in finished]),
    }
    notes = []
    if crashed:
        notes.append(
            f"{crashed} final answers could not be executed: 0 in f1, left out of f1_upstream as upstream does"
        )
    if size > len(finished):
        notes.append(f"{size - len(finished)} of {size} samples have no result and count as 0 in f1")
    return Scores("f1", metrics, notes)


def _plain(values: Sequence[float]) -> Metric:
    """A mean without interval."""
    return Metric(math.fsum(values) / len(values) if values else None, len(values))
