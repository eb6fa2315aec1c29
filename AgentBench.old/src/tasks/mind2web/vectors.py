"""Adapters that run this room's code on recorded inputs of upstream's (page "mind2web")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agenttuning import sources
from agenttuning.episodes.history import shorten
from agenttuning.episodes.vectors import Unavailable

from . import dom, grading, parsing, prompts, tournament

PAGE = "mind2web"

FEW_SHOT_LENGTH = 7


def _texts() -> prompts.Texts:
    if not (sources.prompts_available("mind2web") and sources.prompts_available("agentbench-core")):
        raise Unavailable("upstream prompts are not on this machine")
    return prompts.paper_texts()


def _prune_and_render(case: dict[str, Any]) -> Any:
    given = case["input"]
    numbers: dict[str, int] = {}
    try:
        pruned = dom.prune(dom.parse(given["html"]), given["candidate_ids"])
    except dom.MissingNode:
        return {"raised": "IndexError"}
    text = dom.render(pruned, numbers, brackets=given["keep_html_brackets"])
    return {"repr": text, "id_mapping": numbers}


def _format_multichoice(case: dict[str, Any]) -> Any:
    given, sample = case["input"], case["input"]["sample"]
    shown = sample["previous_actions"][-prompts.PREVIOUS_ACTIONS :]
    try:
        asked = prompts.question(
            dom.parse(sample["cleaned_html"]),
            _texts(),
            sample["confirmed_task"],
            shown,
            given["candidate_ids"],
            brackets=given["keep_html_brackets"],
        )
    except dom.MissingNode:
        return {"raised": "IndexError"}
    gold = asked.numbers.get(given["gt"])
    target = f"{parsing.NONE_OF_THEM}."
    if gold is not None:
        operation = sample["operation"]
        letter = chr(ord(parsing.FIRST_CHOICE) + gold)
        target = parsing.target_text(operation["op"], operation["value"], letter)
    return {
        "context": asked.page,
        "question": asked.text,
        "target": target,
        "choices": [list(choice) for choice in asked.choices],
    }


def _tournament(case: dict[str, Any]) -> Any:
    given = case["input"]
    page = next(c["input"]["_pages"][given["html"]] for c in case["_context"])
    root, replies = dom.parse(page), iter(given["model_outputs"])

    def ask(batch: list[str]) -> tuple[list[str], parsing.Decision]:
        pruned = dom.prune(root, batch)
        listed = [node for node, _ in dom.choices(pruned, {}, prompts.WORDS_OF_CHOICE)]
        return listed, parsing.read(next(replies))

    pool = given["pos_ids"] and [
        *given["pos_ids"],
        *(node for node, rank in given["neg_candidates(id,rank)"] if rank < 10),
    ]
    try:
        done = tournament.play(pool, ask)
    except dom.MissingNode:
        return {"raised": "IndexError"}
    return {
        "final_prediction": list(done.prediction),
        "batches": [r.batch for r in done.rounds],
        "choice_ids": [r.choices for r in done.rounds],
        "messages_sent": [FEW_SHOT_LENGTH for _ in done.rounds],
    }


def _parse_target(case: dict[str, Any]) -> Any:
    try:
        return list(parsing.read_target(case["input"]))
    except IndexError:
        return {"raised": "IndexError"}


def _parse_model_output(case: dict[str, Any]) -> list[str]:
    decision = parsing.read(case["input"])
    return [decision.letter or parsing.NONE_OF_THEM, decision.action]


def _operation_f1(case: dict[str, Any]) -> float:
    return grading.operation_f1(case["input"]["pred"], case["input"]["label"])


def _metric(case: dict[str, Any]) -> dict[str, Any]:
    given = case["input"]
    grades = [grading.grade(p, t) for p, t in zip(given["predictions"], given["targets"], strict=True)]

    def percent(values: Sequence[float]) -> float:
        return 100 * sum(values) / len(values)

    return {
        "element_acc": percent([g.element for g in grades]),
        "action_f1": percent([g.f1 for g in grades]),
        "step_sr": percent([g.step for g in grades]),
        "each_f1": [g.f1 for g in grades],
        "each_sr": [g.step for g in grades],
    }


def _context_filter(case: dict[str, Any]) -> list[dict[str, str]]:
    texts = _texts()
    last = "w " * case["input"]["N"]
    sent = shorten([*texts.examples, {"role": "user", "content": last}], notice=texts.notice)
    roles = {"user": "user", "assistant": "agent"}
    return [{"role": roles[turn["role"]], "tail": turn["content"][-40:]} for turn in sent]


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "prune_and_render": _prune_and_render,
    "format_multichoice": _format_multichoice,
    "tournament": _tournament,
    "parse_model_output": _parse_model_output,
    "parse_target": _parse_target,
    "operation_f1": _operation_f1,
    "metric": _metric,
    "context_filter": _context_filter,
}
