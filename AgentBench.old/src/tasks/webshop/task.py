"""WebShop: search, choose and buy a product in a simulated store.

Protocol, metric and limits of AgentBench.old/src/tasks/webshop @ e33a45d (THUDM/AgentTuning); README.md lists what differs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agenttuning import sources
from agenttuning.episodes.history import shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Status, Task, TaskSpec
from agenttuning.errors import KitError, MissingDependency
from agenttuning.models.types import Message

from .scoring import GRADINGS, scores_of

if TYPE_CHECKING:
    from .catalogue import Product
    from .goals import Goal
    from .grading import Grade
    from .oracle import Plan
    from .protocol import Manner, Talk
    from .shop import Visit
    from .store import Files, Shop
    from .tagging import Tagger

HERE = Path(__file__).parent
OWN_SPLIT = "smoke"
SMOKE = {name: HERE / "smoke" / f"{name}.json" for name in ("items", "attributes", "human")}
ALL_GOALS = 12_087
"""Human goals of the full data; the published list has this many."""


class TaskWebShop(Task):
    """The room's task; see the module's docstring."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        if type(self.options["goal_seed"]) is not int:
            raise KitError(f"goal_seed must be a whole number, not {self.options['goal_seed']!r}")
        for name in ("tagger", "index_folder"):
            if not isinstance(self.options[name], str):
                raise KitError(f"{name} must be a text, not {self.options[name]!r}")
        self.options["tagger"] = self._choose_tagger()
        self.rounds = int(spec.limits["rounds"])
        self.grading = "paper" if profile == "paper" else "strict"
        self._shops: dict[str, Shop] = {}
        self._lock = threading.Lock()

    def _choose_tagger(self) -> str:
        """The tagger's own name instead of "auto", so that the run's identity names the one that scores."""
        given: str = self.options["tagger"]
        if given == "auto" and self._missing():
            return given  # check() will say what is missing
        from .tagging import choose

        return choose(given)

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's goals. Sample ids are SPLIT-INDEX, the index as in upstream's shuffled list of goals.

        Builds the split's shop where this is the first time.

        Raises:
            MissingData: a file is not there; names the command.
            KitError: a broken catalogue, or one with fewer goals than the split needs.
        """
        if split not in self.spec.splits:
            raise KitError(f"webshop has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")
        table = self.spec.splits[split]
        first, count = int(table.get("first", 0)), int(table["samples"])
        goals = self.shop(split).goals
        if len(goals) < first + count:
            raise KitError(
                f"the data has {len(goals)} human goals, split {split} needs {first + count}",
                "use the full data: make data TASKS=webshop"
                if split != OWN_SPLIT
                else "restore smoke/ of the task",
            )
        return [sample_of(split, index, goals[index]) for index in range(first, first + count)]

    def shop(self, split: str) -> Shop:
        """The shop of a split, built where no one has built it before."""
        from . import store

        files = self.spec.splits[split].get("files")
        checksums = [sources.sha256(key) for key in files] if files else [_sha256(p) for p in SMOKE.values()]
        seed: int = self.options["goal_seed"]
        key = store.key_of(checksums, seed)
        with self._lock:
            if key not in self._shops:
                places = store.folders(self.options["index_folder"])
                folder = store.find(key, places) or store.build(self._files(split), seed, key, places)
                self._shops[key] = store.Shop(folder)
            return self._shops[key]

    def _files(self, split: str) -> Files:
        from .store import Files

        keys = self.spec.splits[split].get("files")
        return Files(*(sources.file(key) for key in keys)) if keys else Files(*SMOKE.values())

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> dict[str, Any]:
        """preamble (turns), round, omitted_notice; in profile kit also unreadable and ignored."""
        if self.profile == "paper":
            upstream = sources.prompts("webshop")
            return {
                "preamble": [turn["content"] for turn in upstream["preamble_messages"]],
                "round": upstream["round_template"],
                "omitted_notice": sources.prompts("agentbench-core")["omitted_notice"],
            }
        texts = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))
        instruction = texts.pop("instruction").replace("{rounds}", str(self.rounds))
        return {"preamble": [instruction, texts.pop("acknowledgement")], **texts}

    def prompt_identity(self) -> dict[str, str]:
        """Of the prompts, and of the goal tables in use: the instructions are part of what the model is told."""
        found = {
            name: hashlib.sha256(
                (text if isinstance(text, str) else json.dumps(text, sort_keys=True)).encode()
            ).hexdigest()
            for name, text in self.texts.items()
        }
        tables = sorted({shop.goals_sha256 for shop in self._shops.values()})
        return {**found, "goal_table": " ".join(tables)} if tables else found

    def opening(self) -> list[Message]:
        """The turns every episode begins with: instruction, acknowledgement, in profile paper a purchase as example."""
        turns = self.texts["preamble"]
        return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(turns)]

    @cached_property
    def manner(self) -> Manner:
        from .protocol import kit_manner, paper_manner

        if self.profile == "paper":
            return paper_manner(self.texts["round"])
        return kit_manner(self.texts["round"], self.texts["unreadable"], self.texts["ignored"])

    # -- needs -----------------------------------------------------------------------------------------------------

    def _missing(self) -> list[str]:
        return [name for name in self.spec.needs["python"] if importlib.util.find_spec(name) is None]

    def check(self) -> None:
        if missing := self._missing():
            raise MissingDependency(
                f"the Python modules {', '.join(missing)} are not installed",
                "run: make setup",
            )
        from .tagging import check

        check(self.options["tagger"])
        _ = self.texts

    @cached_property
    def tag(self) -> Tagger:
        """The part-of-speech tagger; a test may put its own in this place."""
        from .tagging import load

        return load(self.options["tagger"])

    def open(self) -> None:
        _ = self.tag

    # -- the episode -----------------------------------------------------------------------------------------------

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One episode. A failing model call ends it with ModelError; upstream takes it for a reply without an action."""
        from .protocol import converse
        from .shop import Visit

        shop, goal = self.shop(sample.data["split"]), goal_of(sample)
        grades: dict[str, Grade] = {}

        def buy(product: Product, chosen: dict[str, str]) -> float:
            grades.update(self.grades(goal, product, shop.price(product.asin), list(chosen.values())))
            return grades[self.grading].reward

        visit = Visit(goal, shop.search, shop.product, buy)
        talk = converse(
            self.opening(),
            lambda messages: session.reply(
                messages, view=shorten(messages, notice=self.texts["omitted_notice"])
            ),
            visit,
            self.manner,
            rounds=self.rounds,
        )
        session.finish(talk.messages)
        return self._outcome(shop, visit, talk, grades)

    def grades(self, goal: Goal, product: Product, price: float, chosen: Sequence[str]) -> dict[str, Grade]:
        """Both gradings of a purchase."""
        from .grading import grade

        return {
            name: grade(product, goal, price, chosen, self.tag, strict=name == "strict") for name in GRADINGS
        }

    def _outcome(self, shop: Shop, visit: Visit, talk: Talk, grades: dict[str, Grade]) -> Outcome:
        bought = None
        parts: dict[str, Any] = {}
        if visit.done and visit.asin is not None:
            item = visit.product(visit.asin)
            bought = {
                "asin": item.asin,
                "title": item.title,
                "price": shop.price(item.asin),
                "options": visit.options,
            }
            parts = {name: value for name, value in asdict(grades[self.grading]).items() if name != "reward"}
        return Outcome(
            talk.status,
            talk.reward,
            prediction=bought,
            metrics={
                **{name: grades[name].reward if bought else 0.0 for name in GRADINGS},
                "bought": bought is not None,
                "format_fail": talk.status is Status.INVALID_FORMAT,
                "rounds": len(talk.actions),
                "ignored_actions": visit.ignored,
                "special_searches": visit.special,
                "tagger": self.options["tagger"],
                "goals_sha256": shop.goals_sha256,
                **{f"r_{name}": value for name, value in parts.items()},
            },
            detail=talk.detail,
        )

    # -- scores ----------------------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """`reward`: percent, mean over all samples of the split."""
        size = len(records)
        if records:
            size = int(self.spec.splits[str(records[0]["sample"]).rsplit("-", 1)[0]]["samples"])
        return scores_of(records, size, self.grading)

    # -- self-check ------------------------------------------------------------------------------------------------

    def _plan(self, sample: Sample) -> Plan | str:
        from .oracle import plan

        shop, goal = self.shop(sample.data["split"]), goal_of(sample)
        return plan(
            goal, shop.product(goal.asin), shop.search, rounds=self.rounds, paper=self.profile == "paper"
        )

    def oracle(self, sample: Sample) -> Player:
        """Searches for the goal's own product, clicks the wanted options and buys."""
        from .oracle import reply

        way = self._plan(sample)
        actions = iter(["click[nothing]"] * self.rounds if isinstance(way, str) else way.actions)
        return lambda messages: reply(next(actions, "click[nothing]"))

    def ceiling(self, sample: Sample) -> float:
        """What the goal's own product earns with the options that can be chosen."""
        way = self._plan(sample)
        if isinstance(way, str):
            return 0.0
        shop, goal = self.shop(sample.data["split"]), goal_of(sample)
        return self.grades(goal, shop.product(goal.asin), shop.price(goal.asin), way.chosen)[
            self.grading
        ].reward

    def ceiling_note(self, sample: Sample) -> str:
        if self.ceiling(sample) >= 1:
            return ""
        way = self._plan(sample)
        return way if isinstance(way, str) else "its own product does not have all that the goal asks for"

    def extra_checks(self) -> tuple[bool, list[str]]:
        """Whether the goals of the full data are the published ones, in the published order."""
        from . import store

        keys = self.spec.splits["std"]["files"]
        if not all(sources.available(key) for key in keys) or not sources.available("webshop-human-goals"):
            return True, [
                "the order of the goals is not checked: the full data is not fetched (make data TASKS=webshop)"
            ]
        seed = self.options["goal_seed"]
        places = store.folders(self.options["index_folder"])
        if store.find(store.key_of([sources.sha256(key) for key in keys], seed), places) is None:
            return True, [
                "the order of the goals is not checked: no index of the full data has been built yet"
            ]
        published = json.loads(sources.file("webshop-human-goals").read_text(encoding="utf-8"))
        ours = [goal.instruction.partition(", and price lower than ")[0] for goal in self.shop("std").goals]
        same = ours == [text.strip(".").partition(", and price lower than ")[0] for text in published]
        return same, [
            f"{len(ours)} goals, {'in the published order' if same else f'not the {len(published)} published ones in their order'}"
        ]


def sample_of(split: str, index: int, goal: Goal) -> Sample:
    """The sample of one goal."""
    target = {
        "asin": goal.asin,
        "attributes": goal.attributes,
        "options": goal.options,
        "price_upper": goal.price_upper,
    }
    return Sample(f"{split}-{index}", {"split": split, "goal": asdict(goal)}, target)


def goal_of(sample: Sample) -> Goal:
    """The goal of one sample."""
    from .goals import Goal

    return Goal(**sample.data["goal"])


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise KitError(
            f"{path} cannot be read ({error.strerror})", "restore it from the repository"
        ) from error


TASK = TaskWebShop
