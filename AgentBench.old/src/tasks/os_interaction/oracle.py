"""The player that knows the example: it runs it as a judge does, and answers with what it printed."""

from __future__ import annotations

import shlex

from agenttuning.episodes.types import Player
from agenttuning.models.types import Message

from .scripts import Script


def player(script: Script | None, expected: str | None, prefix: str) -> Player:
    """A player for one sample.

    Args:
        script: the example. It runs in a `bash -c` of its own and without a terminal, like the judge's: process counts and
            warnings then agree.
        expected: the text of an exact match.
        prefix: what observations begin with.
    """
    replies = 0

    def play(messages: list[Message]) -> str:
        nonlocal replies
        replies += 1
        if replies == 1 and script is not None and expected is None:
            command = " ".join(map(shlex.quote, script.command()))
            return f"Think: I run it.\n\nAct: bash\n\n```bash\n{command} < /dev/null\n```"
        if expected is not None:
            return f"Think: I know.\n\nAct: answer({expected})"
        shown = messages[-1]["content"]
        value = shown.removeprefix(prefix)
        if not shown.startswith(prefix) or "\n" in value:  # an answer has one line
            return "Think: It is done.\n\nAct: finish"
        return f"Think: This was printed.\n\nAct: answer({value})"

    return play
