"""A step for people: the choices of every question, the right ones marked, what was chosen, the gold answer."""

from __future__ import annotations

import re
from typing import Any

_CHOICE = re.compile(r"[A-F]\. ")


def view(record: dict[str, Any]) -> str | None:
    """Plain text of a step's questions; None for a record without any."""
    rounds = record.get("metrics", {}).get("choices") or []
    turns = record.get("transcript", [])
    replies = [
        i for i, turn in enumerate(turns) if turn.get("role") == "assistant" and not turn.get("scripted")
    ]
    if not rounds or len(replies) != len(rounds):
        return None
    target = record.get("target") or {"element": [], "action": "nothing"}
    lines: list[str] = []
    for number, (place, nodes) in enumerate(zip(replies, rounds, strict=True), start=1):
        asked = str(turns[place - 1].get("content", "")).rstrip().splitlines()
        shown = [line for line in asked if _CHOICE.match(line)][-len(nodes) :]
        lines += [f"Question {number}", "   A. None of the above"]
        for node, line in zip(nodes, shown, strict=False):
            lines.append(f" {'*' if node in target['element'] else ' '} {line}   (node {node})")
        reply = " / ".join(str(turns[place]["content"]).splitlines())
        lines += [f"   reply: {reply}", ""]
    node, action = record.get("prediction") or ("", "")
    chosen = f"node {node}, {action.strip()}" if node else "nothing"
    return "\n".join([*lines, f"chosen  {chosen}", f"gold    {_gold(target)}"])


def _gold(target: dict[str, Any]) -> str:
    return f"node {' or '.join(target['element']) or 'none'}, {target['action'].strip()}"
