"""Scores of a run from its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agenttuning.episodes.types import Metric
from agenttuning.scores.intervals import mean

from .grading import Grade, grade

RECALL_AT = (5, 10, 20, 50)


def metrics_of(records: Sequence[dict[str, Any]], *, paper: bool) -> dict[str, Metric]:
    """All metrics, percent: means over all steps, those without a positive candidate included.

    Graded anew from the stored predictions, so that `rescore` follows a corrected grading. recall_at_K and
    top_1_is_right describe the candidate generator, not the model.

    Args:
        paper: step_sr is upstream's success, else the strict one; both are there under their own names.
    """
    grades = [grade(record["prediction"], record["target"]) for record in records]
    found = {
        "step_sr": mean([float(_step(g, paper)) for g in grades]),
        "element_acc": mean([float(g.element) for g in grades]),
        "action_f1": mean([g.f1 for g in grades]),
        "step_sr_paper": mean([float(g.step) for g in grades]),
        "step_sr_strict": mean([float(g.strict) for g in grades]),
    }
    ranks = [record["metrics"]["best_rank"] for record in records if "best_rank" in record["metrics"]]
    for k in RECALL_AT:
        found[f"recall_at_{k}"] = mean([float(rank is not None and rank < k) for rank in ranks])
    found["top_1_is_right"] = mean([float(rank == 0) for rank in ranks])
    found["questions"] = mean([float(record["metrics"].get("rounds", 0)) for record in records], scale=1.0)
    return found


def _step(grades: Grade, paper: bool) -> int:
    return grades.step if paper else grades.strict


def notes_of(records: Sequence[dict[str, Any]], split: str) -> list[str]:
    """What a reader of the numbers must know."""
    notes = []
    if split == "std":
        tasks = {record["metrics"].get("task") for record in records}
        notes.append(
            f"std is the dataset's test_website ({len(tasks)} tasks, {len(records)} steps here): the paper's own list of "
            "steps lies in its container image only"
        )
    without = sum(record["target"] is None for record in records)
    if without:
        notes.append(f"{without} of {len(records)} steps have no positive candidate and count as wrong")
    lost = sum(record["metrics"].get("question_lost", 0) for record in records)
    if lost:
        notes.append(f"{lost} questions were too long and not shown to the model, as upstream does")
    missing = sum(bool(record["metrics"].get("missing_candidates")) for record in records)
    if missing:
        notes.append(f"{missing} steps have candidates that are not in their page; they were left out")
    return notes
