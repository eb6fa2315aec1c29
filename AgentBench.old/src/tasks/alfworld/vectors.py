"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttuning import sources
from agenttuning.episodes.rooms import find_spec
from agenttuning.episodes.vectors import Unavailable
from agenttuning.models.types import Message

from .parsing import UnsupportedGame, asked_for, bleu, first_observation, game_name, nearest, shown, task_type
from .protocol import Moment, Rules, visit
from .scoring import upstream_score
from .task import TaskAlfworld

PAGE = "alfworld"


def process_action(case: dict[str, Any]) -> str:
    return nearest(asked_for(case["input"]["output"]), case["input"]["choices"])


def final_score(case: dict[str, Any]) -> dict[str, Any]:
    """Results with a message are games whose environment broke: our runner keeps them from the scores."""
    return upstream_score([r["result"] for r in case["input"]["results"] if r.get("msg") is None])


def prompt_key(case: dict[str, Any]) -> Any:
    try:
        return task_type(case["input"]["name"])
    except UnsupportedGame as error:
        return {"exception": str(error)}


class _Recorded:
    """A game whose answers are given; the last one is repeated."""

    def __init__(self, steps: list[list[Any]], commands: list[list[str]]):
        self.steps, self.commands = steps, commands
        self.taken: list[str] = []

    def moment(self, text: str, won: bool, done: bool) -> Moment:
        number = min(len(self.taken), len(self.commands) - 1)
        return Moment(text, self.commands[number], won, done)

    def step(self, command: str) -> Moment:
        text, won, done = self.steps[min(len(self.taken), len(self.steps) - 1)]
        self.taken.append(command)
        return self.moment(text, won, done)


def episode(case: dict[str, Any]) -> dict[str, Any]:
    """Upstream goes on with empty replies after a failed model call; here the adapter does that for it."""
    if not all(sources.prompts_available(name) for name in ("alfworld", "agentbench-core")):
        raise Unavailable("upstream's prompts are not on this machine (make data TASKS=alfworld)")
    given = case["input"]
    task = TaskAlfworld(find_spec("alfworld"), "paper")
    house = _Recorded(given["env_steps"], given["admissible"])
    first = house.moment(given["first_observation"], False, False)
    broken = False
    calls = 0

    def reply(messages: list[Message]) -> str:
        nonlocal broken, calls
        said = given["model_outputs"][min(calls, len(given["model_outputs"]) - 1)]
        calls += 1
        broken = broken or said == "RAISE"
        return "" if broken else said

    try:
        opening = task.opening(game_name(given["gamefile"]), first.text)
    except UnsupportedGame as error:
        return _shown(exception=str(error))
    rules = Rules(given.get("max_step", 35), map_commands=True, repeat_before_win=True)
    seen = visit(opening, first, house, reply, rules)
    tail = seen.messages[len(opening) - 1 :]
    return _shown(
        result=int(seen.success),
        rounds=len(seen.commands),
        env_actions=house.taken,
        init_prompt=opening[-1]["content"],
        messages_before_init_prompt=len(opening) - 1,
        history_tail_after_init=[
            {"role": "agent" if turn["role"] == "assistant" else "user", "content": turn["content"]}
            for turn in tail
        ],
        session_exception_raised=broken,
    )


def _shown(**found: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "result": None, "rounds": None, "env_actions": [], "init_prompt": None, "messages_before_init_prompt": None,
        "history_tail_after_init": None, "exception": None, "session_exception_raised": False,
    }  # fmt: skip
    return nothing | found


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "process_action": process_action,
    "bleu": lambda case: bleu(case["input"]["reference"], case["input"]["candidate"]),
    "process_ob": lambda case: shown(case["input"]["observation"]),
    "final_score": final_score,
    "prompt_key": prompt_key,
    "initial_observation": lambda case: first_observation(case["input"]["feedback"]),
    "game_name": lambda case: game_name(case["input"]["gamefile"]),
    "episode": episode,
}
