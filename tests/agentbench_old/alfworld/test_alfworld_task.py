"""The task: splits, prompts, the protocol's ends, scores, oracle and floor, missing data, the files around it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from agenttuning import sources
from agenttuning.episodes.rooms import load_folder_module, load_task
from agenttuning.episodes.runner import run
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Sample, Status
from agenttuning.errors import KitError, MissingData
from agenttuning.home import home
from agenttuning.models.registry import find_model
from agenttuning.models.scripted import ScriptedEndpoint, nop
from agenttuning.models.types import Generation, Message

from .conftest import SPEC, room, write_release

pytest.importorskip("textworld", reason="the ALFWorld engine is not installed: make setup-alfworld")

protocol, scoring = room("protocol"), room("scoring")


def play(task, sample, player):
    session = Session(ScriptedEndpoint("said", player), Generation())
    return task.play(sample, session), session


def says(*replies):
    rest = iter(replies)
    return lambda messages: next(rest)


def test_oracle_and_nop_through_worker_processes(runs):
    oracle = run("alfworld", "smoke", find_model("oracle"), runs=runs, show_progress=False, workers=2)
    assert oracle.scores["value"] == 100.0 and oracle.scores["n"] == 13
    assert oracle.scores["statuses"] == {"completed": 13} and oracle.scores["metrics"]["won"]["value"] == 13
    assert {r["metrics"]["invalid_commands"] for r in oracle.records} == {0}
    floor = run("alfworld", "smoke", find_model("nop"), runs=runs, show_progress=False, workers=2)
    assert floor.scores["value"] == 0.0 and floor.scores["statuses"] == {"repetition": 13}
    assert room("upstream").results(oracle.scores["metrics"])["score"] == {
        "completion": 13, "total": 13, "rate": 1.0, "main": 1.0,
    }  # fmt: skip
    told = room("transcript").view(oracle.records[0])
    assert (
        "Your task is to" in told
        and "goal reached" in told
        and f"1. {oracle.records[0]['prediction'][0]}" in told
    )


def test_smoke_covers_all_types_and_its_lengths_are_small():
    samples = load_task("alfworld").samples("smoke")
    kinds = [sample.target for sample in samples]
    assert len(samples) == SPEC.splits["smoke"]["samples"] >= 12 and len({s.id for s in samples}) == len(
        samples
    )
    assert (
        set(kinds) == {"put", "clean", "heat", "cool", "examine", "puttwo"}
        and min(map(kinds.count, kinds)) >= 2
    )
    digests = {load_task("alfworld").game(sample)[1] for sample in samples}
    assert len(digests) == len(samples)


class Recorded:
    """A game whose goal is reached by the command `win`."""

    def __init__(self):
        self.now = protocol.Moment("first", ["look", "win"])

    def step(self, command):
        won = command == "win"
        return protocol.Moment(f"did {command}", ["look", "win"], won, won)


PAPER = {"map_commands": True, "repeat_before_win": True}
KIT = {"map_commands": False, "repeat_before_win": False, "invalid_in_a_row": 5}


def ended(replies, rules, rounds=35):
    opening: list[Message] = [{"role": "user", "content": "go"}]
    house = Recorded()
    return protocol.visit(opening, house.now, house, says(*replies), protocol.Rules(rounds, **rules))


@pytest.mark.parametrize(
    ("rules", "replies", "status", "success", "won", "rounds"),
    [
        (PAPER, ["win"], Status.COMPLETED, True, True, 1),
        (PAPER, ["look"] * 9, Status.REPETITION, False, False, 4),
        (PAPER, ["look", "x", "x", "x"], Status.REPETITION, False, False, 4),
        (PAPER, ["look", "ACTION: win?", "ACTION: win?", "win"], Status.COMPLETED, True, True, 4),
        (PAPER, ["a", "b", "c", "d", "e", "f"], Status.TURN_LIMIT, False, False, 6),
        (KIT, ["look", "look", "look"], Status.REPETITION, False, False, 3),
        (KIT, ["a", "b", "c", "d", "e", "f"], Status.INVALID_ACTION, False, False, 5),
        (KIT, ["a", "b", "c", "d", "look", "e"], Status.TURN_LIMIT, False, False, 6),
        (KIT, ["a", "Action: WIN"], Status.COMPLETED, True, True, 2),
    ],
)
def test_how_episodes_end(rules, replies, status, success, won, rounds):
    seen = ended(replies, rules, rounds=6)
    assert (seen.status, seen.success, seen.won, len(seen.commands)) == (status, success, won, rounds)


class WinsOnFourth(Recorded):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def step(self, command):
        self.steps += 1
        return protocol.Moment("ok", ["look"], self.steps == 4, self.steps == 4)


def test_winning_by_a_third_equal_reply_is_lost_in_the_paper_and_won_in_kit():
    for rules, success in ((PAPER, False), (KIT, True)):
        house = WinsOnFourth()
        replies = says("x", "look", "look", "look") if rules is PAPER else says("a", "b", "look", "look")
        seen = protocol.visit([], house.now, house, replies, protocol.Rules(35, **rules))
        assert (seen.won, seen.success) == (True, success)


def test_profile_paper_sends_upstreams_turns_and_maps_commands(mirror: Path):
    task = load_task("alfworld", "paper")
    sample = task.samples("smoke")[0]
    seen = []

    def player(messages):
        seen.append([message["content"] for message in messages])
        return ["THOUGHT: I look for the shelf.\n ACTION: walk to shelf 1\n", "AAAAA"][len(seen) > 1]

    outcome, session = play(task, sample, player)
    upstream = sources.prompts("alfworld")
    first = seen[0]
    assert first[:2] == [upstream["instruction"], upstream["instruction_reply"]]
    assert first[2] == "Here is one example.\n" + upstream["example_put"][0]["content"]
    assert first[3:-1] == [turn["content"] for turn in upstream["example_put"][1:]]
    assert (
        first[-1].startswith("Here is your task. You are in the middle of a room.")
        and "Welcome" not in first[-1]
    )
    assert seen[1][-1] == "On the shelf 1, you see a mug 1."
    assert outcome.status == Status.REPETITION and outcome.reward == 0.0
    assert outcome.metrics["mapped_commands"] == 1 and outcome.metrics["invalid_commands"] == 3
    assert "sent to the game: go to shelf 1" in [
        t["content"] for t in session.transcript if t["role"] == "note"
    ]


def test_profile_kit_neither_maps_nor_waits_long():
    task = load_task("alfworld")
    sample = task.samples("smoke")[0]
    outcome, session = play(task, sample, says(*[f"THOUGHT: {i}\nACTION: walk to shelf 1" for i in range(9)]))
    assert outcome.status == Status.INVALID_ACTION and session.calls == 5
    assert outcome.metrics["mapped_commands"] == 0
    assert session.transcript[-1]["content"] == "Nothing happens."


def test_every_kit_opening_is_short_and_alternates():
    task = load_task("alfworld")
    for kind in task.texts["examples"]:
        name = next(start for start, short in room("parsing").TYPES.items() if short == kind)
        turns = task.opening(name, "Welcome\n\nA room.\n\nYour task is to: rest.")
        assert [t["role"] for t in turns] == ["assistant" if i % 2 else "user" for i in range(len(turns))]
        assert len(turns) % 2 and sum(len(turn["content"]) for turn in turns) < 2600
        assert turns[-1]["content"].endswith("A room.\nYour task is to: rest.")


def test_prompt_identity_tells_profiles_apart(mirror: Path):
    kit, paper = (load_task("alfworld", profile).prompt_identity() for profile in ("kit", "paper"))
    assert kit.keys() == paper.keys() and kit["instruction"] != paper["instruction"]
    assert (
        paper["instruction"]
        == hashlib.sha256(sources.prompts("alfworld")["instruction"].encode()).hexdigest()
    )


def test_profile_paper_refuses_to_start_without_prompts_or_games(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    monkeypatch.delenv("MIRROR", raising=False)
    task = load_task("alfworld", "paper")
    with pytest.raises(MissingData, match="make data TASKS=.*alfworld"):
        task.check()
    with pytest.raises(MissingData, match="make data TASKS=alfworld"):
        task.samples("std")


def test_games_missing_beside_a_present_list_name_the_command(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if sources.available("alfworld-games"):
        pytest.skip("the archive is here")
    with pytest.raises(MissingData, match="alfworld-games is missing .*make data TASKS=alfworld"):
        load_task("alfworld", "paper").samples("std")


def test_the_paper_split_plays_from_a_folder(std_games: list[str], tmp_path: Path):
    """Upstream's list and prompts; the games behind its names are ours."""
    write_release(tmp_path / "alfworld", std_games)
    task = load_task("alfworld", "paper", {"data_path": str(tmp_path / "alfworld")})
    samples = task.samples("std")
    assert [s.data["game"] for s in samples] == std_games and samples[0].id == "std-0"
    last = samples[-1]
    outcome, _ = play(task, last, task.oracle(last))
    assert outcome.reward == 1.0 and outcome.metrics["type"] == last.target == "puttwo"
    text = (tmp_path / "alfworld" / last.data["game"]).read_bytes()
    assert outcome.metrics["game_sha256"] == hashlib.sha256(text).hexdigest()
    floor, _ = play(task, last, nop)
    assert floor.reward == 0.0


