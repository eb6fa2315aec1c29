"""Speed of the embedded graph: the smoke split's gold calls, in one thread, seconds not minutes."""

from __future__ import annotations

import time
from collections.abc import Callable

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.models.scripted import ScriptedEndpoint

from .graphs import answers, own_graph
from .ontology import read_own
from .task import HERE
from .tools import Argument, Toolbox, Variable
from .traces import split_call

SECONDS = 2.0


def bench() -> dict[str, float]:
    """knowledgegraph_tool_calls_per_s: calls of the seven tools on pyoxigraph, each final variable's evaluation counting as
    one more call; half of them query the graph, the others only write a program.

    knowledgegraph_samples_per_s: whole samples as in a run (prompts, parsing, transcript), played by the oracle.
    """
    return {"knowledgegraph_tool_calls_per_s": _call_rate(), "knowledgegraph_samples_per_s": _sample_rate()}


def _call_rate() -> float:
    graph, ontology = own_graph(), read_own(HERE / "ontology.toml")
    traces = [sample.data["actions"] for sample in load_task("knowledgegraph").samples("smoke")]

    def episode(number: int) -> int:
        toolbox = Toolbox(graph, ontology, accept_g_ids=True)
        variables: list[Variable] = []
        actions = traces[number % len(traces)]
        for action in actions:
            name, given = split_call(action)
            arguments: list[Argument] = [
                variables[int(text[1:])] if text.startswith("#") else text for text in given
            ]
            made = toolbox.call(name, arguments)
            if isinstance(made, Variable):
                variables.append(made)
        answers(graph, variables[-1].program)
        return len(actions) + 1

    return _rate(episode)


def _sample_rate() -> float:
    task = load_task("knowledgegraph")
    samples = task.samples("smoke")
    generation = task.base_generation("greedy")

    def play(number: int) -> int:
        sample = samples[number % len(samples)]
        endpoint = ScriptedEndpoint("oracle", task.oracle(sample))
        if task.play(sample, Session(endpoint, generation)).reward != 1.0:
            raise RuntimeError(f"the gold calls do not answer {sample.id}")
        return 1

    return _rate(play)


def _rate(work: Callable[[int], int]) -> float:
    """Units of work per second, measured for SECONDS."""
    started = time.perf_counter()
    done = number = 0
    while time.perf_counter() - started < SECONDS:
        done += work(number)
        number += 1
    return done / (time.perf_counter() - started)
