"""The task: splits, prompts, episodes, scores, oracle, missing data, the files around it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from agenttuning import sources
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.runner import run
from agenttuning.episodes.session import Session
from agenttuning.errors import KitError, MissingData
from agenttuning.home import home
from agenttuning.models.registry import find_model
from agenttuning.models.scripted import ScriptedEndpoint, nop
from agenttuning.models.types import Generation

from .conftest import SPEC, build, product, room

scoring, upstream = room("scoring"), room("upstream")


def evaluate(player, runs, split="smoke", **arguments):
    return run("webshop", split, find_model(player), runs=runs, show_progress=False, **arguments)


def play(task, sample, player):
    session = Session(ScriptedEndpoint("said", player), Generation())
    return task.play(sample, session), session


def says(*replies):
    rest = iter(replies)
    return lambda messages: next(rest, "nothing more")


def test_smoke_oracle_is_at_one_and_nop_at_zero(runs):
    oracle = evaluate("oracle", runs)
    assert oracle.scores["value"] == 100.0 and oracle.scores["statuses"] == {"completed": 18}
    assert oracle.scores["metrics"]["success_rate"]["value"] == 100.0
    floor = evaluate("nop", runs)
    assert floor.scores["value"] == 0.0 and floor.scores["statuses"] == {"invalid_format": 18}
    assert sum(record["usage"]["calls"] for record in floor.records) <= 60


def test_every_ceiling_of_smoke_is_one():
    task = load_task("webshop")
    assert [task.ceiling(s) for s in task.samples("smoke")] == [1.0] * SPEC.splits["smoke"]["samples"]


def test_the_number_of_workers_does_not_change_the_records(tmp_path):
    def records(workers):
        found = evaluate("oracle", tmp_path / str(workers), workers=workers).records
        return [(r["sample"], r["prediction"], r["metrics"], r["transcript"]) for r in found]

    assert records(1) == records(4)


def test_the_run_names_tagger_and_goal_table(runs):
    found = evaluate("oracle", runs)
    identity = json.loads((found.folder / "run.json").read_text())["identity"]
    task = load_task("webshop")
    task.samples("smoke")
    assert identity["options"]["tagger"] == task.options["tagger"] in ("hanta", "spacy")
    assert identity["prompts"]["goal_table"] == task.shop("smoke").goals_sha256
    notes = " ".join(found.scores["notes"])
    assert f"tagged by {task.options['tagger']}" in notes and task.shop("smoke").goals_sha256 in notes


def test_another_seed_is_another_run(runs):
    one = evaluate("oracle", runs).folder
    evaluate("oracle", runs, options={"goal_seed": 5})
    assert one.with_name(one.name + ".previous-1").is_dir()


def test_the_smoke_index_is_built_once(data_folder):
    load_task("webshop").samples("smoke")
    (folder,) = [p for p in (data_folder / "cache" / "webshop").iterdir() if p.is_dir()]
    before = (folder / "meta.json").stat().st_mtime_ns
    load_task("webshop").samples("smoke")
    assert (folder / "meta.json").stat().st_mtime_ns == before


def test_a_data_folder_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert len(load_task("webshop").samples("smoke")) == 18


@pytest.mark.mirror
def test_profile_paper_on_smoke_reaches_its_ceilings(mirror, runs):
    found = evaluate("oracle", runs, profile="paper")
    assert found.scores["value"] == 100.0
    floor = evaluate("nop", runs, profile="paper")
    assert floor.scores["value"] == 0.0 and floor.scores["statuses"] == {"invalid_format": 18}
    assert floor.scores["metrics"]["average_round"]["value"] == 1.0


@pytest.mark.mirror
def test_profile_paper_sends_upstreams_turns(mirror):
    given = json.loads((mirror / "prompts" / "webshop.json").read_text())
    task = load_task("webshop", "paper")
    sample = task.samples("smoke")[0]
    _, session = play(task, sample, nop)
    sent = [turn for turn in session.transcript if turn["role"] != "note"]
    assert [turn["content"] for turn in sent[:10]] == [turn["content"] for turn in given["preamble_messages"]]
    assert len(sent) == 12
    first = given["round_template"].replace(
        "{observation}", f"WebShop [SEP] Instruction: [SEP] {sample.data['goal']['instruction']} [SEP] Search"
    ).replace("{available_actions}", "{'has_search_bar': True, 'clickables': ['search']}")  # fmt: skip
    assert sent[10]["content"] == first


@pytest.mark.mirror
def test_profile_paper_ends_at_once_where_no_action_can_be_read(mirror):
    task = load_task("webshop", "paper")
    outcome, session = play(task, task.samples("smoke")[0], says("Action: search[wool]"))
    assert (outcome.status, outcome.reward, session.calls) == ("invalid_format", 0.0, 1)


@pytest.mark.mirror
def test_profile_paper_goes_on_after_actions_that_do_nothing(mirror):
    task = load_task("webshop", "paper")
    outcome, session = play(task, task.samples("smoke")[0], lambda messages: "Action:\nclick[nothing]")
    assert (outcome.status, session.calls) == ("turn_limit", 10)
    assert outcome.metrics["ignored_actions"] == 10 and outcome.prediction is None


def test_profile_paper_refuses_to_start_without_prompts(monkeypatch):
    monkeypatch.delenv("MIRROR", raising=False)
    with pytest.raises(MissingData, match="make data TASKS="):
        load_task("webshop", "paper").check()


@pytest.mark.parametrize("split", ["std", "dev", "small"])
def test_the_splits_of_upstream_refuse_to_start_without_data(monkeypatch, split):
    monkeypatch.delenv("MIRROR", raising=False)
    with pytest.raises(MissingData, match="make data TASKS=webshop"):
        load_task("webshop").samples(split)


def test_fewer_goals_than_the_split_needs_are_refused_before_anything_is_played(tmp_path, monkeypatch, runs):
    one = {"instruction": "a mat", "instruction_attributes": ["soft"], "instruction_options": []}
    shop = build(tmp_path / "few", [product("A1")], human={"A1": [one] * 13})
    monkeypatch.setattr(room("task").TaskWebShop, "shop", lambda self, split: shop)
    with pytest.raises(KitError, match="13 human goals, split std needs 200.*make data TASKS=webshop"):
        evaluate("nop", runs, split="std")
    with pytest.raises(KitError, match="split dev needs 280"):
        load_task("webshop").samples("dev")
    assert not any(runs.rglob("records.jsonl"))


def test_std_and_dev_are_goals_0_to_199_and_200_to_279(tmp_path, monkeypatch):
    human = {
        f"B{i:03d}": [
            {"instruction": f"goal {i}", "instruction_attributes": ["soft"], "instruction_options": ["red"]}
        ]
        for i in range(300)
    }
    shop = build(tmp_path / "many", [product(f"B{i:03d}") for i in range(300)], human=human)
    monkeypatch.setattr(room("task").TaskWebShop, "shop", lambda self, split: shop)
    task = load_task("webshop")
    assert [s.id for s in task.samples("std")] == [f"std-{i}" for i in range(200)]
    assert [s.id for s in task.samples("dev")] == [f"dev-{i}" for i in range(200, 280)]
    assert task.samples("dev")[0].data["goal"] == vars(shop.goals[200])
    hidden = next(s for s in task.samples("std") if int(s.target["asin"][1:]) >= 50)
    assert task.ceiling(hidden) == 0.0 and "no search" in task.ceiling_note(
        hidden
    )  # 300 equal products, 50 are found


def test_kit_tells_what_went_wrong_and_stops_after_three():
    task = load_task("webshop")
    seen: list[str] = []

    def player(messages):
        seen.append(messages[-1]["content"])
        return ["no idea", "Action: click[buy now]", "Action: search[wool throw]", "x", "x", "x"][
            len(seen) - 1
        ]

    outcome, session = play(task, task.samples("smoke")[0], player)
    assert seen[1].startswith("Your reply had no action.") and seen[2].startswith("That action did nothing")
    assert seen[3].startswith("Page: Instruction: [SEP]") and "Total results:" in seen[3]
    assert (outcome.status, session.calls, outcome.metrics["ignored_actions"]) == ("invalid_format", 6, 1)


def test_both_gradings_of_one_purchase():
    task = load_task("webshop")
    sample = next(s for s in task.samples("smoke") if s.target["asin"] == "KIT0000101")
    title = sample.data["goal"]["title"]
    steps = [
        f"search[{title}]",
        "click[KIT0000101]",
        "click[forest green]",
        "click[50 x 60 in]",
        "click[buy now]",
    ]
    outcome, _ = play(task, sample, says(*(f"Action: {step}" for step in steps)))
    assert outcome.prediction["options"] == {"color": "forest green", "size": "50 x 60 in"}
    assert outcome.reward == outcome.metrics["strict"] < outcome.metrics["paper"] < 1
    assert outcome.metrics["bought"] and outcome.status == "completed"


def test_command_words_of_upstreams_engine_are_words():
    task = load_task("webshop")
    outcome, _ = play(task, task.samples("smoke")[0], says("Action: search[<a> wool]", "Action: search[<r>]"))
    assert outcome.metrics["special_searches"] == 2 and outcome.status == "invalid_format"


def test_texts_of_pages_cannot_fill_each_others_place():
    protocol, shop = room("protocol"), room("shop")
    goal = room("goals").Goal("A1", "q", "t", "c", "say {available_actions} \\1", [], [], 1.0)
    visit = shop.Visit(goal, lambda q, n: [], lambda a: None, lambda p, o: 0.0)
    talk = protocol.converse(
        [], lambda m: "", visit, protocol.paper_manner("{observation}|{available_actions}"), rounds=1
    )
    assert talk.messages[0]["content"].count("has_search_bar") == 1 and "\\1" in talk.messages[0]["content"]


def test_an_option_value_with_an_apostrophe_is_shown_as_python_does():
    shop = room("shop")
    item = room("catalogue").product_of(product("A1", customization_options={"C": [{"value": "Men's"}]}), {})
    visit = shop.Visit(
        room("goals").Goal("A1", "", "", "", "x", [], [], 1.0),
        lambda q, n: ["A1"],
        lambda a: item,
        lambda p, o: 1.0,
    )
    visit.step("search", "x")
    visit.step("click", "a1")
    assert repr(visit.available_actions).endswith("""'buy now', "men's"]}""")


def test_missing_samples_count_as_zero_and_the_scale_is_percent():
    record = {
        "sample": "smoke-0",
        "metrics": {"paper": 0.5, "strict": 1.0, "bought": True, "rounds": 4, "tagger": "hanta"},
    }
    scores = scoring.scores_of([record], 2, "strict")
    assert scores.metrics["reward"].value == 50.0 and scores.metrics["reward_paper"].value == 25.0
    assert scores.metrics["success_rate"].value == 50.0 and scores.metrics["average_round"].value == 4.0
    assert any("1 of 2 samples" in note for note in scores.notes)


def test_upstreams_results_file():
    metrics = {
        "reward_paper": {"value": 64.0},
        "format_fail_rate": {"value": 3.0},
        "average_round": {"value": 5.5},
    }
    assert upstream.results(metrics) == {"reward": 0.64, "format_fail_rate": 0.03, "average_round": 5.5}


def test_options_of_another_kind_are_refused():
    for options in (
        {"goal_seed": "x"},
        {"goal_seed": True},
        {"tagger": 3},
        {"index_folder": 1},
        {"tagger": "nltk"},
    ):
        with pytest.raises(KitError):
            load_task("webshop", "kit", options)


def test_transcripts_show_pages_and_purchase(runs):
    view = room("transcript").view
    record = evaluate("oracle", runs).records[0]
    shown = view(record)
    assert (
        f"bought  {record['prediction']['asin']}" in shown
        and "reward  1.000" in shown
        and "click[Buy Now]" in shown
    )
    assert "bought  nothing" in view(evaluate("nop", runs).records[0])
    assert view({"transcript": []}) is None


@pytest.mark.parametrize("name", ["std", "dev", "smoke"])
def test_the_configs_of_the_harness_name_the_splits(name):
    path = home() / "AgentBench.old" / "configs" / "tasks" / "webshop" / f"{name}.yaml"
    config = yaml.safe_load(path.read_text())
    assert config["parameters"]["split"] == name and config["module"] == "src.tasks.WebShop"


def test_pins_of_the_data_agree_with_the_room():
    for split in ("std", "dev", "small"):
        assert all(len(sources.sha256(key)) == 64 for key in SPEC.splits[split]["files"])


@pytest.mark.mirror
def test_the_real_attribute_file_is_read(mirror: Path, tmp_path: Path):
    path = sources.file("webshop-attributes-1000")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sources.sha256("webshop-attributes-1000")
    table = room("catalogue").read_table(path)
    asins = list(table)[:50]
    shop = build(tmp_path, [product(asin) for asin in asins], table)
    assert [shop.product(asin).attributes for asin in asins] == [table[asin]["attributes"] for asin in asins]


def test_hypotheses_of_the_selfcheck_hold():
    ok, lines = load_task("webshop", "paper").extra_checks()
    assert ok and "not checked" in lines[0]
