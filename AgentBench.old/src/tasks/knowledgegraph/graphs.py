"""A knowledge graph that answers queries: the embedded one in this process, and what all graphs can do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Protocol

import pyoxigraph

from .programs import (
    NS,
    Query,
    QueryRefused,
    answers_query,
    cleaned,
    entity_predicates_query,
    iri,
    predicates_query,
)

MAX_PATHS = 1_000_000
"""Most ways through the embedded graph that one query may have: at most a second of work. The bound depends on query and
graph alone, so that a slow machine gives the same results as a fast one. Virtuoso refuses by estimated cost, too."""


class Graph(Protocol):
    """A graph. Implementations are safe to use from many threads at once."""

    def select(self, query: Query) -> list[str]:
        """Values of the query's only variable, as the graph writes them.

        Raises:
            QueryRefused: the query itself is at fault (malformed, too expensive).
            EnvironmentFailure: the graph is at fault (dead, slow, broken).
        """
        ...


def answers(graph: Graph, program: str) -> list[str]:
    """Members of a program, sorted (upstream's order is the server's). Raises as `Graph.select`."""
    return sorted(cleaned(value) for value in graph.select(answers_query(program)))


def predicates_of_entity(graph: Graph, entity: str) -> frozenset[str]:
    """Names of the predicates that leave an entity. Raises as `Graph.select`."""
    return frozenset(cleaned(value) for value in graph.select(entity_predicates_query(entity)))


def predicates_of_program(graph: Graph, program: str) -> frozenset[str]:
    """Names of the predicates that leave any member of a program. Raises as `Graph.select`."""
    return frozenset(cleaned(value) for value in graph.select(predicates_query(program)))


class EmbeddedGraph:
    """A graph in this process's memory, evaluated by pyoxigraph.

    Args:
        turtle: the triples, as Turtle or N-Triples.
        max_paths: see MAX_PATHS.
    """

    def __init__(self, turtle: str, max_paths: int = MAX_PATHS):
        self._store = pyoxigraph.Store()
        self._store.load(turtle, format=pyoxigraph.RdfFormat.TURTLE)
        self._max_paths = max_paths
        self._by_pair: Counter[tuple[str, str]] = Counter()
        self._triples: Counter[str] = Counter()
        degree: Counter[str] = Counter()
        for quad in self._store:
            subject = quad.subject.value
            self._by_pair[subject, quad.predicate.value] += 1
            self._triples[quad.predicate.value] += 1
            degree[subject] += 1
        self._fan_out: dict[str, int] = {}
        for (_, predicate), count in self._by_pair.items():
            self._fan_out[predicate] = max(self._fan_out.get(predicate, 0), count)
        self._degree = max(degree.values(), default=0)

    def __len__(self) -> int:
        return len(self._store)

    def predicates(self) -> frozenset[str]:
        """Names of all predicates in the graph."""
        return frozenset(cleaned(predicate) for predicate in self._triples)

    def select(self, query: Query) -> list[str]:
        if self.paths(query) > self._max_paths:
            raise QueryRefused("the query has too many ways through the graph")
        try:
            found = self._store.query(query.text)
            assert isinstance(found, pyoxigraph.QuerySolutions)
            rows = [row[0] for row in found]
        except SyntaxError as error:
            raise QueryRefused(f"the query is malformed ({error})") from error
        if any(value is None for value in rows):
            raise QueryRefused("a row of the result has no value")
        return [value.value for value in rows]

    def paths(self, query: Query) -> int:
        """Upper bound of the query's solutions before duplicates are dropped: the product of the fan-outs.

        A pattern between two variables that are already bound only sorts out and adds no factor.
        """
        bound: set[str] = set()
        total = max(1, self._degree) if query.lists_predicates else 1
        for triple in query.triples:
            predicate = iri(triple.relation)[1:-1]
            fixed = not triple.subject.startswith("?")
            if (fixed or triple.subject in bound) and triple.object in bound:
                continue
            if fixed:
                total *= self._by_pair[NS + triple.subject, predicate]
            elif triple.subject in bound:
                total *= self._fan_out.get(predicate, 0)
            else:
                total *= self._triples[predicate]
            bound |= {triple.subject, triple.object}
        return total


def own_graph() -> EmbeddedGraph:
    """The hand-written graph of the smoke split."""
    return EmbeddedGraph((Path(__file__).parent / "graph.ttl").read_text(encoding="utf-8"))
