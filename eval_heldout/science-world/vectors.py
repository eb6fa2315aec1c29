"""Adapters for recorded outputs of upstream's own code (make vectors)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.episodes.vectors import Unavailable, Verdict
from agenttuning.errors import MissingData, MissingDependency
from agenttuning.models.types import Message

from . import mapping, prompts, protocol, variations
from .context import render_llama2
from .scoring import scores_of
from .simulator import Lab, Turn

PAGE = "science-world"

LONG_PROMPT = 4000
"""Characters above which a recorded prompt is given as its sha256, words and labels."""


def find_valid_action(case: dict[str, Any]) -> Any:
    """Where upstream's answer depends on set order, any of the recorded candidates is right."""
    given = case["input"]
    ours = mapping.find_valid_action(
        given["prediction"],
        given["valid"],
        given["look"],
        given.get("inventory", "orange"),
        given["recent_actions"],
    )
    theirs = case["upstream_output"]
    return Verdict(ours in theirs["any_of"], ours) if isinstance(theirs, dict) else ours


def load_variation(case: dict[str, Any]) -> list[int]:
    given = case["input"]
    train, test = range(*given.get("train_range", [0, 0])), range(*given["test_range"])
    return variations.choose(given["task_num"], given.get("set", "test"), train, range(0), test)


def convert_fewshot(case: dict[str, Any]) -> list[str]:
    """Upstream's text form of a demonstration ("> action" lines) as alternating user and assistant texts."""
    turns: list[str] = []
    for observation, choice in re.findall(r"(.+?)\n> ([^\n]+)\n", case["input"], re.DOTALL):
        thought = choice.startswith("think:")
        turns += [observation, f"Think:{choice[len('think:') :]}" if thought else f"Action: {choice}"]
    return turns


def metrics(case: dict[str, Any]) -> dict[str, Any]:
    """Upstream's score files, one record per task type, through our macro mean.

    Deviation: without any score our value is None, where upstream divides by zero.
    """
    ((model, files),) = case["input"].items()
    records, warnings = [], 0
    for number in range(len(variations.TASK_TYPES)):
        text = files.get(f"task{number}-score.txt")
        if text is None:
            warnings += 1
            continue
        found = re.search(r"Average score: ([0-9\.]*)", text)
        try:
            average = float(found[1] if found else "")
        except ValueError as error:
            return {"stdout_last_line": [], "warnings": warnings, "error": f"ValueError: {error}"}
        facts = {"task_number": number, "episodes_of_task": 1, "token_counter": "cl100k"}
        records.append({"reward": average / 100, "metrics": facts})
    value = scores_of(records, "macro_score", "paper").metrics["macro_score"].value
    if value is None:
        return {"stdout_last_line": [], "warnings": warnings, "error": "ZeroDivisionError: division by zero"}
    return {"stdout_last_line": [f"logs/{model}: {round(value, 9)}"], "warnings": warnings, "error": None}


class ScriptedLab:
    """A simulator that follows a case's `env` list; its last entry repeats."""

    def __init__(self, given: dict[str, Any]):
        self.given = given
        self.actions: list[str] = []

    def reset(self) -> Turn:
        return self._turn({"obs": self.given.get("first_obs", "This room.\n\tthe agent"), "score": 0})

    def step(self, action: str) -> Turn:
        script = self.given["env"]
        entry = script[min(len(self.actions), len(script) - 1)]
        self.actions.append(action)
        return self._turn(entry)

    def task_description(self) -> str:
        return self.given.get("task", "Your task is to test.")

    def _turn(self, entry: dict[str, Any]) -> Turn:
        return Turn(
            observation=entry["obs"],
            score=entry["score"],
            done=entry.get("done", False),
            moves=len(self.actions),
            look=self.given.get("look", "the agent"),
            inventory=self.given.get("inventory", "orange"),
            valid=tuple(self.given["valid"]),
        )


def episode(case: dict[str, Any]) -> dict[str, Any]:
    """A scripted episode, measured in words as the recording was.

    Deviation: where nothing is left to shorten upstream crashes with IndexError; we stop the episode.
    """
    given = case["input"]
    wanted = given.get("want_prompts")
    base = prompts.kit_prompt(0)
    if wanted is not None:
        try:
            base = prompts.paper_prompt(0)
        except MissingData as error:
            raise Unavailable(str(error)) from error
    demonstration = [
        Message(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(given["examples"])
    ]
    lab = ScriptedLab(given)
    sent: list[str] = []

    def ask(messages: list[Message], view: list[Message]) -> str:
        sent.append(render_llama2(view))
        return given["replies"][min(len(sent), len(given["replies"])) - 1]

    limit = given.get("env_step_limit", 100)
    result = protocol.play(
        lab, ask, replace(base, demonstration=demonstration), lambda text: len(text.split()), limit
    )
    crashed = result.end == "context_stop"
    output: dict[str, Any] = {
        "env_actions": lab.actions,
        "llm_calls": len(sent),
        "scores": None if crashed else str([result.score]),
        "error": "IndexError" if crashed else None,
    }
    if wanted is not None:
        output["prompts"] = [_shown(sent[i]) for i in wanted]
    return output


def _shown(prompt: str) -> Any:
    if len(prompt) <= LONG_PROMPT:
        return prompt
    return {
        "sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "words": len(prompt.split()),
        "labels": re.findall(r"@[A-Z]\d+@", prompt),
    }


def env_rollout(case: dict[str, Any]) -> Verdict:
    """Commands through the real simulator: scores, moves and task text exactly, observations word for word
    but in any order, since the simulator lists objects in an order that may change."""
    given, theirs = case["input"], case["upstream_output"]
    try:
        with Lab(
            given["task_name"], given["variation"], given["simplification"], given["env_step_limit"]
        ) as lab:
            turns = [lab.reset()]
            for action in given["actions"]:
                turns.append(lab.step(action))
                if turns[-1].done:
                    break
            description = lab.task_description()
    except (MissingDependency, EnvironmentFailure) as error:
        raise Unavailable(str(error)) from error
    ours: dict[str, Any] = {
        "task_description": "Task Description:\n" + description,
        "observations_reset_then_steps": [turn.observation for turn in turns],
        "scores": [turn.score for turn in turns[1:]],
        "done": turns[-1].done,
        "moves": turns[-1].moves,
    }
    ok = all(ours[key] == theirs[key] for key in ("task_description", "scores", "done", "moves"))
    recorded = theirs["observations_reset_then_steps"]
    if recorded is not None:
        ok = ok and _words(ours["observations_reset_then_steps"]) == _words(recorded)
    return Verdict(ok, ours)


def _words(observations: list[str]) -> list[list[str]]:
    return [sorted(re.findall(r"\w+", text)) for text in observations]


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "find_valid_action": find_valid_action,
    "load_variation": load_variation,
    "clean": lambda case: mapping.clean(case["input"]),
    "is_action_failed": lambda case: mapping.is_action_failed(case["input"]),
    "tgi_post": lambda case: mapping.cut_reply(case["input"]),
    "convert_fewshot": convert_fewshot,
    "metrics": metrics,
    "episode": episode,
    "env_rollout": env_rollout,
}
