"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyoxigraph

from agenttuning import sources
from agenttuning.episodes.vectors import Unavailable, Verdict
from agenttuning.models.types import Message

from .graphs import EmbeddedGraph
from .ontology import Ontology, read_upstream
from .programs import NS, QueryRefused, answers_query, parse, render, with_inverses
from .protocol import PAPER, converse
from .scoring import graded, upstream_means
from .tools import Toolbox

PAGE = "knowledgegraph"

OPENING: list[Message] = [{"role": "user", "content": "q"}]


def _ontology() -> Ontology:
    if not all(sources.available(key) for key in ("knowledgegraph-vocab", "knowledgegraph-roles")):
        raise Unavailable("upstream's vocabulary is not on this machine (make data TASKS=knowledgegraph)")
    return read_upstream(sources.file("knowledgegraph-vocab"), sources.file("knowledgegraph-roles"))


def episode(case: dict[str, Any]) -> dict[str, Any]:
    """The recorded graph comes with the page's fixtures. A lost sample is recorded by upstream's exception."""
    if not case["_context"]:
        raise Unavailable("the file of vectors lacks its graph (the case _fixtures)")
    given = case["input"]
    graph = EmbeddedGraph("\n".join(case["_context"][0]["input"]["_graph_ntriples"]))
    said = iter(given["agent_messages"])
    talk = converse(
        OPENING,
        lambda messages: next(said, "<<no more>>"),
        given["entities"],
        Toolbox(graph, _ontology()),
        rounds=15,
        replies=PAPER,
    )
    turns = talk.messages[1:]
    return {
        "user_replies": [turn["content"] for turn in turns if turn["role"] == "user"],
        "agent_kept": [turn["content"] for turn in turns if turn["role"] == "assistant"],
        "turns_used": talk.turns,
        "result": {"raised": "SyntaxError"}
        if talk.refused
        else {"predict": talk.prediction, "actions": talk.actions},
    }


def program_to_sparql(case: dict[str, Any]) -> Verdict:
    """Upstream's text after the rewrites that make it standard, against ours. Where ours is a refusal, upstream's text must
    be one that does not parse."""
    theirs = case["upstream_output"]
    postprocessed = render(with_inverses(parse(case["input"])))
    same_program = postprocessed == theirs["postprocessed"]
    standard = _standard(theirs["sparql"])
    try:
        ours = answers_query(case["input"]).text
    except QueryRefused as refusal:
        return Verdict(same_program and not _parses(standard), f"refused: {refusal}")
    return Verdict(
        same_program and _parses(ours) and _filters_sorted(ours) == _filters_sorted(standard),
        [postprocessed, ours],
    )


def _standard(text: str) -> str:
    """Upstream's SPARQL in standard words. A name without `ns:` stays: it is an error in any dialect."""
    text = text.replace("PREFIX ns: <http://rdf.freebase.com/ns/>\n", "")
    text = text.replace(") OR lang", ") || lang").replace("'' OR lang", "'' || lang")
    text = text.replace("SELECT COUNT DISTINCT ?x", "SELECT (COUNT(DISTINCT ?x) AS ?cnt)")
    return re.sub(r"\bns:([\w.]+)", rf"<{NS}\1>", text)


def _filters_sorted(text: str) -> list[str]:
    """Lines, with each run of entity filters (a set in upstream) in order."""
    lines: list[str] = []
    run: list[str] = []
    for line in text.split("\n"):
        if line.startswith("FILTER (?x != "):
            run.append(line)
            continue
        lines += sorted(run)
        run = []
        lines.append(line)
    return lines + sorted(run)


def _parses(text: str) -> bool:
    try:
        pyoxigraph.Store().query(text)
    except SyntaxError:
        return False
    return True


def metrics(case: dict[str, Any]) -> dict[str, float]:
    pairs = zip(case["input"]["outputs"], case["input"]["targets"], strict=True)
    return upstream_means([None if out is None else graded(out["predict"], target) for out, target in pairs])


def range_of_relation(case: dict[str, Any]) -> str:
    return _ontology().ranges[case["input"]]


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "episode": episode,
    "program_to_sparql": program_to_sparql,
    "parse_sexpr": lambda case: parse(case["input"]),
    "metrics": metrics,
    "range_of_relation": range_of_relation,
}
