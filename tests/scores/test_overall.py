"""The overall score reproduces every published overall and gain; missing tasks never pass silently."""

from __future__ import annotations

import pytest

from agenttuning.scores import paper
from agenttuning.scores.overall import Overall, overall, percent, relative_gain, weights_from_runs

GROUPS = paper.load().groups
MODELS = paper.load().models


def scores(group: paper.PaperGroup, model: str) -> dict[str, float | None]:
    return {row.column: row.values[model] for row in group.rows}


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_published_overalls_come_out(group: paper.PaperGroup, model: paper.PaperModel) -> None:
    value = overall(scores(group, model.name), group.inverse_weights).value
    assert value is not None
    assert round(value, 2) == group.overall[model.name]


@pytest.mark.parametrize(
    ("group", "model"),
    [(g, m) for g in GROUPS for m in MODELS if m.name in g.gain_percent],
    ids=lambda x: x.name,
)
def test_published_gains_come_out(group: paper.PaperGroup, model: paper.PaperModel) -> None:
    assert model.base is not None
    gain = relative_gain(scores(group, model.name), scores(group, model.base), group.inverse_weights)
    assert gain is not None
    assert percent(gain) == f"{group.gain_percent[model.name]:+d}%"


def test_all_six_gains_are_printed() -> None:
    assert sum(len(group.gain_percent) for group in GROUPS) == 6


def test_gain_is_taken_from_unrounded_overalls() -> None:
    """0.78 / 0.49 would be +59 %."""
    held_out = GROUPS[1]
    gain = relative_gain(
        scores(held_out, "agentlm-13b"), scores(held_out, "llama-2-13b-chat"), held_out.inverse_weights
    )
    assert gain is not None and percent(gain) == "+57%"


def test_missing_task_makes_the_overall_partial() -> None:
    held_in = GROUPS[0]
    some = scores(held_in, "agentlm-7b") | {"KG": None}
    del some["OS"]
    assert overall(some, held_in.inverse_weights) == Overall(None, 4, 6)
    assert overall(some, held_in.inverse_weights).text == "partial (4 of 6)"
    assert relative_gain(some, scores(held_in, "llama-2-7b-chat"), held_in.inverse_weights) is None


def test_overall_edge_cases() -> None:
    assert overall({}, {}) == Overall(None, 0, 0)
    assert overall({"a": 0.0}, {"a": 2.0}) == Overall(0.0, 1, 1)
    assert overall({"a": 1.0}, {"a": 0.0}) == Overall(None, 0, 1)  # nobody scored: no scale
    assert overall({"a": 1.0, "other": 9.0}, {"a": 2.0}).value == 0.5
    assert relative_gain({"a": 1.0}, {"a": 0.0}, {"a": 2.0}) is None


def test_percent_signs() -> None:
    assert [percent(x) for x in (0.76, -0.013, 0.001, -0.001, 1.76)] == ["+76%", "-1%", "+0%", "+0%", "+176%"]


def test_weights_from_runs_average_to_one() -> None:
    runs: list[dict[str, float | None]] = [{"a": 10.0, "b": 1.0}, {"a": 30.0, "b": None}, {"a": 20.0}]
    weights = weights_from_runs(runs)
    assert weights == {"a": 20.0, "b": 1.0}
    values = [overall(run, {"a": weights["a"]}).value for run in runs]
    assert sum(v for v in values if v is not None) / 3 == pytest.approx(1.0)
