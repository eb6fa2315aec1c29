"""What is compared with the paper and what is not, pooling, overall scores, paired sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agenttuning import report
from agenttuning.report.results import Report, Result
from agenttuning.scores import paper
from tests.report.synthetic import COLUMNS, make_all, make_run, share


def only(runs: Path) -> Result:
    (line,) = report.load(runs).lines
    (result,) = line.results
    return result


def test_paper_run_of_a_paper_model_is_compared(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "alfworld", share(41, 50))
    verdict = only(runs).verdict
    assert (verdict.kind, verdict.published, verdict.reasons) == ("inside", 84.0, ())


def test_published_value_outside_the_interval(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "alfworld", share(5, 50))  # what users saw with the new AgentBench
    assert only(runs).verdict.kind == "outside"


def test_rounding_of_the_published_value_is_allowed_for(runs: Path) -> None:
    folder: dict[str, Any] = dict(
        value=60.0, metrics={"main_score": {"value": 60.0, "n": 50, "low": 30.0, "high": 83.96}}
    )
    make_run(runs, "agentlm-7b", "alfworld", share(30, 50), **folder)
    assert only(runs).verdict.kind == "inside"  # 84.0 may have been 83.95


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"profile": "kit"}, "profile kit"),
        ({"split": "smoke"}, "smoke split"),
        ({"expected": 60, "complete": False}, "unfinished"),
        ({"scored": False}, "unfinished"),
        ({"model": "smollm2-135m"}, "no model smollm2-135m"),
        ({"model_id": "SmolLM2-135M-Instruct"}, "the server reported the model SmolLM2-135M-Instruct"),
        ({"model_id": "THUDM/agentlm-13b"}, "the server reported the model THUDM/agentlm-13b"),
        ({"model": "oracle"}, "scripted player"),
        ({"rewards": [1.0] * 48 + [None] * 2}, "infrastructure"),
        ({"task": "somewhere-else"}, "no such task"),
        ({"metrics": {}}, "no interval"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value)),
)
def test_everything_else_is_labelled_with_its_reason(runs: Path, change: dict, reason: str) -> None:
    arguments = {"model": "agentlm-7b", "task": "alfworld", "rewards": share(41, 50)} | change
    make_run(runs, arguments.pop("model"), arguments.pop("task"), arguments.pop("rewards"), **arguments)
    verdict = only(runs).verdict
    assert verdict.kind == "not comparable"
    assert reason in "; ".join(verdict.reasons)


def test_hugging_face_id_is_the_papers_model(runs: Path) -> None:
    make_run(runs, "my-model", "alfworld", share(41, 50), model_id="THUDM/agentlm-7b")
    assert only(runs).verdict.kind == "inside"


def test_seeds_are_pooled(runs: Path) -> None:
    for seed, ones in enumerate((300, 330, 360)):
        make_run(runs, "agentlm-7b", "gsm8k", share(ones, 1319), folder=f"std-paper-seed{seed}", seed=seed)
    result = only(runs)
    assert len(result.entry.runs) == 3
    assert result.entry.value == pytest.approx(100 * 330 / 1319)
    assert result.entry.spread == pytest.approx(100 * 30 / 1319)
    assert "3 seeds" in result.entry.labels
    lows = [run.score.low for run in result.entry.runs]
    assert result.entry.low == pytest.approx(sum(low for low in lows if low is not None) / 3)


def test_only_equal_finished_runs_with_different_seeds_are_pooled(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "gsm8k", share(3, 10), folder="std-paper-seed0", seed=0)
    make_run(runs, "agentlm-7b", "gsm8k", share(4, 10), folder="std-paper-copy", seed=0)
    make_run(runs, "agentlm-7b", "gsm8k", share(4, 10), folder="std-paper-greedy", seed=1, sampling="greedy")
    make_run(
        runs, "agentlm-7b", "gsm8k", [1.0], folder="std-paper-seed2", seed=2, expected=10, complete=False
    )
    make_run(runs, "agentlm-7b", "gsm8k", share(4, 10), folder="std-paper.previous-1", seed=3)
    (line,) = report.load(runs).lines
    assert [len(result.entry.runs) for result in line.results] == [1, 1, 1, 1, 1]


def test_overview_shows_the_run_nearest_to_the_papers_conditions(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "gsm8k", [1.0] * 12, split="smoke", profile="kit")
    make_run(runs, "agentlm-7b", "gsm8k", share(500, 1319), profile="kit")
    make_run(runs, "agentlm-7b", "gsm8k", share(330, 1319), profile="paper")
    (line,) = report.load(runs).lines
    assert line.best["agentlm-7b"].entry.condition == "std, paper, upstream"
    assert len(line.results) == 3


def make_published(runs: Path, model: str, groups: tuple[str, ...], skip: str = "") -> None:
    """Runs whose values are exactly the published ones."""
    for group in (group for group in paper.load().groups if group.name in groups):
        for row in (row for row in group.rows if row.column != skip):
            value = row.values[model]
            metrics = {
                "main_score": {"value": value, "n": 2, "low": value, "high": value, "method": "wilson"}
            }
            names: dict[str, Any] = {"group": group.name, "column": row.column, "title": row.column}
            make_run(runs, model, row.column.lower(), [1.0, 0.0], value=value, metrics=metrics, **names)


def test_overalls_of_full_groups_equal_the_published_ones(runs: Path) -> None:
    make_published(runs, "agentlm-7b", ("held-in", "held-out", "general"))
    make_published(runs, "llama-2-7b-chat", ("held-in", "held-out"))
    overalls = {group.group: group for group in report.load(runs).overalls}
    assert {name: group.ours["agentlm-7b"].text for name, group in overalls.items()} == {
        "held-in": "1.96",
        "held-out": "0.67",
        "general": "0.62",
    }
    assert round(100 * overalls["held-out"].gains["agentlm-7b"]) == 76
    assert "agentlm-7b" not in overalls["general"].gains  # our base has no general overall
    assert overalls["general"].ours["llama-2-7b-chat"].text == "partial (0 of 4)"


def test_a_missing_task_leaves_the_overall_partial(runs: Path) -> None:
    make_published(runs, "agentlm-7b", ("held-in",), skip="KG")
    make_run(runs, "agentlm-7b", "kg", share(2, 12), split="smoke", group="held-in", column="KG")
    group = report.load(runs).overalls[0]
    assert group.ours["agentlm-7b"].text == "partial (5 of 6)"


def test_relative_weights_use_one_condition_per_task(runs: Path) -> None:
    make_run(runs, "a", "gsm8k", share(3, 12), split="smoke", profile="kit")
    make_run(runs, "b", "gsm8k", share(9, 12), split="smoke", profile="kit")
    make_run(runs, "a", "gsm8k", share(900, 1319), profile="kit")
    make_run(runs, "oracle", "gsm8k", [1.0] * 12, split="smoke", profile="kit")
    group = report.load(runs).overalls[2]
    assert {model: score.value for model, score in group.relative.items()} == pytest.approx(
        {"a": 0.5, "b": 1.5}
    )
    assert "smoke, kit" in group.relative_basis


def test_paired_comparison_of_models_on_the_same_samples(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "gsm8k", share(8, 12))
    make_run(runs, "llama-2-7b-chat", "gsm8k", share(2, 12), sampling="greedy")
    make_run(runs, "llama-2-7b-chat", "alfworld", share(2, 12))
    make_run(runs, "oracle", "gsm8k", [1.0] * 12)
    (comparison,) = report.load(runs).comparisons
    assert (comparison.a.run.model, comparison.b.run.model) == ("llama-2-7b-chat", "agentlm-7b")
    assert (comparison.paired.shared, comparison.paired.b_better, comparison.paired.p_value) == (
        12,
        6,
        0.03125,
    )
    assert "different sampling (greedy and upstream)" in comparison.note


@pytest.fixture
def full(runs: Path) -> Report:
    return report.load(make_all(runs))


def test_models_and_players_are_ordered(full: Report) -> None:
    assert full.models == ("llama-2-7b-chat", "agentlm-7b", "smollm2-135m")
    assert full.players == ("oracle", "nop")
    assert full.groups == ("held-in", "held-out", "general", "other")
    assert [line.column for line in full.lines if line.task in COLUMNS] == [c for c, _ in COLUMNS.values()]


def test_what_is_wrong_is_said_first(full: Report) -> None:
    notices = "\n".join(full.notices)
    for words in ("cannot be read", "is unfinished: 40 of 300", "is invalid: 20 of 270", "torn"):
        assert words in notices


def test_filter_keeps_the_players(runs: Path) -> None:
    make_all(runs)
    assert report.load(runs, ["smollm2-135m"]).models == ("smollm2-135m",)
    assert report.load(runs, ["smollm2-135m"]).players == ("oracle", "nop")
