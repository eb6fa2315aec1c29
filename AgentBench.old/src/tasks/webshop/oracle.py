"""The scripted buyer: knows the product and the options of a goal, and finds its way through the real shop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .catalogue import Product
from .goals import Goal
from .grading import NEAR, normalize_color, ratio
from .parsing import kit_action, paper_action
from .shop import HITS, PER_PAGE


@dataclass(frozen=True)
class Plan:
    """Actions of a purchase, as written in replies, and the option values it ends with."""

    actions: list[str]
    chosen: list[str]


def plan(
    goal: Goal, product: Product, search: Callable[[str, int], list[str]], *, rounds: int, paper: bool
) -> Plan | str:
    """The shortest purchase of the goal's product, or why there is none.

    Args:
        paper: written for profile paper's parser, which cannot read a value with a closing bracket.
    """
    picks = _picks(goal, product)
    readable = {name: value for name, value in picks.items() if _can_click(value, paper)}
    queries = [
        product.title,
        f"{product.title} {' '.join(picks.values())}",
        f"{product.title} {product.description[:200]}",
    ]
    best: list[str] | None = None
    for query in dict.fromkeys(_searchable(query) for query in queries):
        hits = search(query.lower(), HITS) if query else []
        if product.asin not in hits:
            continue
        turns = hits.index(product.asin) // PER_PAGE
        way = [f"search[{query}]", *["click[Next >]"] * turns, f"click[{product.asin}]"]
        if best is None or len(way) < len(best):
            best = way
    if best is None:
        return "no search for its own title finds the product"
    room = rounds - len(best) - 1
    if room < 0:
        return "the product lies too many pages behind"
    chosen = list(readable.values())[:room]
    return Plan([*best, *(f"click[{value}]" for value in chosen), "click[Buy Now]"], chosen)


def _picks(goal: Goal, product: Product) -> dict[str, str]:
    """The value to choose of each option: one that a goal value names exactly, else one that is near to it."""
    picks: dict[str, str] = {}
    for exactly in (True, False):
        for wanted in goal.options:
            if wanted.lower() in picks.values():
                continue
            for name, values in product.options.items():
                fits = [value for value in values if _fits(value, wanted, exactly)]
                if fits and name not in picks:
                    picks[name] = fits[0]
                    break
    return picks


def _fits(value: str, wanted: str, exactly: bool) -> bool:
    if exactly:
        return value == wanted.lower()
    return ratio(normalize_color(value), normalize_color(wanted)) > NEAR


def _can_click(value: str, paper: bool) -> bool:
    parse = paper_action if paper else kit_action
    found = parse(reply(f"click[{value}]"))
    return found is not None and found == ("click", value)


def _searchable(text: str) -> str:
    return " ".join(text.replace("[", " ").replace("]", " ").split())


def reply(action: str) -> str:
    """A reply with that action, readable in both profiles."""
    return f"Thought:\nI know what I want.\n\nAction:\n{action}"
