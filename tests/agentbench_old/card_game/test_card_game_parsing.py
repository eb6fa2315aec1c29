"""Replies: upstream's reading and ours, and that no text whatever gets through as an error."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenttuning.episodes.rooms import load_task

from .conftest import play, room

parsing = room("parsing")
Order = parsing.Order
ALL = (0, 1, 2, 3)


def move(**values: object) -> str:
    return json.dumps({"pick_fish": "spray", "action": "normal", "target_position": "0", **values})


@pytest.mark.parametrize(
    ("reply", "paper", "kit"),
    [
        (move(), Order("attack", 0, 0), Order("attack", 0, 0)),
        ("```json\n" + move(pick_fish="eel", target_position=3) + "\n```", Order("attack", 2, 3), Order("attack", 2, 3)),
        (move().replace('"', "'"), Order("attack", 0, 0), None),
        (move(action="active", target_position="everyone"), Order("aoe", 0), Order("aoe", 0)),
        ('{"pick_fish": "eel", "action": "active"}', None, Order("aoe", 2)),
        (move(pick_fish="2", action="active"), Order("aoe", 2), Order("aoe", 2)),
        (move(pick_fish="1", action="active", target_position=0), None, Order("infight", 1, 0)),
        (move(pick_fish=1), None, Order("attack", 1, 0)),
        (move(pick_fish="Flame"), None, Order("attack", 1, 0)),
        (move(pick_fish="sunfish", action="active", target_position=3), None, None),
        (json.dumps({"move": {"pick_fish": "spray", "action": "normal", "target_position": 1}}), None, Order("attack", 0, 1)),
        (move(why="it's weak"), None, Order("attack", 0, 0)),
        ("{no} " + move(target_position=9) + move(target_position=2), Order("attack", 0, 2), Order("attack", 0, 2)),
        (move(target_position="２"), Order("attack", 0, 2), None),
        (move(target_position=True), None, None),
        (move(target_position=[0]), None, None),
        (move(pick_fish=["spray"]), None, None),
        (move(action=["normal"]), None, None),
        ("", None, None),
        ("I attack.", None, None),
    ],
)  # fmt: skip
def test_moves(reply: str, paper: object, kit: object) -> None:
    assert parsing.PAPER.move(reply, ALL, ALL) == paper
    assert parsing.KIT.move(reply, ALL, ALL) == kit


def test_an_infight_needs_a_living_enemy_there_in_profile_paper_only() -> None:
    reply = move(pick_fish="flame", action="active", target_position=0)
    assert parsing.PAPER.move(reply, ALL, (1, 2)) is None
    assert parsing.KIT.move(reply, ALL, (1, 2)) == Order("infight", 1, 0)
    assert parsing.KIT.move(reply, (1, 2), ALL) is None


def test_the_dead_neither_act_nor_are_hit() -> None:
    for grammar in (parsing.PAPER, parsing.KIT):
        assert grammar.move(move(), (1,), ALL) is None
        assert grammar.move(move(), ALL, (1,)) is None
        assert grammar.move(move(action="active"), (1,), ALL) is None


@pytest.mark.parametrize(
    ("given_type", "position", "paper", "kit"),
    [
        ("eel", "1", (1, 3), (1, 3)), ("eel", 1, (1, 3), (1, 3)), ("Eel", 1, None, (1, 3)), ("eel", " 1", None, (1, 3)),
        ("eel", 1.0, None, None), ("eel", 2, None, None), ("octopus", 1, None, None), ("0", 1, None, None), (["eel"], 1, None, None),
        (None, 1, None, None), ("eel", None, None, None), ("eel", {}, None, None), ("eel", True, None, None),
    ],
)  # fmt: skip
def test_guesses(given_type: object, position: object, paper: object, kit: object) -> None:
    reply = "Because. " + json.dumps({"guess_type": given_type, "target_position": position})
    assert parsing.PAPER.guess(reply, (0, 1, 3)) == paper
    assert parsing.KIT.guess(reply, (0, 1, 3)) == kit


HOSTILE = [
    "{" * 200_000, '{"a":' * 100_000, "{" + "[" * 100_000 + "}", '{"target_position": ' + "9" * 5000 + "}",
    '{"pick_fish": "spray", "action": "normal", "target_position": ' + "[" * 900 + "]" * 900 + "}", "}" * 200_000,
    '{"x": "\\ud800"}' * 5000, "{}" * 100_000, '{"a": ' * 300 + "1" + "}" * 300, "'" * 100_000, "\x00{\x00}\x00",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_replies_are_refused_in_linear_time(number: int) -> None:
    started = time.perf_counter()
    for grammar in (parsing.PAPER, parsing.KIT):
        assert grammar.move(HOSTILE[number], ALL, ALL) is None and grammar.guess(HOSTILE[number], ALL) is None
    parsing.has_object(HOSTILE[number])
    assert time.perf_counter() - started < 2


PIECES = [
    "{", "}", "{", "}", "'", '"', ":", ",", " ", "\n", "[", "]", '"pick_fish"', '"action"', '"target_position"',
    '"guess_type"', '"spray"', "'flame'", '"eel"', '"sunfish"', '"normal"', '"active"', '"0"', "0", "1", "3", "-1", "1e5",
    "NaN", "true", "null", "{}", '{"pick_fish": "spray", "action": "active", "target_position": 0}',
    '{"pick_fish": "flame", "action": "active", "target_position": "0"}',
    '{"guess_type": "eel", "target_position": 2}', "\\", "\\u0000", "\ud800", "```json", "²", "１",
]  # fmt: skip
keys = st.sampled_from(["pick_fish", "action", "target_position", "guess_type", "x"])
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.floats(), st.text(max_size=4),
    st.sampled_from(["spray", "flame", "eel", "sunfish", "0", "1", "2", "3", "normal", "active"]),
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3), max_leaves=4
)
replies = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=16).map("".join),
    st.dictionaries(keys, values, max_size=4).map(json.dumps),
    st.text(max_size=60),
)
living = st.sets(st.integers(0, 3)).map(sorted)
relaxed = [HealthCheck.too_slow, HealthCheck.data_too_large]


def braced_by_pattern(reply: str) -> list[str]:
    """Upstream's own way to find objects."""
    found = []
    for piece in re.findall(r"\{[\w\W]*?\}", reply):
        try:
            found.append(repr(json.loads(piece.replace("'", '"'))))
        except ValueError:
            continue
    return found


