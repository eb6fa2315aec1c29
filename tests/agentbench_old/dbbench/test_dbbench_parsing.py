"""What a reply asks for, in both grammars, and the loop around it."""

from __future__ import annotations

import pytest

from agenttuning.episodes.types import Status

from .conftest import room

parsing = room("parsing")
protocol = room("protocol")

OPERATION = "Look.\nAction: Operation\n```sql\nSELECT 1;\n```"


@pytest.mark.parametrize(
    ("reply", "paper", "kit"),
    [
        (OPERATION, "SELECT 1;", "SELECT 1;"),
        ("Action: Operation \n```sql\nSELECT 1\n```", None, "SELECT 1"),
        ("Action: Operation\r\n```sql\r\nSELECT 1\r\n```", None, "SELECT 1"),
        ("Action: Operation\n```SQL\nSELECT 1\n```", None, "SELECT 1"),
        ("Action: Operation\n```sql\nSELECT 1```", None, "SELECT 1"),
        ("Action: Operation\n```sql\nSELECT 1", None, None),
        ("My Action: Operation\n```sql\nSELECT 1\n```", "SELECT 1", None),
        ("Action: Operations\n```sql\nSELECT 1\n```", None, None),
        ("Action: Operation\n```sql\nSELECT 1\n```\n```sql\nSELECT 2\n```", "SELECT 1", "SELECT 1"),
        (
            "Action: Operation\n```sql\nSELECT 1 -- one\n+ 1\n```",
            "SELECT 1 -- one + 1",
            "SELECT 1 -- one\n+ 1",
        ),
    ],
)
def test_sql_of_a_reply(reply: str, paper: str | None, kit: str | None) -> None:
    assert parsing.read_turn(reply, parsing.PAPER).sql == paper
    assert parsing.read_turn(reply, parsing.KIT).sql == kit


@pytest.mark.parametrize(
    ("reply", "paper", "kit"),
    [
        ('Action: Answer\nFinal Answer: ["a"]', ' ["a"]', ' ["a"]'),
        ('Final Answer: ["a"]', None, ' ["a"]'),
        ('ok\nFinal Answer: ["a",\n"b"]', ' ["a",', ' ["a",'),
        ("Action: Answer\n", None, None),
    ],
)
def test_answer_of_a_reply(reply: str, paper: str | None, kit: str | None) -> None:
    assert parsing.read_turn(reply, parsing.PAPER).answer == paper
    assert parsing.read_turn(reply, parsing.KIT).answer == kit


def play(replies: list[str], max_round: int = 15) -> tuple[object, int]:
    given = iter(replies)
    calls = 0

    def reply(messages: object) -> str:
        nonlocal calls
        calls += 1
        return next(given)

    opening = [{"role": r, "content": "x"} for r in ("user", "assistant", "user")]
    talk = protocol.converse(opening, reply, lambda sql: "[]", grammar=parsing.PAPER, max_round=max_round)
    return talk, calls


def test_fifteen_executions_and_sixteen_calls_at_most() -> None:
    talk, calls = play([OPERATION] * 20)
    assert calls == 16 and len(talk.executed) == 15  # type: ignore[attr-defined]
    assert talk.status == Status.TURN_LIMIT and talk.answer == ""  # type: ignore[attr-defined]


def test_answer_in_the_last_reply_counts_even_beside_an_operation() -> None:
    talk, _ = play([OPERATION, OPERATION + "\nFinal Answer: [1]"], max_round=1)
    assert talk.status == Status.COMPLETED and talk.answer == " [1]"  # type: ignore[attr-defined]


@pytest.mark.parametrize("reply", ["AAAAA", "", "Action: Operation\nSELECT 1\nFinal Answer: [1]"])
def test_reply_outside_the_protocol_ends_the_episode(reply: str) -> None:
    talk, calls = play([reply])
    assert calls == 1 and talk.status == Status.INVALID_FORMAT and talk.answer == ""  # type: ignore[attr-defined]
