"""What AgentBench sends of a long conversation: the first message and as many of the newest ones as fit.

Follows AgentBench.old/src/agent.py of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7. The measure
is neither tokens nor characters but "segments", pieces of at most seven letters and single other characters.
"""

from __future__ import annotations

from agenttuning.models.types import Message

BUDGET = 3500
"""Segments; a conversation that reaches this sum is shortened."""

LONGEST_PIECE = 7
"""Letters of a run that count as one segment."""

DEFAULT_NOTICE = "\n\n({omit} earlier messages of this conversation are not shown.)"
"""Our own wording; profile paper passes upstream's (`sources.prompts("agentbench-core")["omitted_notice"]`)."""


def count_segments(text: str) -> int:
    """Number of segments of a text.

    A run of letters (Unicode) counts one per started group of seven; every other character counts one, except
    space and newline, which count nothing (a tab does count, and digits count one by one).
    """
    total = 0
    run = 0
    for character in text:
        if character.isalpha():
            run += 1
            if run == LONGEST_PIECE:
                total += 1
                run = 0
            continue
        if run:
            total += 1
            run = 0
        if character not in " \n":
            total += 1
    return total + (run > 0)


def shorten(messages: list[Message], budget: int = BUDGET, *, notice: str = DEFAULT_NOTICE) -> list[Message]:
    """The part of a conversation that is sent to the model, as a new list (for `Session.reply(view=...)`).

    The first message always stays whole. The others are taken from the newest backwards while the sum of
    segments stays below `budget`; the tail then loses a leading user message, so that it starts with an
    assistant turn. If even the newest message does not fit, the first one is sent alone.

    Args:
        messages: user and assistant turns in strict alternation, first and last by the user.
        budget: sum of segments at which messages fall out.
        notice: appended to the first message when something was dropped; `{omit}` becomes the number.

    Raises:
        ValueError: the turns do not alternate (upstream raises SessionExeption).
    """
    expected = ["assistant" if i % 2 else "user" for i in range(len(messages))]
    if len(messages) % 2 == 0 or [message["role"] for message in messages] != expected:
        raise ValueError("the conversation must alternate user and assistant turns and end with the user's")
    total = count_segments(messages[0]["content"])
    start = len(messages)
    while start > 1:
        total += count_segments(messages[start - 1]["content"])
        if total >= budget:
            break
        start -= 1
    if start < len(messages) and messages[start]["role"] == "user":
        start += 1
    omitted = start - 1
    if omitted == 0:
        return list(messages)
    first: Message = {
        "role": "user",
        "content": messages[0]["content"] + notice.replace("{omit}", str(omitted)),
    }
    return [first, *messages[start:]]
