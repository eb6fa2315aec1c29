"""Card game (Aquawar): four fish against four, the model against one of two scripted opponents.

Protocol, metric and limits of AgentBench.old/src/tasks/card_game @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7
(THUDM/AgentTuning); README.md lists what differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from agenttuning.episodes.history import DEFAULT_NOTICE, shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import EnvironmentFailure, Outcome, Sample, Scores, Status, Task, TaskSpec
from agenttuning.episodes.types import Player as ScriptedPlayer
from agenttuning.errors import KitError
from agenttuning.models.types import ContextLimit, Generation

from . import scoring, transcript
from .checks import Error
from .client import Client, NoMove
from .engine import Game
from .opponents import OPPONENTS, Dice
from .oracle import VARIANTS, Player, Strategist, line_up_of, winning_variant
from .parsing import KIT, PAPER
from .prompts import Kit, Paper, Texts, kit_texts, paper_texts

HERE = Path(__file__).parent
SEATS = (0, 1)
MOST_GAMES = 10_000


class TaskCardGame(Task):
    """The room's task; see the module's docstring."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        for name, kind, most in (
            ("game_seed", int, 2**31),
            ("test_time", int, MOST_GAMES),
            ("message_seconds", (int, float), 86_400),
        ):
            value = self.options[name]
            if not isinstance(value, kind) or isinstance(value, bool) or not 0 <= value <= most:
                raise KitError(f"{name} must be a number from 0 to {most}, not {value!r}")
        if not isinstance(self.options["clean_prompts"], bool):
            raise KitError(f"clean_prompts must be true or false, not {self.options['clean_prompts']!r}")
        self.attempts = int(spec.limits["attempts"])
        if self.attempts < 1:
            raise KitError(f"attempts must be at least 1, not {self.attempts}")

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's games in upstream's order: opponent, then seat, then repetition. The seed makes each its own."""
        if split not in self.spec.splits:
            raise KitError(f"card_game has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")
        if split == "smoke":
            lines = (HERE / "smoke.jsonl").read_text(encoding="utf-8").splitlines()
            games = [json.loads(line) for line in lines]
        else:
            times = self.options["test_time"] or self.spec.splits[split]["test_time"]
            games = [
                {"opponent": opponent, "seat": seat, "seed": f"{split}-{opponent}-seat{seat}-{n}"}
                for opponent in OPPONENTS
                for seat in SEATS
                for n in range(times)
            ]
        if number := self.options["game_seed"]:
            games = [{**game, "seed": f"{game['seed']}-{number}"} for game in games]
        return [Sample(f"{split}-{index}", game, "win") for index, game in enumerate(games)]

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> Texts:
        return paper_texts() if self.profile == "paper" else kit_texts()

    def prompt_identity(self) -> dict[str, str]:
        return {n: hashlib.sha256(text.encode()).hexdigest() for n, text in self.texts.by_name().items()}

    def check(self) -> None:
        _ = self.texts

    # -- the game --------------------------------------------------------------------------------------------------

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One game. A failing model call ends it with ModelError; upstream goes on with empty replies."""
        seat = sample.data["seat"]
        enemy = OPPONENTS[sample.data["opponent"]](Dice(sample.data["seed"]))
        client = self.client(session)
        game = Game()
        status, detail = Status.COMPLETED, ""
        while not game.over:
            phase, player = game.phase, game.turn
            if player != seat:
                game.submit(enemy.answer(game.message()))
            else:
                status, detail = self._model_moves(game, client, session)
                session.finish(client.asked)
            if game.faults and (player != seat or status == Status.COMPLETED):
                raise EnvironmentFailure(f"the engine refused a reply that no model wrote: {game.faults}")
            sentence, data = transcript.note_of(game, phase, player, seat)
            session.note(sentence, **data)
        sentence, data = transcript.end_note(game, seat)
        session.note(sentence, **data)
        return self._outcome(sample, game, client, status, detail)

    def _model_moves(self, game: Game, client: Client, session: Session) -> tuple[Status, str]:
        """Let the model guess or move. What is no move loses the game; then also why, as status and sentence."""
        started = session.model_seconds
        limit = self.options["message_seconds"]
        try:
            reply = client.answer(game.message())
        except NoMove as no_move:
            # Upstream's client process dies here, and the engine blames it.
            game.blame(game.turn, Error.CRASHED)
            if no_move.formless:
                return (
                    Status.INVALID_FORMAT,
                    f"none of {self.attempts} attempts at a move held an object in braces",
                )
            return Status.INVALID_ACTION, f"none of {self.attempts} attempts at a move was legal"
        except ContextLimit as error:
            game.blame(game.turn, Error.CRASHED)
            return Status.CONTEXT_LIMIT, error.cause
        if limit and session.model_seconds - started > limit:
            game.blame(game.turn, Error.TIMEOUT)
            return Status.TURN_LIMIT, f"the model took longer than {limit} s for one step"
        game.submit(reply)
        return Status.COMPLETED, ""

    def client(self, session: Session) -> Client:
        """The model's side of a game."""
        texts, paper = self.texts, self.profile == "paper"
        notice = texts.omitted_notice or DEFAULT_NOTICE
        return Client(
            Paper(texts, self.options["clean_prompts"]) if paper else Kit(texts),
            guess_rules=texts.guess_rules,
            action_rules=texts.action_rules,
            acknowledgement=texts.acknowledgement,
            grammar=PAPER if paper else KIT,
            ask=lambda asked, request: session.reply(asked, view=shorten(request, notice=notice)),
            attempts=self.attempts,
            rules_last=paper,
            repeatable=_greedy(session.generation),
        )

    def _outcome(self, sample: Sample, game: Game, client: Client, status: Status, detail: str) -> Outcome:
        seat = sample.data["seat"]
        counted = scoring.tally_of(game, seat, client.try_times)
        won = bool(counted["win_round"])
        return Outcome(
            status,
            float(won),
            prediction="win" if won else "loss",
            metrics={
                "opponent": sample.data["opponent"],
                "seat": seat,
                **counted,
                "extra_attempts": client.extra_attempts,
                "failed_guesses": client.failed_guesses,
            },
            detail=detail or f"{counted['takedown']} of 4 enemy fish dead",
        )

    # -- scores and self-check -------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        return scoring.scores(records)

    def oracle(self, sample: Sample) -> ScriptedPlayer:
        """The strategist that knows the line-up, in the variant that a rehearsal of this game found to win."""
        data = sample.data
        variant = winning_variant(data["opponent"], data["seat"], data["seed"])
        return Player(Strategist(line_up_of(data["opponent"], data["seed"]), variant or 0))

    def ceiling(self, sample: Sample) -> float:
        """1 where one of the strategist's variants wins a rehearsal on the bare engine, else 0."""
        data = sample.data
        return float(winning_variant(data["opponent"], data["seat"], data["seed"]) is not None)

    def ceiling_note(self, sample: Sample) -> str:
        if self.ceiling(sample) == 1:
            return ""
        return f"none of {VARIANTS} variants of the scripted player wins this game, even knowing the line-up"


def _greedy(generation: Generation) -> bool:
    return not generation.do_sample and generation.temperature in (None, 1.0)


TASK = TaskCardGame
