"""Speed of the rendering, in one thread, seconds not minutes: small pages of ours and one as large as real ones."""

from __future__ import annotations

import time
from collections.abc import Callable

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.models.scripted import ScriptedEndpoint

from . import dataset, dom, prompts

SECONDS = 1.5
SHELVES = 300
"""Sections of the large page; it has 5,402 elements."""


def bench() -> dict[str, float]:
    """mind2web_pages_pruned_per_s: smoke pages parsed, pruned and rendered with their choices (upstream's work per question);
    mind2web_large_pages_pruned_per_s: the same on a made-up page of 5,402 elements;
    mind2web_samples_per_s: whole steps as in a run, played by the oracle.
    """
    return {
        "mind2web_pages_pruned_per_s": _rate(_small()),
        "mind2web_large_pages_pruned_per_s": _rate(_large()),
        "mind2web_samples_per_s": _rate(_episodes()),
    }


def _small() -> Callable[[int], None]:
    steps = [
        (record["page"], [node for node, _ in (record["positives"] + record["negatives"])[:5]])
        for record in dataset.smoke().records
    ]
    texts = prompts.kit_texts()
    return lambda number: _prune(texts, *steps[number % len(steps)])


def _large() -> Callable[[int], None]:
    node = iter(range(1, 10_000))

    def element(tag: str, inside: str, rest: str = "") -> str:
        return f'<{tag} backend_node_id="{next(node)}"{rest}>{inside}</{tag}> '

    def shelf(number: int) -> str:
        links = "".join(element("a", f"<text>link {number} {i}</text>", ' title="open"') for i in range(8))
        return element("div", element("p", links, ' class="row"'))

    page = element("html", element("body", "".join(shelf(number) for number in range(SHELVES))))
    ids = sorted(dom.node_ids(dom.parse(page)), key=int)
    texts = prompts.kit_texts()
    return lambda number: _prune(texts, page, [ids[(number * 97 + i * 613) % len(ids)] for i in range(5)])


def _prune(texts: prompts.Texts, page: str, candidates: list[str]) -> None:
    prompts.question(dom.parse(page), texts, "task", [], candidates)


def _episodes() -> Callable[[int], None]:
    task = load_task("mind2web")
    samples = task.samples("smoke")
    generation = task.base_generation("greedy")

    def play(number: int) -> None:
        sample = samples[number % len(samples)]
        endpoint = ScriptedEndpoint("oracle", task.oracle(sample))
        if task.play(sample, Session(endpoint, generation)).reward != task.ceiling(sample):
            raise RuntimeError(f"the gold answer does not solve {sample.id}")

    return play


def _rate(work: Callable[[int], None]) -> float:
    """Units of work per second, measured for SECONDS."""
    started = time.perf_counter()
    done = 0
    while time.perf_counter() - started < SECONDS:
        work(done)
        done += 1
    return done / (time.perf_counter() - started)
