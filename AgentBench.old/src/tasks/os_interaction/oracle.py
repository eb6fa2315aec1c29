"""The player that knows the example: it runs it as a judge does, and answers with what it printed."""

from __future__ import annotations

import shlex
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from agenttuning.episodes.session import Session
from agenttuning.episodes.types import EnvironmentFailure, Player, Sample, Task
from agenttuning.models.scripted import ScriptedEndpoint
from agenttuning.models.types import Message

from .scripts import Script


def player(script: Script | None, expected: str | None, prefix: str) -> Player:
    """A player for one sample.

    Args:
        script: the example. It runs in a `bash -c` of its own and without a terminal, like the judge's: process counts and
            warnings then agree.
        expected: the text of an exact match.
        prefix: what observations begin with.
    """
    replies = 0

    def play(messages: list[Message]) -> str:
        nonlocal replies
        replies += 1
        if replies == 1 and script is not None and expected is None:
            command = " ".join(map(shlex.quote, script.command()))
            return f"Think: I run it.\n\nAct: bash\n\n```bash\n{command} < /dev/null\n```"
        if expected is not None:
            return f"Think: I know.\n\nAct: answer({expected})"
        shown = messages[-1]["content"]
        value = shown.removeprefix(prefix)
        if not shown.startswith(prefix) or "\n" in value:  # an answer has one line
            return "Think: It is done.\n\nAct: finish"
        return f"Think: This was printed.\n\nAct: answer({value})"

    return play


def play_examples(task: Task, split: str) -> tuple[bool, list[str]]:
    """Play every sample's example; whether exactly the samples with a ceiling of 1 pass, and lines that list the others.

    Raises:
        KitError: no engine, or the image cannot be built.
    """
    samples = task.samples(split)
    generation = task.base_generation("greedy")

    def rewarded(sample: Sample) -> float:
        endpoint = ScriptedEndpoint("oracle", task.oracle(sample))
        try:
            return task.play(sample, Session(endpoint, generation)).reward or 0.0
        except EnvironmentFailure:
            return -1.0

    task.open()
    try:
        with ThreadPoolExecutor(int(task.spec.resources["workers"])) as workers:
            rewards = list(workers.map(rewarded, samples))
    finally:
        task.close()
    passed = sum(reward == 1 for reward in rewards)
    lines = [f"examples of {split}, judged by our own scripts: {passed} of {len(samples)} pass"]
    reasons = Counter(task.ceiling_note(sample) for sample in samples)
    for reason in sorted(filter(None, reasons)):
        names = ", ".join(sample.id for sample in samples if task.ceiling_note(sample) == reason)
        lines.append(f"  cannot pass: {names} ({reason})")
    off = [s.id for s, r in zip(samples, rewards, strict=True) if r != task.ceiling(s)]
    if off:
        lines.append(f"  differs from what is known: {', '.join(off)}")
    return not off, lines
