"""agenttuning tasks / models."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from agenttuning.episodes.rooms import all_specs
from agenttuning.models import registry


@click.command()
def tasks() -> None:
    """Every task: group, paper column, splits, metric."""
    table = Table("task", "group", "column", "splits (samples)", "metric")
    for spec in all_specs().values():
        splits = ", ".join(f"{name} ({split.get('samples', '?')})" for name, split in spec.splits.items())
        table.add_row(spec.name, spec.group, spec.column, splits, spec.metric)
    Console().print(table)


@click.command()
def models() -> None:
    """Every model of models.toml: where it is expected and how it is started."""
    table = Table("model", "kind", "at", "template", "start")
    for name in registry.names():
        if name in registry.SCRIPTED:
            table.add_row(name, "scripted", "", "", "")
            continue
        model = registry.find_model(name)
        table.add_row(name, model.kind, " ".join(model.urls), model.template or "server's", model.start)
    Console().print(table)
