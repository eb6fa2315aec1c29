"""Where the checkout lies: task folders, configuration, data and runs are found from here."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from agenttuning.errors import KitError


@lru_cache(maxsize=1)
def home() -> Path:
    """Folder that holds models.toml: $AGENTTUNING_HOME, else the checkout this package lies in, else the working folder."""
    given = os.environ.get("AGENTTUNING_HOME")
    candidates = [Path(given)] if given else [Path(__file__).resolve().parent.parent, Path.cwd()]
    for folder in candidates:
        if (folder / "models.toml").is_file():
            return folder.resolve()
    raise KitError(
        f"no models.toml in {' or '.join(str(c) for c in candidates)}",
        "run from the checkout or set AGENTTUNING_HOME to it",
    )


def data_dir() -> Path:
    """Folder of fetched files ($AGENTTUNING_DATA, else data/ of the checkout)."""
    return Path(os.environ.get("AGENTTUNING_DATA") or home() / "data")


def runs_dir() -> Path:
    """Folder of run folders ($AGENTTUNING_RUNS, else runs/ of the checkout)."""
    return Path(os.environ.get("AGENTTUNING_RUNS") or home() / "runs")
