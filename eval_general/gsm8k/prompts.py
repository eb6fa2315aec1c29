"""The conversation that puts a question to the model, in both profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.models.types import Message


def paper_messages(texts: Mapping[str, Any], question: str) -> list[Message]:
    """Upstream's conversation: system message, preamble, 8 worked examples, question.

    Args:
        texts: the prompt set "general" (sources.prompts).

    Follows eval_general/eval_gsm8k_tgi.py of THUDM/AgentTuning @ e33a45d: blanks and line breaks at the edges of
    the texts are part of the prompt, and the question starts with a line break that the examples lack.
    """
    said: list[Message] = [*texts["gsm8k_preamble"], *texts["gsm8k_shots"]]
    return [
        {"role": "system", "content": texts["system_prompt_agentlm"]},
        *said,
        {"role": "user", "content": texts["gsm8k_question_template"].replace("{question}", question)},
    ]


def kit_messages(question: str) -> list[Message]:
    """Our own conversation (prompts.toml): system message, 6 worked examples, question."""
    texts = _kit()
    messages: list[Message] = [{"role": "system", "content": texts["system"].strip()}]
    for shot in texts["shots"]:
        messages.append(
            {"role": "user", "content": texts["question"].replace("{question}", shot["question"])}
        )
        messages.append({"role": "assistant", "content": shot["solution"].strip()})
    messages.append({"role": "user", "content": texts["question"].replace("{question}", question)})
    return messages


def messages(profile: str, question: str) -> list[Message]:
    """The conversation of a profile. Raises MissingData when profile paper lacks upstream's prompts."""
    return paper_messages(_paper(), question) if profile == "paper" else kit_messages(question)


def _paper() -> dict[str, Any]:
    return sources.prompts("general")


@cache
def _kit() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "prompts.toml").read_text())
