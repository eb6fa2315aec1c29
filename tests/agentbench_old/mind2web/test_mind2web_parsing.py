"""Replies, tournament and grading; hostile replies never raise and every step ends with a status."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Status
from agenttuning.models.scripted import ScriptedEndpoint

from .conftest import room

parsing, tournament, grading = room("parsing"), room("tournament"), room("grading")

PIECES = ["Answer: ", "answer:", "Answer:(", "A", "B", "C.", "F", "G", "Action: ", "CLICK", "TYPED", "SELECT", "Value: ",
          "\n", "\r\n", "\u2028", "\x00", "```", " ", "ß", "\ud800", "None of the above"]  # fmt: skip
REPLIES = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def _check_grammar(name: str, reply: str) -> None:
    decision = parsing.read(reply, parsing.GRAMMARS[name])
    assert decision.letter is None or decision.letter in "ABCDEF"
    assert decision.choice is None or 0 <= decision.choice <= 4
    assert decision.operation in ("", *parsing.OPERATIONS) and " " in decision.action
    assert decision.action == decision.action.lstrip("\n") and "\n" not in decision.action


@pytest.mark.parametrize("name", ["paper", "kit"])
def test_hostile_replies_quick(name: str):
    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(REPLIES)
    def run(reply: str) -> None:
        _check_grammar(name, reply)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "kit"])
def test_hostile_replies_10000(name: str):
    @settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(REPLIES)
    def run(reply: str) -> None:
        _check_grammar(name, reply)

    run()


TASK = load_task("mind2web")
STEPS = TASK.samples("smoke")


def _check_step(index: int, replies: list[str]) -> None:
    sample = STEPS[index]
    said = iter(replies + ["Answer: B"] * 10)
    session = Session(
        ScriptedEndpoint("hostile", lambda messages: next(said)), TASK.base_generation("greedy")
    )
    outcome = TASK.play(sample, session)
    assert isinstance(outcome.status, Status) and not outcome.status.infrastructure
    assert outcome.reward in (0.0, 1.0) and len(outcome.prediction) == 2
    assert session.calls <= 3


STEP = given(st.integers(0, len(STEPS) - 1), st.lists(REPLIES, max_size=3))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@STEP
def test_every_step_has_a_status_quick(index: int, replies: list[str]):
    _check_step(index, replies)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@STEP
def test_every_step_has_a_status_10000(index: int, replies: list[str]):
    _check_step(index, replies)


@pytest.mark.parametrize(
    ("reply", "paper", "kit"),
    [
        ("Answer: Bravo", "B", None),
        ("Answer:C\nAction:CLICK", None, "C"),
        ("Answer: (B)\nAction: CLICK", None, "B"),
        ("so the Answer: D is best", "D", None),
        ("  Answer: E.\nAction: TYPE", "E", "E"),
    ],
)
def test_where_the_grammars_differ(reply: str, paper: str | None, kit: str | None):
    assert parsing.read(reply).letter == paper
    assert parsing.read(reply, parsing.KIT).letter == kit


def test_kit_takes_whole_operations_and_the_value_of_its_own_line():
    read = parsing.read("Answer: B\nAction: TYPE\nValue:New Vik\nValue: other", parsing.KIT)
    assert (read.letter, read.action, read.operation) == ("B", "TYPE New Vik", "TYPE")
    assert parsing.read("Answer: B\nAction: TYPED", parsing.KIT).operation == ""
    assert parsing.read("Answer: B\nAction: TYPE\nValue:\nnext line", parsing.KIT).action == "TYPE "


def test_gold_value_of_several_lines_keeps_the_first():
    assert parsing.gold_action("TYPE", "one\ntwo") == "TYPE one"
    assert parsing.gold_action("CLICK", "ignored") == "CLICK "


# -- tournament ----------------------------------------------------------------------------------------------------


def play(candidates: list[str], letters: str, **options):
    said = iter(letters)

    def ask(batch: list[str]):
        return sorted(batch), parsing.Decision(next(said), "CLICK ")

    return tournament.play(candidates, ask, **options)


def test_the_last_one_left_over_is_lost_unless_it_is_asked_about():
    six = ["1", "2", "3", "4", "5", "6"]
    assert play(six, "A").prediction == ("", "")
    done = play(six, "AB", ask_about_last=True)
    assert done.prediction == ("6", "CLICK ") and [r.batch for r in done.rounds] == [six[:5], ["6"]]


def test_a_winner_is_not_asked_about_alone_again():
    done = play(["1", "2"], "C", ask_about_last=True)
    assert done.prediction == ("2", "CLICK ") and len(done.rounds) == 1
    assert play(["1"], "", ask_about_last=False).prediction == ("", "")
    assert play([], "", ask_about_last=True).rounds == []


@example(candidates=10, letters="AAAAAAAAAA")
@given(st.integers(0, 30), st.text(alphabet="ABCDEF", min_size=40, max_size=40))
def test_rounds_are_bounded(candidates: int, letters: str):
    for last in (False, True):
        done = play([str(i) for i in range(candidates)], letters, ask_about_last=last)
        assert len(done.rounds) <= max(0, -(-(candidates - 1) // 4)) + last
        chosen = done.prediction[0]
        assert not chosen or any(chosen in r.choices for r in done.rounds)


# -- grading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predicted", "gold", "step", "strict"),
    [
        ("CLICK ", "CLICK ", 1, 1),
        ("CLICK here", "CLICK ", 0, 1),  # the value of a CLICK means nothing
        ("TYPE b a", "TYPE a b", 1, 0),  # upstream compares sets of words
        ("TYPE a a", "TYPE a", 1, 0),
        ("TYPE  a   b", "TYPE a b", 1, 1),
        ("SELECT TYPE x", "TYPE SELECT x", 1, 0),
        ("TYPE A", "TYPE a", 0, 0),
        (" ", "CLICK ", 0, 0),
    ],
)
def test_gradings(predicted: str, gold: str, step: int, strict: int):
    grades = grading.grade(("7", predicted), {"element": ["7", "8"], "action": gold})
    assert (grades.element, grades.step, grades.strict) == (1, step, strict)
    wrong = grading.grade(("9", predicted), {"element": ["7"], "action": gold})
    assert (wrong.element, wrong.step, wrong.strict) == (0, 0, 0) and wrong.f1 == grades.f1
