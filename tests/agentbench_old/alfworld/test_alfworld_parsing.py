"""Replies and feedback: what upstream's patterns find, whatever the text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import room

parsing = room("parsing")

COMMANDS = [
    "clean mug 1 with sinkbasin 1", "examine cabinet 1", "go to cabinet 2", "go to countertop 1", "inventory", "look",
    "open cabinet 1", "put mug 1 in/on cabinet 1", "take apple 1 from countertop 1", "take apple 2 from countertop 1",
]  # fmt: skip
PIECES = [
    "ACTION:", "ACTION", "Action: ", "action:", "THOUGHT: ", "\n", "\r", "\r\n", " ", "\t", "go to ", "cabinet 2", "look",
    "take apple 1 from countertop 1", "put mug 1 in/on cabinet 1", "the", "1", ".", "{}", "\x00", "\u2028", "\u0130", "\u00df",
    "\U0001f600", "__import__('os')", "You arrive at loc ", ". ", "3",
]  # fmt: skip
hostile = st.one_of(st.lists(st.sampled_from(PIECES), max_size=16).map("".join), st.text(max_size=80))
choices = st.lists(st.one_of(st.sampled_from(COMMANDS), st.text(max_size=20)), max_size=8, unique=True)

quick = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
thorough = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))


def as_upstream_reads(reply: str) -> str:
    """Upstream's two patterns, as specified."""
    found = re.search("ACTION:(.*)\n", reply) or re.search("ACTION:(.*)", reply)
    return (found[1] if found else reply).strip().lower().split("\n")[0]


def check_reply(reply: str, commands: list[str]) -> None:
    asked = parsing.asked_for(reply)
    assert asked == as_upstream_reads(reply)
    sent = parsing.nearest(asked, commands)
    assert sent == asked or sent in commands
    if asked not in commands and sent in commands:
        best = max(parsing.bleu(command, asked) for command in commands)
        assert best > 0.01 and parsing.bleu(sent, asked) == best
        assert not any(parsing.bleu(c, asked) == best for c in commands[: commands.index(sent)])
    strict = parsing.strictly_asked_for(reply)
    assert "\n" not in strict and strict == " ".join(strict.split())
    for text in (reply, "You arrive at loc " + reply):
        cut = parsing.shown(text)
        assert text.endswith(cut) or cut == text[1:]
    parsing.first_observation(reply)
    parsing.game_name(reply)
    assert 0.0 <= parsing.bleu(reply, asked) <= 1.0 + 1e-9


@quick
@given(hostile, choices)
def test_500_replies_read_as_upstream_reads_them(reply, commands):
    check_reply(reply, commands)


@pytest.mark.slow
@thorough
@given(hostile, choices)
def test_10000_replies_read_as_upstream_reads_them(reply, commands):
    check_reply(reply, commands)


def test_a_long_reply_takes_linear_time():
    started = time.perf_counter()
    for reply in ("ACTION:" * 100_000, "ACTION: " + "go to " * 100_000, "a" * 700_000):
        parsing.nearest(parsing.asked_for(reply), COMMANDS)
        parsing.strictly_asked_for(reply)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("reply", "command"),
    [
        ("THOUGHT: x\nACTION: go to cabinet 2", "go to cabinet 2"),
        ("Action:  Go  to\tCabinet 2 ", "go to cabinet 2"),
        ("ACTION:\ngo to cabinet 2\nACTION: look", "go to cabinet 2"),
        ("look", "look"),
        ("", ""),
        ("ACTION:", ""),
        ("\u0130 ACTION: look", "look"),
    ],
)
def test_profile_kit_reads_commands_strictly(reply, command):
    assert parsing.strictly_asked_for(reply) == command


def test_similarity_of_sentences_computed_by_hand():
    # words 2/3, pairs 1/2, no triples: log(3)/(2*5)/1, no quadruples: log(3)/(4*5)/1; no brevity penalty for 3 words against 3
    from math import exp, log

    wanted = exp((log(2 / 3) + log(1 / 2) + log(log(3) / 10) + log(log(3) / 20)) / 4)
    assert parsing.bleu("go to desk", "go to bed") == pytest.approx(wanted, rel=1e-12)


def test_nonsense_with_one_common_word_becomes_a_command():
    assert parsing.nearest("i need to find an apple.", COMMANDS) == "go to cabinet 2"
    assert parsing.nearest("dance", COMMANDS) == "dance"
    assert parsing.nearest("look", []) == "look"


def test_types_are_found_by_prefix():
    assert parsing.task_type("pick_two_obj_and_place-Mug-None-Desk-308/trial") == "puttwo"
    with pytest.raises(parsing.UnsupportedGame, match="unsupported name: foo"):
        parsing.task_type("foo")
