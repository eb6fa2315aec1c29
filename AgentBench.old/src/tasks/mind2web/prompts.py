"""The questions put to the model, in upstream's words (profile paper) or ours (profile kit).

The form follows AgentBench.old/src/tasks/mind2web/{task.py,dataloader.py} of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7 (format_input_multichoice).
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.models.types import Message

from . import dom

WORDS_OF_CHOICE = 10

PREVIOUS_ACTIONS = 5
"""Previous actions that are shown; upstream's previous_k."""

TASK, PREVIOUS, BEFORE, AFTER = "Task: ", "Previous actions:\n", "'''\n", "\n'''\n\n"
"""Upstream's labels and quotes around the page."""


@dataclass(frozen=True)
class Texts:
    """Prompt texts of a profile.

    Attributes:
        examples: worked examples, user and assistant in turn.
        head, task, previous, nothing, tail: pieces of the question; `tail` ends with choice A.
        before, after: what stands around the page.
        notice: appended to the first message when examples fall out; {omit} is the number of messages.
    """

    examples: tuple[Message, ...]
    head: str
    task: str
    previous: str
    nothing: str
    tail: str
    before: str
    after: str
    notice: str

    def sha256(self) -> str:
        """Checksum of all texts, 64 hex digits."""
        return hashlib.sha256(json.dumps(vars(self), ensure_ascii=False).encode()).hexdigest()


def paper_texts() -> Texts:
    """Upstream's texts, with the examples that think first. Raises MissingData with the command to type."""
    found = sources.prompts("mind2web")
    roles = {"user": "user", "agent": "assistant"}
    examples = [
        Message(role=roles[turn["role"]], content=turn["content"]) for turn in found["llm_prompt_cot"][:-1]
    ]
    # Upstream's code has the question's first sentence inside an f-string; the first example spells it out.
    question = examples[0]["content"].partition(AFTER)[2]
    return Texts(
        examples=tuple(examples),
        head=question[: question.index(TASK)],
        task=TASK,
        previous=PREVIOUS,
        nothing=found["previous_actions_empty"],
        tail=found["multichoice_tail"],
        before=BEFORE,
        after=AFTER,
        notice=sources.prompts("agentbench-core")["omitted_notice"],
    )


def kit_texts() -> Texts:
    """Our own texts (prompts.toml)."""
    table: dict[str, Any] = tomllib.loads((Path(__file__).parent / "prompts.toml").read_text("utf-8"))
    examples: list[Message] = []
    for example in table.pop("examples"):
        examples += [
            {"role": "user", "content": example["user"]},
            {"role": "assistant", "content": example["assistant"]},
        ]
    return Texts(examples=tuple(examples), **table)


@dataclass(frozen=True)
class Question:
    """A page and a question about it.

    Attributes:
        page: the pruned page.
        text: task, previous actions and choices.
        choices: (backend_node_id, text) of choice B, C, ... in document order.
        numbers: number shown of each backend_node_id.
    """

    page: str
    text: str
    choices: list[tuple[str, str]]
    numbers: dict[str, int]


def question(
    root: dom.Element,
    texts: Texts,
    task: str,
    previous: Sequence[str],
    candidates: Sequence[str],
    *,
    brackets: bool = True,
) -> Question:
    """The question about a batch of candidates.

    Args:
        root: the parsed page.
        previous: the previous actions that are shown, oldest first.
        brackets: see dom.render.

    Raises:
        dom.MissingNode: a candidate is not in the page.
    """
    pruned = dom.prune(root, candidates)
    numbers: dict[str, int] = {}
    page = dom.render(pruned, numbers, brackets=brackets)
    choices = list(dom.choices(pruned, numbers, WORDS_OF_CHOICE, brackets=brackets))
    lines = "".join(f"{action}\n" for action in previous) or texts.nothing
    listed = "".join(f"{chr(ord('B') + i)}. {text}\n" for i, (_, text) in enumerate(choices))
    text = f"{texts.head}{texts.task}{task}\n{texts.previous}{lines}{texts.tail}{listed}"
    return Question(page, text, choices, numbers)


def messages(texts: Texts, asked: Question) -> list[Message]:
    """The whole conversation of one round: examples, then page and question."""
    content = f"{texts.before}{asked.page}{texts.after}{asked.text}"
    return [*texts.examples, {"role": "user", "content": content}]
