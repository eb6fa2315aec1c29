"""A game told round by round, for people."""

from __future__ import annotations

from typing import Any


def view(record: dict[str, Any]) -> str | None:
    """Task, then per round the command that was sent and what the house answered; None for a record without rounds."""
    commands = record.get("prediction")
    turns = [turn for turn in record.get("transcript") or () if isinstance(turn, dict)]
    replies = [
        i for i, turn in enumerate(turns) if turn.get("role") == "assistant" and not turn.get("scripted")
    ]
    if not isinstance(commands, list) or not replies:
        return None
    before = [turn["content"] for turn in turns[: replies[0]] if turn.get("role") == "user"]
    lines = [before[-1].strip()] if before else []
    for number, (start, command) in enumerate(zip(replies, commands, strict=False), start=1):
        rest = turns[start + 1 :]
        answer = next((turn["content"] for turn in rest if turn.get("role") == "user"), "")
        lines += ["", f"{number}. {command}", f"   {answer}"]
    lines += ["", str(record.get("detail") or "")]
    return "\n".join(lines).strip()
