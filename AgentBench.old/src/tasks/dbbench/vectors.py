"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttuning.episodes.history import count_segments

from .grading import MODIFICATIONS, paper_correct
from .parsing import PAPER
from .protocol import converse
from .scoring import accuracies, average
from .tables import Table

PAGE = "dbbench"

_TABLE = "T 1"  # the recording's table
_FINAL_HASH = "[('MD5',)]"  # what the recording's database answers to the hash query


def score_one(case: dict[str, Any]) -> float:
    given = case["input"]
    return float(paper_correct(given["type"], given["answer"], given["target"]))


def episode(case: dict[str, Any]) -> dict[str, Any]:
    given = case["input"]
    outputs, responses = iter(given["model_outputs"]), iter(given["sql_responses"])
    opening = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    talk = converse(
        opening,  # type: ignore[arg-type]
        lambda messages: next(outputs),
        lambda sql: next(responses),
        grammar=PAPER,
        max_round=given["max_round"],
    )
    return {
        "model_sql": [[sql, _TABLE] for sql in talk.executed],
        "answer": _FINAL_HASH if given["entry_type"] in MODIFICATIONS else talk.answer,
        "type": given["entry_type"],
        "error": "",
        "observations": talk.observations,
        "n_history": len(talk.messages),
    }


def metrics(case: dict[str, Any]) -> dict[str, Any]:
    pairs = [(o, t) for o, t in zip(case["input"]["outputs"], case["input"]["targets"], strict=True) if o]
    found = accuracies((o["type"], paper_correct(o["type"], o["answer"], t)) for o, t in pairs)
    rounds = average([len(o["history"]) for o, _ in pairs])
    named = {name: (metric.value or 0.0) / 100 for name, metric in found.items()}
    return {**named, "average_round": [rounds.value, rounds.n]}


def build_sql(case: dict[str, Any]) -> str:
    return Table.of(case["input"]["table"]).init_sql()


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dbbench.score_one": score_one,
    "dbbench.episode": episode,
    "dbbench.metrics": metrics,
    "dbbench.build_sql": build_sql,
    "session.count_segments": lambda case: count_segments(case["input"]),
}
