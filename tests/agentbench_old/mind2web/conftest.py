"""The room's modules and a few hand-made pages in the dataset's form."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agenttuning.episodes.rooms import find_spec, room_module

pytest.importorskip("lxml", reason="lxml is not installed")


def room(module: str) -> ModuleType:
    return room_module(find_spec("mind2web"), module)


PAGE = (
    '<html backend_node_id="1"> <a backend_node_id="2"><text backend_node_id="3">Start</text></a> '
    '<a backend_node_id="4"><text backend_node_id="5">Help</text></a> <input backend_node_id="6" name="q"/> </html>'
)


def make_task(name: str, *, steps: int = 2, html: str = PAGE) -> dict[str, Any]:
    """One task in the dataset's schema; every step's positive is node 4."""
    actions = [
        {
            "action_uid": f"s{i}",
            "raw_html": '<script>"{\\',
            "cleaned_html": html,
            "operation": {"op": "CLICK", "original_op": "HOVER", "value": ""},
            "pos_candidates": [{"tag": "a", "attributes": "{}", "backend_node_id": "4"}],
            "neg_candidates": [
                {"tag": "a", "attributes": "{}", "backend_node_id": "2"},
                {"tag": "input", "attributes": "{}", "backend_node_id": "6"},
            ],
        }
        for i in range(steps)
    ]
    return {
        "annotation_id": name,
        "website": "w",
        "domain": "d",
        "subdomain": "s",
        "confirmed_task": 'Ask for "help" {now} \\',
        "action_reprs": [f"[link]  Help {i} -> CLICK" for i in range(steps)],
        "actions": actions,
    }


def make_scores(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    names = [f"{t['annotation_id']}_{a['action_uid']}" for t in tasks for a in t["actions"]]
    ranks = {name: {"4": 1, "2": 0, "6": 60} for name in names}
    return {"scores": {n: {k: -float(v) for k, v in r.items()} for n, r in ranks.items()}, "ranks": ranks}


def locked_zip(path: Path, members: dict[str, bytes], password: bytes) -> None:
    """A zip archive with the old encryption (PKWARE), which the standard library reads but does not write."""
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0xEDB88320 if n & 1 else n >> 1
        table.append(n)

    def encrypted(plain: bytes, crc: int) -> bytes:
        keys = [0x12345678, 0x23456789, 0x34567890]

        def mix(byte: int) -> None:
            keys[0] = keys[0] >> 8 ^ table[(keys[0] ^ byte) & 255]
            keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
            keys[2] = keys[2] >> 8 ^ table[(keys[2] ^ keys[1] >> 24) & 255]

        for byte in password:
            mix(byte)
        out = bytearray()
        for byte in bytes(11) + bytes([crc >> 24]) + plain:
            key = keys[2] | 2
            out.append(byte ^ (key * (key ^ 1) >> 8) & 255)
            mix(byte)
        return bytes(out)

    body, directory = b"", b""
    for name, content in members.items():
        crc = zlib.crc32(content)
        squeeze = zlib.compressobj(wbits=-15)
        data = encrypted(squeeze.compress(content) + squeeze.flush(), crc)
        common = struct.pack("<HHHHHIIIHH", 20, 1, 8, 0, 33, crc, len(data), len(content), len(name), 0)
        directory += (
            b"PK\1\2"
            + struct.pack("<H", 20)
            + common
            + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
            + name.encode()
        )
        body += b"PK\3\4" + common + name.encode() + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\5\6" + end)


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """pinned(scores, files): makes `sources` hand out these contents under the room's keys, in an empty data folder."""
    from agenttuning import sources

    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path / "data"))
    paths: dict[str, Path] = {}

    def put(scores: bytes, **files: Path) -> None:
        pickled = tmp_path / "scores.pkl"
        pickled.write_bytes(scores)
        paths.update({"mind2web-scores": pickled, **{k.replace("_", "-"): v for k, v in files.items()}})

    def sha(key: str) -> str:
        return hashlib.sha256(paths[key].read_bytes()).hexdigest()

    monkeypatch.setattr(sources, "file", lambda key: paths[key])
    monkeypatch.setattr(sources, "sha256", sha)
    return put


def write_tasks(path: Path, tasks: list[dict[str, Any]], indent: int | None = None) -> Path:
    path.write_text(json.dumps(tasks, indent=indent))
    return path
