"""Runs many samples at once, in threads or in spawned processes; yields records as they finish."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from agenttuning.episodes.playing import Desk
from agenttuning.episodes.records import make_record
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Cancelled
from agenttuning.episodes.types import Outcome, Sample, Status, Task
from agenttuning.models.registry import Model

Job = tuple[int, Sample]

LIVES = 3  # deaths of worker processes an episode may be part of
JOIN_SECONDS = 10.0  # how long a stopped run waits for episodes to close their environments


@dataclass(frozen=True)
class Settings:
    """What a worker process needs to build its own desk. Picklable."""

    task: str
    profile: str
    options: dict[str, Any]
    model: Model
    sampling: str
    seed: int | None
    system: str | None


def in_threads(
    desk: Desk, jobs: Sequence[Job], workers: int, deadline: float = math.inf
) -> Generator[dict[str, Any], None, None]:
    """Records of all jobs in order of completion. Stopping the generator sets desk.stop and joins the threads.

    Args:
        deadline: value of time.monotonic() after which no further job is begun.
    """
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    done: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            while not desk.stop.is_set() and time.monotonic() < deadline:
                try:
                    index, sample = todo.get_nowait()
                except queue.Empty:
                    break
                done.put(desk.play(sample, index))
        except Cancelled:
            pass
        except BaseException as error:  # handed to the caller's thread, which knows what to do
            done.put(error)
        finally:
            done.put(None)

    threads = [
        threading.Thread(target=work, name=f"episode-{i}", daemon=True)
        for i in range(min(workers, len(jobs)))
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            item = done.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        desk.stop.set()
        patience = time.monotonic() + JOIN_SECONDS
        for thread in threads:  # a thread still waiting for a reply is a daemon and ends with the process
            thread.join(timeout=max(0.0, patience - time.monotonic()))


_desk: Desk | None = None


def in_processes(
    settings: Settings, jobs: Sequence[Job], workers: int, deadline: float = math.inf
) -> Generator[dict[str, Any], None, None]:
    """Like `in_threads`, for environments that are not thread-safe.

    When a worker dies, the episodes under way are played again in new workers; one that was under way at three deaths
    is given up as env_error.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(jobs)
    deaths: Counter[int] = Counter()
    while waiting and time.monotonic() < deadline:
        executor = ProcessPoolExecutor(min(workers, len(waiting)), context, _start_worker, (settings,))
        running: dict[Future[dict[str, Any]], Job] = {}
        broken: list[Job] = []
        try:
            while True:
                while waiting and not broken and len(running) < workers and time.monotonic() < deadline:
                    job = waiting.popleft()
                    try:
                        running[executor.submit(_play, job)] = job
                    except BrokenProcessPool:
                        broken.append(job)
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    job = running.pop(future)
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        broken.append(job)
        finally:
            _stop(executor)
        for job in broken:
            deaths[job[0]] += 1
            if deaths[job[0]] < LIVES:
                waiting.append(job)
            else:
                yield _lost(job)


def _lost(job: Job) -> dict[str, Any]:
    index, sample = job
    outcome = Outcome(Status.ENV_ERROR, None, detail=f"the worker process died {LIVES} times under it")
    none = {"calls": 0, "retries": 0, "prompt_tokens": 0, "completion_tokens": 0}
    return make_record(
        sample, index, outcome, attempts=3, usage=none, seconds={"wall": 0.0, "model": 0.0}, transcript=[]
    )


def _stop(executor: ProcessPoolExecutor) -> None:
    processes = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + JOIN_SECONDS
    for process in processes:
        process.join(timeout=max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _start_worker(settings: Settings) -> None:
    global _desk
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _die_with_parent()
    task: Task = load_task(settings.task, settings.profile, settings.options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # from here on there is something to close
    atexit.register(task.close)
    task.open()
    _desk = Desk(
        task, settings.model, sampling=settings.sampling, seed=settings.seed, system=settings.system, stop=threading.Event()
    )  # fmt: skip


def _die_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent dies, so that kill -9 of the run leaves no worker behind."""
    pr_set_pdeathsig = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)


def _play(job: Job) -> dict[str, Any]:
    assert _desk is not None
    index, sample = job
    try:
        return _desk.play(sample, index)
    except SystemExit:  # SIGTERM; the executor would take it for a result and go on
        _desk.task.close()
        os._exit(143)
