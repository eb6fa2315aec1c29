"""Games and engine: lists, archives and folders that are wrong, the grammar trap, the engine's own behaviour."""

from __future__ import annotations

import json
import multiprocessing
import re
import zipfile
from pathlib import Path

import pytest

from agenttuning import sources
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import KitError, MissingData, MissingDependency

from .conftest import room, write_release

pytest.importorskip("textworld", reason="the ALFWorld engine is not installed: make setup-alfworld")

games, engine = room("games"), room("engine")
task = load_task("alfworld")
SMOKE = {sample.id: sample for sample in task.samples("smoke")}


def smoke_game(number: int):
    return task.game(SMOKE[f"smoke-{number:02}"])[0]


def walkthrough(number: int) -> list[tuple[str, bool]]:
    with engine.House(smoke_game(number), planner=True) as house:
        house.reset()
        plan = house.plan()
    with engine.House(smoke_game(number)) as house:
        house.reset()
        moments = [house.step(command) for command in plan]
    return [(moment.text, moment.won) for moment in moments]


def test_the_paper_list_has_50_games_of_six_types(std_games: list[str]) -> None:
    parsing = room("parsing")
    kinds = [parsing.task_type(parsing.game_name(game)) for game in std_games]
    assert len(std_games) == 50 and all(game.startswith("json_2.1.1/valid_unseen/") for game in std_games)
    counts = {kind: kinds.count(kind) for kind in parsing.TYPES.values()}
    assert counts == {"put": 9, "clean": 9, "heat": 8, "cool": 8, "examine": 8, "puttwo": 8}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[1]",
        '{"a": 1}',
        '{"a": [1]}',
        '{"a": ["x.json"]}',
        '{"a": ["../x.tw-pddl"]}',
        '{"a": ["x.tw-pddl", "x.tw-pddl"]}',
    ],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "std.json"
    path.write_text(content)
    with pytest.raises(KitError, match="std.json"):
        games.listed(path)


def test_smoke_games_have_the_grammar_of_the_papers_games() -> None:
    for number in range(1, 14):
        game = smoke_game(number)
        assert games.put_command(game["grammar"]) == "put {o} in/on {r}"
        assert "move {o}" not in game["grammar"] and "help" not in game["grammar"]
        assert "(:action help" not in game["pddl_domain"] and "UNKNOWN GOAL" not in game["grammar"]


def test_engine_speaks_the_old_grammar() -> None:
    """Replies of the engine that the protocol and its examples rely on, on the egg of smoke-09."""
    with engine.House(smoke_game(9)) as house:
        first = house.reset()
        assert (
            first.text.startswith("-= Welcome") and "a fridge 1, a garbagecan 1, a microwave 1" in first.text
        )
        assert first.text.endswith("Your task is to: heat some egg and put it in garbagecan.")
        assert first.commands == sorted(first.commands) and "go to fridge 1" in first.commands
        assert house.step("fly to the moon").text == "Nothing happens."
        assert re.fullmatch(
            r"You arrive at loc \d\. The fridge 1 is closed\.", house.step("go to fridge 1").text
        )
        assert house.step("open fridge 1").text.endswith("In it, you see a egg 1.")
        assert house.step("take egg 1 from fridge 1").text == "You pick up the egg 1 from the fridge 1."
        assert house.step("inventory").text == "You are carrying: a egg 1."
        house.step("go to microwave 1")
        assert house.step("heat egg 1 with microwave 1").text == "You heat the egg 1 using the microwave 1."
        at_bin = house.step("go to garbagecan 1")
        assert "put egg 1 in/on garbagecan 1" in at_bin.commands and "help" not in at_bin.commands
        assert not any(command.startswith("move ") for command in at_bin.commands)
        end = house.step("put egg 1 in/on garbagecan 1")
        assert end.text == "You put the egg 1 in/on the garbagecan 1." and end.won and end.done


def test_engines_are_reused_without_leftovers() -> None:
    before = walkthrough(13)
    assert before[-1][1] and not any(won for _, won in before[:-1])
    assert walkthrough(4)[-1][1]
    assert walkthrough(13) == before


