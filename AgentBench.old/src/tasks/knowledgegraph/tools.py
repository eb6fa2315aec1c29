"""The seven tools (and the eighth that upstream does not tell the model about), with one episode's memory.

Follows AgentBench.old/src/tasks/knowledgegraph/api.py @ e33a45d. Upstream keeps the lists that were shown in tables of the
process, so that one sample's get_relations allows another sample's get_neighbors; here they belong to the episode.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from . import graphs
from .graphs import Graph
from .ontology import Ontology
from .programs import QueryRefused, answers_query

_ENTITY = re.compile(r"[mf]\.\w+")
_ENTITY_OR_G = re.compile(r"[mfg]\.\w+")

TOOLS = ("get_relations", "get_neighbors", "intersection", "get_attributes", "argmax", "argmin", "count")

COUNT_TYPE = "type.int"


class ToolFailure(Exception):
    """The call cannot be executed: wrong arguments, or a tool that had to come first."""


@dataclass(frozen=True)
class Variable:
    """A set of entities (or a number) that a call made.

    Attributes:
        type: Freebase type of the members, such as film.film.
        program: the s-expression that describes them.
    """

    type: str
    program: str


Argument = Variable | str


@dataclass
class Toolbox:
    """What an episode can call.

    Attributes:
        graph, ontology: where the answers come from.
        accept_g_ids: whether ids that begin with g. are entities; upstream's tools refuse them.
        hidden_union: whether the undocumented `union` exists.
        check_programs: refuse at once what has no SPARQL; else it is noticed only when it is executed, as upstream.
    """

    graph: Graph
    ontology: Ontology
    accept_g_ids: bool = False
    hidden_union: bool = True
    check_programs: bool = False
    _relations: dict[str, frozenset[str]] = field(default_factory=dict)
    _attributes: dict[str, frozenset[str]] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Whether there is a tool of that name."""
        return name in TOOLS or (self.hidden_union and name == "union")

    def call(self, name: str, arguments: list[Argument]) -> list[str] | Variable:
        """Run one tool: a sorted list of predicates, or a new variable.

        Raises:
            ToolFailure: unknown tool, wrong arguments, or nothing that can be executed.
            EnvironmentFailure: the graph broke.
        """
        tool, count = self._find(name)
        if len(arguments) != count:
            raise ToolFailure(f"{name} takes {count} arguments, not {len(arguments)}")
        try:
            made = tool(*arguments)
            if isinstance(made, Variable) and self.check_programs:
                answers_query(made.program)
        except QueryRefused as error:
            raise ToolFailure(str(error)) from error
        return made

    def _find(self, name: str) -> tuple[Callable[..., list[str] | Variable], int]:
        match name:
            case "get_relations":
                return self._get_relations, 1
            case "get_neighbors":
                return self._get_neighbors, 2
            case "intersection":
                return self._intersection, 2
            case "get_attributes":
                return self._get_attributes, 1
            case "argmax" | "argmin":
                return lambda v, a: self._superlative(name.upper(), v, a), 2
            case "count":
                return self._count, 1
            case "union" if self.hidden_union:
                return self._union, 2
        raise ToolFailure(f"there is no tool {name}")

    def _key(self, argument: Argument) -> str:
        """What a variable or an entity goes by in programs and in the memory. Raises ToolFailure for other texts."""
        if isinstance(argument, Variable):
            return argument.program
        if not (_ENTITY_OR_G if self.accept_g_ids else _ENTITY).fullmatch(argument):
            raise ToolFailure(f"{argument[:80]!r} is neither a variable nor an entity")
        return argument

    def _get_relations(self, argument: Argument) -> list[str]:
        key = self._key(argument)
        found = (
            graphs.predicates_of_program(self.graph, key)
            if isinstance(argument, Variable)
            else graphs.predicates_of_entity(self.graph, key)
        )
        self._relations[key] = found & self.ontology.relations
        return sorted(self._relations[key])

    def _get_neighbors(self, argument: Argument, relation: Argument) -> Variable:
        key = self._key(argument)
        if not isinstance(relation, str) or relation not in self._relations.get(key, ()):
            raise ToolFailure("get_relations has not shown this relation")
        if relation not in self.ontology.ranges:
            raise ToolFailure(f"nothing is known of what {relation} leads to")
        return Variable(self.ontology.ranges[relation], f"(JOIN {relation}_inv {key})")

    def _intersection(self, left: Argument, right: Argument) -> Variable:
        return _combined("AND", left, right)

    def _union(self, left: Argument, right: Argument) -> Variable:
        return _combined("OR", left, right)

    def _get_attributes(self, argument: Argument) -> list[str]:
        program = _variable(argument).program
        found = graphs.predicates_of_program(self.graph, program)
        self._attributes[program] = found & self.ontology.attributes
        return sorted(self._attributes[program])

    def _superlative(self, operator: str, argument: Argument, attribute: Argument) -> Variable:
        variable = _variable(argument)
        if not isinstance(attribute, str) or attribute not in self._attributes.get(variable.program, ()):
            raise ToolFailure("get_attributes has not shown this attribute")
        return Variable(variable.type, f"({operator} {variable.program} {attribute})")

    def _count(self, argument: Argument) -> Variable:
        return Variable(COUNT_TYPE, f"(COUNT {_variable(argument).program})")


def _variable(argument: Argument) -> Variable:
    if not isinstance(argument, Variable):
        raise ToolFailure(f"{argument[:80]!r} is no variable")
    return argument


def _combined(operator: str, left: Argument, right: Argument) -> Variable:
    first, second = _variable(left), _variable(right)
    if first.type != second.type:
        raise ToolFailure(f"{first.type} and {second.type} are different types")
    return Variable(first.type, f"({operator} {first.program} {second.program})")
