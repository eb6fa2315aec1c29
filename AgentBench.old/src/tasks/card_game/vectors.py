"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from agenttuning.episodes.vectors import Verdict
from agenttuning.models.types import Message

from .checks import Error
from .client import Client
from .combat import Clash
from .engine import Game, Phase
from .fish import IMITATOR, Fish
from .opponents import OPPONENTS, Baseline2, Opponent
from .parsing import PAPER, decode_guess, decode_move
from .prompts import Paper, paper_texts
from .scoring import tally_replay

PAGE = "card_game"


def engine_game(case: dict[str, Any]) -> dict[str, Any]:
    """A whole game reply by reply; numbers of evading fish come from the recording."""
    numbers = iter(case["input"].get("rand", ()))
    game = Game(lambda: next(numbers))
    wide = "rand" in case["input"]
    steps: list[list[Any]] = []
    before: Any = None
    for player, reply in case["input"]["replies"]:
        if game.over or player != game.turn:
            raise ValueError(f"reply {len(steps)} is not due")
        step: list[Any] = [int(game.phase), game.turn, game.state]
        acts = game.phase == Phase.ACTION
        _submit(game, reply)
        info = _info(game.last_clash[player]) if acts and not game.faults else None
        after = None if game.faults else [[_row(fish, wide) for fish in team] for team in game.teams]
        step += [info, "=" if after == before else after]
        before = after
        steps.append([*step, {"errors": game.faults}] if game.faults else step)
    if not game.over:
        raise ValueError("the recording ends before the game")
    found: dict[str, Any] = {
        "steps": steps,
        "end_info": game.end_info(),
        "score": 0 if game.faults else 1 if game.winner == 0 else -1,
        "rounds": 0 if game.faults else 1,
        "replay_len": len(steps) + (1 if game.faults else 2),
    }
    if not game.faults:
        told = [game.finish(player) for player in (0, 1)]
        found["finish"] = [{key: t[key] for key in ("Result", "isStateLimitExceed")} for t in told]
    return found


def _submit(game: Game, reply: Any) -> None:
    if isinstance(reply, dict) and "__raw__" in reply:
        report = json.loads(reply["__raw__"]["content"])
        game.blame(report["player"], {0: Error.CRASHED, 1: Error.TIMEOUT}[report["error"]])
    else:
        game.submit(reply)


def _info(clash: Clash | None) -> dict[str, Any] | None:
    if clash is None:
        return None
    return {
        "skill": {"type": clash.kind, "isSkill": clash.kind != "normalattack", "targets": clash.targets},
        "hit": [
            [target, player, value, int(traced), time] for target, player, value, traced, time in clash.hits
        ],
        "passive": clash.passives,
        "ActionFish": clash.actor.position,
    }


def _row(fish: Fish, wide: bool) -> list[int]:
    row = [fish.id, fish.hp, fish.shown_power, fish.shown_state, int(fish.exposed), fish.wound]
    if wide:
        row += [fish.buff, fish.used, fish.shell]
        if fish.id == IMITATOR:
            row.append(fish.kind)
    return row


# -- replies and numbers -----------------------------------------------------------------------------------------------


def move_of(case: dict[str, Any]) -> list[Any]:
    given = case["input"]
    found = decode_move(given["output"], given["my_living"], given["enemy_living"])
    return [found is not None, found or {}]


def guess_of(case: dict[str, Any]) -> list[Any]:
    found = decode_guess(case["input"]["output"], case["input"]["enemy_living"])
    return [found is not None, found or {}]


def calculate(case: dict[str, Any]) -> dict[str, int]:
    given = case["input"]
    return tally_replay(given["replay"], int(given["winner"]), given["agent"])


# -- the model's side --------------------------------------------------------------------------------------------------


