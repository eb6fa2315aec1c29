"""Adapters of the differential vectors for the overall score (published overalls and gains)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttuning.scores.overall import overall, percent, relative_gain

PAGE = "reporting"


def _overall(case: dict[str, Any]) -> float | None:
    value = overall(case["input"]["scores"], case["input"]["inverse_weights"]).value
    return None if value is None else round(value, 2)


def _relative_gain(case: dict[str, Any]) -> str | None:
    given = case["input"]
    gain = relative_gain(given["model_scores"], given["base_scores"], given["inverse_weights"])
    return None if gain is None else percent(gain)


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "overall": _overall,
    "relative_gain": _relative_gain,
}
