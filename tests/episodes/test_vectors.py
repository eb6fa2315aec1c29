"""The runner of differential vectors itself."""

import json
from pathlib import Path

import pytest

from agenttuning.episodes.vectors import Unavailable, Verdict, run_file, same
from agenttuning.errors import KitError, MissingData


def run(tmp_path: Path, adapter, expected=1, function="f"):
    path = tmp_path / "page.json"
    path.write_text(
        json.dumps([{"case": "c", "function": function, "input": 1, "upstream_output": expected}])
    )
    return run_file(path, {"f": adapter})


def test_equal_output_passes_and_other_output_fails(tmp_path: Path):
    assert run(tmp_path, lambda case: case["input"])[0].outcome == "passed"
    failed = run(tmp_path, lambda case: 2)[0]
    assert failed.outcome == "failed" and "ours 2 upstream 1" in failed.reason


def test_exception_is_a_failure_and_missing_things_are_unhandled(tmp_path: Path):
    def crash(case):
        raise ValueError

    def absent(case):
        raise Unavailable("no Java")

    def no_data(case):
        raise MissingData("no prompts", "make data")

    assert run(tmp_path, crash)[0].outcome == "failed"
    assert run(tmp_path, absent)[0].outcome == "unhandled"
    assert run(tmp_path, no_data)[0].outcome == "unhandled"
    assert run(tmp_path, crash, function="g")[0].outcome == "unhandled"


def test_context_entries_are_no_cases_but_reach_the_adapter(tmp_path: Path):
    path = tmp_path / "page.json"
    path.write_text(json.dumps([
        {"case": "shared", "function": "_fixtures", "input": {"k": 5}},
        {"case": "c", "function": "f", "input": 1, "upstream_output": 5},
    ]))  # fmt: skip
    results = run_file(path, {"f": lambda case: case["_context"][0]["input"]["k"]})
    assert [r.outcome for r in results] == ["passed"]


def test_own_verdict_decides(tmp_path: Path):
    assert run(tmp_path, lambda case: Verdict(False, 1))[0].outcome == "failed"


def test_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "page.json"
    path.write_text('[{"case": 1}]')
    with pytest.raises(KitError, match="page.json"):
        run_file(path, {})


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (1, 1.0, True), (0.1 + 0.2, 0.3, True), (True, 1, False), (1, True, False), ((1, "a"), [1, "a"], True),
        ({1: "x"}, {"1": "x"}, True), ({"a": 1}, {"a": 1, "b": 2}, False), ("1", 1, False), (None, None, True),
        ([1], [1, 2], False), (float("nan"), float("nan"), True),
    ],
)  # fmt: skip
def test_same(ours, theirs, equal):
    assert same(ours, theirs) is equal
