"""Adapters of the differential vectors (page "general", functions gsm8k.*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttuning import sources
from agenttuning.episodes.vectors import Unavailable
from agenttuning.models import templates

from . import grading, prompts

PAGE = "general"


def _extract(case: dict[str, Any]) -> Any:
    answer = grading.upstream_answer(case["input"]["completion"])
    return grading.INVALID if answer is None else answer


def _gold(case: dict[str, Any]) -> Any:
    answer = grading.gold(case["input"]["completion"])
    return grading.INVALID if answer is None else answer


def _correct(case: dict[str, Any]) -> bool:
    return grading.correct_upstream(case["input"]["completion"], grading.gold_text(case["input"]["answer"]))


def _clean(case: dict[str, Any]) -> str:
    return grading.clean(case["input"]["text"])


def _prompt(case: dict[str, Any]) -> str:
    if not sources.prompts_available("general"):
        raise Unavailable("upstream prompts are not on this machine")
    messages = prompts.paper_messages(sources.prompts("general"), case["input"]["question"])
    return templates.render("llama-2", messages, strip=False)


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "gsm8k.extract_answer": _extract,
    "gsm8k.extract_answer_hf": _gold,
    "gsm8k.is_correct": _correct,
    "gsm8k.clean_answer": _clean,
    "gsm8k.doc_to_text": _prompt,
}