def record(index, reward, status="completed", kind="put", goal=None):
    metrics = {
        "type": kind,
        "goal_reached": bool(reward) if goal is None else goal,
        "rounds": 4,
        "mapped_commands": 1,
        "invalid_commands": 0,
    }
    return {"sample": f"std-{index}", "reward": reward, "status": status, "metrics": metrics}


def test_scores_have_upstreams_denominator_and_the_splits():
    records = [record(0, 1.0), record(1, 0.0, "turn_limit", "heat"), record(2, 0.0, "repetition", goal=True)]
    scores = load_task("alfworld").score(records)
    values = {name: (metric.value, metric.n) for name, metric in scores.metrics.items()}
    assert scores.main == "success_rate" and values["success_rate"] == (pytest.approx(100 / 3), 3)
    assert values["success_rate_all"] == (2.0, 50) and values["goal_rate"] == (pytest.approx(200 / 3), 3)
    assert values["success_put"] == (50.0, 2) and values["success_heat"] == (0.0, 1)
    assert values["success_cool"] == (None, 0) and values["repetitions"] == (1.0, 3)
    assert len(scores.notes) == 2
    assert load_task("alfworld").score([]).metrics["success_rate"].value is None
    context = {
        **record(3, 0.0, "context_limit"),
        "metrics": {},
    }  # what the runner makes of a prompt that is too long
    assert scoring.scores_of([context], 1).metrics["success_rate"].value == 0.0


@pytest.mark.parametrize("options", [{"data_path": 5}, {"accept_new_grammar": "yes"}])
def test_bad_options_are_refused(options):
    with pytest.raises(KitError, match=next(iter(options))):
        load_task("alfworld", "kit", options)


def test_unknown_split_is_refused():
    with pytest.raises(KitError, match="no split"):
        load_task("alfworld").samples("test")


def test_configs_name_the_splits():
    configs = load_folder_module("agentbench_old", home() / "AgentBench.old" / "src", "configs")
    folder = home() / "AgentBench.old/configs/tasks/alfworld"
    assert {p.stem for p in folder.glob("*.yaml")} == set(SPEC.splits)
    for path in folder.glob("*.yaml"):
        read = configs.read_task(path)
        assert (read.split, read.ignored, read.spec.name) == (path.stem, (), "alfworld")
        assert yaml.safe_load(path.read_text())["module"] == "src.tasks.ALFWorld"


def test_samples_are_plain_data():
    for sample in load_task("alfworld").samples("smoke"):
        assert isinstance(sample, Sample) and all(isinstance(value, str) for value in sample.data.values())
