"""The room's modules, a data folder of its own for the indexes, and small catalogues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agenttuning.episodes.rooms import find_spec, room_module

SPEC = find_spec("webshop")

for _needed in ("bm25s", "Stemmer", "rapidfuzz", "HanTa"):
    pytest.importorskip(_needed, reason="make setup installs it")


def room(module: str):
    """A module of the room."""
    return room_module(SPEC, module)


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, so that nothing fetched counts and no index is left behind."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("AGENTTUNING_DATA", str(folder))
    return folder


def product(asin: str, name: str = "Blue Wool Mat", **changes: Any) -> dict[str, Any]:
    """A raw record as upstream's files have it."""
    return {
        "asin": asin,
        "name": name,
        "category": "garden",
        "query": "Mats ",
        "product_category": "Home › Mats",
        "pricing": "$12.50",
        "customization_options": {
            "Color": [{"value": "Navy/Blue", "image": None}, {"value": "Red", "image": None}]
        },
        "full_description": "A mat.",
        "small_description": ["soft", "flat"],
        "images": ["one.jpg"],
        **changes,
    }


def write_files(folder: Path, items: Any, attributes: Any = None, human: Any = None):
    """The three files; a text is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"items": items, "attributes": attributes or {}, "human": human or {}}
    for name, value in given.items():
        (folder / f"{name}.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return room("store").Files(*(folder / f"{name}.json" for name in given))


def build(folder: Path, items: Any, attributes: Any = None, human: Any = None, seed: int = 233):
    """A shop of these files."""
    files = write_files(folder / "files", items, attributes, human)
    store = room("store")
    return store.Shop(store.build(files, seed, f"test{seed}", [folder / "shops"]))
