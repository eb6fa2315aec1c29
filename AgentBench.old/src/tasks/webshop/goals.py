"""The goal table: instructions with price limits, in upstream's order, the same in every process and run.

Follows get_human_goals of web_agent_site/engine/goal.py (AgentBench.old/src/tasks/webshop, THUDM/AgentTuning @ e33a45d).
Upstream draws price limits and the price of a range before it seeds anything, so they differ in every process; here all draws
come from one seeded generator. The order of the goals is upstream's.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agenttuning.errors import KitError

from .catalogue import Product

PRICE_STEPS = [10.0 * step for step in range(1, 100)]
CANDIDATES = 4
NO_LIMIT = 1_000_000.0
ORDER_SEED = 233
"""Upstream's own seed of the order."""


@dataclass(frozen=True)
class Goal:
    """What a shopper wants. `instruction` is all the model sees of it.

    Attributes:
        asin, query, title, product_category: of the product it was written for.
        attributes, options: what the instruction asks for, as graded.
        price_upper: dollars; a million where the instruction names no limit.
    """

    asin: str
    query: str
    title: str
    product_category: str
    instruction: str
    attributes: list[str]
    options: list[str]
    price_upper: float

    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def draw_price(pricing: Sequence[float], generator: random.Random) -> float:
    """The price a product is sold at: its own, or one from its range."""
    return pricing[0] if len(pricing) == 1 else generator.uniform(pricing[0], pricing[1])


def draw_limit(price: float, generator: random.Random) -> tuple[float, str]:
    """Price limit of a goal and how the instruction says it."""
    above = [step for step in PRICE_STEPS if step > price][:CANDIDATES]
    if len(above) < 2:
        return NO_LIMIT, ""
    limit = max(generator.sample(above, 2))
    return limit, f", and price lower than {limit:.2f} dollars"


def goal_table(
    wanted: Iterable[tuple[Product, float, Any]], generator: random.Random, origin: str = "the goals"
) -> list[Goal]:
    """Goals of the products with human instructions, in upstream's order.

    Args:
        wanted: product, price it is sold at, its list of instructions; in the order of the catalogue.
        generator: the one that has drawn the prices; it draws the limits.
        origin: file named in errors.

    Raises:
        KitError: an instruction without text, attributes or options.
    """
    goals = []
    for product, price, instructions in wanted:
        try:
            for one in instructions:
                attributes, options = one["instruction_attributes"], one["instruction_options"]
                if not attributes:
                    continue
                limit, said = draw_limit(price, generator)
                if not all(isinstance(text, str) for text in [*attributes, *options]):
                    raise TypeError("attributes and options must be texts")
                goals.append(
                    Goal(
                        asin=product.asin,
                        query=product.query,
                        title=product.title,
                        product_category=product.product_category,
                        instruction=one["instruction"].strip(".") + said,
                        attributes=list(attributes),
                        options=list(options),
                        price_upper=limit,
                    )
                )
        except (KeyError, TypeError, AttributeError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise KitError(
                f"{origin}: an instruction of {product.asin} {what}", "get the file anew, or mend it"
            ) from error
    random.Random(ORDER_SEED).shuffle(goals)
    return goals


def table_hash(goals: Iterable[Goal]) -> str:
    """sha256 of the table, 64 hex digits: equal tables have equal instructions, limits and order."""
    digest = hashlib.sha256()
    for goal in goals:
        digest.update(goal.line().encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()
