"""The conversation that puts a question to the model, in both profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def kit_messages(texts: Mapping[str, Any], question: str) -> list[Message]:
    """Our own conversation: system message, 6 worked examples, question.

    Args:
        texts: kit_texts().
    """
    messages: list[Message] = [{"role": "system", "content": texts["system"].strip()}]
    for shot in texts["shots"]:
        messages.append(
            {"role": "user", "content": texts["question"].replace("{question}", shot["question"])}
        )
        messages.append({"role": "assistant", "content": shot["solution"].strip()})
    messages.append({"role": "user", "content": texts["question"].replace("{question}", question)})
    return messages


def kit_texts() -> dict[str, Any]:
    """Content of prompts.toml."""
    return tomllib.loads((Path(__file__).parent / "prompts.toml").read_text(encoding="utf-8"))
