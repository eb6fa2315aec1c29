"""ScienceWorld: 30 kinds of science tasks in a text adventure, scored 0..100 by the simulator.

Upstream: eval_heldout/science-world of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from agenttuning import sources
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Task
from agenttuning.errors import KitError
from agenttuning.models.types import Message

from . import context, gold, mapping, prompts, protocol, simulator
from .scoring import scores_of
from .simulator import Lab
from .variations import TASK_TYPES, chosen


class TaskScienceWorld(Task):
    """Options: simplification, token_counter, gold_path (see task.toml)."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._open_labs: set[Lab] = set()
        self._lock = threading.Lock()

    def samples(self, split: str) -> list[Sample]:
        """Needs no Java and no data: the lists of variations are a rule over known counts."""
        pairs = _pairs(split, self.spec.folder / "smoke.jsonl")
        per_task = Counter(number for number, _ in pairs)
        return [
            Sample(
                f"{TASK_TYPES[number].name}-{variation}",
                {"task_number": number, "variation": variation, "episodes_of_task": per_task[number]},
            )
            for number, variation in pairs
        ]

    def play(self, sample: Sample, session: Session) -> Outcome:
        number, variation = sample.data["task_number"], sample.data["variation"]
        counter_name = context.counter_name(self.options["token_counter"])
        prompt = self._prompt(number)

        def ask(messages: list[Message], view: list[Message]) -> str:
            return mapping.cut_reply(session.reply(messages, view=view))

        lab = Lab(
            TASK_TYPES[number].name,
            variation,
            self.options["simplification"],
            self._move_limit,
            gold_path=bool(self.options["gold_path"]),
        )
        with self._lock:
            self._open_labs.add(lab)
        try:
            episode = protocol.play(lab, ask, prompt, context.counter(counter_name), self._move_limit)
        finally:
            lab.close()
            with self._lock:
                self._open_labs.discard(lab)
        session.finish(episode.messages)
        return Outcome(
            protocol.STATUS[episode.end],
            episode.score / 100,
            prediction=episode.commands,
            metrics={
                "score": episode.score,
                "end": episode.end,
                "task_number": number,
                "variation": variation,
                "episodes_of_task": sample.data["episodes_of_task"],
                "replies": episode.replies,
                "thoughts": episode.thoughts,
                "moves": episode.moves,
                "unknown_commands": episode.unknown_commands,
                "omitted_messages": episode.omitted,
                "token_counter": counter_name,
            },
            detail=protocol.DETAIL[episode.end],
        )

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        return scores_of(records, self.spec.metric, self.profile)

    def oracle(self, sample: Sample) -> Player:
        return gold.player(self._gold(sample).path)

    def ceiling(self, sample: Sample) -> float:
        """What the simulator's own gold path reaches when it is run outside the protocol under the move limit."""
        return self._gold(sample).ceiling / 100

    def ceiling_note(self, sample: Sample) -> str:
        known = self._gold(sample)
        if known.ceiling == 100:
            return ""
        if known.moves > self._move_limit:
            return f"the simulator's gold path needs more than {self._move_limit} moves"
        return "the simulator's gold path does not finish the task"

    def floor(self, sample: Sample) -> float:
        """Some task types reward the room the agent happens to start in: doing nothing gets up to 50 of 100."""
        return self._gold(sample).floor / 100

    def check(self) -> None:
        simulator.check()
        for word in str(self.options["simplification"]).split(","):
            if word and word not in simulator.SIMPLIFICATIONS:
                known = ", ".join(simulator.SIMPLIFICATIONS)
                raise KitError(f"ScienceWorld has no simplification {word!r}", f"choose from: {known}")
        context.counter_name(self.options["token_counter"])
        if self.profile == "paper":
            sources.prompts("science-world")

    def close(self) -> None:
        """End JVMs of episodes that are still running (their threads then fail and end)."""
        with self._lock:
            labs = list(self._open_labs)
        for lab in labs:
            lab.close()

    def prompt_identity(self) -> dict[str, str]:
        """sha256 of the texts in use, and the name of the token counter, which decides what the model sees."""
        in_use = [self._prompt(t.number) for t in TASK_TYPES]
        return {
            **prompts.identity(in_use[0]),
            "demonstrations": prompts.demonstrations_sha256(in_use),
            "token_counter": context.counter_name(self.options["token_counter"]),
        }

    @property
    def _move_limit(self) -> int:
        return int(self.spec.limits["moves"])

    def _prompt(self, number: int) -> protocol.Prompt:
        return prompts.paper_prompt(number) if self.profile == "paper" else prompts.kit_prompt(number)

    def _gold(self, sample: Sample) -> gold.Gold:
        name = TASK_TYPES[sample.data["task_number"]].name
        return gold.gold(name, sample.data["variation"], self.options["simplification"], self._move_limit)


def _pairs(split: str, smoke: Any) -> list[tuple[int, int]]:
    """(task number, variation) of every episode of a split, in upstream's order."""
    if split == "smoke":
        rows = [json.loads(line) for line in smoke.read_text().splitlines()]
        return [(row["task"], row["variation"]) for row in rows]
    if split == "gold30":
        return [(t.number, chosen(t.number, "test")[0]) for t in TASK_TYPES]
    if split in ("test", "dev"):
        return [(t.number, v) for t in TASK_TYPES for v in chosen(t.number, split)]
    raise KitError(f"science-world has no split {split!r}", "choose from: smoke, test, gold30, dev")


TASK = TaskScienceWorld
