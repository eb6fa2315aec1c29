"""A household game run by TextWorld's PDDL backend, with ALFWorld's names for things.

The engine keeps its state in a C++ library that is not thread-safe: one game at a time per process is the rule (task.toml asks for
worker processes). A lock around every call keeps threads that break the rule correct, though not fast.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import MissingDependency

from .protocol import Moment

MODULES = ("textworld", "alfworld", "fast_downward")
INSTALL = "run: make setup-alfworld"

_LOCK = threading.RLock()
_IDLE: list[Any] = []  # engines of closed games
T = TypeVar("T")


def check_installed() -> None:
    """Raise MissingDependency for the first package that is not installed. Imports nothing."""
    for name in MODULES:
        if importlib.util.find_spec(name) is None:
            raise MissingDependency(f"the Python package {name} is not installed", INSTALL)


def logic_texts() -> tuple[str, str]:
    """PDDL domain and grammar that come with the installed alfworld. Raises MissingDependency."""
    check_installed()
    spec = importlib.util.find_spec("alfworld")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    try:
        return (folder / "alfred.pddl").read_text(encoding="utf-8"), (folder / "alfred.twl2").read_text(
            encoding="utf-8"
        )
    except OSError as error:
        raise MissingDependency(
            f"the installed alfworld has no logic files ({error.filename})", INSTALL
        ) from error


class House:
    """One running game.

    A process keeps the engines of closed games for its next games, because an engine's library cannot be unloaded safely.

    Args:
        game: content of a game.tw-pddl file: pddl_domain, grammar, pddl_problem.
        planner: compute the planner's commands on reset and after every step (half a second and more).

    Raises:
        EnvironmentFailure: the engine cannot load the game.
        MissingDependency: packages are missing, or the engine's library cannot be loaded from the temporary folder.
    """

    def __init__(self, game: dict[str, Any], *, planner: bool = False):
        check_installed()
        self._env: Any = None
        with _LOCK:
            self._engine = _IDLE.pop() if _IDLE else _new_engine()
            import textworld
            from alfworld.agents.environment.alfred_tw_env import AlfredDemangler

            self._engine.request_infos = textworld.EnvInfos(
                won=True, admissible_commands=True, policy_commands=planner
            )
            self._env = AlfredDemangler(self._engine, shuffle=False)
        self._guarded(lambda: self._env.load(game), "load the game")

    def reset(self) -> Moment:
        """The game's beginning. Raises EnvironmentFailure."""
        return self._moment(lambda: self._env.reset(), "start the game")

    def step(self, command: str) -> Moment:
        """Carry out a command; one that the game does not know changes nothing. Raises EnvironmentFailure."""
        return self._moment(lambda: self._env.step(command)[0], f"carry out {command[:80]!r}")

    def plan(self) -> list[str]:
        """Commands that reach the goal from the state of the last reset or step; empty if the planner finds none."""
        return [command.strip() for command in self._engine.state["policy_commands"] or []]

    def close(self) -> None:
        """End the game. Idempotent."""
        with _LOCK:
            if self._env is not None:
                self._env = None
                _IDLE.append(self._engine)

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _moment(self, act: Callable[[], Any], what: str) -> Moment:
        state = self._guarded(act, what)
        won = bool(state["won"])
        return Moment(
            str(state["feedback"]), list(state["admissible_commands"]), won, won or bool(state["lost"])
        )

    def _guarded(self, act: Callable[[], T], what: str) -> T:
        """Result of a call into the engine. An engine that has failed is not used again."""
        with _LOCK:
            if self._env is None:
                raise EnvironmentFailure(f"TextWorld cannot {what}: the game is over or broken")
            try:
                return act()
            except Exception as error:  # the engine raises whatever its parser or planner stumbled over
                self._env = None
                raise EnvironmentFailure(
                    f"TextWorld cannot {what} ({type(error).__name__}: {error})"
                ) from error
            except SystemExit as error:  # its PDDL parser leaves the process over a bad problem
                if isinstance(error.code, int):  # a signal's, not the parser's
                    raise
                self._env = None
                raise EnvironmentFailure(
                    f"TextWorld cannot {what} (its parser refuses the problem)"
                ) from error


def _new_engine() -> Any:
    """TextWorld's PddlEnv, with a library of its own."""
    os.environ.setdefault(
        "ALFWORLD_DATA", tempfile.gettempdir()
    )  # else importing alfworld makes ~/.cache/alfworld
    from textworld.envs.pddl import PddlEnv

    try:
        return PddlEnv()
    except OSError as error:
        raise MissingDependency(
            f"the engine copies its library to {tempfile.gettempdir()} and cannot load it from there ({error})",
            "set TMPDIR to a folder with 40 MB free whose file system allows to execute files",
        ) from error
