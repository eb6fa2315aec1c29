"""data/sources.toml: the project's own is sound, hostile and broken ones are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agenttuning import home as home_module
from agenttuning import sources
from agenttuning.errors import KitError
from agenttuning.sources.catalogue import catalogue, read

from .conftest import COMMIT, file_entry, prompts_entry, write_catalogue

MIRRORED = {
    "gsm8k-test",
    "gsm8k-train",
    "dbbench-std",
    "dbbench-dev",
    "science-world-prompts",
    "knowledgegraph-std",
}
"""Files every mirror of the tests has; it may leave out others (some are hundreds of megabytes)."""

PROJECT = Path(__file__).parents[2] / "data" / "sources.toml"


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "../../../etc/passwd"},
        {"path": "a/../../b"},
        {"path": "/etc/passwd"},
        {"path": "a//b"},
        {"path": "./a"},
        {"path": "a\\..\\b"},
        {"repo": "../name"},
        {"repo": "owner/.."},
        {"repo": "owner/name/more"},
        {"commit": "main"},
        {"commit": "../" * 10},
        {"url": "file:///etc/passwd"},
        {"url": "https:///no-host"},
        {"sha256": "abc"},
        {"bytes": -1},
        {"tasks": []},
        {"key": "../key"},
        {"surprise": "x"},
    ],
    ids=str,
)
def test_hostile_or_broken_entries_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(file_entry("one", "https://example.org/1", b"1"))
    assert list(read(path).files) == ["one"]
    path.write_text(file_entry("one", "https://example.org/1", b"1", **changes))
    with pytest.raises(KitError, match=r"file (one|\.\./key)"):
        read(path)


def test_prompt_files_are_held_to_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    good = prompts_entry("https://example.org/p.py", "0" * 64)
    path.write_text(good)
    assert set(read(path).prompts["toy"].extract) == {"prompt", "question"}
    for old, new in [
        ("src/prompts.py", "../prompts.py"),
        ('name = "toy"', 'name = "../toy"'),
        ("returns = true", "eval = true"),
        ("returns = true", 'returns = true, assign = "x"'),
        ("returns = true", 'returns = true, take = "middle"'),
        (', assign = "PROMPT"', ""),
    ]:
        assert old in good
        path.write_text(good.replace(old, new))
        with pytest.raises(KitError):
            read(path)


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    with pytest.raises(KitError, match="is missing"):
        read(path)
    path.write_text("[[file]\n")
    with pytest.raises(KitError, match="not valid TOML"):
        read(path)
    entry = file_entry("one", "https://example.org/1", b"1")
    path.write_text(entry + entry)
    with pytest.raises(KitError, match="two files have the key one"):
        read(path)


def test_catalogue_notices_a_changed_file(checkout: Path) -> None:
    assert catalogue().files == {}
    write_catalogue(checkout, file_entry("one", "https://example.org/1", b"1"))
    assert list(catalogue().files) == ["one"]


def test_project_catalogue_is_sound() -> None:
    listed = read(PROJECT)
    assert {"gsm8k-test", "gsm8k-train", "dbbench-std", "dbbench-dev", "science-world-prompts"} <= set(
        listed.files
    )
    assert {"agentbench-core", "dbbench", "general", "science-world"} <= set(listed.prompts)
    entries = list(listed.files.values()) + [f for s in listed.prompts.values() for f in s.files]
    for entry in entries:
        assert entry.url.startswith("https://") and entry.commit != COMMIT
        assert "0" * 20 not in entry.sha256


@pytest.mark.mirror
def test_project_files_and_prompts_match_the_mirror(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home_module.home.cache_clear()
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))  # only the mirror counts
    listed = read(PROJECT)
    for key, entry in listed.files.items():
        if key not in MIRRORED and not sources.available(key):
            continue
        path = sources.file(key)
        assert path.is_relative_to(mirror) and path.stat().st_size == entry.bytes
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sources.sha256(key)
    for name, prompt_set in listed.prompts.items():
        assert set(sources.prompts(name)) == set(prompt_set.extract)
