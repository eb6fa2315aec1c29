"""An episode for people: what was done on which page, what was bought and what it was worth."""

from __future__ import annotations

from typing import Any

from .parsing import kit_action, paper_action
from .shop import SEPARATOR

LONGEST_PAGE = 110


def view(record: dict[str, Any]) -> str | None:
    """Plain text of an episode's pages and actions; None for a record without any reply of the model."""
    turns = [t for t in record.get("transcript", []) if t.get("role") in ("user", "assistant")]
    said = [i for i, turn in enumerate(turns) if turn["role"] == "assistant" and not turn.get("scripted")]
    if not said:
        return None
    lines = []
    wanted = turns[said[0] - 1]["content"].partition(f"Instruction:{SEPARATOR}")[2].partition(SEPARATOR)[0]
    if wanted:
        lines += [wanted, ""]
    for number, i in enumerate(said, 1):
        reply = turns[i].get("used", turns[i]["content"])
        action = paper_action(reply) or kit_action(reply)
        shown = f"{action[0]}[{action[1]}]" if action else f"(no action) {' '.join(reply.split())[:80]}"
        lines += [f"      {_page(turns[i - 1]['content'])}", f"{number:4d}  {shown}"]
    bought, target = record.get("prediction"), record.get("target") or {}
    lines.append("")
    if bought:
        chosen = ", ".join(bought["options"].values()) or "no options"
        lines.append(f"bought  {bought['asin']} {bought['title']}, ${bought['price']:.2f}, {chosen}")
    else:
        lines.append("bought  nothing")
    lines.append(
        f"wanted  {target.get('asin')}, options: {', '.join(target.get('options', [])) or 'none'}, "
        f"attributes: {', '.join(target.get('attributes', []))}, at most ${target.get('price_upper', 0):.2f}"
    )
    metrics = record.get("metrics") or {}
    lines.append(
        f"reward  {metrics.get('paper', 0):.3f} (exact matches only: {metrics.get('strict', 0):.3f})"
    )
    return "\n".join(lines)


def _page(text: str) -> str:
    """The page without the instruction, which every page repeats."""
    parts = text.split("\n\nAvailable Actions:")[0].split("\nButtons:")[0].split(SEPARATOR)
    page = SEPARATOR.join(parts[2:]) if len(parts) > 2 else text
    page = " ".join(page.replace(SEPARATOR, " · ").split())
    return page if len(page) <= LONGEST_PAGE else page[: LONGEST_PAGE - 1] + "…"
