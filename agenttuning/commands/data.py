"""`agenttuning data`: fetches, lists, verifies upstream's files and extracts its prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from agenttuning import sources
from agenttuning.errors import KitError
from agenttuning.home import data_dir
from agenttuning.sources import checkout as clones
from agenttuning.sources import fetch as fetching
from agenttuning.sources import promptsets
from agenttuning.sources.catalogue import Download, PromptSet, catalogue, find_prompts, make_command
from agenttuning.sources.verify import mirror


@dataclass(frozen=True)
class _Item:
    """A file or prompt set, with what a table or a bar shows of it."""

    name: str
    entry: Download | PromptSet
    size: int


def _items(tasks: tuple[str, ...]) -> list[_Item]:
    """Files and prompt sets of these tasks (all without names). Raises KitError for a task without data."""
    listed = catalogue()
    unknown = [task for task in tasks if task not in listed.tasks()]
    if unknown:
        raise KitError(
            f"data/sources.toml lists no data for {', '.join(unknown)}",
            f"tasks with data: {', '.join(listed.tasks())}",
        )

    def wanted(entry: Download | PromptSet) -> bool:
        return not tasks or bool(set(tasks) & set(entry.tasks))

    files = [_Item(key, entry, entry.bytes) for key, entry in listed.files.items() if wanted(entry)]
    sets = [
        _Item(f"prompts/{name}.json", entry, sum(file.bytes for file in entry.files))
        for name, entry in listed.prompts.items()
        if wanted(entry)
    ]
    return files + sets


def _split(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Task names, also from one argument with blanks or commas (TASKS="a b")."""
    return tuple(name for argument in tasks for name in argument.replace(",", " ").split())


@click.group()
def data() -> None:
    """Upstream's data files and prompts: fetch, list, verify, extract."""


@data.command()
@click.argument("tasks", nargs=-1)
@click.option(
    "--mirror", "folder", metavar="DIR", help="Copy from this folder instead of the network ($MIRROR)."
)
def fetch(tasks: tuple[str, ...], folder: str | None) -> None:
    """Get the files of TASKS (all without names); what is there and right is left alone."""
    source = Path(folder).expanduser() if folder else mirror()
    if source is not None and not source.is_dir():
        raise KitError(f"the mirror {source} is no folder", "give MIRROR=DIR an existing one")
    items = _items(_split(tasks))
    http = fetching.Downloader()
    counts: dict[str, int] = {}
    failures: dict[str, list[tuple[str, KitError]]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        for item in items:
            bar = bars.add_task(item.name, total=item.size or None)

            def progress(there: int, bar=bar) -> None:
                bars.update(bar, completed=there)

            try:
                if isinstance(item.entry, PromptSet):
                    how = fetching.get_prompts(item.entry, source, http, progress)
                else:
                    how = fetching.get_file(item.entry, source, http, progress)
                counts[how] = counts.get(how, 0) + 1
                bars.update(bar, description=f"{item.name} ({how})", total=item.size, completed=item.size)
            except KitError as error:
                failures.setdefault(error.cause, []).append((item.name, error))
                bars.update(bar, description=f"{item.name} (failed)")
    if counts:
        done = ", ".join(f"{number} {how}" for how, number in counts.items())
        click.echo(f"{sum(counts.values())} of {len(items)} ready in {data_dir()} ({done})")
    if failures:
        _report(failures, len(items), _split(tasks))


def _report(failures: dict[str, list[tuple[str, KitError]]], total: int, tasks: tuple[str, ...]) -> None:
    """Raises the one error that stands for all failures; several causes are printed line by line first."""
    names = [name for group in failures.values() for name, _ in group]
    errors = [group[0][1] for group in failures.values()]
    if len(errors) == 1 and isinstance(errors[0], fetching.Unreachable):
        names_of_tasks = " ".join(tasks)
        selection = f'TASKS="{names_of_tasks}" ' if tasks else ""
        again = f"make data {selection}MIRROR=DIR"
        raise KitError(
            f"{errors[0].cause}; not fetched: {', '.join(names)}",
            f"check the network and the proxy, or copy from a local mirror: {again}",
        )
    if len(errors) == 1 and len(names) == 1:
        raise errors[0]
    for group in failures.values():
        click.echo(f"{', '.join(name for name, _ in group)}: {group[0][1]}", err=True)
    fix = "mend what is said above and run make data again"
    raise KitError(f"{len(names)} of {total} could not be fetched: {', '.join(names)}", fix)


def _state(item: _Item) -> str:
    """fetched, mirror, missing or WRONG, after comparing the checksum."""
    entry = item.entry
    try:
        if isinstance(entry, PromptSet):
            path = promptsets.find(entry)
            own = path == promptsets.stored_path(entry)
            if path is not None:
                promptsets.read(entry, path)
        else:
            path = sources.file(entry.key) if sources.available(entry.key) else None
            own = path == fetching.target_of(entry)
    except KitError:
        return "WRONG"
    return "missing" if path is None else "fetched" if own else "mirror"


@data.command(name="list")
@click.argument("tasks", nargs=-1)
def list_(tasks: tuple[str, ...]) -> None:
    """Show every file of TASKS (all without names), its size, licence and whether it is here."""
    table = Table("name", "tasks", "KiB", "licence", "state", box=None, pad_edge=False)
    for item in _items(_split(tasks)):
        table.add_row(
            item.name,
            " ".join(item.entry.tasks),
            f"{item.size / 1024:,.0f}",
            item.entry.licence,
            _state(item),
        )
    Console(width=140, soft_wrap=True).print(table)


@data.command()
@click.argument("tasks", nargs=-1)
def verify(tasks: tuple[str, ...]) -> None:
    """Compare every checksum of TASKS (all without names); fails if one is missing or wrong."""
    names = _split(tasks)
    items = _items(names)
    states = {item.name: _state(item) for item in items}
    for name, state in states.items():
        click.echo(f"{state:8} {name}")
    bad = [name for name, state in states.items() if state in ("WRONG", "missing")]
    if bad:
        wanted = tuple(dict.fromkeys(t for item in items if item.name in bad for t in item.entry.tasks))
        raise KitError(f"missing or wrong: {', '.join(bad)}", f"run {make_command(names or wanted)}")


@data.command()
@click.option(
    "--checkout",
    required=True,
    metavar="DIR|GIT_URL",
    help="Clone of upstream, its files, or its git address.",
)
@click.argument("names", nargs=-1)
def prompts(checkout: str, names: tuple[str, ...]) -> None:
    """Extract the prompt sets NAMES (all without names) from upstream's sources, without running them."""
    sets = [find_prompts(name) for name in names] or list(catalogue().prompts.values())
    for prompt_set in sets:
        read = clones.reader(checkout, prompt_set.repo, prompt_set.commit)
        path = promptsets.store(prompt_set, promptsets.build(prompt_set, read))
        click.echo(f"{prompt_set.name}: {len(prompt_set.extract)} prompts verified, written to {path}")
