"""What a reply asks for: a final answer, or one call on its action line.

Follows `predict_single` of AgentBench.old/src/tasks/knowledgegraph/task.py @ e33a45d, including what it does with replies
nobody meant; written so that the time stays linear in the reply's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MAX_CALLS = 100
"""Names tried on one action line; a reply of 128 tokens cannot hold more."""

_FINAL = re.compile(r"(?:Find|Final) Answer: #(\d+)")
_ACTION = re.compile(r"Action.*?:")
_WORD = re.compile(r"\w+")

_NO_SUCH_VARIABLE = 10**9


def kept(reply: str) -> str:
    """The part of a reply that counts and that stays in the history: before a made-up observation, `\\_` as `_`."""
    return reply.split("Observation:", 1)[0].replace("\\_", "_")


def final_answer(text: str) -> int | None:
    """Number of the variable in the first final answer; None if there is none. It goes before any action."""
    found = _FINAL.search(text)
    if found is None:
        return None
    digits = found[1]
    return int(digits) if len(digits) < 100 else _NO_SUCH_VARIABLE


def action_line(text: str) -> str | None:
    """The first line that begins with `Action`, anything, and a colon; None if there is none."""
    return next((line for line in text.split("\n") if _ACTION.match(line)), None)


def call_names(line: str) -> list[str]:
    """Every word of the line that an opening parenthesis follows at once, in order."""
    names = (word[0] for word in _WORD.finditer(line) if line[word.end() : word.end() + 1] == "(")
    return [name for name, _ in zip(names, range(MAX_CALLS), strict=False)]


def strict_arguments(name: str, line: str) -> list[str] | None:
    """The arguments of a call as upstream cuts them; None without a closing parenthesis or without any character.

    They reach from the first `name(` to the first `)` behind at least one character, and every comma separates two:
    a name with a comma or a parenthesis cannot be written. Blanks around commas go, those at the ends stay.
    """
    start = line.find(f"{name}(") + len(name) + 1
    end = line.find(")", start + 1)
    if end < 0:
        return None
    pieces = line[start:end].split(",")
    last = len(pieces) - 1
    return [
        (piece.rstrip() if i < last else piece) if i == 0 else (piece.strip() if i < last else piece.lstrip())
        for i, piece in enumerate(pieces)
    ]


def entity_aware_arguments(name: str, line: str, entities: Iterable[str]) -> list[str] | None:
    """The arguments of a call where an entity's name may hold commas and parentheses; None without a closing one.

    An argument that begins with the name of an entity and goes on with `,` or `)` is that entity, the longest name first;
    any other one ends at the next `,` or `)`. Blanks at both ends go.
    """
    names = sorted((entity for entity in entities if entity), key=len, reverse=True)
    at = line.find(f"{name}(") + len(name) + 1
    arguments = []
    while True:
        while line[at : at + 1].isspace():
            at += 1
        for entity in names:
            end = at + len(entity)
            if line.startswith(entity, at) and line[end:].lstrip()[:1] in (",", ")"):
                break
        else:
            end = at
        stop = min((p for p in (line.find(",", end), line.find(")", end)) if p >= 0), default=-1)
        if stop < 0:
            return None
        arguments.append(line[at:stop].strip())
        at = stop + 1
        if line[stop] == ")":
            return arguments if arguments != [""] else None


def variable_number(argument: str) -> int | None:
    """Index of a variable (`#2`, `variable #2`, `#-1` counts from the end); None for an argument that names none.

    Raises:
        ValueError: `#` without a number behind it.
    """
    shown = without_word(argument)
    if not shown.startswith("#"):
        return None
    if len(shown) > 100:
        raise ValueError("a number that long is no variable's")
    return int(shown[1:])


def without_word(argument: str) -> str:
    """An argument without the word `variable` that models put before it."""
    return argument.replace("variable ", "").replace("Variable ", "")


def joined(arguments: Sequence[str]) -> str:
    """Arguments as they are shown in failure texts and in the list of actions."""
    return ", ".join(arguments)
