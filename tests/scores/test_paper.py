"""paper.json against itself and, where the upstream facts are at hand, against them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agenttuning.scores import paper, vectors


def test_every_block_names_a_known_source() -> None:
    document = paper.load().tables
    named = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if "source" in value:
                named.append(value["source"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(document)
    assert len(named) > 50
    assert set(named) == set(document["sources"])


def test_table_is_complete() -> None:
    loaded = paper.load()
    names = {model.name for model in loaded.models}
    assert [len(group.rows) for group in loaded.groups] == [6, 6, 4]
    assert all(set(row.values) == names for group in loaded.groups for row in group.rows)
    assert {row.column for g in loaded.groups for row in g.rows if row.decimals == 2} == {
        "WebArena",
        "MT-Bench",
    }


def test_calibrated_weights_lie_in_their_feasible_range() -> None:
    for group in paper.load().tables["main_table"]["groups"]:
        for row in group["rows"]:
            low, high = row["inverse_weight"]["feasible"]
            assert low <= row["inverse_weight"]["value"] <= high, row["column"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("agentlm-7b", "agentlm-7b"),
        ("THUDM/agentlm-7b", "agentlm-7b"),
        ("meta-llama/Llama-2-70b-chat-hf", "llama-2-70b-chat"),
        ("/data/agentlm-13b/", "agentlm-13b"),
        ("/data/models--THUDM--agentlm-70b/snapshots/0123abcd", "agentlm-70b"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("gpt-4", None),
        ("agentlm-7b-awq", None),
        ("", None),
        (None, None),
    ],
)
def test_model_names(name: str | None, found: str | None) -> None:
    model = paper.load().model(name)
    assert (model.name if model else None) == found


@pytest.mark.mirror
def test_numbers_equal_the_recorded_facts(mirror: Path) -> None:
    facts = json.loads((mirror / "prompts" / "reporting.json").read_text())
    loaded = paper.load()
    for group in loaded.groups:
        key = group.name.replace("-", "_")
        table = facts["table4"][key]
        assert {row.column: dict(row.values) for row in group.rows} == table["tasks"]
        assert dict(group.overall) == table["overall"]
        assert group.inverse_weights == facts["inverse_weights_calibrated"][key]
        assert dict(group.gain_percent) == facts["overall_delta_percent_vs_llama2"].get(key, {})
    for row in loaded.tables["mixture_table"]["rows"]:
        assert row["values"] == facts["table5_ablation"][row["model"]][row["training"].replace(" ", "_")]
    for row in loaded.tables["filtering_table"]["rows"]:
        assert row["values"] == list(facts["table2_filtering_7b"][row["training"]].values())
    printed = [panel["values"] for panel in loaded.tables["error_figure"]["panels"]]
    recorded = facts["fig3a_errors_from_svg_geometry"]
    for ours, theirs in zip(printed, recorded.values(), strict=True):
        assert ours == {name: values for name, values in theirs.items() if name != "_order"}


def test_vector_adapters_return_what_the_paper_prints() -> None:
    loaded = paper.load()
    for group in loaded.groups:
        scores = {m.name: {row.column: row.values[m.name] for row in group.rows} for m in loaded.models}
        for model in loaded.models:
            given: dict[str, object] = {
                "scores": scores[model.name],
                "inverse_weights": group.inverse_weights,
            }
            assert vectors.ADAPTERS["overall"]({"input": given}) == group.overall[model.name]
            if model.base and model.name in group.gain_percent:
                given = {
                    "model_scores": scores[model.name],
                    "base_scores": scores[model.base],
                    "inverse_weights": group.inverse_weights,
                }
                printed = f"{group.gain_percent[model.name]:+d}%"
                assert vectors.ADAPTERS["relative_gain"]({"input": given}) == printed
