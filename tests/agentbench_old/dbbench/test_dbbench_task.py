"""The whole room: samples, episodes on the real server, scores, self-check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agenttuning.episodes.rooms import find_spec, load_task
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Sample, Status, Task
from agenttuning.errors import KitError, MissingData
from agenttuning.models.scripted import ScriptedEndpoint, nop, replay

from .conftest import room


def play(task: Task, sample: Sample, player: Any = None) -> tuple[Outcome, list[dict[str, Any]]]:
    session = Session(ScriptedEndpoint("test", player or task.oracle(sample)), task.base_generation("greedy"))
    return task.play(sample, session), session.transcript


def record(sample: Sample, outcome: Outcome) -> dict[str, Any]:
    return {
        "sample": sample.id,
        "status": outcome.status,
        "reward": outcome.reward,
        "metrics": outcome.metrics,
    }


@pytest.fixture(scope="module")
def task(programs: Any) -> Iterator[Task]:
    made = load_task("dbbench", "kit", {"statement_seconds": 5})
    made.open()
    yield made
    made.close()


def smoke_records() -> list[dict[str, Any]]:
    lines = (find_spec("dbbench").folder / "smoke.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_smoke_split_has_every_type_and_the_declared_size() -> None:
    samples = load_task("dbbench").samples("smoke")
    assert {s.data["type"] for s in samples} == {*room("scoring").SELECT_TYPES, "INSERT", "UPDATE"}
    assert len(samples) == find_spec("dbbench").splits["smoke"]["samples"] >= 12
    assert len({s.id for s in samples}) == len(samples)


def test_smoke_hashes_follow_from_the_hand_written_final_tables() -> None:
    """Computed here and from the tables alone: neither the server nor the room's own formula has a say."""
    modifications = [r for r in smoke_records() if r["type"][0] in ("INSERT", "UPDATE")]
    assert len(modifications) >= 6
    for record in modifications:
        rows = [",".join(cell for cell in row if cell is not None) for row in record["final_rows"]]
        short = sorted(hashlib.md5(row.encode()).hexdigest()[:5] for row in rows)
        assert record["answer_md5"] == f"[('{hashlib.md5(','.join(short).encode()).hexdigest()}',)]"
        before = [[str(cell) for cell in row] for row in record["table"]["table_info"]["rows"]]
        assert before != record["final_rows"]


def test_oracle_solves_every_smoke_sample_and_nop_none(task: Task) -> None:
    for sample in task.samples("smoke"):
        outcome, _ = play(task, sample)
        assert outcome.reward == task.ceiling(sample) == 1.0, sample.id
        assert outcome.metrics["paper"] == outcome.metrics["strict"] == 1.0
        assert outcome.metrics.get("hash_agrees", True)
        idle, _ = play(task, sample, nop)
        assert idle.reward == task.floor(sample) == 0.0 and idle.status == Status.INVALID_FORMAT


