"""make faults: the same run against a server and an environment that fail, killed in the middle and resumed.

Faults: 1 % each of 429, 500, connection resets, hangs, truncated and non-JSON bodies; 5 % of the environments crash
once; the whole process is killed with SIGKILL about half-way and its last line torn; then the run is resumed.
Compared with a fault-free run: every sample there once, the same reward and transcript, scores.json byte-identical.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import finish, stub_server
from stub_task import StubTask

from agenttuning.episodes.records import is_final, latest, read_records
from agenttuning.episodes.runner import run
from agenttuning.models.http import RetryPolicy
from agenttuning.models.registry import Model

EPISODES, WORKERS, FAULT_RATE, CRASH_RATE = 200, 64, 0.01, 0.05
POLICY = RetryPolicy(attempts=6, first_wait=0.02, longest_wait=0.5, timeout=1.0)


def play(port: int, runs: Path, crash_rate: float) -> Path:
    """One run to its end; returns its folder."""
    model = Model("stub", "tgi", (f"http://127.0.0.1:{port}",), "llama-2", policy=POLICY)
    return run(
        StubTask(EPISODES, crash_rate), "bench", model, workers=WORKERS, runs=runs, show_progress=False
    ).folder


def killed_and_resumed(port: int, runs: Path) -> Path:
    """A run killed with SIGKILL half-way, its file torn, then resumed to its end."""
    child = subprocess.Popen([sys.executable, __file__, "--child", str(port), str(runs)])
    records = runs / "stub" / "stub" / "bench-kit" / "records.jsonl"
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if records.exists() and records.read_bytes().count(b"\n") >= EPISODES // 2:
            os.kill(child.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    if child.wait() != -signal.SIGKILL:
        raise SystemExit("faults: the run ended before it could be killed")
    print(f"killed after {len(read_records(records))} of {EPISODES} samples")
    with records.open("ab") as file:
        file.write(b'{"sample": "episode-torn", "rew')
    return play(port, runs, CRASH_RATE)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        with stub_server() as port:
            clean = play(port, Path(scratch) / "clean", 0.0)
        with stub_server(fault_rate=FAULT_RATE) as port:
            rough = killed_and_resumed(port, Path(scratch) / "rough")
        want, all_lines = latest(read_records(clean / "records.jsonl")), read_records(rough / "records.jsonl")
        got = {k: v for k, v in latest(all_lines).items() if is_final(v)}
        finals = [r["sample"] for r in all_lines if is_final(r)]
        lost = len(want.keys() - got.keys())
        doubled = len(finals) - len(set(finals))
        misscored = sum(
            any(got[k][field] != want[k][field] for field in ("status", "reward", "prediction", "transcript"))
            for k in got
        )
        retries = sum(r["usage"]["retries"] for r in got.values())
        repeated = sum(r["attempts"] > 1 for r in got.values())
        same = (clean / "scores.json").read_bytes() == (rough / "scores.json").read_bytes()
    print(
        f"{retries} calls retried, {repeated} episodes repeated, scores.json {'byte-identical' if same else 'DIFFERENT'}"
    )
    finish(
        "faults", {"lost": lost, "doubled": doubled, "misscored": misscored, "scores_identical": int(same)}
    )
    print(f"faults: {lost} lost, {doubled} doubled, {misscored} misscored")
    if lost or doubled or misscored or not same or not retries or not repeated:
        raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        play(int(sys.argv[2]), Path(sys.argv[3]), CRASH_RATE)
    else:
        main()
