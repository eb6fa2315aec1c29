"""Fixtures every test folder uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenttuning.home import home


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with real upstream data ($MIRROR or ../shared/mirror); the test is skipped where there is none."""
    candidates = [Path(os.environ["MIRROR"])] if os.environ.get("MIRROR") else []
    candidates.append(home().parent / "shared" / "mirror")
    for folder in candidates:
        if (folder / "prompts").is_dir():
            monkeypatch.setenv("MIRROR", str(folder.resolve()))
            return folder.resolve()
    pytest.skip("no upstream data here: set MIRROR=DIR")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands in for runs/."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("AGENTTUNING_RUNS", str(folder))
    return folder
