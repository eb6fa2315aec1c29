"""Element accuracy, operation F1 and step success of one step.

Profile paper follows AgentBench.old/src/tasks/mind2web/task.py of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7 (metric, calculate_f1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Grade:
    """Grades of a step, each 0..1.

    Attributes:
        element: the predicted element is one of the positives.
        f1: F1 of the predicted operation and value; counted even where the element is wrong.
        step: upstream's success: element right and F1 1.
        strict: success by the strict grading: element right and operation and value equal.
    """

    element: int
    f1: float
    step: int
    strict: int


def operation_f1(predicted: str, gold: str) -> float:
    """F1 of two sets of blank-separated words; order and repetition do not matter, letter case does."""
    ours, theirs = set(predicted.split()), set(gold.split())
    if not ours or not theirs:
        return float(ours == theirs)
    common = len(ours & theirs)
    if common == 0:
        return 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return 2 * precision * recall / (precision + recall)


def same_action(predicted: str, gold: str) -> bool:
    """Equal operation and value as words in order; the value of a CLICK means nothing."""
    ours, theirs = predicted.split(), gold.split()
    if theirs[:1] == ["CLICK"]:
        return ours[:1] == theirs
    return ours == theirs


def grade(prediction: Sequence[str] | None, target: Mapping[str, Any] | None) -> Grade:
    """Grades of one prediction.

    Args:
        prediction: (backend_node_id, action), ("", "") or None for none.
        target: {"element": ids of the positives, "action": gold action}; None where no positive can be chosen.
    """
    if target is None or prediction is None:
        return Grade(0, 0.0, 0, 0)
    node, action = prediction
    element = int(node in target["element"])
    f1 = operation_f1(action, target["action"])
    return Grade(
        element, f1, int(element and f1 >= 1.0), int(element and same_action(action, target["action"]))
    )
