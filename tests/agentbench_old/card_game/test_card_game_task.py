"""The room as the runner sees it: games, requests, endings, scores, transcript, profile paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agenttuning.episodes import runner
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.types import EnvironmentFailure, Outcome, Sample, Status, Task
from agenttuning.errors import KitError, MissingData
from agenttuning.models.registry import find_model, replay_of
from agenttuning.models.scripted import nop
from agenttuning.models.types import ContextLimit, Overloaded

from .conftest import SPEC, play, room

parsing, transcript, vectors, sight_module = (
    room("parsing"),
    room("transcript"),
    room("vectors"),
    room("sight"),
)
GUESS = '{"guess_type": "eel", "target_position": 0}'
ATTACK = '{"pick_fish": "eel", "action": "normal", "target_position": "%d"}'


def is_guess(messages: Any) -> bool:
    return '{"You"' not in messages[-1]["content"]


def attacker(messages: Any) -> str:
    """Guesses nothing sensible and hits the first living enemy with its first living fish."""
    if is_guess(messages):
        return GUESS
    state = json.loads(next(x for x in messages[-1]["content"].splitlines() if x.startswith('{"You"')))
    alive = {side: [i for i, f in enumerate(state[side]) if f["HP"] != "0"] for side in ("You", "Enemy")}
    fish = parsing.NAMES[alive["You"][0]]
    return json.dumps({"pick_fish": fish, "action": "normal", "target_position": alive["Enemy"][0]})


def test_splits_have_upstreams_games_in_upstreams_order(task: Task) -> None:
    for split, times in (("dev", 3), ("std", 5), ("ext", 50)):
        samples = task.samples(split)
        assert len(samples) == SPEC.splits[split]["samples"] == 4 * times
        seen = [(s.data["opponent"], s.data["seat"]) for s in samples[::times]]
        assert seen == [("baseline1", 0), ("baseline1", 1), ("baseline2", 0), ("baseline2", 1)]
        assert len({s.data["seed"] for s in samples}) == len({s.id for s in samples}) == 4 * times
    assert SPEC.splits["ext"]["paper"] and len(task.samples("smoke")) == SPEC.splits["smoke"]["samples"] >= 12


def test_game_seed_and_test_time_change_the_games() -> None:
    plain = load_task("card_game").samples("dev")
    other = load_task("card_game", options={"game_seed": 7}).samples("dev")
    assert not {s.data["seed"] for s in plain} & {s.data["seed"] for s in other}
    assert len(load_task("card_game", options={"test_time": 2}).samples("ext")) == 8


@pytest.mark.parametrize(
    "options",
    [{"game_seed": -1}, {"game_seed": "a"}, {"test_time": True}, {"test_time": 10**9}, {"message_seconds": "x"},
     {"clean_prompts": 1}],
)  # fmt: skip
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(KitError, match=next(iter(options))):
        load_task("card_game", options=options)


def test_unknown_split_is_named(task: Task) -> None:
    with pytest.raises(KitError, match="smoke"):
        task.samples("test")


def test_oracle_wins_and_nop_loses_every_smoke_game(task: Task) -> None:
    for sample in task.samples("smoke"):
        outcome, _ = play(task, sample)
        assert (outcome.reward, outcome.status, task.ceiling(sample)) == (1.0, Status.COMPLETED, 1.0)
        lost, session = play(task, sample, nop)
        assert (lost.reward, lost.status) == (0.0, Status.INVALID_FORMAT)
        assert lost.metrics["full_play"] == 0 and lost.metrics["failed_guesses"] == 1


def test_a_game_without_a_winning_variant_has_ceiling_0(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room("task"), "winning_variant", lambda *game: None)
    sample = task.samples("smoke")[0]
    assert task.ceiling(sample) == 0 and "400 variants" in task.ceiling_note(sample)


def test_a_plain_player_reaches_the_end_and_the_numbers_fit(task: Task) -> None:
    results = {
        play(task, sample, attacker)[0].reward for sample in task.samples("smoke") + task.samples("std")
    }
    assert results == {0.0, 1.0}
    outcome, session = play(task, task.samples("smoke")[9], attacker)
    assert outcome.status == Status.COMPLETED and outcome.metrics["full_play"] == 1
    assert session.calls == sum(
        1 for t in session.transcript if t["role"] == "assistant" and "scripted" not in t
    )
    assert (outcome.metrics["takedown"] == 4) == (outcome.reward == 1.0)


def test_five_attempts_then_no_guess_but_the_game_goes_on(task: Task) -> None:
    count = {"guess": 0, "move": 0}

    def player(messages: Any) -> str:
        if is_guess(messages):
            count["guess"] += 1
            return f"hm {count['guess']}"
        count["move"] += 1
        return attacker(messages)

    outcome, _ = play(task, task.samples("smoke")[0], player, sampling="upstream")
    assert outcome.status == Status.COMPLETED
    assert (
        count["guess"] == 5 * outcome.metrics["failed_guesses"]
        and outcome.metrics["failed_guesses"] >= count["move"]
    )
    assert outcome.metrics["extra_attempts"] == 4 * outcome.metrics["failed_guesses"]
    assert outcome.metrics["try_times"] == 0


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("no idea", Status.INVALID_FORMAT),
        ("", Status.INVALID_FORMAT),
        ('{"pick_fish": "whale"}', Status.INVALID_ACTION),
    ],
)
@pytest.mark.parametrize(("sampling", "calls"), [("upstream", 5), ("greedy", 2)])
def test_without_a_legal_move_the_game_is_lost(
    task: Task, reply: str, status: Status, sampling: str, calls: int
) -> None:
    outcome, session = play(
        task, task.samples("smoke")[0], lambda m: GUESS if is_guess(m) else reply, sampling
    )
    assert (outcome.status, outcome.reward, session.calls) == (status, 0.0, 1 + calls)
    assert outcome.detail and outcome.metrics["win_round"] == 0


def test_the_fifth_attempt_still_counts(task: Task) -> None:
    tries = iter(range(100))

    def player(messages: Any) -> str:
        if is_guess(messages):
            return GUESS
        return attacker(messages) if next(tries) % 5 == 4 else "no"

    outcome, _ = play(task, task.samples("smoke")[0], player, sampling="upstream")
    assert (
        outcome.status == Status.COMPLETED
        and outcome.metrics["try_times"] % 4 == 0 != outcome.metrics["try_times"]
    )


def test_a_prompt_that_no_longer_fits_loses_with_its_own_status(task: Task) -> None:
    def player(messages: Any) -> str:
        if not is_guess(messages):
            raise ContextLimit("the prompt has 4097 tokens")
        return GUESS

    outcome, _ = play(task, task.samples("smoke")[3], player)
    assert (outcome.status, outcome.reward) == (Status.CONTEXT_LIMIT, 0.0) and outcome.metrics["opponent"]


def test_a_dead_server_is_no_loss(task: Task) -> None:
    def player(messages: Any) -> str:
        raise Overloaded("429")

    with pytest.raises(Overloaded):
        play(task, task.samples("smoke")[0], player)


def test_the_clock_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from agenttuning.episodes import session

    ticks = iter(range(0, 10**9, 100))  # every model call takes 100 s
    monkeypatch.setattr(session.time, "perf_counter", lambda: next(ticks))
    sample = load_task("card_game").samples("smoke")[0]
    outcome, _ = play(load_task("card_game"), sample)
    assert outcome.reward == 1.0
    late, _ = play(load_task("card_game", options={"message_seconds": 99}), sample)
    assert (late.status, late.reward) == (Status.TURN_LIMIT, 0.0) and "99 s" in late.detail


def test_a_refused_reply_that_no_model_wrote_is_the_environments_failure(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight_module.Sight, "attack_reply", lambda self, mine, enemy: {"Action": "Action"})
    with pytest.raises(EnvironmentFailure, match="no model wrote"):
        play(task, task.samples("smoke")[0], attacker)


def test_requests_hold_the_last_three_guesses_and_two_moves(task: Task) -> None:
    seen: dict[bool, list[Any]] = {True: [], False: []}

    def player(messages: Any) -> str:
        seen[is_guess(messages)].append(messages)
        return attacker(messages)

    play(task, task.samples("smoke")[0], player)
    assert [len(m) for m in seen[True][:5]] == [3, 5, 7, 9, 9]
    assert [len(m) for m in seen[False][:5]] == [3, 5, 7, 7, 7]
    first, fifth = seen[True][0], seen[True][4]
    assert (
        fifth[:2] == first[:2] and fifth[2] == seen[True][1][-1]
    )  # rules first, then the oldest remembered turn


@pytest.mark.mirror
def test_profile_paper_puts_the_rules_after_the_history(paper: Task) -> None:
    seen: list[Any] = []

    def player(messages: Any) -> str:
        seen.append(messages)
        return attacker(messages)

    outcome, session = play(paper, paper.samples("smoke")[0], player)
    guesses = [m for m in seen if is_guess(m)]
    assert guesses[1][0] == guesses[0][-1] and guesses[1][2:4] == guesses[0][:2]
    assert '{"Position: 0": "Counter"}' in guesses[0][-1]["content"]
    said = [t["content"] for t in session.transcript if t["role"] != "note"]
    assert len(said) == 4 + 2 * session.calls  # both rules with their answers, every prompt and reply once
    assert len(guesses[0]) == 3 and paper.prompt_identity().keys() >= {"guess_rules", "omitted_notice"}


@pytest.mark.mirror
def test_clean_prompts_show_true_positions(mirror: Path) -> None:
    clean = load_task("card_game", "paper", {"clean_prompts": True})
    seen: list[str] = []

    def player(messages: Any) -> str:
        seen.append(messages[-1]["content"])
        return attacker(messages)

    play(clean, clean.samples("smoke")[0], player)
    assert "passive ability: {}" in seen[0] and "'TARGET': '[0]'" in seen[3]
    shown = [s for s in seen if "'SKILL_TYPE': 'AOE'" in s]
    assert shown and "'TARGET': '[0, 1, 2, 3]'" in shown[0]


@pytest.mark.mirror
def test_oracle_wins_with_upstreams_prompts_too(paper: Task) -> None:
    for sample in paper.samples("dev"):
        assert play(paper, sample)[0].reward == 1.0
    assert play(paper, paper.samples("dev")[0], nop)[0].reward == 0.0


def test_profile_paper_without_the_prompts_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    monkeypatch.delenv("MIRROR", raising=False)
    with pytest.raises(MissingData, match="make data"):
        load_task("card_game", "paper").check()


def record(sample: Sample, outcome: Outcome) -> dict[str, Any]:
    return {
        "sample": sample.id,
        "reward": outcome.reward,
        "status": str(outcome.status),
        "metrics": outcome.metrics,
    }


def test_scores(task: Task) -> None:
    samples = task.samples("smoke")
    records = [
        record(s, play(task, s, None if s.data["opponent"] == "baseline1" else nop)[0]) for s in samples
    ]
    scores = task.score(records)
    shown = {name: metric.value for name, metric in scores.metrics.items()}
    assert scores.main == SPEC.metric == "win_rate" and shown["win_rate"] == 50 == shown["full_play"]
    assert (shown["win_rate_baseline1"], shown["win_rate_baseline2"]) == (100, 0)
    assert (
        shown["takedown"] == 2
        and scores.metrics["win_rate"].n == 12
        and scores.metrics["win_rate_baseline1"].n == 6
    )
    assert 50 <= (shown["damage_rate"] or 0) < 51
    assert task.score([]).metrics["win_rate"].value is None


def test_view_tells_the_fight_turn_by_turn(task: Task) -> None:
    outcome, session = play(task, task.samples("smoke")[0])
    text = transcript.view({"transcript": session.transcript})
    lines = text.splitlines()
    assert (
        lines[0].startswith("the model lines up spray, flame, eel, sunfish") and lines[-1] == "the model wins"
    )
    turns = [line for line in lines if line.startswith("Turn ")]
    assert turns == [f"Turn {i + 1}: {('the model', 'the opponent')[i % 2]}" for i in range(len(turns))]
    assert sum(line.startswith("    model:") for line in lines) == len(turns)
    assert "right, all four fish there lose 50" in text and "dead" in text and "deflects" in text
    lost, session = play(task, task.samples("smoke")[0], nop)
    assert "gives no legal move and loses" in transcript.view({"transcript": session.transcript})
    assert transcript.view({"transcript": [{"role": "user", "content": "x"}]}) is None
    assert transcript.view({}) is None


def test_run_resume_and_replay_give_the_same_games(runs: Path) -> None:
    first = runner.run("card_game", "smoke", find_model("oracle"), show_progress=False, limit=4)
    again = runner.run("card_game", "smoke", find_model("oracle"), show_progress=False, limit=4)
    assert (first.played, again.played, first.scores["value"]) == (4, 0, 100.0)
    replayed = runner.run(
        "card_game", "smoke", replay_of(first.folder), show_progress=False, limit=4, runs=runs / "again"
    )
    for one, two in zip(first.records, replayed.records, strict=True):
        assert one["transcript"] == two["transcript"] and one["metrics"] == two["metrics"]


def test_number_of_workers_does_not_matter(runs: Path) -> None:
    one = runner.run(
        "card_game", "std", find_model("oracle"), show_progress=False, workers=1, runs=runs / "1"
    )
    many = runner.run(
        "card_game", "std", find_model("oracle"), show_progress=False, workers=8, runs=runs / "8"
    )
    assert [r["transcript"] for r in one.records] == [r["transcript"] for r in many.records]


def test_bench_reports_games_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = room("bench")
    monkeypatch.setattr(bench, "SECONDS", 0.05)
    rates = bench.bench()
    assert set(rates) == {"card_games_per_s", "card_game_samples_per_s"} and all(
        r > 1 for r in rates.values()
    )


def test_adapters_tell_what_the_engine_does() -> None:
    """The differential vectors compare what the engine does, not what was recorded."""
    case = {
        "case": "own",
        "function": "engine_game",
        "input": {"replies": [[0, {"Action": "Pick", "ChooseFishs": [1, 2, 3, 4]}], [1, {"Action": "Pick"}]]},
    }
    found = vectors.ADAPTERS["engine_game"](case)
    assert found["end_info"] == {"0": 100, "1": 0} and found["steps"][1][5] == {
        "errors": [{"player": 1, "type": 5}]
    }
    assert SPEC.name == vectors.PAGE
