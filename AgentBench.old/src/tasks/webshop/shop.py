"""One visit to the shop in text mode: pages, buttons, options, purchase.

Follows web_agent_site/envs/web_agent_text_env.py and its pages (AgentBench.old/src/tasks/webshop, THUDM/AgentTuning
@ e33a45d) with observation_mode "text". A page is the list of its texts; there is no HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .catalogue import Product
from .goals import Goal

HITS = 50
"""Products a search finds at most."""

PER_PAGE = 10
SEPARATOR = " [SEP] "
SUB_PAGES = ("description", "features", "reviews")
SPECIAL_WORDS = ("<r>", "<c>", "<q>", "<a>")
"""First words of a query that upstream's engine takes for commands (the last one crashes it). Here they are words."""

T = TypeVar("T")


def page_slice(items: Sequence[T], page: int) -> Sequence[T]:
    """Items of a page, counted from 1; empty past the end."""
    return items[(page - 1) * PER_PAGE : page * PER_PAGE]


@dataclass
class Visit:
    """State of one episode in the shop.

    Attributes:
        goal: what the shopper wants; only its instruction is shown.
        search: numbers of at most so many products for a query, best first.
        product: a product by its number.
        buy: reward 0..1 of a purchase.
        page: "start", "results", "item", one of SUB_PAGES, or "done".
        options: chosen value by option name.
        ignored: actions that changed nothing, so far.
        special: searches that began with one of SPECIAL_WORDS.
    """

    goal: Goal
    search: Callable[[str, int], list[str]]
    product: Callable[[str], Product]
    buy: Callable[[Product, dict[str, str]], float]
    page: str = "start"
    query: str = ""
    number: int = 1
    hits: list[str] = field(default_factory=list)
    asin: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    ignored: int = 0
    special: int = 0

    @property
    def done(self) -> bool:
        return self.page == "done"

    # -- what is seen ----------------------------------------------------------------------------------------------

    @property
    def observation(self) -> str:
        """Texts of the page in order, those without any text left out."""
        texts = ["Instruction:", self.goal.instruction]
        if self.page == "start":
            texts = ["WebShop", *texts, "Search"]
        elif self.page == "done":
            texts = ["Thank you for shopping with us!"]
        else:
            texts += ["Back to Search", *self._texts()]
        return SEPARATOR.join(text.strip() for text in texts if text.strip())

    def _texts(self) -> list[str]:
        if self.page == "results":
            shown = [self.product(asin) for asin in page_slice(self.hits, self.number)]
            texts = [f"Page {self.number} (Total results: {len(self.hits)})"]
            texts += ["< Prev", "Next >"] if self.number > 1 else ["Next >"]
            return texts + [text for one in shown for text in (one.asin, one.title, one.tag)]
        item = self._item()
        if self.page == "item":
            offered = [text for name, values in item.options.items() for text in (name, *values)]
            texts = [
                item.title,
                f"Price: {item.tag}",
                "Rating: N.A.",
                "Description",
                "Features",
                "Reviews",
                "Buy Now",
            ]
            return ["< Prev", *offered, *texts]
        content = {"description": [item.description], "features": item.bullets, "reviews": []}
        return ["< Prev", *content[self.page]]

    @property
    def clickables(self) -> list[str]:
        """Names of what can be clicked, in upstream's order, each once."""
        if self.page == "start":
            return ["search"]
        if self.page == "results":
            turns = ["< prev", "next >"] if self.number > 1 else ["next >"]
            found = [asin.lower() for asin in page_slice(self.hits, self.number)]
            return list(dict.fromkeys(["back to search", *turns, *found]))
        if self.page == "item":
            values = [value for values in self._item().options.values() for value in values]
            return list(dict.fromkeys(["back to search", "< prev", *SUB_PAGES, "buy now", *values]))
        return [] if self.done else ["back to search", "< prev"]

    @property
    def available_actions(self) -> dict[str, Any]:
        """As upstream tells it to the model."""
        return {"has_search_bar": self.page == "start", "clickables": self.clickables}

    def _item(self) -> Product:
        assert self.asin is not None
        return self.product(self.asin)

    # -- what is done ----------------------------------------------------------------------------------------------

    def step(self, name: str, argument: str | None) -> float:
        """Do an action; returns the reward, which is 0 for everything but a purchase.

        A search works on every page. An action that is none, or a click on what is not there, changes nothing.
        """
        argument = argument.lower() if argument is not None else ""
        if self.done:
            self.ignored += 1
        elif name == "search" and argument:
            self._search(argument)
        elif name == "click" and argument != "search" and argument in self.clickables:
            return self._click(argument)
        else:
            self.ignored += 1
        return 0.0

    def _search(self, query: str) -> None:
        self.special += query.split(" ")[0] in SPECIAL_WORDS
        self.query, self.number = query, 1
        self._show_results()

    def _show_results(self) -> None:
        self.hits = self.search(self.query, HITS)
        self.page, self.asin, self.options = "results", None, {}

    def _click(self, value: str) -> float:
        if value == "buy now":
            bought = self._item()
            self.page = "done"
            return self.buy(bought, dict(self.options))
        if value == "back to search":
            self.page, self.query, self.number, self.hits, self.asin, self.options = (
                "start",
                "",
                1,
                [],
                None,
                {},
            )
        elif self.page == "results":
            if value in ("next >", "< prev"):
                self.number += 1 if value == "next >" else -1
                self._show_results()
            else:
                self.asin = next(asin for asin in page_slice(self.hits, self.number) if asin.lower() == value)
                self.page = "item"
        elif value == "< prev":
            if self.page == "item":
                self._show_results()
            else:
                self.page = "item"
        elif value in SUB_PAGES:
            self.page = value
        else:
            names = [name for name, values in self._item().options.items() if value in values]
            self.options[names[-1]] = (
                value  # of two options with the same value, the later one has the button
            )
        return 0.0
