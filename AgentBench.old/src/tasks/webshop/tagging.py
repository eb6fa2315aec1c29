"""Parts of speech of product titles: spaCy's en_core_web_lg, as upstream, or HanTa, which needs no download.

The tagger decides the factor for the product's type, so a run names the one that scored it. Any function from a title to
(token, universal tag) pairs can stand in its place.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Callable
from functools import cache, lru_cache

from agenttuning.errors import KitError, MissingDependency

from .grading import Tagged

SPACY_MODEL = "en_core_web_lg"
NAMES = ("spacy", "hanta")

TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
LONGEST_TOKEN = 60  # HanTa's time grows with the square of a word's length
LONGEST_TITLE = 200  # tokens

Tagger = Callable[[str], Tagged]


def choose(name: str) -> str:
    """The tagger that `name` stands for on this machine: "auto" is spaCy where its model is installed, else HanTa."""
    if name == "auto":
        return "spacy" if _has_spacy() else "hanta"
    if name not in NAMES:
        raise KitError(f"tagger must be one of auto, {', '.join(NAMES)}, not {name!r}")
    return name


def check(name: str) -> None:
    """Raise MissingDependency where that tagger is not installed."""
    if name == "spacy" and not _has_spacy():
        raise MissingDependency(
            f"spaCy or its model {SPACY_MODEL} is not installed",
            "install both (README.md of the task), or leave out --option tagger=spacy",
        )


def _has_spacy() -> bool:
    return importlib.util.find_spec("spacy") is not None and importlib.util.find_spec(SPACY_MODEL) is not None


@cache
def load(name: str) -> Tagger:
    """The tagger of that name, loaded once per process; safe to use from many threads."""
    tag = lru_cache(maxsize=20_000)(_spacy() if name == "spacy" else _hanta())
    lock = threading.Lock()  # both keep state of their own while they tag

    def tagged(title: str) -> Tagged:
        with lock:
            return tag(title)

    return tagged


def _spacy() -> Tagger:
    import spacy

    model = spacy.load(SPACY_MODEL, exclude=["parser", "ner", "lemmatizer"])
    return lambda title: tuple((token.text, token.pos_) for token in model(title))


def _hanta() -> Tagger:
    from HanTa import HanoverTagger

    model = HanoverTagger.HanoverTagger("morphmodel_en.pgz")

    def tag(title: str) -> Tagged:
        tokens = [token[:LONGEST_TOKEN] for token in TOKEN.findall(title)[:LONGEST_TITLE]]
        return tuple((token, _universal(kind)) for token, _, kind in model.tag_sent(tokens))

    return tag


def _universal(kind: str) -> str:
    """HanTa's noun classes in universal tags; everything else is X, which no rule asks for."""
    if kind.startswith("NP"):
        return "PROPN"
    return "NOUN" if kind.startswith("NN") else "X"
