"""The paper's published numbers (paper.json) with names to ask for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("paper.json")


def model_key(name: str) -> str:
    """The bare name behind a model name, a Hugging Face id, a folder or a snapshot in the Hugging Face cache."""
    parts = [part for part in name.lower().split("/") if part]
    cached = [part for part in parts if part.startswith("models--")]
    return cached[0].rsplit("--", 1)[-1] if cached else (parts[-1] if parts else "")


@dataclass(frozen=True)
class PaperModel:
    """A column of the main table.

    Attributes:
        name: the model's name in lower case, as runs are matched ("agentlm-7b").
        title: as shown to people.
        access: "api" or "open".
        family: "GPT", "Llama 2" or "AgentLM".
        size: "7B", "13B", "70B" or None.
        base: name of the model its gain is computed against, or None.
        aliases: other names of the same weights (Hugging Face repository names).
    """

    name: str
    title: str
    access: str
    family: str
    size: str | None
    base: str | None
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class PaperRow:
    """A task's row of the main table.

    Attributes:
        column: the task's short name in the paper (task.toml's `column`).
        decimals: printed digits after the point.
        metric: what the number is.
        inverse_weight: divisor of the overall score (calibrated, not printed here by the paper).
        values: published score by model name, percent except MT-Bench.
        source: key of `Paper.sources` for `values`.
    """

    column: str
    decimals: int
    metric: str
    inverse_weight: float
    values: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class PaperGroup:
    """held-in, held-out or general, with its overall row and the printed gains in percent."""

    name: str
    rows: tuple[PaperRow, ...]
    overall: Mapping[str, float]
    gain_percent: Mapping[str, int]

    @property
    def inverse_weights(self) -> dict[str, float]:
        return {row.column: row.inverse_weight for row in self.rows}


@dataclass(frozen=True)
class Paper:
    """All of paper.json. `tables` is the raw document, for the tables without a type of their own."""

    models: tuple[PaperModel, ...]
    groups: tuple[PaperGroup, ...]
    sources: Mapping[str, str]
    tables: Mapping[str, Any]

    def group(self, name: str) -> PaperGroup | None:
        return next((group for group in self.groups if group.name == name), None)

    def row(self, column: str) -> PaperRow | None:
        return next((row for group in self.groups for row in group.rows if row.column == column), None)

    def model(self, name: str | None) -> PaperModel | None:
        """The paper's model of that name or Hugging Face id ("THUDM/agentlm-7b"); None if it has none."""
        wanted = model_key(name or "")
        return next((model for model in self.models if wanted in (model.name, *model.aliases)), None)


@lru_cache(maxsize=1)
def load() -> Paper:
    """Read paper.json, which lies beside this module."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    models = tuple(
        PaperModel(**{**entry, "aliases": tuple(entry["aliases"])}) for entry in document["models"]
    )
    groups = tuple(
        PaperGroup(
            name=group["name"],
            rows=tuple(
                PaperRow(
                    column=row["column"],
                    decimals=row["decimals"],
                    metric=row["metric"]["name"],
                    inverse_weight=row["inverse_weight"]["value"],
                    values=row["values"],
                    source=row["source"],
                )
                for row in group["rows"]
            ),
            overall=group["overall"]["values"],
            gain_percent=group["overall"].get("gain_percent_over_base", {}).get("values", {}),
        )
        for group in document["main_table"]["groups"]
    )
    return Paper(models, groups, document["sources"], document)
