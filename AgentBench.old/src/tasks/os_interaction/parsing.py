"""What a reply asks for: a bash text, an answer, or the end. One grammar per profile.

`upstream_action` follows `extract_action` of AgentBench.old/src/tasks/os_interaction/task.py @ e33a45d.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

BASH = "bash"
COMMIT = "commit"


@dataclass(frozen=True)
class Action:
    """One reply.

    Attributes:
        kind: BASH, COMMIT, or None where the reply has no action.
        content: text for the shell; the answer; None for a commit without an answer and where there is no action.
        thought: the lines after "Think:", which nobody reads.
    """

    kind: str | None
    content: str | None = None
    thought: str = ""


_THOUGHT = re.compile(r"Think:\s*(.+)")
_ACT = re.compile(r"Act:\s*(.+)")
_BLOCK = re.compile(r"```bash\n(.*?)\n```", re.DOTALL)


def upstream_action(raw: str) -> Action:
    """The last "Act:" line that can be read counts; all closed bash blocks of the reply are joined by a blank line.

    A bash action without such a block sends an empty line to the shell.
    """
    thought = "\n".join(_THOUGHT.findall(raw))
    for line in reversed(_ACT.findall(raw)):
        word = line.lower()
        if word.startswith("bash"):
            return Action(BASH, "\n\n".join(_BLOCK.findall(raw)), thought)
        if word.startswith("finish"):
            return Action(COMMIT, None, thought)
        if word.startswith("answer"):
            rest = line[6:].strip()
            begin, end = rest.find("("), rest.rfind(")")
            if begin != -1 and end != -1:
                return Action(COMMIT, rest[begin + 1 : end], thought)
    return Action(None, None, thought)


_OWN_ACT = re.compile(r"^[ \t]*Act:[ \t]*(bash|finish|answer)\b", re.MULTILINE | re.IGNORECASE)
_OWN_BLOCK = re.compile(r"```(?:bash|sh|shell)?[ \t]*\n(.*?)```", re.DOTALL)


def own_action(raw: str) -> Action:
    """The last line that begins with "Act:" counts, and what follows it: one closed block, or an answer in parentheses.

    Line ends may be CRLF, an answer may have several lines, the block may be marked sh. A bash action without a closed
    block, or an answer without parentheses, is no action.
    """
    text = raw.replace("\r\n", "\n")
    found = None
    for found in _OWN_ACT.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        return Action(None)
    rest = text[found.end() :]
    match found[1].lower():
        case "finish":
            return Action(COMMIT)
        case "answer":
            begin, end = rest.find("("), rest.rfind(")")
            if begin == -1 or end < begin or rest[:begin].strip(" \t"):
                return Action(None)
            return Action(COMMIT, rest[begin + 1 : end])
    block = _OWN_BLOCK.search(rest)
    return Action(None) if block is None else Action(BASH, block[1].rstrip("\n"))


GRAMMARS: dict[str, Callable[[str], Action]] = {"paper": upstream_action, "kit": own_action}

SHOWN = 800
KEPT = 780


def shortened(text: str, suffix: str) -> str:
    """A text of more than SHOWN characters is cut to KEPT and `suffix`."""
    return text[:KEPT] + suffix if len(text) > SHOWN else text
