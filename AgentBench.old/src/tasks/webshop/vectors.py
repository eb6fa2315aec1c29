"""Adapters of the differential vectors (page webshop)."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agenttuning.episodes.vectors import Unavailable

from .catalogue import Product, products
from .goals import NO_LIMIT, Goal, draw_price, goal_table
from .grading import Tagged, attribute_hits, grade, normalize_color, option_hits, type_grade
from .parsing import env_parse_action, parse_response
from .scoring import upstream_means
from .shop import SEPARATOR, Visit, page_slice

PAGE = "webshop"


def _product(given: dict[str, Any]) -> Product:
    """A product of which only some fields matter."""
    return Product(
        asin="", title=given.get("Title", ""), category="", query=given.get("query", ""),
        product_category=given.get("product_category", ""), tag="", pricing=[], options={},
        attributes=given.get("Attributes", []), bullets=given.get("BulletPoints", []),
        description=given.get("Description", ""),
    )  # fmt: skip


def _goal(given: dict[str, Any]) -> Goal:
    return Goal(
        asin="", query=given.get("query", ""), title=given.get("name", ""),
        product_category=given.get("product_category", ""), instruction="",
        attributes=given.get("attributes", []), options=given.get("goal_options", []),
        price_upper=given.get("price_upper", NO_LIMIT),
    )  # fmt: skip


def option_reward(case: dict[str, Any]) -> dict[str, Any]:
    given = case["input"]
    hits = option_hits(given["purchased"], given["goal"])
    return {"r_option": hits / len(given["goal"]) if given["goal"] else None, "matches": hits}


def attribute_reward(case: dict[str, Any]) -> dict[str, Any]:
    given = case["input"]
    own, wanted = _product(given["product"]), given["goal_attributes"]
    texts = [own.title.lower(), " ".join(own.bullets).lower(), own.description.lower()]
    hits = attribute_hits(own.attributes, texts, wanted)
    return {"r_att": hits / len(wanted), "matches": hits}


def type_reward(case: dict[str, Any]) -> dict[str, Any]:
    given = case["input"]
    found = type_grade(
        _product(given["product"]), _goal(given["goal"]), given["product_pos"], given["goal_pos"]
    )
    return dict(zip(("r_type", "query_match", "category_match", "title_score"), found, strict=True))


def total_reward(case: dict[str, Any]) -> dict[str, Any]:
    """The product's nouns are those of its `name`, which differs from its `Title` here; it is tagged before the goal."""
    given = case["input"]
    goal = _goal(given["goal"])
    tags: list[Tagged] = [given["pos"][name] for name in (given["product"]["name"], goal.title)]
    chosen, asked = list(given["options"].values()), iter(tags)
    found = grade(_product(given["product"]), goal, given["price"], chosen, lambda title: next(asked))
    whole = len(goal.attributes) + len(goal.options) + 1
    return {
        "reward": found.reward,
        "info": {
            "r_type": found.type, "r_att": found.attributes / len(goal.attributes), "w_att": len(goal.attributes) / whole,
            "query_match": found.query_match, "category_match": found.category_match, "title_score": found.title_score,
            "r_option": found.options / len(goal.options), "w_option": len(goal.options) / whole,
            "r_price": found.price, "w_price": 1 / whole,
        },
    }  # fmt: skip


def _catalogue(case: dict[str, Any]) -> tuple[list[Product], dict[str, Any]]:
    """Products and human instructions; "@catalog" stands for those of the file's fixture."""
    given = dict(case["input"])
    for name in ("products", "attributes", "human"):
        if given[name] == "@catalog":
            if not case["_context"]:
                raise Unavailable("the file of vectors lacks its catalogue")
            given[name] = case["_context"][0]["input"][name]
    with tempfile.TemporaryDirectory(prefix="agenttuning-webshop-") as folder:
        path = Path(folder) / "items.json"
        path.write_text(json.dumps(given["products"]), encoding="utf-8")
        return list(products(path, given["attributes"])), given["human"]


def load_products(case: dict[str, Any]) -> list[dict[str, Any]]:
    found, human = _catalogue(case)
    return [
        {
            "asin": one.asin, "Title": one.title, "Price": one.tag, "pricing": one.pricing, "options": one.options,
            "Attributes": one.attributes, "BulletPoints": one.bullets, "Description": one.description, "query": one.query,
            "Rating": "N.A.", "instructions": human.get(one.asin),
        }
        for one in found
    ]  # fmt: skip


def episode(case: dict[str, Any]) -> dict[str, Any]:
    """A whole episode. The search engine is the case's ranking; the titles' nouns are all their words."""
    given = case["input"]
    found, human = _catalogue(case)
    by_asin = {one.asin: one for one in found}
    generator = random.Random(0)
    wanted = [
        (one, draw_price(one.pricing, generator), human[one.asin]) for one in found if one.asin in human
    ]
    table = next(goal for goal in goal_table(wanted, generator) if goal.asin == given["goal_asin"])
    goal = Goal(
        **{**vars(table), "price_upper": given["price_upper"], "instruction": given["instruction_text"]}
    )
    queries: list[list[Any]] = []

    def search(query: str, count: int) -> list[str]:
        queries.append([query, count])
        return given["search_ranking"][:count]

    def buy(product: Product, chosen: dict[str, str]) -> float:
        return grade(product, goal, product.pricing[0], list(chosen.values()), _every_word).reward

    visit = Visit(goal, search, by_asin.__getitem__, buy)
    initial = {"observation": visit.observation, "available_actions": repr(visit.available_actions)}
    steps = []
    for action in given["actions"]:
        reward = visit.step(*env_parse_action(action))
        step = {"action": action, "observation": visit.observation, "reward": reward, "done": visit.done}
        if visit.done:  # upstream's last page is in HTML; only its greeting is compared
            step["observation"] = f"{visit.observation.split(SEPARATOR)[0]} [...(done page)"
        else:
            step["available_actions"] = repr(visit.available_actions)
        steps.append(step)
    return {"initial": initial, "steps": steps, "queries": queries, "options": visit.options}


def _every_word(title: str) -> Tagged:
    return [(word, "NOUN") for word in title.split()]


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "parse_response": lambda case: parse_response(case["input"]["response"]),
    "env_parse_action": lambda case: env_parse_action(case["input"]["action"]),
    "normalize_color": lambda case: normalize_color(case["input"]["text"]),
    "option_reward": option_reward,
    "attribute_reward": attribute_reward,
    "type_reward": type_reward,
    "total_reward": total_reward,
    "load_products": load_products,
    "page_slice": lambda case: list(page_slice(case["input"]["items"], case["input"]["page"])),
    "episode": episode,
    "metrics": lambda case: upstream_means(case["input"]["outputs"]),
}
