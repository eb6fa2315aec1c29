"""make bench-harness: what the harness costs beside the model.

200 episodes of 10 turns with 64 workers, full transcripts, durable records, against a stub server that answers in
0 and in 50 ms. In the same run: the floor (a bare async client doing the same calls, keeping nothing) and the naive
way (a thread pool that opens a new connection for each call, as upstream's client does with requests.post).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import requests
from common import finish, stub_server
from stub_task import OBSERVATION, TURNS, StubTask

from agenttuning.episodes.runner import run
from agenttuning.models.registry import Model
from agenttuning.models.templates import render
from agenttuning.models.types import Message

EPISODES, WORKERS, ROUNDS = 200, 64, 3


def bodies() -> list[dict[str, object]]:
    """The ten requests of one episode (replies replaced by a text of the same length)."""
    messages: list[Message] = [{"role": "user", "content": f"Task episode-0. {OBSERVATION}"}]
    found: list[dict[str, object]] = []
    for turn in range(TURNS):
        found.append(
            {
                "inputs": render("llama-2", messages),
                "parameters": {"max_new_tokens": 128, "do_sample": False, "details": True},
            }
        )
        messages.append(
            {"role": "assistant", "content": "Thought: I look at " + "abcd " * 16 + ".\nAction: step abcdef"}
        )
        messages.append({"role": "user", "content": f"Turn {turn}. {OBSERVATION}"})
    return found


def kit(port: int) -> tuple[float, float]:
    """Wall seconds and CPU seconds of a whole run of the kit."""
    model = Model("stub", "tgi", (f"http://127.0.0.1:{port}",), "llama-2")
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        result = run(
            StubTask(EPISODES), "bench", model, workers=WORKERS, runs=Path(folder), show_progress=False
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    calls = sum(r["usage"]["calls"] for r in result.records)
    transcripts = sum(len(r["transcript"]) for r in result.records)
    assert calls == EPISODES * TURNS and transcripts == EPISODES * (2 * TURNS + 1), "the run is not complete"
    return wall, cpu


def floor(port: int, requests_of_episode: list[dict[str, object]]) -> float:
    """Wall seconds of a bare async client: the same calls, the same concurrency, nothing kept."""

    async def everything() -> None:
        todo = iter(range(EPISODES))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=WORKERS)) as session:

            async def work() -> None:
                for _ in todo:
                    for body in requests_of_episode:
                        async with session.post(f"http://127.0.0.1:{port}/generate", json=body) as answer:
                            await answer.json()

            await asyncio.gather(*(work() for _ in range(WORKERS)))

    started = time.perf_counter()
    asyncio.run(everything())
    return time.perf_counter() - started


def naive(port: int, requests_of_episode: list[dict[str, object]]) -> float:
    """Wall seconds of a thread pool that opens a connection per call."""

    def episode(_: int) -> None:
        for body in requests_of_episode:
            requests.post(f"http://127.0.0.1:{port}/generate", json=body, timeout=120).json()

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(episode, range(EPISODES)))
    return time.perf_counter() - started


def main() -> None:
    turns = EPISODES * TURNS
    episode = bodies()
    walls: dict[str, list[float]] = {
        "kit": [],
        "naive": [],
        "floor": [],
        "kit50": [],
        "floor50": [],
        "cpu": [],
    }
    with stub_server(0) as port:
        kit(port)  # warm-up
        for _ in range(ROUNDS):
            wall, cpu = kit(port)
            walls["kit"].append(wall)
            walls["cpu"].append(cpu)
            walls["naive"].append(naive(port, episode))
            walls["floor"].append(floor(port, episode))
    with stub_server(50) as port:
        for _ in range(ROUNDS):
            walls["kit50"].append(kit(port)[0])
            walls["floor50"].append(floor(port, episode))
    middle = {name: statistics.median(values) for name, values in walls.items()}
    print(f"{EPISODES} episodes x {TURNS} turns, {WORKERS} workers, median of {ROUNDS} rounds")
    print(
        f"  0 ms: kit {turns / middle['kit']:.0f} turns/s, bare async {turns / middle['floor']:.0f}, naive {turns / middle['naive']:.0f}"
    )
    print(f" 50 ms: kit {middle['kit50']:.2f} s, bare async {middle['floor50']:.2f} s")
    finish(
        "harness",
        {
            "turns_per_s": round(turns / middle["kit"]),
            "naive_ratio": round(
                statistics.median(n / k for n, k in zip(walls["naive"], walls["kit"], strict=True)), 2
            ),
            "floor_ratio_50ms": round(
                statistics.median(k / f for k, f in zip(walls["kit50"], walls["floor50"], strict=True)), 3
            ),
            "cpu_ms_per_turn": round(1000 * middle["cpu"] / turns, 3),
        },
    )


if __name__ == "__main__":
    main()
