"""The texts of a conversation: upstream's (profile paper, fetched) or ours (profile kit, prompts.toml)."""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.models.types import Message

from .protocol import Prompt

DEFAULT_DEMONSTRATION = "find"


def paper_prompt(task_number: int) -> Prompt:
    """Upstream's texts and its demonstration of one task type. Raises MissingData."""
    texts = sources.prompts("science-world")
    return _prompt(texts, texts["system"], texts["few_shot"][str(task_number)])


def kit_prompt(task_number: int) -> Prompt:
    """Our texts and the demonstration chosen for one task type."""
    texts = _kit_texts()
    name = next((n for n, numbers in texts["use"].items() if task_number in numbers), DEFAULT_DEMONSTRATION)
    demonstration = next(d for d in texts["demonstration"] if d["name"] == name)
    return _prompt(texts, None, demonstration_messages(demonstration))


def _prompt(texts: dict[str, Any], system: str | None, demonstration: list[Message]) -> Prompt:
    return Prompt(
        system=system,
        init=texts["init"],
        init_ack=texts["init_ack"],
        new_task_prefix=texts["new_task_prefix"],
        cut_guard=texts["cut_guard_prefix"],
        think_observation=texts["think_observation"],
        demonstration=demonstration,
    )


def kit_demonstrations() -> list[dict[str, Any]]:
    """Our demonstrations: name, task, variation, start, turns (pairs of reply and answer)."""
    return list(_kit_texts()["demonstration"])


def demonstration_messages(demonstration: dict[str, Any]) -> list[Message]:
    """User and assistant messages of one of our demonstrations; the answer to its last action is left out."""
    messages = [Message(role="user", content=demonstration["start"])]
    for reply, answer in demonstration["turns"]:
        messages += [Message(role="assistant", content=reply), Message(role="user", content=answer)]
    return messages[:-1]


def identity(prompt: Prompt) -> dict[str, str]:
    """sha256 of every text but the demonstration (that one differs from task type to task type)."""
    texts = {
        "system": prompt.system or "",
        "init": prompt.init,
        "init_ack": prompt.init_ack,
        "new_task_prefix": prompt.new_task_prefix,
        "cut_guard": prompt.cut_guard,
        "think_observation": prompt.think_observation,
    }
    return {name: _sha256(text) for name, text in texts.items()}


def demonstrations_sha256(prompts: list[Prompt]) -> str:
    """One sha256 over the demonstrations of all task types."""
    return _sha256(json.dumps([p.demonstration for p in prompts], ensure_ascii=False))


@lru_cache(maxsize=1)
def _kit_texts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("prompts.toml").read_text())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
