"""Replies: what upstream's patterns find, in linear time, whatever the text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenttuning.episodes.types import Status

from .conftest import SPEC, room

parsing, protocol, tools, graphs = room("parsing"), room("protocol"), room("tools"), room("graphs")
ONTOLOGY = room("ontology").read_own(SPEC.folder / "ontology.toml")
GRAPH = graphs.own_graph()
KIT = room("task").TASK(SPEC, "kit").replies

ENTITIES = {
    "Ines Varga": "m.0kd1",
    "Paper Lanterns, Burning": "m.0kf6",
    "Copper Sky (Restored)": "m.0kf7",
    "Tol": "g.11ktol",
    "variable stars": "m.0kg1",
    "": "m.0kg2",
}

PIECES = [
    "Action: ", "Action", "Actions so far: ", "Thought: ", "Final Answer: #", "Find Answer: #", "Final Answer: ", "\n",
    "Observation:", "get_relations(", "get\\_relations(", "get_neighbors(", "intersection(", "get_attributes(", "argmax(",
    "argmin(", "count(", "union(", "Variable(", "final_execute(", "lookup(", ")", "(", ", ", ",", " ", "#0", "#1", "#-1",
    "#99", "variable #0", "Variable #1", "#x", "0", "7", "Ines Varga", "Paper Lanterns, Burning", "Copper Sky (Restored)",
    "Tol", "variable stars", "m.0kd1", "f.0k", "g.11ktol", "film.director.film", "film.film.initial_release_date",
    "film.film.genre", "m.0kd1> . ?s ?p ?o . <", "{name}", "{reason}", "##", "\x00", "\r", "\u2028", "\u0663", "\U0001f600",
    "9" * 50,
]  # fmt: skip
hostile = st.one_of(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.text(max_size=80))
action = st.lists(st.sampled_from(PIECES[9:]), max_size=8).map(lambda pieces: "Action: " + "".join(pieces))
replies = st.one_of(hostile, action)

quick = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
thorough = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))


def as_upstream_reads(name: str, line: str) -> list[str] | None:
    """Upstream's two patterns, as specified."""
    found = re.findall(rf"{name}\((.+?)\)", line)
    return re.split(r"\s*,\s*", found[0]) if found else None


def check_against_the_patterns(text: str) -> None:
    text = parsing.kept(text)
    found = re.findall(r"(?:Find|Final) Answer: #(\d+)", text)
    number = parsing.final_answer(text)
    assert number == (int(found[0]) if found else None) or min(number, int(found[0])) >= 10**9
    lines = [line for line in text.split("\n") if re.match(r"Action.*?:", line)]
    assert parsing.action_line(text) == (lines[0] if lines else None)
    for line in lines[:1]:
        names = re.findall(r"(\w+)\(", line)
        assert parsing.call_names(line) == names
        for name in names:
            assert parsing.strict_arguments(name, line) == as_upstream_reads(name, line), (name, line)


@given(replies)
@quick
def test_parsers_find_what_upstreams_patterns_find(text):
    check_against_the_patterns(text)


@pytest.mark.slow
@given(replies)
@thorough
def test_parsers_find_what_upstreams_patterns_find_10000(text):
    check_against_the_patterns(text)


def check_entity_aware(text: str) -> None:
    line = parsing.action_line(parsing.kept(text)) or text.split("\n")[0]
    for name in parsing.call_names(line):
        given_ = parsing.entity_aware_arguments(name, line, ENTITIES)
        assert given_ is None or (given_ and given_ != [""] and all(a == a.strip() for a in given_))


@given(replies)
@quick
def test_names_with_commas_are_read_or_refused(text):
    check_entity_aware(text)


@pytest.mark.slow
@given(replies)
@thorough
def test_names_with_commas_are_read_or_refused_10000(text):
    check_entity_aware(text)


def check_episode(said: list[str], profile: str) -> None:
    kit = profile == "kit"
    toolbox = tools.Toolbox(GRAPH, ONTOLOGY, accept_g_ids=kit, hidden_union=not kit, check_programs=kit)
    rest = iter(said)
    start = ["Action: get_relations(Ines Varga)", "Action: get_neighbors(Ines Varga, film.director.film)"]
    opening = [{"role": "user", "content": "q"}]
    given_ = iter([*start, *rest])
    talk = protocol.converse(
        opening,
        lambda messages: next(given_, ""),
        ENTITIES,
        toolbox,
        rounds=15,
        replies=KIT if kit else protocol.PAPER,
        entity_aware=kit,
    )
    assert talk.status in (Status.COMPLETED, Status.TURN_LIMIT, Status.INVALID_ACTION)
    assert 1 <= talk.turns <= 15 and talk.detail
    assert len(talk.messages) % 2 == 0 or talk.turns == 15
    assert all(isinstance(member, str) for member in talk.prediction)
    assert (talk.status is Status.INVALID_ACTION) == bool(talk.refused)


@given(st.lists(replies, min_size=1, max_size=13))
@settings(quick, max_examples=250)
def test_no_reply_breaks_an_episode(said):
    for profile in ("paper", "kit"):
        check_episode(said, profile)


@pytest.mark.slow
@given(st.lists(replies, min_size=1, max_size=13))
@thorough
def test_no_reply_breaks_an_episode_10000(said):
    for profile in ("paper", "kit"):
        check_episode(said, profile)


@pytest.mark.parametrize(
    "text",
    [
        "Action: " + "a" * 200_000,
        "Action: " + "a(" * 100_000,
        "Action: get_relations(" + " " * 200_000,
        "Action: get_relations(" + ", " * 100_000 + ")",
        "Action: " + "get_relations(x" * 20_000,
        "Final Answer: #" + "9" * 200_000,
        "Action: count(#" + "9" * 200_000 + ")",
        "Action" * 40_000,
        "Observation:" * 20_000,
    ],
    ids=lambda text: text[:24],
)
def test_a_huge_reply_takes_no_time(text):
    started = time.perf_counter()
    check_episode([text], "paper")
    check_episode([text], "kit")
    assert time.perf_counter() - started < 3


def test_a_final_answer_with_more_digits_than_python_converts_is_an_unknown_variable():
    assert parsing.final_answer("Final Answer: #" + "1" * 5000) >= 10**9


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("count(Paper Lanterns, Burning)", ["Paper Lanterns, Burning"]),
        ("count(Copper Sky (Restored))", ["Copper Sky (Restored)"]),
        ("count( Copper Sky (Restored) , a.b )", ["Copper Sky (Restored)", "a.b"]),
        ("count(Tolstoy, b)", ["Tolstoy", "b"]),
        ("count(#0,#1)", ["#0", "#1"]),
        ("count()", None),
        ("count(", None),
        ("count(a", None),
        ("count(a, b", None),
        ("count(Paper Lanterns, Burning", None),
        ("count(Copper Sky (Restored)", ["Copper Sky (Restored"]),
    ],
)
def test_names_with_commas_and_parentheses(line, expected):
    assert parsing.entity_aware_arguments("count", line, ENTITIES) == expected


@pytest.mark.parametrize(
    ("argument", "number"),
    [("#0", 0), ("variable #2", 2), ("Variable #2", 2), ("#-1", -1), ("x", None), ("2", None)],
)
def test_variables(argument, number):
    assert parsing.variable_number(argument) == number


@pytest.mark.parametrize("argument", ["#", "#x", "#0 #1", "#" + "1" * 5000])
def test_no_variables(argument):
    with pytest.raises(ValueError):
        parsing.variable_number(argument)
