"""agenttuning doctor: what is ready on this machine, and the one command that mends each no."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from agenttuning import sources
from agenttuning.containers import engine, images
from agenttuning.episodes.rooms import all_specs, load_task
from agenttuning.episodes.types import TaskSpec
from agenttuning.errors import KitError
from agenttuning.models import registry


@click.command()
def doctor() -> None:
    """For every task: native ready? image ready? data ready? and the command that mends each no. Exit code 1 if a task cannot run."""
    table = Table("task", "native", "image", "data of the paper's split")
    engine_problem = engine.problem()
    mend: list[str] = []
    broken = 0
    for spec in all_specs().values():
        native, data = native_problem(spec), data_problem(spec)
        image = engine_problem or images.problem(spec.name)
        broken += native is not None
        table.add_row(spec.name, _word(native), _word(image), _word(data))
        mend += [
            f"{spec.name}: {problem}"
            for problem in (native, None if engine_problem else image, data)
            if problem
        ]
    Console().print(table)
    if engine_problem:
        click.echo(f"images: {engine_problem}")
    for line in mend:
        click.echo(line)
    served = [name for name in registry.names() if name not in registry.SCRIPTED and _local_and_alive(name)]
    click.echo(
        f"models served on this machine: {', '.join(served) or 'none (make serve-cpu starts the embedded one)'}"
    )
    if broken:
        raise SystemExit(1)


def native_problem(spec: TaskSpec) -> str | None:
    """Why the task cannot run in this environment, with the mending command; None when it can."""
    try:
        load_task(spec.name).check()
    except KitError as error:
        return str(error)
    except ModuleNotFoundError as error:
        return f"the Python package {error.name} is not installed; run: make setup"
    return None


def data_problem(spec: TaskSpec) -> str | None:
    """What the paper's split lacks; None when all is fetched."""
    keys = {key for split in spec.splits.values() if split.get("paper") for key in split.get("files", [])}
    missing = sorted(key for key in keys if not sources.available(key))
    missing += [
        f"prompts of {name}" for name in spec.needs.get("prompts", []) if not sources.prompts_available(name)
    ]
    return (
        f"not fetched: {', '.join(missing)}; run: make data TASKS={spec.name} (MIRROR=DIR takes it from a mirror)"
        if missing
        else None
    )


def _word(problem: str | None) -> str:
    return "yes" if problem is None else "no"


def _local_and_alive(name: str) -> bool:
    model = registry.find_model(name)
    if not all("127.0.0.1" in url for url in model.urls):
        return False
    endpoint = model.endpoints()[0]
    try:
        return endpoint.alive()
    finally:
        endpoint.close()
