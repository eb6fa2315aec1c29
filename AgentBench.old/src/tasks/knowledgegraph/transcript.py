"""An episode for people: every call with what came of it, the answer beside the gold answer."""

from __future__ import annotations

from typing import Any

from .parsing import action_line, final_answer, kept

SHOWN = 12
"""Names of a list, or members of an answer, that are shown."""


def view(record: dict[str, Any]) -> str | None:
    """Plain text of an episode's calls; None for a record without any turn of the model."""
    turns = [turn for turn in record.get("transcript", []) if turn.get("role") in ("user", "assistant")]
    question = max((i for i, turn in enumerate(turns) if "\nEntities: [" in turn["content"]), default=0)
    said = turns[question:]
    if not any(turn["role"] == "assistant" for turn in said):
        return None
    lines = [said[0]["content"]]
    number = 0
    for turn in said[1:]:
        if turn["role"] == "user":
            lines.append(f"      {_shortened(turn['content'])}")
            continue
        number += 1
        lines.append(f"{number:4d}  {_asked(kept(turn.get('used', turn['content'])))}")
    prediction, target = record.get("prediction") or [], record.get("target") or []
    lines += ["", f"answer  {_members(prediction)}", f"gold    {_members(target)}"]
    missing, wrong = set(target) - set(prediction), set(prediction) - set(target)
    if prediction and (missing or wrong):
        lines.append(f"        {len(missing)} missing, {len(wrong)} wrong")
    return "\n".join(lines)


def _asked(text: str) -> str:
    number = final_answer(text)
    if number is not None:
        return f"final answer #{number}"
    line = action_line(text)
    return line.split(":", 1)[1].strip() if line else f"(no call) {' '.join(text.split())[:80]}"


def _shortened(text: str) -> str:
    names = text.removeprefix("Observation: ").strip("[]").split(", ")
    if len(names) <= SHOWN:
        return text.removeprefix("Observation: ")
    return f"[{', '.join(names[:SHOWN])}, and {len(names) - SHOWN} more]"


def _members(values: list[str]) -> str:
    more = f", and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return (", ".join(values[:SHOWN]) or "nothing") + more
