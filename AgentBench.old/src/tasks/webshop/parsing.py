"""Actions in a model's reply.

Follows AgentBench.old/src/tasks/webshop/__init__.py and its web_agent_site/engine/engine.py of THUDM/AgentTuning @ e33a45d.
Replies are hostile input: every function takes any text and raises nothing.
"""

from __future__ import annotations

import re

PAPER_ACTION = re.compile(r"[Aa]ction: *\n *((search|click)\[.+?])")
"""One newline after the colon; the value ends at the first closing bracket."""

ENV_ACTION = re.compile(r"(.+)\[(.+)\]")

KIT_LABEL = re.compile(r"^[ \t*#]*action[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
KIT_CALL = re.compile(r"(search|click)[ \t]*\[([^\n]*)\]", re.IGNORECASE)

Action = tuple[str, str | None]
"""Name and argument as the shop understands them; it knows `search` and `click` and ignores everything else."""


def parse_response(reply: str) -> str | None:
    """The action text of a reply in upstream's way, or None, which ends an episode of profile paper."""
    found = PAPER_ACTION.search(reply)
    return found.group(1) if found else None


def env_parse_action(action: str) -> Action:
    """Name and argument of an action text: split at the last opening bracket; without brackets no argument."""
    found = ENV_ACTION.match(action)
    return (found.group(1), found.group(2)) if found else (action, None)


def paper_action(reply: str) -> Action | None:
    """What the shop gets in profile paper: both of upstream's parsers, one after the other."""
    text = parse_response(reply)
    return None if text is None else env_parse_action(text)


def kit_action(reply: str) -> Action | None:
    """What the shop gets in profile kit: the first line after an `Action:` that holds a call.

    Case, blank lines and a call on the label's own line do not matter, and a value may hold brackets: it ends at the last
    one of its line.
    """
    for label in KIT_LABEL.finditer(reply):
        rest = reply[label.end() : label.end() + 2000].lstrip()
        found = KIT_CALL.match(rest)
        if found and found.group(2).strip():
            return found.group(1).lower(), found.group(2).strip()
    return None
