"""The model's side of a game: what it is asked, what it remembers, how its replies become moves.

Follows AI_SDK/Python/AI_En.py and client.py (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agenttuning.models.types import Message

from .fish import BENCHMARK_KINDS
from .parsing import Grammar, Order, has_object
from .sight import Sight

GUESSES_REMEMBERED = 3
MOVES_REMEMBERED = 2

Ask = Callable[[list[Message], list[Message]], str]
"""(everything said in the game so far, the request itself) -> the model's reply."""


class Wording(Protocol):
    """Texts of a turn (prompts.Paper, prompts.Kit)."""

    def guess(self, sight: Sight) -> str: ...

    def action(self, sight: Sight) -> str: ...


class NoMove(Exception):
    """No attempt gave a legal move: the game is lost. `formless`: none even held an object in braces."""

    def __init__(self, formless: bool):
        super().__init__("no legal move")
        self.formless = formless


class Client:
    """Plays one side by asking a model.

    Args:
        wording: makes the messages of a turn.
        guess_rules, action_rules, acknowledgement: the rules texts and the turn that follows them.
        grammar: how replies are read.
        ask: asks the model. ModelError passes through.
        attempts: calls per guess and per move.
        rules_last: put the rules between the remembered turns and the current one, as upstream does.
        repeatable: decoding is greedy: a second identical reply to the same request ends the attempts.

    Attributes:
        asked: every message of the game once, in order, as the transcript shows it.
        failed_guesses: guess steps without a usable reply; extra_attempts: calls beyond the first of a step;
            try_times: upstream's count, the same calls but only of steps that ended well.
    """

    def __init__(
        self,
        wording: Wording,
        *,
        guess_rules: str,
        action_rules: str,
        acknowledgement: str,
        grammar: Grammar,
        ask: Ask,
        attempts: int = 5,
        rules_last: bool = True,
        repeatable: bool = False,
    ):
        self.wording = wording
        self.rules = {"guess": guess_rules, "action": action_rules}
        self.acknowledgement = acknowledgement
        self.grammar = grammar
        self.ask = ask
        self.attempts = attempts
        self.rules_last = rules_last
        self.repeatable = repeatable
        self.sight = Sight()
        self.asked: list[Message] = []
        self.failed_guesses = 0
        self.extra_attempts = 0
        self.try_times = 0
        self._remembered: dict[str, list[Message]] = {"guess": [], "action": []}
        self._shown: set[str] = set()

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Reply to a message of the engine. Raises NoMove, ModelError."""
        self.sight.update(message)
        if message["Action"] == "Pick":
            return {"Action": "Pick", "ChooseFishs": list(BENCHMARK_KINDS)}
        if message["Action"] == "Assert":
            return self._guess()
        return self._move()

    def _guess(self) -> dict[str, Any]:
        enemies = self.sight.enemies()
        found, _ = self._try(
            "guess", self.wording.guess(self.sight), lambda text: self.grammar.guess(text, enemies)
        )
        if found is None:
            self.failed_guesses += 1
            return {"Action": "Null"}
        return self.sight.guess_reply(*found)

    def _move(self) -> dict[str, Any]:
        friends, enemies = self.sight.friends(), self.sight.enemies()
        order, replies = self._try(
            "action", self.wording.action(self.sight), lambda text: self.grammar.move(text, friends, enemies)
        )
        if order is None:
            raise NoMove(not any(map(has_object, replies)))
        return self._reply_of(order)

    def _reply_of(self, order: Order) -> dict[str, Any]:
        if order.kind == "attack":
            return self.sight.attack_reply(order.fish, order.target)
        if order.kind == "infight":
            return self.sight.infight_reply(order.fish, order.target)
        return self.sight.aoe_reply(order.fish)

    def _try(self, kind: str, prompt: str, read: Callable[[str], Any]) -> tuple[Any, list[str]]:
        """What the first readable reply says (None without one), and all replies."""
        keep = 2 * (GUESSES_REMEMBERED if kind == "guess" else MOVES_REMEMBERED)
        replies: list[str] = []
        for attempt in range(self.attempts):
            self.extra_attempts += attempt > 0
            request = self._request(kind, prompt, self._remembered[kind][-keep:])
            reply = self.ask(self.asked, request)
            self.asked.append({"role": "assistant", "content": reply})
            found = read(reply)
            if found is not None:
                self.try_times += attempt
                self._remembered[kind] += [request[-1], {"role": "assistant", "content": reply}]
                return found, replies
            if self.repeatable and reply in replies:
                break
            replies.append(reply)
        return None, replies

    def _request(self, kind: str, prompt: str, remembered: Sequence[Message]) -> list[Message]:
        rules: list[Message] = [
            {"role": "user", "content": self.rules[kind]},
            {"role": "assistant", "content": self.acknowledgement},
        ]
        current: Message = {"role": "user", "content": prompt}
        if kind not in self._shown:
            self._shown.add(kind)
            self.asked += rules
        self.asked.append(current)
        return [*remembered, *rules, current] if self.rules_last else [*rules, *remembered, current]
