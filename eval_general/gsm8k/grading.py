"""Two gradings of a GSM8K completion: upstream's, with its quirks, and a strict one.

Upstream: THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7, eval_general/eval_gsm8k_tgi.py.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from agenttuning.errors import KitError

INVALID = "[invalid]"
"""Upstream's word for "no answer"; it equals no gold."""

NEXT_QUESTION = "Question:"
"""A model that goes on after its answer invents the next question; everything from here on is cut off."""

_GOLD = re.compile(r"#### (-?[0-9.,]+)")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"[-\u2212]?\$?[0-9][0-9,]*(?:\.[0-9]+)?")  # U+2212 is the typographic minus
_INTEGER = re.compile(r"-?(?:0+|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]*|\.[0-9]+)")
_LONGEST = 4300
"""Digits beyond which Python itself refuses a decimal integer literal."""


def clean(text: str) -> str:
    """The completion that is graded: the reply up to the first "Question:"."""
    return text.split(NEXT_QUESTION, 1)[0]


def number(text: str) -> int | float | None:
    """Value of a Python number literal without evaluating anything.

    Upstream evaluates the digits as Python source, so what Python refuses has no value here either: leading zeros
    ("08"), digits of other scripts, more than 4,300 digits, two decimal points.
    """
    if len(text) > _LONGEST:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return None


def gold(answer: str) -> int | float | None:
    """Gold value of a solution that ends in "#### N"; None where there is none or it is no number."""
    match = _GOLD.search(answer)
    return number(match.group(1).replace(",", "")) if match else None


def gold_text(answer: str) -> str:
    """Gold number as text without commas. Raises KitError when the solution has none."""
    match = _GOLD.search(answer)
    text = match.group(1).replace(",", "") if match else ""
    if number(text) is None:
        raise KitError(f"the solution {answer[-60:]!r} has no gold answer", "it must end in `#### NUMBER`")
    return text


def upstream_answer(completion: str) -> int | float | None:
    """Upstream's reading: the last run of digits, whatever stands around it.

    "1,234" gives 234, "3.50" gives 50, "-5" gives 5: kept, because the paper's number was made with it.
    """
    runs = _DIGITS.findall(completion)
    return number(runs[-1]) if runs else None


def strict_answer(completion: str) -> Decimal | None:
    """Strict reading: the last number with its sign, thousands separators and decimals."""
    found = _NUMBER.findall(completion)
    if not found:
        return None
    return Decimal(found[-1].replace(",", "").replace("$", "").replace("\u2212", "-"))


def correct_upstream(completion: str, target: str) -> bool:
    """Whether upstream's reading equals the gold number `target` (text without commas)."""
    answer = upstream_answer(completion)
    return answer is not None and answer == number(target)


def correct_strict(completion: str, target: str) -> bool:
    """Whether the strict reading equals the gold number `target` exactly."""
    answer = strict_answer(completion)
    return answer is not None and answer == Decimal(target)


def reachable_upstream(target: str) -> bool:
    """Whether any completion at all can be right under upstream's reading: a run of digits has no sign, no fraction."""
    value = number(target)
    return value is not None and value >= 0 and value == int(value)
