"""The reward of a purchase: attributes, options, price, type.

Follows web_agent_site/engine/goal.py and normalize.py (AgentBench.old/src/tasks/webshop, THUDM/AgentTuning @ e33a45d).
`paper` is upstream's reward with its fuzzy matches, `strict` ours: the same formula with exact matches.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from .catalogue import Product
from .goals import Goal

NEAR = 85
"""A token set ratio above this is a match."""

COLOUR_WORDS = (
    "alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo "
    "caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream crystal "
    "dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green grey heather indigo ivory "
    "ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom "
    "mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal rust sand sapphire "
    "seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise violet walnut wheat white "
    "wine yellow"
)
COLOURS = COLOUR_WORDS.split()
"""In this order the first one found inside a value stands for it: `navy blue` is blue, and `standard` is tan."""

LATIN_1 = {code: None for code in range(128, 256)}  # the fuzzy matcher drops these characters

Tagged = Sequence[tuple[str, str]]
"""Tokens of a title with their parts of speech (universal tags)."""

NOUN_TAGS = ("PNOUN", "NOUN", "PROPN")
"""The first one does not exist; upstream asks for it all the same."""


@dataclass(frozen=True)
class Grade:
    """Reward of a purchase and what it is made of.

    Attributes:
        reward: 0..1.
        type: factor 1, 0.5, 0.1 or 0 for the kind of product.
        attributes, options: hits.
        price: whether the price is within the limit.
        query_match, category_match, title_score: what `type` comes from.
    """

    reward: float
    type: float
    attributes: int
    options: int
    price: bool
    query_match: bool
    category_match: bool
    title_score: float


def ratio(one: str, other: str) -> int:
    """Token set ratio 0..100 of two texts in lower case without punctuation, as thefuzz computes it."""
    return round(
        fuzz.token_set_ratio(
            default_process(one.translate(LATIN_1)), default_process(other.translate(LATIN_1))
        )
    )


def normalize_color(text: str) -> str:
    """The first colour word inside a text, or the text."""
    return next((colour for colour in COLOURS if colour in text), text)


def option_hits(chosen: Collection[str], goal: Collection[str]) -> int:
    """Goal values that some chosen value is near to; one chosen value may serve several."""
    mine = [normalize_color(value) for value in chosen]
    return sum(any(ratio(value, normalize_color(wanted)) > NEAR for value in mine) for wanted in goal)


def attribute_hits(attributes: Collection[str], texts: Sequence[str], goal: Collection[str]) -> int:
    """Goal attributes that a product attribute is near to, or that stand as they are in one of its lower-case texts."""
    return sum(
        any(ratio(own, wanted) > NEAR for own in attributes) or any(wanted in text for text in texts)
        for wanted in goal
    )


def nouns_of(tagged: Tagged) -> list[str]:
    """Nouns of a tagged title in lower case, repeats kept."""
    return [token.lower() for token, tag in tagged if tag in NOUN_TAGS]


def type_grade(
    bought: Any, goal: Any, bought_title: Tagged, goal_title: Tagged
) -> tuple[float, bool, bool, float]:
    """Factor, query match, category match and title score.

    Args:
        bought, goal: anything with `query` and `product_category`.
    """
    query_match = bought.query == goal.query
    shared = _categories(bought.product_category) & _categories(goal.product_category)
    category_match = len(shared) >= 2
    wanted = nouns_of(goal_title)
    title_score = len(set(nouns_of(bought_title)) & set(wanted)) / len(wanted) if wanted else 0.2
    factor = 1.0 if query_match or category_match or title_score > 0.2 else 0.5
    if title_score < 0.1:
        factor = 0.1
    if title_score == 0.0:
        factor = 0.0
    return factor, query_match, category_match, title_score


def _categories(path: str) -> set[str]:
    return {part.strip() for part in path.split("›")}


def grade(
    product: Product,
    goal: Goal,
    price: float,
    chosen: Collection[str],
    tag: Callable[[str], Tagged],
    *,
    strict: bool = False,
) -> Grade:
    """The reward of buying `product` at `price` dollars with the `chosen` option values.

    Args:
        tag: the part-of-speech tagger.
        strict: count an attribute only if it is one of the product's or stands in its texts as whole words, and an option
            only if the value itself was chosen, each choice for one goal value. Type and price are the same in both.
    """
    texts = [product.title.lower(), " ".join(product.bullets).lower(), product.description.lower()]
    if strict:
        own = {text.lower() for text in product.attributes}
        attributes = sum(wanted.lower() in own or _stands_in(wanted, texts) for wanted in goal.attributes)
        said = Counter(_plain(value) for value in chosen)
        options = (said & Counter(_plain(value) for value in goal.options)).total()
    else:
        attributes = attribute_hits(product.attributes, texts, goal.attributes)
        options = option_hits(chosen, goal.options)
    within = price <= goal.price_upper
    factor, query_match, category_match, title_score = type_grade(
        product, goal, tag(product.title), tag(goal.title)
    )
    points = attributes + options + within
    whole = len(goal.attributes) + len(goal.options) + 1
    return Grade(
        points / whole * factor, factor, attributes, options, within, query_match, category_match, title_score
    )


def _stands_in(wanted: str, texts: Sequence[str]) -> bool:
    pattern = re.compile(rf"(?<!\w){re.escape(wanted.lower())}(?!\w)")
    return any(pattern.search(text) for text in texts)


def _plain(value: str) -> str:
    return " ".join(value.lower().split())
