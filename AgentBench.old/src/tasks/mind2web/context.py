"""What is sent of a conversation that is too long.

Upstream's rule (agenttuning.episodes.history.shorten) always keeps the first message, which here is the page of the
first example: a page of 3124 segments and more is dropped itself, and the model answers about the example.
"""

from __future__ import annotations

from agenttuning.episodes.history import BUDGET, count_segments, shorten
from agenttuning.models.types import Message

POLICIES = ("upstream", "keep_question")


def view(messages: list[Message], policy: str, notice: str, budget: int = BUDGET) -> list[Message]:
    """The messages that are sent, as a new list.

    Args:
        policy: "upstream", or "keep_question": examples fall out, oldest first, until the rest fits; the page stays.
    """
    if policy == "upstream":
        return shorten(messages, budget, notice=notice)
    sizes = [count_segments(message["content"]) for message in messages]
    start = 0
    while start < len(messages) - 1 and sum(sizes[start:]) >= budget:
        start += 2
    return list(messages[start:])


def lost(messages: list[Message], sent: list[Message]) -> bool:
    """Whether the question itself is not sent."""
    return len(sent) < len(messages) and sent[-1] != messages[-1]
