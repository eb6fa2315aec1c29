"""Speed of the card game: whole games of scripted players, seconds not minutes."""

from __future__ import annotations

import time
from collections.abc import Callable

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.models.scripted import ScriptedEndpoint

from .engine import Game
from .opponents import Baseline1, Baseline2, Dice

SECONDS = 2.0


def bench() -> dict[str, float]:
    """card_games_per_s: the two opponents against each other on the engine, without prompts.

    card_game_samples_per_s: whole samples of the smoke split as in a run (prompts, parsing, transcript), the scripted
    strong player against the opponents; its rehearsals are made before the clock starts.
    """
    return {"card_games_per_s": _rate(_engine_game), "card_game_samples_per_s": _sample_rate()}


def _engine_game(number: int) -> None:
    game = Game()
    players = (Baseline1(Dice(f"bench-{number}")), Baseline2(Dice(f"hcneb-{number}")))
    while not game.over:
        game.submit(players[game.turn].answer(game.message()))


def _sample_rate() -> float:
    task = load_task("card_game")
    samples = task.samples("smoke")
    generation = task.base_generation("greedy")
    players = [task.oracle(sample) for sample in samples for _ in range(4)]

    def play(number: int) -> None:
        endpoint = ScriptedEndpoint("oracle", players[number])
        outcome = task.play(samples[number // 4], Session(endpoint, generation))
        if outcome.reward != 1.0:
            raise RuntimeError(f"the scripted player lost {samples[number // 4].id}")

    return _rate(play, len(players))


def _rate(play: Callable[[int], None], most: int | None = None) -> float:
    """Calls per second, measured for SECONDS or `most` calls."""
    started = time.perf_counter()
    number = 0
    while time.perf_counter() - started < SECONDS and (most is None or number < most):
        play(number)
        number += 1
    return number / (time.perf_counter() - started)
