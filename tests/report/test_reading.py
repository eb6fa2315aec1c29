"""Reading run folders: damage is named, never fatal, never silently counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agenttuning.errors import KitError
from agenttuning.report.runs import find_runs, read_run, transcript_of
from tests.report.synthetic import make_run, record, share


def test_finished_run(runs: Path) -> None:
    run = read_run(make_run(runs, "agentlm-7b", "alfworld", share(41, 50)))
    assert (run.model, run.task, run.group, run.column) == ("agentlm-7b", "alfworld", "held-in", "ALFWorld")
    assert (run.score.value, run.score.n, run.finished, run.expected) == (82.0, 50, 50, 50)
    assert run.usable and run.paper_split and run.problems == []
    assert transcript_of(run, run.rows[7])["sample"] == "s0007"


def test_unfinished_run_has_no_score(runs: Path) -> None:
    run = read_run(make_run(runs, "m", "alfworld", [1.0, 0.0], scored=False))
    assert run.score.value is None
    assert (run.finished, run.scored, run.usable) == (2, False, False)


def test_torn_last_line_is_left_out_and_named(runs: Path) -> None:
    folder = make_run(runs, "m", "alfworld", [1.0, 0.0], scored=False)
    with (folder / "records.jsonl").open("ab") as file:
        file.write('{"sample": "s0002", "reward": 1.0, "prediction": "caf\u00e9'.encode()[:-1])
    run = read_run(folder)
    assert [row.sample for row in run.rows] == ["s0000", "s0001"]
    assert "torn" in run.problems[0]


def test_damaged_line_in_the_middle_is_counted(runs: Path) -> None:
    folder = make_run(runs, "m", "alfworld", [1.0, 0.0, 1.0], scored=False)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text(lines[0] + "[1, 2]\n" + "{{{\n" + lines[2])
    run = read_run(folder)
    assert [row.index for row in run.rows] == [0, 2]
    assert "2 unreadable lines" in run.problems[0]
    assert transcript_of(run, run.rows[1])["index"] == 2


def test_retried_sample_counts_once_with_its_last_record(runs: Path) -> None:
    again = [record(0, None, "model_error"), record(1, 0.0), record(0, 1.0)]
    run = read_run(make_run(runs, "m", "alfworld", [], records=again, scored=False))
    assert run.rewards == {"s0000": 1.0, "s0001": 0.0}
    assert run.infrastructure == 0


def test_infrastructure_failures_are_no_rewards(runs: Path) -> None:
    few = read_run(make_run(runs, "m", "alfworld", [1.0] * 199 + [None], complete=False))
    assert (few.infrastructure, few.invalid, few.complete, few.usable) == (1, False, True, True)
    assert few.rewards["s0199"] is None
    many = read_run(make_run(runs, "m", "gsm8k", [1.0] * 97 + [None] * 3))
    assert (many.infrastructure, many.invalid, many.usable) == (3, True, False)


def test_invalid_is_judged_from_the_records_whatever_scores_say(runs: Path) -> None:
    lie = {"count": 0, "share": 0.0, "invalid": False}
    assert read_run(make_run(runs, "m", "alfworld", [1.0, None], infrastructure=lie)).invalid


def test_stale_scores_are_named(runs: Path) -> None:
    folder = make_run(runs, "m", "alfworld", [1.0, 0.0])
    with (folder / "records.jsonl").open("a") as file:
        file.write(json.dumps(record(2, 1.0)) + "\n")
    assert "does not fit" in read_run(folder).problems[0]


@pytest.mark.parametrize(
    "document",
    ["{}", '{"identity": 3, "provenance": []}', '{"identity": {"task": null, "seed": [1]}}'],
)
def test_odd_run_json_falls_back_to_the_folder_names(runs: Path, document: str) -> None:
    folder = make_run(runs, "m", "alfworld", [1.0], scored=False)
    (folder / "run.json").write_text(document)
    run = read_run(folder)
    assert (run.model, run.task, run.split) == ("m", "alfworld", "std")


@pytest.mark.parametrize(
    "document", ["[]", "", "null", '{"value": "9', '{"value": NaN, "n": "x", "metrics": [1]}']
)
def test_odd_scores_json_is_no_score(runs: Path, document: str) -> None:
    folder = make_run(runs, "m", "alfworld", [1.0])
    (folder / "scores.json").write_text(document)
    assert read_run(folder).score.value is None


def test_odd_records_are_read_as_far_as_they_make_sense(runs: Path) -> None:
    odd = {"sample": 7, "index": "x", "status": None, "reward": "1", "usage": 3, "seconds": {"wall": None}}
    folder = make_run(runs, "m", "alfworld", [], records=[record(0, 1.0)], scored=False)
    with (folder / "records.jsonl").open("a") as file:
        file.write(json.dumps(odd) + "\n" + '{"reward": 1e999, "sample": "inf"}\n')
    rows = {row.sample: row for row in read_run(folder).rows}
    assert (rows["7"].status, rows["7"].reward, rows["7"].calls, rows["7"].seconds) == (
        "unknown",
        None,
        0,
        0.0,
    )
    assert rows["inf"].reward is None


def test_unreadable_folder_does_not_hide_the_others(runs: Path) -> None:
    make_run(runs, "a", "alfworld", [1.0])
    (make_run(runs, "b", "alfworld", [1.0]) / "run.json").write_text("{")
    found, problems = find_runs(runs)
    assert [run.model for run in found] == ["a"]
    assert len(problems) == 1 and "b/alfworld" in problems[0]


def test_read_run_of_no_run(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="cannot be read"):
        read_run(tmp_path)
