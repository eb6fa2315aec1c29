"""The conversation of one episode: at most ten replies, each with one action.

Follows `predict` of AgentBench.old/src/tasks/webshop/__init__.py (THUDM/AgentTuning @ e33a45d). Profile kit differs: a reply
without an action is told and may be mended, and an episode that leads nowhere ends early.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from agenttuning.episodes.types import Status
from agenttuning.models.types import Message

from .parsing import Action, kit_action, paper_action
from .shop import Visit

USELESS_IN_A_ROW = 3
"""Profile kit ends an episode after this many replies in a row without an action that does anything."""


@dataclass(frozen=True)
class Manner:
    """How an episode is told and read.

    Attributes:
        round: text of a round, with `{observation}` and `{available_actions}`.
        unreadable, ignored: put in front of a round after a reply without an action, or after one that did nothing; None:
            the first ends the episode, the second is not told.
    """

    parse: Callable[[str], Action | None]
    actions: Callable[[Visit], str]
    round: str
    unreadable: str | None = None
    ignored: str | None = None


def paper_manner(round_template: str) -> Manner:
    """Upstream's: the actions are the repr of a Python dict."""
    return Manner(paper_action, lambda visit: repr(visit.available_actions), round_template)


def kit_manner(round_template: str, unreadable: str, ignored: str) -> Manner:
    """Ours: the buttons are a JSON list."""
    return Manner(
        kit_action,
        lambda visit: json.dumps([c for c in visit.clickables if c != "search"], ensure_ascii=False),
        round_template,
        unreadable,
        ignored,
    )


@dataclass
class Talk:
    """What became of an episode.

    Attributes:
        messages: the whole conversation.
        actions: one per reply, None for a reply without one.
        reward: of the purchase, 0 without one.
    """

    messages: list[Message]
    actions: list[Action | None] = field(default_factory=list)
    reward: float = 0.0
    status: Status = Status.TURN_LIMIT
    detail: str = ""


def converse(
    opening: list[Message], ask: Callable[[list[Message]], str], visit: Visit, manner: Manner, *, rounds: int
) -> Talk:
    """Play an episode until the purchase, the last round, or a reply that ends it.

    Args:
        ask: the model's answer to a conversation.
    """
    talk = Talk(list(opening), detail=f"nothing was bought in {rounds} rounds")
    said, useless = "", 0
    for _ in range(rounds):
        text = _round(manner, visit)
        talk.messages.append({"role": "user", "content": said + text})
        reply = ask(list(talk.messages))
        talk.messages.append({"role": "assistant", "content": reply})
        action = manner.parse(reply)
        talk.actions.append(action)
        before = visit.ignored
        if action is not None:
            talk.reward = visit.step(*action)
        if visit.done:
            talk.status, talk.detail = Status.COMPLETED, f"bought {visit.asin}"
            break
        if action is None and manner.unreadable is None:
            talk.status, talk.detail = Status.INVALID_FORMAT, "a reply without an action"
            break
        useful = action is not None and visit.ignored == before
        useless = 0 if useful else useless + 1
        said = "" if useful else (manner.unreadable if action is None else manner.ignored) or ""
        if manner.unreadable is not None and useless == USELESS_IN_A_ROW:
            talk.status = Status.INVALID_FORMAT if action is None else Status.INVALID_ACTION
            talk.detail = f"{useless} replies in a row did nothing"
            break
    return talk


def _round(manner: Manner, visit: Visit) -> str:
    """A round's text. Both fields are filled in one pass: a page may hold anything, also the other field's name."""
    fields = {"{observation}": visit.observation, "{available_actions}": manner.actions(visit)}
    return re.sub(r"\{(?:observation|available_actions)\}", lambda found: fields[found.group()], manner.round)
