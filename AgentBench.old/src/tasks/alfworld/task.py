"""ALFWorld: household tasks as text games, one command per turn.

Protocol, metric and limits of AgentBench.old/src/tasks/alfworld @ e33a45d (THUDM/AgentTuning); README.md lists what differs.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.episodes.history import shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Task, TaskSpec
from agenttuning.errors import KitError
from agenttuning.models.types import Message

from .engine import House, check_installed
from .games import Games, fingerprint, listed, own_game, parsed
from .parsing import TYPES, UnsupportedGame, first_observation, game_name, task_type
from .protocol import Moment, Rules, Visit, visit
from .scoring import scores_of

HERE = Path(__file__).parent
OWN_SPLIT = "smoke"
EXAMPLE_PREFIX = "Here is one example.\n"


class TaskAlfworld(Task):
    """The room's task; see the module's docstring."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        folder, accept = self.options["data_path"], self.options["accept_new_grammar"]
        if not isinstance(folder, str):
            raise KitError(f"data_path must be the path of a folder, not {folder!r}")
        if not isinstance(accept, bool):
            raise KitError(f"accept_new_grammar must be true or false, not {accept!r}")
        self.games = Games(Path(folder).expanduser() if folder else None, accept)
        paper = profile == "paper"
        self.rules = Rules(
            rounds=int(spec.limits["max_step"]),
            map_commands=paper,
            repeat_before_win=paper,
            invalid_in_a_row=0 if paper else int(spec.limits["invalid_in_a_row"]),
        )

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's games in upstream's order. Ids are SPLIT-INDEX; the target is the short name of the type.

        Raises:
            MissingData: the list, the archive or single games are missing.
            KitError: games with the grammar of alfworld 0.4, by name.
        """
        if split not in self.spec.splits:
            raise KitError(f"alfworld has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")
        if split == OWN_SPLIT:
            rows = [json.loads(line) for line in (HERE / "smoke.jsonl").read_text().splitlines()]
            return [Sample(row["id"], row, task_type(row["name"])) for row in rows]
        games = listed(sources.file(f"alfworld-{split}"))
        try:
            found = [sample_of(split, index, game) for index, game in enumerate(games)]
        except UnsupportedGame as error:
            raise KitError(f"the list alfworld-{split} names a game of no known type ({error})") from error
        self.games.check(games)
        return found

    def game(self, sample: Sample) -> tuple[dict[str, Any], str]:
        """A sample's game and the sha256 of its text (for our own games: of the PDDL problem). Raises KitError."""
        if "problem" in sample.data:
            text = (HERE / sample.data["problem"]).read_text(encoding="utf-8")
            return own_game(text, sample.data["goal"]), fingerprint(text)
        text = self.games.text(sample.data["game"])
        return parsed(text, sample.data["game"]), fingerprint(text)

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> dict[str, Any]:
        """instruction, acknowledgement, example_prefix, task_prefix, omitted_notice, and examples: texts by type."""
        if self.profile == "paper":
            upstream = sources.prompts("alfworld")
            return {
                "instruction": upstream["instruction"],
                "acknowledgement": upstream["instruction_reply"],
                "example_prefix": EXAMPLE_PREFIX,
                "task_prefix": upstream["task_prefix"],
                "omitted_notice": sources.prompts("agentbench-core")["omitted_notice"],
                "examples": {
                    kind: [turn["content"] for turn in upstream[f"example_{kind}"]] for kind in TYPES.values()
                },
            }
        texts = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))
        texts["instruction"] = texts["instruction"].replace("{rounds}", str(self.rules.rounds))
        return texts

    def prompt_identity(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(
                (text if isinstance(text, str) else json.dumps(text, sort_keys=True)).encode()
            ).hexdigest()
            for name, text in self.texts.items()
        }

    def opening(self, name: str, first_feedback: str) -> list[Message]:
        """The turns before the model's first one: instruction, example of the same type, the room and the task.

        Raises UnsupportedGame for a name of no known type.
        """
        example = list(self.texts["examples"][task_type(name)])
        example[0] = self.texts["example_prefix"] + example[0]
        turns = [self.texts["instruction"], self.texts["acknowledgement"], *example]
        turns.append(self.texts["task_prefix"] + first_observation(first_feedback))
        return [{"role": "assistant" if i % 2 else "user", "content": t} for i, t in enumerate(turns)]

    # -- the episode -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        check_installed()
        _ = self.texts

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One game. A failing model call ends it with ModelError; upstream goes on with an empty reply.

        Raises:
            EnvironmentFailure: the engine broke.
            KitError: the game is missing or is none.
        """
        game, digest = self.game(sample)
        with House(game) as house:
            first = house.reset()
            seen = visit(
                self.opening(sample.data["name"], first.text),
                first,
                house,
                lambda messages: session.reply(
                    messages, view=shorten(messages, notice=self.texts["omitted_notice"])
                ),
                self.rules,
                session.note,
            )
        session.finish(seen.messages)
        return self._outcome(sample, seen, digest)

    def _outcome(self, sample: Sample, seen: Visit, digest: str) -> Outcome:
        return Outcome(
            seen.status,
            float(seen.success),
            prediction=seen.commands,
            metrics={
                "type": task_type(sample.data["name"]),
                "goal_reached": seen.won,
                "rounds": len(seen.commands),
                "mapped_commands": seen.mapped,
                "invalid_commands": seen.invalid,
                "game_sha256": digest,
            },
            detail=seen.detail,
        )

    # -- scores ----------------------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """Share of games won: over the games with a result (upstream's denominator) and over all of the split."""
        size = len(records)
        if records:
            split = str(records[0]["sample"]).rsplit("-", 1)[0]
            size = int(self.spec.splits[split]["samples"])
        return scores_of(records, size)

    # -- self-check ------------------------------------------------------------------------------------------------

    def oracle(self, sample: Sample) -> Player:
        """Asks the engine's planner for commands that reach the goal, and says them one by one."""
        commands = self._planned(sample)
        return lambda messages: f"ACTION: {next(commands, 'look')}\n"

    def _planned(self, sample: Sample) -> Iterator[str]:
        with House(self.game(sample)[0], planner=True) as house:
            house.reset()
            plan = house.plan()
        yield from plan


def sample_of(split: str, index: int, game: str) -> Sample:
    """Sample of a listed game. Raises UnsupportedGame."""
    name = game_name(game)
    return Sample(f"{split}-{index}", {"name": name, "game": game}, task_type(name))


__all__ = ["Moment", "TASK", "TaskAlfworld"]

TASK = TaskAlfworld
