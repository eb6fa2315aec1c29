"""Speed of the sandboxes: the smoke split played by the oracle, with and without the pool, and one command's latency."""

from __future__ import annotations

import statistics
import time

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.models.scripted import ScriptedEndpoint

from .images import ensure
from .sandbox import Engine, Limits, connect
from .scripts import Script

SAMPLES = 8
COMMANDS = 100
SCRIPTS = 20


def bench() -> dict[str, float]:
    """Samples per minute one after the other (a pool of 2, and none), medians of a shell command and of a script.

    The oracle thinks for no time, so the pool's starts compete with it; behind a model they are hidden. `wait` is
    the time a sample waits for its sandbox when the pool has one.
    """
    shell, script = _latencies()
    return {
        "os_samples_per_min_pool": _rate(2),
        "os_samples_per_min_no_pool": _rate(0),
        "os_wait_ms_pool": _wait(2) * 1000,
        "os_wait_ms_no_pool": _wait(0) * 1000,
        "os_shell_command_median_ms": shell * 1000,
        "os_script_median_ms": script * 1000,
    }


def _rate(pool: int) -> float:
    task = load_task("os_interaction", options={"pool": pool})
    samples = task.samples("smoke")[:SAMPLES]
    generation = task.base_generation("greedy")
    task.open()
    try:
        started = time.perf_counter()
        for sample in samples:
            outcome = task.play(sample, Session(ScriptedEndpoint("oracle", task.oracle(sample)), generation))
            if outcome.reward != 1.0:
                raise RuntimeError(f"the example of {sample.id} does not pass")
        return 60 * len(samples) / (time.perf_counter() - started)
    finally:
        task.close()


def _wait(pool: int) -> float:
    from .pool import Pool

    client = connect()
    waits = []
    made = Pool(Engine(client, ensure(client), Limits()), pool)
    try:
        for _ in range(5):
            made.wait_until_full()
            started = time.perf_counter()
            with made.sandbox():
                waits.append(time.perf_counter() - started)
    finally:
        made.close()
    return statistics.median(waits)


def _latencies() -> tuple[float, float]:
    client = connect()
    sandbox = Engine(client, ensure(client), Limits()).start()
    try:
        shell: list[float] = []
        script: list[float] = []
        for times, count, call in (
            (shell, COMMANDS, lambda: sandbox.shell.run("echo $PWD")),
            (script, SCRIPTS, lambda: sandbox.run(Script("bash", "true"))),
        ):
            for _ in range(count):
                started = time.perf_counter()
                call()
                times.append(time.perf_counter() - started)
        return statistics.median(shell), statistics.median(script)
    finally:
        sandbox.end("")
