"""Products as the shop shows them, from the three files of a catalogue.

Follows load_products of web_agent_site/engine/engine.py (AgentBench.old/src/tasks/webshop, THUDM/AgentTuning @ e33a45d). The
product file may be larger than memory: it is read piece by piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agenttuning.errors import KitError

NO_PRICE = 100.0
"""Price of a product without one."""

NO_ATTRIBUTES = ["DUMMY_ATTR"]
"""Attributes of a product that the attribute file does not know."""

LONGEST_ASIN = 10
CHUNK = 1 << 22

FIX = "get the file anew, or mend the product"


@dataclass(frozen=True)
class Product:
    """One product.

    Attributes:
        asin: its number, at most ten characters.
        query: the search phrase it was collected by, lower case.
        product_category: path of categories with `›` between them.
        tag: price as shown, such as "$35.5" or "$12.0 to $20.0".
        pricing: one price, or lower and upper end of a range, in dollars.
        options: values by option name, both lower case, in the order of the page.
    """

    asin: str
    title: str
    category: str
    query: str
    product_category: str
    tag: str
    pricing: list[float]
    options: dict[str, list[str]]
    attributes: list[str]
    bullets: list[str]
    description: str

    def line(self) -> str:
        """The product as one line of JSON; `Product(**json.loads(line))` is its inverse."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def parse_price(text: str | None) -> tuple[list[float], str]:
    """Prices and tag of a price text such as "$12.00 $20.00"; none is $100.0, a third and further ones are left out.

    Raises:
        ValueError: a text without a dollar sign, or without digits after one.
    """
    if not text:
        return [NO_PRICE], f"${NO_PRICE}"
    prices = [float(re.sub(r"[^\d.]", "", piece, flags=re.ASCII)) for piece in text.split("$")[1:]]
    if not prices:
        raise ValueError("no dollar sign")
    if len(prices) == 1:
        return prices, f"${prices[0]}"
    return prices[:2], f"${prices[0]} to ${prices[1]}"


def parse_options(raw: dict[str, Any] | None) -> dict[str, list[str]]:
    """Options of a product. Groups without values are left out; of two names that differ in case only the last stays."""
    options = {}
    for name, values in (raw or {}).items():
        if values is not None:
            options[name.lower()] = [value["value"].strip().replace("/", " | ").lower() for value in values]
    return options


def product_of(raw: dict[str, Any], known: dict[str, Any]) -> Product:
    """The product of one raw record.

    Args:
        known: the attribute file's entry of this product, or an empty one.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, IndexError: a field is missing or of another kind.
    """
    bullets = raw["small_description"]
    pricing, tag = parse_price(raw.get("pricing"))
    _ = raw["images"][0]  # upstream's pages cannot be made without it
    attributes = known.get("attributes")
    return Product(
        asin=raw["asin"],
        title=_text(raw["name"], "name"),
        category=_text(raw["category"], "category"),
        query=_text(raw["query"], "query").lower().strip(),
        product_category=_text(raw["product_category"], "product_category"),
        tag=tag,
        pricing=pricing,
        options=parse_options(raw.get("customization_options")),
        attributes=list(NO_ATTRIBUTES if attributes is None else attributes),
        bullets=[
            _text(b, "small_description") for b in (bullets if isinstance(bullets, list) else [bullets])
        ],
        description=_text(raw["full_description"], "full_description"),
    )


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} is not a text")
    return value


def products(items: Path, attributes: dict[str, Any]) -> Iterator[Product]:
    """Products of a file, in its order; numbers that are too long, "nan" or already seen are skipped.

    Args:
        items: JSON list of raw records.
        attributes: content of the attribute file.

    Raises:
        KitError: naming the file, the product and what is wrong with it.
    """
    seen: set[str] = set()
    for number, raw in enumerate(read_list(items)):
        asin = raw.get("asin") if isinstance(raw, dict) else None
        if not isinstance(asin, str):
            raise KitError(f"{items}: product {number} has no asin", FIX)
        if asin == "nan" or len(asin) > LONGEST_ASIN or asin in seen:
            continue
        seen.add(asin)
        try:
            yield product_of(raw, attributes.get(asin) or {})
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise KitError(f"{items}: product {number} ({asin}) {what}", FIX) from error


def read_list(path: Path) -> Iterator[Any]:
    """Items of a file that holds one JSON list, read piece by piece. Raises KitError."""
    decoder = json.JSONDecoder()
    try:
        with path.open(encoding="utf-8") as stream:
            text, position, ended = "", 0, False
            expect = "["
            while True:
                while position < len(text) and text[position] in " \t\r\n":
                    position += 1
                if position == len(text) and not ended:
                    text, position = stream.read(CHUNK), 0
                    ended = not text
                    continue
                here = text[position : position + 1]
                if expect == "end":
                    if here:
                        raise ValueError("something follows the list")
                    return
                if expect in "[,":
                    if here == "]" and expect == ",":
                        expect, position = "end", position + 1
                        continue
                    if here != expect:
                        raise ValueError(f"{expect!r} is missing" if here else "the file ends too early")
                    position += 1
                    expect = "first" if expect == "[" else "item"
                    continue
                if here == "]" and expect == "first":
                    expect, position = "end", position + 1
                    continue
                try:
                    item, position = decoder.raw_decode(text, position)
                except json.JSONDecodeError as error:
                    more = stream.read(CHUNK)
                    if not more:
                        raise ValueError("the file ends too early, or is not JSON") from error
                    text, position = text[position:] + more, 0
                    continue
                yield item
                expect = ","
    except OSError as error:
        raise KitError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise KitError(f"{path} is not a JSON list of products ({error})", "get the file anew") from error


def read_table(path: Path) -> dict[str, Any]:
    """Content of a file that holds one JSON object by product number. Raises KitError."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise KitError(f"{path} is not JSON ({error})", "get the file anew") from error
    if not isinstance(table, dict):
        raise KitError(f"{path} does not hold a JSON object", "get the file anew")
    return table
