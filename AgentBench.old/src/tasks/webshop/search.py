"""The search engine: BM25 over an index on disk that is memory-mapped.

Upstream searches with Lucene by way of pyserini (BM25, k1 0.9, b 0.4, English analyser). This one has the same formula and
the analyser's steps: words, possessive 's off, lower case, English stop words off, Porter stemming. A query is a bag of words.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from .catalogue import Product

K1, B = 0.9, 0.4
WORD_BYTES = 32
"""Longer words are cut, in documents and queries alike, so that the vocabulary is an array of fixed width."""

QUERY_WORDS = 200
"""Words of a query that are looked at; more of them only cost time."""

WORD = re.compile(r"[^\W\d_]+(?:['’.][^\W\d_]+)*\w*|\w+(?:(?<=\d)[.,](?=\d)\w+)*")
"""Near to Unicode's word boundaries, which Lucene follows: `l'eau`, `6.76` and `u.s.a` are words, `x-large` is two."""

STOP_LIST = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to "
    "was will with"
)
STOP_WORDS = frozenset(STOP_LIST.split())


def document_of(product: Product) -> str:
    """What is searched of a product: title, description, first bullet, options."""
    options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in product.options.items())
    first = product.bullets[0] if product.bullets else ""
    return " ".join([product.title, product.description, first, options]).lower()


def words_of(text: str) -> Iterator[str]:
    """Words of a text as the index counts them, before stemming."""
    for found in WORD.finditer(text):
        word = found.group().lower().replace("’", "'").removesuffix("'s")
        if word and word not in STOP_WORDS:
            yield word


def build(documents: Iterable[str], folder: Path) -> int:
    """Write the index of `documents` into an existing empty folder; returns the number of words it knows."""
    stemmer = Stemmer.Stemmer("porter")
    known: dict[str, int] = {}
    stems: dict[bytes, int] = {}
    rows: list[list[int]] = []
    for document in documents:
        row = []
        for word in words_of(document):
            number = known.get(word)
            if number is None:
                number = known[word] = stems.setdefault(_key(stemmer.stemWord(word)), len(stems))
            row.append(number)
        rows.append(row)
    vocabulary = np.array(list(stems) or [b""], dtype=f"S{WORD_BYTES}")
    order = np.argsort(vocabulary, kind="stable")
    engine = bm25s.BM25(k1=K1, b=B, method="lucene")
    # bm25s would keep its vocabulary as a dict in every process: it gets numbers, the words go into a sorted array.
    engine.index(
        (rows, {word: i for i, word in enumerate(vocabulary.tolist())}),
        create_empty_token=False,
        show_progress=False,
    )
    np.save(folder / "data.npy", engine.scores["data"])
    np.save(folder / "indices.npy", engine.scores["indices"])
    np.save(folder / "indptr.npy", engine.scores["indptr"])
    np.save(folder / "words.npy", vocabulary[order])
    np.save(folder / "word_numbers.npy", order.astype(np.int32))
    return len(stems)


def _key(word: str) -> bytes:
    return word.encode("utf-8", "replace")[:WORD_BYTES]


class Index:
    """An index on disk, opened for reading; safe to use from many threads, its pages are shared by processes.

    Args:
        folder: where `build` has written.
        documents: how many there are.
    """

    def __init__(self, folder: Path, documents: int):
        def mapped(name: str) -> np.ndarray:
            return np.load(folder / f"{name}.npy", mmap_mode="r")

        self._words, self._numbers = mapped("words"), mapped("word_numbers")
        self._engine = bm25s.BM25(k1=K1, b=B, method="lucene")
        self._engine.nonoccurrence_array = None
        self._engine.scores = {
            "data": mapped("data"),
            "indices": mapped("indices"),
            "indptr": mapped("indptr"),
            "num_docs": documents,
        }
        self._stemmer = Stemmer.Stemmer("porter")
        self._lock = threading.Lock()  # a stemmer is not thread-safe

    def best(self, query: str, count: int) -> list[int]:
        """Numbers of at most `count` documents that share a word with the query, best first; ties in their order."""
        numbers = self._numbers_of(query)
        if not numbers:
            return []
        scores = self._engine.get_scores_from_ids(numbers)
        hits = np.flatnonzero(scores > 0)
        if len(hits) > count:
            least = np.partition(scores[hits], len(hits) - count)[len(hits) - count]
            hits = hits[scores[hits] >= least]
        order = np.lexsort((hits, -scores[hits]))[:count]
        return hits[order].tolist()

    def _numbers_of(self, query: str) -> list[int]:
        words = [word for _, word in zip(range(QUERY_WORDS), words_of(query), strict=False)]
        with self._lock:
            keys = [_key(self._stemmer.stemWord(word)) for word in words]
        found = []
        for key in keys:
            place = int(np.searchsorted(self._words, np.bytes_(key)))
            if place < len(self._words) and self._words[place] == key:
                found.append(int(self._numbers[place]))
        return found
