"""Scores from records: the macro mean over task types that the paper reports, and its company."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agenttuning.episodes.types import Metric, Scores
from agenttuning.scores.intervals import mean, proportion

from .variations import TASK_TYPES


def scores_of(records: Sequence[dict[str, Any]], main: str, profile: str) -> Scores:
    """Macro and micro means on the scale 0..100, the share of full scores, and the mean of every task type.

    The macro mean weighs every task type alike, as upstream's metrics.py @ e33a45d does. Upstream skips a task
    type without a score file and divides by the rest in silence; here `n_tasks` and a note tell.

    The interval of the macro mean resamples whole task types (a cluster bootstrap), since variations of one type
    are far from independent; that of the micro mean resamples episodes.
    """
    by_task: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_task[record["metrics"]["task_number"]].append(record)
    rewards = {number: [r["reward"] for r in by_task[number]] for number in sorted(by_task)}
    everything = [r["reward"] for r in records]
    macro = mean([sum(values) / len(values) for values in rewards.values()])
    metrics = {
        "macro_score": replace(macro, n=len(everything)),
        "micro_score": mean(everything),
        "full_score_rate": proportion([float(reward == 1.0) for reward in everything]),
        "n_tasks": Metric(float(len(rewards)), len(everything)),
    }
    for number, values in rewards.items():
        metrics[f"task {number:02d} {TASK_TYPES[number].name}"] = mean(values)
    return Scores(main, metrics, _notes(by_task, records, profile))


def _notes(
    by_task: dict[int, list[dict[str, Any]]], records: Sequence[dict[str, Any]], profile: str
) -> list[str]:
    notes = []
    if records and len(by_task) < len(TASK_TYPES):
        notes.append(f"the macro mean is over {len(by_task)} of {len(TASK_TYPES)} task types")
    short = [
        f"{TASK_TYPES[number].name} {len(group)} of {group[0]['metrics']['episodes_of_task']}"
        for number, group in sorted(by_task.items())
        if len(group) < group[0]["metrics"]["episodes_of_task"]
    ]
    if short:
        notes.append(f"task types with episodes missing: {', '.join(short)}")
    guessed = sum(r["metrics"]["token_counter"] != "cl100k" for r in records)
    if profile == "paper" and guessed:
        notes.append(
            f"in {guessed} episodes prompts were measured as characters/4 instead of cl100k tokens when "
            "shortening them; set TIKTOKEN_CACHE_DIR for upstream's count"
        )
    return notes