def llm_client_session(case: dict[str, Any]) -> dict[str, Any]:
    """Every request and reply of a game as the model's side; the rules texts are abbreviated in the recording."""
    texts = paper_texts()
    outputs: list[str] = []
    requests: list[list[dict[str, str]]] = []

    def ask(asked: list[Message], request: list[Message]) -> str:
        roles = {"user": "user", "assistant": "agent"}
        requests.append([{"role": roles[m["role"]], "content": m["content"]} for m in request])
        return outputs.pop(0)

    client = Client(
        Paper(texts),
        guess_rules="<GUESS_DESCRIPTION[2]>",
        action_rules="<ACTION_DESCRIPTION[2]>",
        acknowledgement=texts.acknowledgement,
        grammar=PAPER,
        ask=ask,
    )
    found: dict[str, Any] = {"requests": [], "replies": [], "end_info": None}
    seat = 0 if case["input"]["messages"][0]["FirstMover"] else 1
    for message, given in zip(case["input"]["messages"], case["input"]["llm_outputs"], strict=True):
        outputs[:] = given
        requests.clear()
        if message["Action"] == "Finish":
            found["replies"].append({"Action": "Finish"})
            winner = seat if message["Result"] == "Win" else 1 - seat
            found["end_info"] = {str(player): 100 if player == winner else 0 for player in (0, 1)}
        else:
            found["replies"].append(client.answer(message))
        found["requests"].append(list(requests))
    return found


# -- the opponents -----------------------------------------------------------------------------------------------------


class _Script:
    """Answers an opponent's draws from a script, then with the first choice; tells what was left to choose."""

    def __init__(self, script: Sequence[int]):
        self.script = list(script)
        self.taken: list[int] = []
        self.choices: list[int] = []

    def one_of(self, items: Sequence[int]) -> int:
        return items[self._next(len(items))]

    def happens(self, probability: float) -> bool:
        return self._next(2) == 1

    def _next(self, choices: int) -> int:
        at = len(self.taken)
        self.taken.append(self.script[at] if at < len(self.script) else 0)
        self.choices.append(choices)
        return self.taken[-1]


def baseline_decisions(case: dict[str, Any]) -> Verdict:
    """Every reply observed must be one that our opponent can give; a reply observed alone must be the only one."""
    given = case["input"]
    wrong = []
    for decision in case["upstream_output"]["decisions"]:
        session = given["session"][: decision["index"] + 1]
        possible = _possible_replies(OPPONENTS[given["baseline"]], session)
        observed = [json.dumps(reply, sort_keys=True) for reply, _ in decision["observed"]]
        if not possible.issuperset(observed) or (len(observed) == 1 and possible != set(observed)):
            wrong.append({"index": decision["index"], "observed": observed, "ours": sorted(possible)})
    return Verdict(not wrong, wrong or "all observed replies are possible")


def _possible_replies(kind: type[Opponent], session: Sequence[Any]) -> set[str]:
    """Replies to the last message when the earlier ones were answered as recorded, over all possible draws."""
    found: set[str] = set()
    script: list[int] | None = []
    while script is not None:
        opponent = kind(_Script(()))
        for message, reply in session[:-1]:
            opponent.answer(message)
            if isinstance(opponent, Baseline2) and reply["Action"] == "Assert":
                opponent.last = (reply["Pos"], reply["ID"])  # the guess it remembers is the recorded one
        chance = opponent.chance = _Script(script)
        found.add(json.dumps(opponent.answer(session[-1][0]), sort_keys=True))
        script = _following(chance.taken, chance.choices)
    return found


def _following(taken: list[int], choices: list[int]) -> list[int] | None:
    """The next script in depth-first order, None after the last."""
    for at in reversed(range(len(taken))):
        if taken[at] + 1 < choices[at]:
            return [*taken[:at], taken[at] + 1]
    return None


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "engine_game": engine_game,
    "decode_move": move_of,
    "decode_guess": guess_of,
    "calculate": calculate,
    "llm_client_session": llm_client_session,
    "baseline_decisions": baseline_decisions,
}
