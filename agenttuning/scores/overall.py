"""The paper's overall score: every task scaled by its average over models, then averaged inside the group.

Definition: arXiv 2310.12823 section 3.1. The averages the authors divided by are not those of the eight models in
their table; `paper.inverse_weights` holds values calibrated so that all published overalls come out as printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Overall:
    """Overall score of one model in one group.

    Attributes:
        value: mean of score / inverse weight over all tasks of the group; None unless every task has a score.
        n: tasks that have a score.
        of: tasks in the group.
    """

    value: float | None
    n: int
    of: int

    @property
    def text(self) -> str:
        """ "1.96", or "partial (4 of 6)" where tasks are missing."""
        return f"partial ({self.n} of {self.of})" if self.value is None else f"{self.value:.2f}"


def overall(scores: Mapping[str, float | None], inverse_weights: Mapping[str, float]) -> Overall:
    """Overall score of one model.

    Args:
        scores: score by task on the paper's scale; None or absent means not measured.
        inverse_weights: what each task's score is divided by; its keys are the tasks of the group. A weight
            of 0 (nobody scored at all) leaves the task undefined, as if it had no score.
    """
    parts = []
    for task, weight in inverse_weights.items():
        score = scores.get(task)
        if score is not None and weight > 0:
            parts.append(score / weight)
    whole = bool(parts) and len(parts) == len(inverse_weights)
    return Overall(math.fsum(parts) / len(parts) if whole else None, len(parts), len(inverse_weights))


def relative_gain(
    model: Mapping[str, float | None], base: Mapping[str, float | None], inverse_weights: Mapping[str, float]
) -> float | None:
    """Gain of one model's overall over another's, as a fraction, from the unrounded overalls.

    The paper's +57 % for 13B held-out only comes out this way: the rounded 0.78 / 0.49 would give +59 %.
    None where one of the overalls is partial or the base is 0.
    """
    top, bottom = overall(model, inverse_weights).value, overall(base, inverse_weights).value
    if top is None or not bottom:
        return None
    return top / bottom - 1.0


def percent(gain: float) -> str:
    """A gain as the paper prints it: sign and whole percent ("+76%", "-1%")."""
    return f"{round(100 * gain):+d}%"


def weights_from_runs(scores_by_model: Iterable[Mapping[str, float | None]]) -> dict[str, float]:
    """Inverse weights taken from one's own runs: each task's mean over the models that have a score.

    Overalls with these weights rank the models at hand and are not comparable with the paper's.
    """
    columns: dict[str, list[float]] = {}
    for scores in scores_by_model:
        for task, score in scores.items():
            if score is not None:
                columns.setdefault(task, []).append(score)
    return {task: math.fsum(values) / len(values) for task, values in columns.items()}
