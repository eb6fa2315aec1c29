"""Gold traces: how the data's recorded calls become replies, and whether they can be played at all.

The recorded calls hold ids; a model sees only names. A trace can be replayed if the same calls with names instead of ids go
through parser and tools and end in a program that has a well-formed query. That needs no Freebase: relations are
taken to be there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyoxigraph

from agenttuning.episodes.types import Sample, Status
from agenttuning.models.types import Message

from .ontology import Ontology
from .parsing import without_word
from .programs import NS, Query, QueryRefused
from .protocol import PAPER, Conversation, converse
from .tools import Toolbox

MAKERS = ("get_neighbors", "intersection", "argmax", "argmin", "count")
"""Tools that make a variable."""

_REASONS = replace(PAPER, failed="{reason}", failed_intersection="{reason}")

_CALL = re.compile(r"(\w+)\((.*)\)")


def split_call(action: str) -> tuple[str, list[str]]:
    """Name and arguments of a recorded call, in which an argument is an id, a variable or a predicate."""
    found = _CALL.fullmatch(action)
    if found is None:
        raise ValueError(f"{action!r} is no call")
    return found[1], [part.strip() for part in found[2].split(",")]


def gold_replies(actions: Sequence[str], entities: Mapping[str, str]) -> list[str]:
    """What a model with the gold trace would say: one call per turn, names instead of ids, then the last variable."""
    names = {entity: name for name, entity in entities.items()}
    replies = []
    made = -1
    for action in actions:
        tool, arguments = split_call(action)
        made += tool in MAKERS
        shown = ", ".join(names.get(argument, argument) for argument in arguments)
        replies.append(f"Thought: this is the next step.\nAction: {tool}({shown})")
    return [*replies, f"Thought: this is the answer.\nFinal Answer: #{made}"]


@dataclass(frozen=True)
class Trace:
    """Result for one sample: `reason` is empty if its gold trace can be replayed."""

    sample: str
    reason: str


class _Obliging:
    """A graph in which everything has the predicates that a trace follows, and no query but a malformed one fails."""

    def __init__(self, actions: Sequence[str]):
        followed = {argument for action in actions for argument in split_call(action)[1] if "." in argument}
        self._predicates = [NS + name for name in followed]
        self._empty = pyoxigraph.Store()

    def select(self, query: Query) -> list[str]:
        try:
            self._empty.query(query.text)
        except SyntaxError as error:
            raise QueryRefused(str(error)) from error
        return self._predicates if query.lists_predicates else []


def check_traces(samples: Sequence[Sample], ontology: Ontology) -> list[Trace]:
    """Replay every sample's gold trace through parser and tools, upstream's way; the samples' order is kept."""
    return [Trace(sample.id, _reason(sample, ontology)) for sample in samples]


def _reason(sample: Sample, ontology: Ontology) -> str:
    actions, entities = sample.data["actions"], sample.data["entities"]
    replies = gold_replies(actions, entities)
    said = iter(replies)
    opening: list[Message] = [{"role": "user", "content": sample.data["question"]}]
    talk = converse(
        opening, lambda messages: next(said), entities, Toolbox(_Obliging(actions), ontology),
        rounds=len(replies), replies=_REASONS,
    )  # fmt: skip
    if talk.status is Status.COMPLETED and len(talk.actions) == len(actions):
        return ""
    return _explained(sample.data, ontology, talk)


def _explained(data: dict[str, Any], ontology: Ontology, talk: Conversation) -> str:
    """The first thing in the trace that cannot work, in words."""
    names = {entity: name for name, entity in data["entities"].items()}
    for action in data["actions"]:
        tool, arguments = split_call(action)
        for argument in arguments:
            name = names.get(argument, argument)
            if "," in name:
                return "an entity's name has a comma"
            if "(" in name or ")" in name:
                return "an entity's name has a parenthesis"
            if without_word(name) != name:
                return "an entity's name has the word `variable `, which upstream drops"
        subject = arguments[0]
        if subject.startswith("g."):
            return "an entity's id begins with g."
        if tool == "get_relations" and not subject.startswith(("#", "m.", "f.")):
            return f"{subject} is used as an entity"
        if tool in ("argmax", "argmin") and arguments[1] not in ontology.attributes:
            return f"the attribute {arguments[1]} is not in the vocabulary"
        if tool == "get_neighbors" and arguments[1] not in ontology.relations:
            return f"the relation {arguments[1]} is not in the vocabulary"
    failed = [said for said in talk.observations if not said.startswith("Observation:")]
    return failed[0] if failed else talk.detail
