"""AgentBench's shortening of long conversations."""

from __future__ import annotations

import pytest

from agenttuning.episodes.history import DEFAULT_NOTICE, count_segments, shorten
from agenttuning.models.types import Message


def talk(*lengths: int) -> list[Message]:
    """Turns of so many one-segment words, alternating."""
    return [{"role": "assistant" if i % 2 else "user", "content": "word " * n} for i, n in enumerate(lengths)]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 0),
        (" \n ", 0),
        ("abcdefg", 1),
        ("abcdefgh", 2),
        ("abcdefghijklmn", 2),
        ("abc1", 2),
        ("2023", 4),
        ("a\tb", 3),
        ("é" * 8, 2),
        ("a, b", 3),
    ],
)
def test_count_segments(text: str, segments: int) -> None:
    assert count_segments(text) == segments


def test_short_conversation_is_a_new_equal_list() -> None:
    messages = talk(10, 10, 10)
    view = shorten(messages)
    assert view == messages and view is not messages


def test_budget_is_reached_at_equality() -> None:
    assert len(shorten(talk(1000, 1000, 1499))) == 3
    assert len(shorten(talk(1000, 1000, 1500))) == 1


def test_oldest_fall_out_in_pairs_and_the_first_says_how_many() -> None:
    messages = talk(100, 1500, 1500, 500, 100)
    view = shorten(messages, notice=" [{omit} gone]")
    assert view[0]["content"] == messages[0]["content"] + " [2 gone]"
    assert view[1:] == messages[3:]
    assert messages[0]["content"] == "word " * 100  # the stored conversation is untouched


def test_kept_tail_starts_with_the_assistant() -> None:
    view = shorten(
        talk(100, 2000, 1200, 100, 100)
    )  # the third would fit, but a user turn cannot follow the first
    assert [m["role"] for m in view] == ["user", "assistant", "user"]
    assert view[0]["content"].endswith(DEFAULT_NOTICE.replace("{omit}", "2"))


def test_nothing_fits_but_the_first() -> None:
    assert [m["role"] for m in shorten(talk(4000, 1, 1))] == ["user"]


def test_smaller_budget() -> None:
    assert len(shorten(talk(1, 5, 5, 1, 1), budget=10)) == 3


def test_braces_of_the_conversation_survive() -> None:
    messages = talk(1, 4000, 1)
    messages[0]["content"] = "{x} {omit}"
    assert shorten(messages)[0]["content"].startswith("{x} {omit}")


@pytest.mark.parametrize("roles", [["user", "assistant"], ["user", "user", "user"], ["assistant"], []])
def test_turns_must_alternate(roles: list[str]) -> None:
    with pytest.raises(ValueError, match="alternate"):
        shorten([{"role": role, "content": "x"} for role in roles])
