"""Numbers of a run. Follows `metrics` of AgentBench.old/src/tasks/webshop/__init__.py @ e33a45d."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from agenttuning.episodes.types import Metric, Scores
from agenttuning.scores.intervals import mean, proportion

GRADINGS = ("paper", "strict")


def upstream_means(outputs: Sequence[dict[str, Any] | None]) -> dict[str, float]:
    """Upstream's three numbers from its outputs (`reward`, `format_fail`, `history`); lost samples (None) are left out."""
    kept = [output for output in outputs if output]
    columns = {
        "reward": [float(output["reward"]) for output in kept],
        "format_fail_rate": [float(output["format_fail"]) for output in kept],
        "average_round": [float(len(output["history"])) for output in kept],
    }
    return {name: math.fsum(values) / len(values) if values else 0 for name, values in columns.items()}


def scores_of(records: Sequence[dict[str, Any]], size: int, main: str) -> Scores:
    """Scores of a run, rewards and rates in percent.

    Args:
        records: finished samples.
        size: samples of the split; one without a record counts with reward 0 (upstream leaves it out of the mean).
        main: grading that `reward` is of, "paper" or "strict".
    """
    finished = [record["metrics"] for record in records]
    missing = [0.0] * max(0, size - len(finished))

    def share(name: str) -> Metric:
        return proportion([float(m.get(name, 0)) for m in finished] + missing)

    def rewards(grading: str) -> list[float]:
        return [float(m.get(grading, 0)) for m in finished] + missing

    metrics = {
        "reward": mean(rewards(main)),
        **{f"reward_{grading}": mean(rewards(grading)) for grading in GRADINGS},
        "success_rate": proportion([float(reward > 1 - 1e-9) for reward in rewards(main)]),
        "bought_rate": share("bought"),
        "format_fail_rate": proportion([float(m.get("format_fail", 0)) for m in finished]),
        "average_round": _plain([float(m.get("rounds", 0)) for m in finished]),
        "ignored_actions": _plain([float(m.get("ignored_actions", 0)) for m in finished]),
    }
    notes = [
        f"the nouns of {count} samples were tagged by {name}"
        + ("" if name == "spacy" else " (upstream: spaCy en_core_web_lg)")
        for name, count in sorted(Counter(m["tagger"] for m in finished if "tagger" in m).items())
    ]
    for value in sorted({m["goals_sha256"] for m in finished if "goals_sha256" in m}):
        notes.append(f"goal table {value}")
    if special := sum(m.get("special_searches", 0) for m in finished):
        notes.append(
            f"{special} searches began with a command word of upstream's engine; it was searched as a word"
        )
    if missing:
        notes.append(f"{len(missing)} of {size} samples have no result and count with reward 0")
    return Scores("reward", metrics, notes)


def _plain(values: Sequence[float]) -> Metric:
    """A mean without interval."""
    return Metric(math.fsum(values) / len(values) if values else None, len(values))
