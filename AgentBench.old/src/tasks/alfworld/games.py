"""Where games come from: upstream's lists and ALFWorld's release archive (or its unpacked folder), or problems of our own.

A game is the JSON object of a game.tw-pddl file: the PDDL domain, the grammar of commands and feedback, and the PDDL problem.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.errors import KitError, MissingData, MissingDependency

from .engine import logic_texts

ARCHIVE = "alfworld-games"
PARTS = ("pddl_domain", "grammar", "pddl_problem")
GET = "run make data TASKS=alfworld (offline: add MIRROR=DIR), or give --option data_path=DIR, the folder that holds json_2.1.1"

TEMPLATE = re.compile(r'action\s+PutObject\s*\{\s*template\s*::\s*"([^"]*)"')
OLD_PUT = "put {o} in/on {r}"
NEW_PUT = "move {o} to {r}"

OLD_WORDS = (
    ('"You arrive at {r.name}. ', '"You arrive at {lend.name}. '),
    ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
    (f'template :: "{NEW_PUT}"', f'template :: "{OLD_PUT}"'),
)
"""How the grammar of alfworld 0.4, which comes with the package, differs from the one the paper's games embed."""

GOAL = "UNKNOWN GOAL"
HELP = "action help"  # last block of the domain and of the grammar, new in 0.4


def listed(path: Path) -> list[str]:
    """Relative paths of an upstream list (task type -> paths), groups one after the other. Raises KitError."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        games = [game for group in groups.values() for game in group]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise KitError(f"{path} is not a list of games ({type(error).__name__}: {error})") from error
    wrong = [g for g in games if not isinstance(g, str) or ".." in g.split("/") or not g.endswith(".tw-pddl")]
    if wrong or len(set(games)) != len(games):
        raise KitError(f"{path} names something that is no game, or a game twice")
    return games


def put_command(grammar: str) -> str | None:
    """Template of the command that puts something down, None where the grammar has none."""
    found = TEMPLATE.search(grammar)
    return found[1] if found else None


def fingerprint(text: str) -> str:
    """sha256 of a game file's text, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class Games:
    """The release's games.

    Args:
        folder: unpacked release; None: the archive that `make data` gets.
        accept_new_grammar: take games with the grammar of alfworld 0.4, too.
    """

    def __init__(self, folder: Path | None, accept_new_grammar: bool):
        self.folder = folder
        self.accept_new_grammar = accept_new_grammar

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        path = sources.file(ARCHIVE)
        try:
            return zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise KitError(f"{path} cannot be read as a zip archive ({error})", GET) from error

    def check(self, games: list[str]) -> None:
        """Raise MissingData or KitError, naming games, unless all can be read and have the grammar wanted."""
        missing, new = [], []
        for game in games:
            try:
                text = self.text(game)
            except MissingData:
                if self.folder is None and not sources.available(ARCHIVE):
                    raise
                missing.append(game)
                continue
            if put_command(parsed(text, game)["grammar"]) == NEW_PUT:
                new.append(game)
        if missing:
            where = self.folder or sources.file(ARCHIVE)
            raise MissingData(f"{_named(missing, len(games))} missing in {where}", GET)
        if new and not self.accept_new_grammar:
            raise KitError(
                f"{_named(new, len(games))} written in the grammar of alfworld 0.4 (`{NEW_PUT}`, not `{OLD_PUT}`): the paper's "
                "protocol, its examples and its scores do not fit them",
                f"{GET}; --option accept_new_grammar=true plays them all the same",
            )

    def text(self, game: str) -> str:
        """A game file's content. Raises MissingData, or KitError where it cannot be read."""
        try:
            if self.folder is not None:
                return (self.folder / game).read_text(encoding="utf-8")
            return self._archive.read(game).decode("utf-8")
        except (FileNotFoundError, NotADirectoryError, KeyError):
            where = self.folder or sources.file(ARCHIVE)
            raise MissingData(f"the game {game} is missing in {where}", GET) from None
        except (OSError, zipfile.BadZipFile, UnicodeDecodeError, RuntimeError) as error:
            raise KitError(f"the game {game} cannot be read ({error})", GET) from error


def parsed(text: str, name: str) -> dict[str, Any]:
    """The game in a file's text. Raises KitError when it is none."""
    try:
        game = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KitError(f"the game {name} is not valid JSON ({error})", GET) from error
    if not isinstance(game, dict) or not all(isinstance(game.get(part), str) for part in PARTS):
        raise KitError(f"the game {name} lacks one of {', '.join(PARTS)}", GET)
    return game


def own_game(problem: str, goal: str) -> dict[str, Any]:
    """A game of our own: our PDDL problem with the installed package's logic, put back into the grammar of the paper's games.

    Args:
        problem: PDDL problem of the domain alfred.
        goal: what the model is told to do, without a full stop.

    Raises:
        MissingDependency: the package's texts are not those of alfworld 0.4.
    """
    domain, grammar = logic_texts()
    lacking = [old for old, _ in OLD_WORDS if old not in grammar]
    lacking += [GOAL] * (GOAL not in grammar) + [HELP] * (HELP not in grammar or f"(:{HELP}" not in domain)
    if lacking:
        raise MissingDependency(
            f"the installed alfworld has other logic files than version 0.4.2: {lacking[0]!r} is not in them",
            "install alfworld==0.4.2",
        )
    for old, new in OLD_WORDS:
        grammar = grammar.replace(old, new)
    return {
        "pddl_domain": domain[: domain.rindex(f"(:{HELP}")] + ")\n",
        "grammar": grammar[: grammar.rindex(HELP)].replace(GOAL, goal),
        "pddl_problem": problem,
    }


def _named(games: list[str], total: int) -> str:
    if len(games) == 1:
        return f"the game {games[0]} is"
    return f"{len(games)} of {total} games, the first of them {games[0]}, are"
