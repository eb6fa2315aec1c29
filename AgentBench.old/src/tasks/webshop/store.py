"""A shop on disk: products, prices, goals and search index, built once and memory-mapped by everyone who uses it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from agenttuning.errors import KitError
from agenttuning.home import data_dir

from . import search
from .catalogue import Product, products, read_table
from .goals import Goal, draw_price, goal_table, table_hash

FORMAT = 1
"""Raised when the files below a shop's folder, the analyser or the draws change."""

LARGE = 1 << 26
"""Bytes of a product file from which on building says so."""

PROGRESS = 200_000
"""Products between two lines of progress."""


@dataclass(frozen=True)
class Files:
    """The three files of a catalogue: product list, attributes and human instructions by product number."""

    items: Path
    attributes: Path
    human: Path


def key_of(checksums: Sequence[str], seed: int) -> str:
    """Name of the shop of these files (their sha256) and this seed."""
    return hashlib.sha256(json.dumps([FORMAT, list(checksums), seed]).encode()).hexdigest()[:20]


def folders(chosen: str) -> list[Path]:
    """Where shops may lie, best first: the option's folder, or the data folder's cache and then this user's temporary one."""
    if chosen:
        return [Path(chosen).expanduser()]
    places = [data_dir() / "cache" / "webshop"]
    own = Path(tempfile.gettempdir()) / f"agenttuning-webshop-{os.getuid()}"
    if not own.exists() or own.stat().st_uid == os.getuid():  # anyone may have made it
        places.append(own)
    return places


def find(key: str, places: Sequence[Path]) -> Path | None:
    """The finished shop of that key, if there is one."""
    return next((place / key for place in places if (place / key / "meta.json").is_file()), None)


def build(files: Files, seed: int, key: str, places: Sequence[Path]) -> Path:
    """Build a shop in the first of `places` that can be written, unless another process just has; returns its folder.

    Raises:
        KitError: a broken catalogue, or no place to write (a full disk too).
    """
    problems = []
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock = (place / f"{key}.lock").open("w")
        except OSError as error:
            problems.append(f"{place}: {error.strerror}")
            continue
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return find(key, [place]) or _build_in(place, files, seed, key)
            except OSError as error:
                raise _not_written(f"{place}: {error.strerror}") from error
    raise _not_written("; ".join(problems))


def _not_written(why: str) -> KitError:
    return KitError(
        f"the shop's index cannot be written ({why})",
        "free space there, or give --option index_folder=DIR on a disk with room (README.md of the task says how much)",
    )


def _build_in(place: Path, files: Files, seed: int, key: str) -> Path:
    """Build under a temporary name and rename; the caller holds the lock, so whatever lies there is a dead build's."""
    started = time.perf_counter()
    if files.items.stat().st_size > LARGE:
        print(f"webshop: building the index of {files.items} in {place}, once", file=sys.stderr, flush=True)
    for left in [*place.glob(f"{key}.part-*"), place / key]:
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{key}.part-", dir=place))
    try:
        meta = write_shop(files, seed, part)
        meta["seconds"] = round(time.perf_counter() - started, 3)
        meta["bytes"] = {path.name: path.stat().st_size for path in sorted(part.iterdir())}
        (part / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
        part.chmod(0o755)  # a container's user must be able to read it
        os.replace(part, place / key)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return place / key


def write_shop(files: Files, seed: int, folder: Path) -> dict[str, Any]:
    """Write a shop's files into an empty folder; returns what meta.json says of it.

    The product list is read once, piece by piece. All random draws come from one generator: first the prices of ranges in the
    order of the products, then the goals' limits.

    Raises:
        KitError: a broken or empty catalogue.
    """
    attributes, human = read_table(files.attributes), read_table(files.human)
    generator = random.Random(seed)
    asins: list[bytes] = []
    offsets, prices = [0], []
    wanted: list[tuple[Product, float, Any]] = []

    def documents() -> Iterator[str]:
        with (folder / "products.jsonl").open("wb") as stream:
            for product in products(files.items, attributes):
                price = draw_price(product.pricing, generator)
                offsets.append(offsets[-1] + stream.write(product.line().encode("utf-8", "replace") + b"\n"))
                prices.append(price)
                asins.append(product.asin.encode())
                if product.asin in human:
                    wanted.append((product, price, human[product.asin]))
                if len(asins) % PROGRESS == 0:
                    print(f"webshop: {len(asins)} products read", file=sys.stderr, flush=True)
                yield search.document_of(product)
        if not asins:
            raise KitError(f"{files.items} holds no products", "get the file anew")

    words = search.build(documents(), folder)
    goals = goal_table(wanted, generator, str(files.human))
    numbers = np.array(asins)
    order = np.argsort(numbers, kind="stable")
    np.save(folder / "asins.npy", numbers)
    np.save(folder / "rows.npy", order.astype(np.int32))
    np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64))
    np.save(folder / "prices.npy", np.array(prices))
    (folder / "goals.jsonl").write_text("".join(goal.line() + "\n" for goal in goals), "utf-8", "replace")
    return {
        "format": FORMAT,
        "seed": seed,
        "products": len(asins),
        "words": words,
        "goals": len(goals),
        "goals_sha256": table_hash(goals),
    }


class Shop:
    """A finished shop, opened for reading; safe to use from many threads.

    Raises:
        KitError: a damaged folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            meta = json.loads((folder / "meta.json").read_text())
            for name, size in meta["bytes"].items():
                if (folder / name).stat().st_size != size:
                    raise ValueError(f"{name} has another size than when it was built")
            self.size: int = meta["products"]
            self.goals_sha256: str = meta["goals_sha256"]
            self._index = search.Index(folder, self.size)
            self._asins, self._rows, self._offsets, self._prices = (
                np.load(folder / f"{name}.npy", mmap_mode="r")
                for name in ("asins", "rows", "offsets", "prices")
            )
            with (folder / "products.jsonl").open("rb") as stream:
                self._lines = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KitError(
                f"the shop's index {folder} is damaged ({error})", "delete that folder, it is built anew"
            ) from error

    @cached_property
    def goals(self) -> list[Goal]:
        """The goal table."""
        text = (self.folder / "goals.jsonl").read_text(encoding="utf-8")
        return [Goal(**json.loads(line)) for line in text.split("\n") if line]

    def search(self, query: str, count: int) -> list[str]:
        """Numbers of at most `count` products that match, best first."""
        return [self._asins[row].decode() for row in self._index.best(query, count)]

    def product(self, asin: str) -> Product:
        """A product by its number. Raises KeyError."""
        return self._product_at(self._row(asin))

    def price(self, asin: str) -> float:
        """What the product is sold at, in dollars. Raises KeyError."""
        return float(self._prices[self._row(asin)])

    def _row(self, asin: str) -> int:
        key = asin.encode()
        place = int(np.searchsorted(self._asins, np.bytes_(key), sorter=self._rows))
        if place == self.size or self._asins[self._rows[place]] != key:
            raise KeyError(asin)
        return int(self._rows[place])

    def _product_at(self, row: int) -> Product:
        return Product(**json.loads(self._lines[self._offsets[row] : self._offsets[row + 1]]))
