"""Speed of the engine: commands per second of one process, and how much a second process adds."""

from __future__ import annotations

import random
import subprocess
import sys
import time

from agenttuning.episodes.rooms import load_task
from agenttuning.errors import KitError

from .engine import House

SECONDS = 3.0
WALKER = "from agenttuning.episodes.rooms import find_spec, room_module; print(room_module(find_spec('alfworld'), 'bench').walk({seconds}))"


def bench() -> dict[str, float]:
    """alfworld_steps_per_s_1_worker: commands per second on our smoke games (4 or 5 places, 2 to 4 things), random valid ones.

    alfworld_steps_per_s_2_workers: two processes at once, together. alfworld_scaling_2_workers: the quotient (2 is ideal).
    alfworld_games_per_s: games loaded and started by one process.
    """
    alone = sum(_walkers(1))
    together = sum(_walkers(2))
    return {
        "alfworld_steps_per_s_1_worker": alone,
        "alfworld_steps_per_s_2_workers": together,
        "alfworld_scaling_2_workers": together / alone,
        "alfworld_games_per_s": _loads(),
    }


def walk(seconds: float) -> float:
    """Commands per second of this process on random walks of 35 commands; loading games is not counted."""
    task = load_task("alfworld")
    dice = random.Random(0)
    steps, spent = 0, 0.0
    for sample in task.samples("smoke") * 100:
        with House(task.game(sample)[0]) as house:  # type: ignore[attr-defined]
            commands = house.reset().commands
            started = time.perf_counter()
            for _ in range(35):
                commands = house.step(dice.choice(commands)).commands
                steps += 1
            spent += time.perf_counter() - started
        if spent >= seconds:
            break
    return steps / spent


def _walkers(count: int) -> list[float]:
    command = [sys.executable, "-c", WALKER.format(seconds=SECONDS)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    said = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise KitError("a process of the alfworld bench failed")
    return [float(text.split()[-1]) for text in said]


def _loads() -> float:
    task = load_task("alfworld")
    samples = task.samples("smoke")
    games = [task.game(sample)[0] for sample in samples]  # type: ignore[attr-defined]
    with House(games[0]) as house:  # imports and the first engine are not the games' time
        house.reset()
    started = time.perf_counter()
    for game in games:
        with House(game) as house:
            house.reset()
    return len(games) / (time.perf_counter() - started)