def check_reply(reply: str, friends: list[int], enemies: list[int]) -> None:
    assert [repr(found) for found in parsing.braced(reply)] == braced_by_pattern(reply)
    for grammar in (parsing.PAPER, parsing.KIT):
        guess = grammar.guess(reply, enemies)
        assert guess is None or (guess[0] in enemies and 1 <= guess[1] <= 4)
        order = grammar.move(reply, friends, enemies)
        if order is None:
            continue
        assert order.fish in friends
        if order.kind == "attack":
            assert order.target in enemies
        elif order.kind == "infight":
            assert order.fish in (1, 3) and order.target in friends and order.target != order.fish
        else:
            assert order.kind == "aoe" and order.fish in (0, 2)


@settings(max_examples=500, deadline=None, suppress_health_check=relaxed)
@given(replies, living, living)
def test_whatever_a_reply_says_only_legal_moves_come_out(
    reply: str, friends: list[int], enemies: list[int]
) -> None:
    check_reply(reply, friends, enemies)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=relaxed)
@given(replies, living, living)
def test_ten_thousand_replies(reply: str, friends: list[int], enemies: list[int]) -> None:
    check_reply(reply, friends, enemies)


def check_game(texts: list[str]) -> None:
    """A whole game of such replies ends with a status, a reward and a complete record."""
    task = load_task("card_game")
    sample = task.samples("smoke")[len(texts) % 12]
    queue = iter(texts)
    outcome, session = play(task, sample, lambda messages: next(queue, "{}"))
    assert outcome.status.value in ("completed", "invalid_action", "invalid_format")
    assert outcome.reward in (0.0, 1.0) and outcome.metrics["test_times"] == 1
    json.dumps(session.transcript)


@settings(max_examples=100, deadline=None, suppress_health_check=relaxed)
@given(st.lists(replies, max_size=12))
def test_every_game_of_hostile_replies_has_an_outcome(texts: list[str]) -> None:
    check_game(texts)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=relaxed)
@given(st.lists(replies, max_size=12))
def test_thousands_of_games_of_hostile_replies(texts: list[str]) -> None:
    check_game(texts)