def test_scores_of_smoke(task: Task) -> None:
    samples = task.samples("smoke")
    records = [record(s, play(task, s)[0]) for s in samples]
    scores = task.score(records)
    assert scores.main == "overall_cat_accuracy" and scores.metrics[scores.main].value == 100
    assert scores.metrics["average_round"].value == 6 and scores.metrics["average_executions"].value == 1
    assert scores.notes == []
    part = task.score(records[: len(records) // 2])
    assert part.metrics["UPDATE_accuracy"].value == 0 and part.metrics["UPDATE_accuracy"].n == 4
    assert "have no result" in part.notes[0]
    assert task.score([]).metrics["overall_cat_accuracy"].value == 0


def test_gradings_differ_and_each_profile_takes_its_own(task: Task) -> None:
    sample = task.samples("smoke")[0]
    outcome, _ = play(task, sample, replay(["I know it.\nFinal Answer: Kestrel"]))
    assert outcome.reward == 1.0 and outcome.metrics["paper"] == 0.0 and outcome.metrics["strict"] == 1.0
    metrics = task.score([record(sample, outcome)]).metrics
    assert metrics["overall_cat_accuracy"] == metrics["overall_cat_accuracy_strict"]
    assert metrics["overall_cat_accuracy_paper"].value == 0


def test_right_change_counts_without_an_answer(task: Task) -> None:
    sample = next(s for s in task.samples("smoke") if s.data["type"] == "UPDATE")
    operation = f"Action: Operation\n```sql\n{sample.data['gold_sql']}\n```"
    outcome, _ = play(task, sample, replay([operation, "I am done."]))
    assert outcome.reward == 1.0 and outcome.status == Status.INVALID_FORMAT
    limited, _ = play(task, sample, replay([operation] * 16))
    assert limited.status == Status.TURN_LIMIT and limited.metrics["executions"] == 15


def test_prediction_and_transcript_show_what_happened(task: Task) -> None:
    sample = task.samples("smoke")[0]
    outcome, transcript = play(task, sample)
    assert outcome.prediction == ' ["Kestrel"]'
    assert [t["role"] for t in transcript] == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert transcript[4]["content"].startswith("[('Ida Brandt', 'Nordwind', '312', 'field'), ")


def test_long_history_is_shortened_but_kept_in_the_record(task: Task) -> None:
    sample = task.samples("smoke")[0]
    seen: list[int] = []
    look = "Action: Operation\n```sql\nSELECT REPEAT('1234', 190)\n```"

    def player(messages: list[Any]) -> str:
        seen.append(len(messages))
        return look if len(seen) < 10 else "x\nFinal Answer: [1]"

    outcome, transcript = play(task, sample, player)
    assert outcome.metrics["messages"] == 22 and max(seen) < 21
    assert any(t.get("omitted_messages") for t in transcript)


@pytest.mark.parametrize("seconds", [0, -1, "10", True, 10**9])
def test_bad_option_is_named(seconds: Any) -> None:
    with pytest.raises(KitError, match="statement_seconds"):
        load_task("dbbench", "kit", {"statement_seconds": seconds})


def test_unknown_split_and_reserved_table_name() -> None:
    with pytest.raises(KitError, match="choose from"):
        load_task("dbbench").samples("test")
    with pytest.raises(KitError, match="the server's own"):
        room("tables").Table.of({"table_name": "MySQL", "table_info": {"columns": [], "rows": []}})


def test_missing_data_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    monkeypatch.delenv("MIRROR", raising=False)
    for act in (lambda: load_task("dbbench").samples("std"), lambda: load_task("dbbench", "paper").check()):
        with pytest.raises(MissingData, match="make data"):
            act()


def test_play_without_open_is_an_error() -> None:
    made = load_task("dbbench")
    with pytest.raises(KitError, match="open"):
        play(made, made.samples("smoke")[0])


@pytest.mark.mirror
def test_paper_prompts_are_upstreams(mirror: Path) -> None:
    upstream = json.loads((mirror / "prompts" / "dbbench.json").read_text())
    made = load_task("dbbench", "paper")
    sample = made.samples("std")[0]
    opening = made.opening(sample)  # type: ignore[attr-defined]
    assert [m["content"] for m in opening[:2]] == [
        m["content"] for m in upstream["initial_messages_without_question"]
    ]
    assert opening[2]["content"] == f"{sample.data['description']}\n{sample.data['add_description']}"
    assert set(made.prompt_identity()) == {
        "instruction",
        "acknowledgement",
        "omitted_notice",
        "truncation_suffix",
    }


@pytest.mark.mirror
@pytest.mark.parametrize("split", ["std", "dev"])
def test_gold_answers_reach_the_ceiling_and_idleness_the_floor(
    programs: Any, mirror: Path, split: str
) -> None:
    """All upstream samples on the real server, four at once: names of tables recur among them."""
    made = load_task("dbbench", "paper")
    made.check()
    samples = made.samples(split)
    assert len(samples) == made.spec.splits[split]["samples"]
    made.open()
    try:
        with ThreadPoolExecutor(4) as pool:
            gold = list(pool.map(lambda s: play(made, s)[0], samples))
            idle = list(pool.map(lambda s: play(made, s, nop)[0], samples))
    finally:
        made.close()
    assert [s.id for s, o in zip(samples, gold, strict=True) if o.reward != made.ceiling(s)] == []
    assert [s.id for s, o in zip(samples, idle, strict=True) if o.reward != made.floor(s)] == []
    assert sum(o.reward or 0.0 for o in gold) == {"std": 299, "dev": 60}[split]
    assert not [s.id for s, o in zip(samples, gold, strict=True) if o.metrics.get("hash_agrees") is False]
    assert made.score([record(s, o) for s, o in zip(samples, gold, strict=True)]).metrics[
        "overall_cat_accuracy"
    ].value == pytest.approx({"std": 100 * 299 / 300, "dev": 100}[split])
