"""From reply to command."""

from __future__ import annotations

import random

import pytest

from .fakes import room

mapping = room("mapping")
gold = room("gold")

LOOK = "This room is the shed.\n\ta lamp\n\ta blue cup"
VALID = (
    "wait", "wait1", "look around", "go to shed", "pick up lamp", "open chest", "close door to shed", "focus on lamp",
    "focus on blue cup", "focus on rope", "focus on key in inventory", "move lamp to chest", "focus on shed",
)  # fmt: skip


def mapped(
    prediction: str, history: tuple[str, ...] = ("a", "b", "c"), inventory: str = "In your inventory: a Key"
) -> str:
    return mapping.find_valid_action(prediction, VALID, LOOK, inventory, history)


def test_exact_action_wins():
    assert mapped(" pick up lamp ") == "pick up lamp"


def test_most_shared_words_then_shortest_then_alphabet():
    assert mapped("please put the lamp into the chest") == "move lamp to chest"
    assert mapped("look into the chest") == "open chest"
    assert mapping.find_valid_action("eat pear", ("get pear", "bin pear"), LOOK, "", ()) == "bin pear"


def test_tie_does_not_depend_on_the_order_of_the_valid_actions():
    names = [f"take {a}" for a in ("fig", "nut", "pea", "yam")]
    answers = set()
    for seed in range(5):
        random.Random(seed).shuffle(names)
        answers.add(mapping.find_valid_action("take it", tuple(names), LOOK, "", ()))
    assert answers == {"take fig"}


def test_no_shared_word_sends_the_reply_without_punctuation():
    assert mapped("xyzzy! #7\nplugh") == "xyzzy 7plugh"


def test_doors_are_opened_not_closed():
    assert mapped("close door to shed") != "close door to shed"
    assert mapped("open door to foundry") == "open door to foundry"


def test_focus_needs_the_thing_in_sight_or_carried():
    assert mapped("focus on blue cup") == "focus on blue cup"
    assert mapped("focus on key in inventory") == "focus on key in inventory"
    assert mapped("focus on rope") == "focus on lamp"
    assert mapped("focus on key in inventory", inventory="nothing") == "focus on lamp"


def test_look_around_is_blocked_only_by_the_seed_entry():
    assert (
        mapping.find_valid_action("look around", ("look around", "look in box"), LOOK, "", ["look around"])
        == "look in box"
    )
    assert mapped("look around", ("look around", "(a, b)", "(c, d)", "(e, f)")) == "look around"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (" Action: wait [INST] more", "Action: wait"),
        ("a<|end_of_turn|>b", "a"),
        ("[INST]", ""),
        ("Think: x\n", "Think: x"),
    ],
)
def test_reply_is_cut_at_the_next_turn(text, cut):
    assert mapping.cut_reply(text) == cut


def test_failure_words_are_substrings():
    failed = mapping.is_action_failed
    assert all(
        map(
            failed,
            (
                "No known action matches that input.",
                "It doesn't fit.",
                "a cup (containing nothing)",
                "cannot",
            ),
        )
    )
    assert not any(map(failed, ("The chest is now open.", "Nothing here", "", "No known action matches")))


def test_gold_command_of_the_oracle_passes_the_mapper_unchanged():
    command = "focus on rope in chest"
    assert mapped(command) != command
    assert mapped(gold.unmapped(command)) == command


def test_oracle_thinks_before_repeating_itself():
    player = gold.player([gold.GoldStep("wait", True)] * 3 + [gold.GoldStep("go to shed", False)])
    replies = [player([]) for _ in range(8)]
    assert replies[:4] == [
        "Action: wait",
        "Think: 1 of 4 steps are done.",
        "Action: wait",
        "Think: 2 of 4 steps are done.",
    ]
    assert replies[5] == "Action: go. to. shed."
    assert replies[6] == replies[7] and replies[6].startswith("Think:")
