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
INSTALL = "install the packages of the extra alfworld as AgentBench.old/src/tasks/alfworld/README.md says"

_LOCK = threading.RLock()
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

    Args:
        game: content of a game.tw-pddl file: pddl_domain, grammar, pddl_problem.
        planner: compute the planner's commands on reset (half a second and more).

    Raises:
        EnvironmentFailure: the engine cannot load the game.
        MissingDependency: packages are missing, or the engine's library cannot be loaded from the temporary folder.
    """

    def __init__(self, game: dict[str, Any], *, planner: bool = False):
        check_installed()
        self._env: Any = None
        with _LOCK:
            os.environ.setdefault("ALFWORLD_DATA", tempfile.gettempdir())  # else alfworld makes ~/.cache/alfworld
            import textworld
            from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
            from textworld.envs.pddl import PddlEnv

            infos = textworld.EnvInfos(won=True, admissible_commands=True, policy_commands=planner)
            try:
                self._core = PddlEnv(infos)
            except OSError as error:
                raise MissingDependency(
                    f"the engine copies its library to {tempfile.gettempdir()} and cannot load it from there ({error})",
                    "set TMPDIR to a folder with 40 MB free whose file system allows to execute files",
                ) from error
            self._env = AlfredDemangler(self._core, shuffle=False)
        self._guarded(lambda: self._env.load(game), "load the game")

    def reset(self) -> Moment:
        """The game's beginning. Raises EnvironmentFailure."""
        return self._moment(lambda: self._env.reset(), "start the game")

    def step(self, command: str) -> Moment:
        """Carry out a command; one that the game does not know changes nothing. Raises EnvironmentFailure."""
        return self._moment(lambda: self._env.step(command)[0], f"carry out {command[:80]!r}")

    def plan(self) -> list[str]:
        """Commands that reach the goal from the state of the last reset or step; empty if the planner finds none."""
        return [command.strip() for command in self._core.state["policy_commands"] or []]

    def close(self) -> None:
        """Unload the game and its library. Idempotent."""
        with _LOCK:
            if self._env is None:
                return
            import fast_downward

            self._env.close()
            fast_downward.close_lib(self._core.downward_lib)
            self._env = None

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
        with _LOCK:
            if self._env is None:
                raise EnvironmentFailure(f"TextWorld cannot {what}: the game is closed")
            try:
                return act()
            except Exception as error:  # the engine raises whatever its parser or planner stumbled over
                raise EnvironmentFailure(f"TextWorld cannot {what} ({type(error).__name__}: {error})") from error
            except SystemExit as error:  # its PDDL parser leaves the process over a bad problem
                if isinstance(error.code, int):  # a signal's, not the parser's
                    raise
                raise EnvironmentFailure(f"TextWorld cannot {what} (its parser refuses the problem)") from error
