"""Whether an answer is right: upstream's rule and a stricter one of ours.

Upstream's follows AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d (the comparison inside `metrics`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .literals import evaluate

MODIFICATIONS = ("INSERT", "UPDATE", "DELETE")
"""Types whose answer is the hash of the final table, whatever the model wrote."""

NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,3})?")

# What evaluating a hostile or odd expression may raise; each means "take the text as it is".
_UNREADABLE = (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError)


def paper_correct(kind: str, answer: str, target: Any) -> bool:
    """Upstream's comparison, exactly.

    The answer is read as a Python literal and must be a sequence; anything else is taken as one text, its leading
    blank included. One value against one label: equal as floats, else as they are. Otherwise: equal as sets, without
    turning numbers into texts or the reverse.

    Args:
        kind: the sample's type.
        answer: text after "Final Answer:", or the answer of the hash query.
        target: list of label texts, or the expected answer of the hash query.
    """
    if kind in MODIFICATIONS:
        return bool(answer == target)
    try:
        values = list(evaluate(answer))
    except _UNREADABLE:
        values = [answer]
    if len(values) == 1 and len(target) == 1:
        try:
            return float(values[0]) == float(target[0])
        except OverflowError:
            return False  # an int too large for a float; upstream's whole metric dies of it
        except (ValueError, TypeError):
            return bool(values[0] == target[0])
    try:
        return set(values) == set(target)
    except TypeError:
        return False


def strict_correct(kind: str, answer: str, target: Any) -> bool:
    """Our comparison: the values count, not how Python happens to read the line.

    - A list, tuple or set of texts and numbers, or a bare or quoted value; surrounding blanks never count.
    - Numbers are equal if they are exactly equal as decimals ("1.0", 1 and "1"), in lists of any length too; there is
      no tolerance, no thousands separator, no unit, no infinity, no arithmetic.
    - None is the label `none`; True and False are no numbers; nested values are wrong.
    - Order and repetitions do not matter; letter case does.
    """
    if kind in MODIFICATIONS:
        return bool(answer == target)
    values = _plain_values(answer.strip())
    return bool(values) and None not in values and set(values) == {_normal(label) for label in target}


def _plain_values(text: str) -> Sequence[str | Decimal | None]:
    if not text:
        return []
    try:
        value = evaluate(text, arithmetic=False)
    except _UNREADABLE:
        return [_normal(text)]
    if isinstance(value, (list, tuple, set)):
        # Without brackets, 1,000 is one text and not the pair (1, 0).
        return [_normal(v) for v in value] if text[0] in "[({" else [_normal(text)]
    return [_normal(value)]


def _normal(value: Any) -> str | Decimal | None:
    """One value in the form that is compared; None for what cannot be part of an answer."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        value = repr(value)
    if not isinstance(value, str):
        return None
    value = " ".join(value.split())
    return Decimal(value) if NUMBER.fullmatch(value) else value
