"""Fixtures every test folder uses."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from agenttuning.home import home

# Started in the background of a script, pytest and its children would ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def mirror(maybe_mirror: Path | None) -> Path:
    """Folder with real upstream data ($MIRROR or ../shared/mirror); the test is skipped where there is none."""
    if maybe_mirror is None:
        pytest.skip("no upstream data here: set MIRROR=DIR")
    return maybe_mirror


@pytest.fixture
def maybe_mirror(monkeypatch: pytest.MonkeyPatch) -> Path | None:
    """Like `mirror`, but None where there is none: for tests that can do part of their work without it."""
    candidates = [Path(os.environ["MIRROR"])] if os.environ.get("MIRROR") else []
    candidates.append(home().parent / "shared" / "mirror")
    for folder in candidates:
        if (folder / "prompts").is_dir():
            monkeypatch.setenv("MIRROR", str(folder.resolve()))
            return folder.resolve()
    return None


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands in for runs/."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("AGENTTUNING_RUNS", str(folder))
    return folder
