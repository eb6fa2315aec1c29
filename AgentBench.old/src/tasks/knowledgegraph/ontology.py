"""Which predicates the tools offer, and the type of what they lead to."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agenttuning.errors import KitError

LITERAL_TYPES = frozenset({"type.datetime", "type.float", "type.int"})
"""Ranges that make a predicate an attribute (something to take a maximum of) instead of a relation."""


@dataclass(frozen=True)
class Ontology:
    """What is offered.

    Attributes:
        relations: predicates get_relations may list; those that lead to entities.
        attributes: predicates get_attributes may list; dates and numbers. Disjoint from the relations.
        ranges: type of the objects, by predicate (more predicates than are offered).
    """

    relations: frozenset[str]
    attributes: frozenset[str]
    ranges: Mapping[str, str]


def read_upstream(vocabulary: Path, roles: Path) -> Ontology:
    """Upstream's vocab.json and fb_roles (lines `domain relation range`; a later line wins, and further words of a
    line are ignored: one of upstream's 19,281 lines is two that lost their line break).

    Raises:
        KitError: a file of another shape.
    """
    try:
        lists = json.loads(vocabulary.read_text(encoding="utf-8"))
        ranges = {}
        for line in roles.read_text(encoding="utf-8").splitlines():
            words = line.split()
            ranges[words[1]] = words[2]
        return Ontology(frozenset(lists["relations"]), frozenset(lists["attributes"]), ranges)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise KitError(
            f"{vocabulary} or {roles} is not a Freebase vocabulary ({type(error).__name__}: {error})"
        ) from error


def read_own(path: Path) -> Ontology:
    """The table of the predicates that our own graph uses: TOML with the range of each."""
    ranges: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["ranges"]
    attributes = frozenset(name for name, kind in ranges.items() if kind in LITERAL_TYPES)
    return Ontology(frozenset(ranges) - attributes, attributes, ranges)
