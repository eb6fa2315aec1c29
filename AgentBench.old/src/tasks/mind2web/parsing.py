"""Reading a reply: the letter of a choice, the operation, its value.

Profile paper follows AgentBench.old/src/tasks/mind2web/task.py of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7 (postprocess_action_llm): three independent searches, each taking the first match.
Replies are hostile text; nothing here can raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

NONE_OF_THEM = "A"
FIRST_CHOICE = "B"
OPERATIONS = ("CLICK", "SELECT", "TYPE")


@dataclass(frozen=True)
class Grammar:
    """Patterns of one profile; each has one group."""

    letter: Pattern[str]
    operation: Pattern[str]
    value: Pattern[str]


PAPER = Grammar(
    letter=re.compile("Answer: (A|B|C|D|E|F)"),  # so "Answer: Bravo" is B
    operation=re.compile("Action: (CLICK|SELECT|TYPE)"),  # so "TYPED" is TYPE
    value=re.compile("Value: (.*)$", re.MULTILINE),
)

KIT = Grammar(
    letter=re.compile(r"^\s*Answer:[ \t]*\(?([A-F])\b", re.MULTILINE),
    operation=re.compile(r"^\s*Action:[ \t]*(CLICK|SELECT|TYPE)\b", re.MULTILINE),
    value=re.compile(r"^\s*Value:[ \t]*(.*)$", re.MULTILINE),
)
"""Whole words on lines of their own; the blank after the colon may be missing."""

GRAMMARS = {"paper": PAPER, "kit": KIT}


@dataclass(frozen=True)
class Decision:
    """A reply as read.

    Attributes:
        letter: "A" to "F"; None where the reply names none, which counts as "A".
        action: operation, a blank, value; both may be empty, the blank stays ("CLICK ", " ").
    """

    letter: str | None
    action: str

    @property
    def choice(self) -> int | None:
        """Index of the chosen element, None for none of them."""
        if self.letter is None or self.letter == NONE_OF_THEM:
            return None
        return ord(self.letter) - ord(FIRST_CHOICE)

    @property
    def operation(self) -> str:
        """CLICK, SELECT, TYPE or "" where the reply names none."""
        return self.action.partition(" ")[0]


def read(text: str, grammar: Grammar = PAPER) -> Decision:
    """The decision in a reply."""
    text = text.strip()
    letter = grammar.letter.search(text)
    return Decision(letter.group(1) if letter else None, _action(text, grammar))


def _action(text: str, grammar: Grammar) -> str:
    operation, value = grammar.operation.search(text), grammar.value.search(text)
    return f"{operation.group(1).strip() if operation else ''} {value.group(1).strip() if value else ''}"


def target_text(operation: str, value: str, letter: str = FIRST_CHOICE) -> str:
    """The gold answer as upstream writes it: a CLICK has no value."""
    return f"{letter}.\nAction: {operation}\n" + ("" if operation == "CLICK" else f"Value: {value}")


def read_target(text: str) -> tuple[str, str]:
    """(letter, action) of a gold answer. Raises IndexError for an empty text."""
    text = text.strip()
    return text[0], _action(text, PAPER)


def gold_action(operation: str, value: str) -> str:
    """Gold action as it is compared: of a value of several lines only the first counts."""
    return read_target(target_text(operation, value))[1]