@pytest.mark.parametrize("damage", ["problem", "domain", "grammar"])
def test_a_broken_game_is_an_environment_failure_and_the_next_one_works(damage: str) -> None:
    game = smoke_game(1)
    key = {"problem": "pddl_problem", "domain": "pddl_domain", "grammar": "grammar"}[damage]
    with pytest.raises(EnvironmentFailure, match="TextWorld cannot load"):
        engine.House({**game, key: game[key][: len(game[key]) // 2]})
    assert walkthrough(1)[-1][1]


def test_a_closed_game_cannot_be_played() -> None:
    house = engine.House(smoke_game(1))
    house.reset()
    house.close()
    house.close()
    with pytest.raises(EnvironmentFailure, match="over or broken"):
        house.step("look")


def test_a_library_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import fast_downward

    def refuse() -> None:
        raise OSError("failed to map segment from shared object")

    monkeypatch.setattr(engine, "_IDLE", [])
    monkeypatch.setattr(fast_downward, "load_lib", refuse)
    with pytest.raises(MissingDependency, match="TMPDIR"):
        engine.House(smoke_game(1))


def test_other_logic_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    domain, grammar = engine.logic_texts()
    monkeypatch.setattr(
        games, "logic_texts", lambda: (domain, grammar.replace("move {o} to {r}", "place {o} at {r}"))
    )
    with pytest.raises(MissingDependency, match="alfworld==0.4.2"):
        games.own_game("", "x")


def play_in_process(number: int) -> bool:
    return walkthrough(number)[-1][1]


def test_two_spawned_processes_play_at_once() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(play_in_process, [2, 6]) == [True, True]


LISTED = [
    "json_2.1.1/valid_unseen/pick_and_place_simple-A-None-B-1/trial_1/game.tw-pddl",
    "json_2.1.1/valid_unseen/look_at_obj_in_light-A-None-B-1/trial_1/game.tw-pddl",
]


def test_games_of_the_new_grammar_are_refused_by_name(tmp_path: Path) -> None:
    write_release(tmp_path, LISTED[:1])
    write_release(tmp_path, LISTED[1:], **{"put {o} in/on {r}": "move {o} to {r}"})
    with pytest.raises(KitError, match="the game .*look_at_obj_in_light.* alfworld 0.4") as caught:
        games.Games(tmp_path, False).check(LISTED)
    assert "accept_new_grammar=true" in str(caught.value)
    games.Games(tmp_path, True).check(LISTED)


def test_missing_games_are_one_sentence(tmp_path: Path) -> None:
    write_release(tmp_path, LISTED[:1])
    with pytest.raises(
        MissingData, match="the game .*look_at_obj.* is missing in .*make data TASKS=alfworld"
    ):
        games.Games(tmp_path, False).check(LISTED)
    with pytest.raises(MissingData, match="2 of 2 games, the first of them .*pick_and_place.*, are missing"):
        games.Games(tmp_path / "nowhere", False).check(LISTED)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"pddl_domain": "", "grammar": 1, "pddl_problem": ""}', "\udcff"]
)
def test_files_that_are_no_games_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / LISTED[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(KitError, match="pick_and_place_simple"):
        games.Games(tmp_path, False).check(LISTED[:1])


def test_games_are_read_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_release(tmp_path, LISTED)
    archive = tmp_path / "games.zip"
    with zipfile.ZipFile(archive, "w") as pack:
        pack.write(tmp_path / LISTED[0], LISTED[0])
    monkeypatch.setattr(sources, "file", lambda key: archive)
    monkeypatch.setattr(sources, "available", lambda key: True)
    found = games.Games(None, False)
    assert json.loads(found.text(LISTED[0]))["grammar"]
    with pytest.raises(MissingData, match="look_at_obj.*is missing in .*games.zip"):
        found.check(LISTED)
    archive.write_bytes(b"not a zip")
    with pytest.raises(KitError, match="zip archive"):
        games.Games(None, False).check(LISTED)
