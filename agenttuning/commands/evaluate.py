"""agenttuning eval / rescore / replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agenttuning.commands.options import parse_options
from agenttuning.episodes import runner
from agenttuning.episodes.identity import read_run
from agenttuning.episodes.rooms import find_spec
from agenttuning.models import registry


@click.command("eval")
@click.argument("task")
@click.option(
    "--model", default=registry.DEFAULT_MODEL, show_default=True, help="Name in models.toml, or oracle, nop."
)
@click.option(
    "--split", help="Split of the task; default: smoke in profile kit, the paper's split in profile paper."
)
@click.option("--profile", type=click.Choice(["paper", "kit"]), default="kit", show_default=True)
@click.option(
    "--sampling",
    type=click.Choice(["upstream", "greedy"]),
    help="Default: upstream in profile paper, greedy in kit.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N samples.")
@click.option("--workers", type=click.IntRange(min=1), help="Episodes at once; default: the task's.")
@click.option("--seed", type=int, help="Seed of sampled decoding; each seed is a run of its own.")
@click.option("--system", help="System message for conversations that have none.")
@click.option("--host", help="Host or URL of the model server instead of 127.0.0.1.")
@click.option("--port", type=int, help="Port of the (first) model server.")
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Servers on consecutive ports.",
)
@click.option("--runs", type=click.Path(path_type=Path), help="Folder of run folders; default: runs/.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="The task's own options.")
@click.option("--fresh", is_flag=True, help="Move a finished run of the same kind aside and start anew.")
def evaluate(
    task: str, model: str, split: str | None, profile: str, options: tuple[str, ...],
    host: str | None, port: int | None, replicas: int, **settings: Any,
) -> None:  # fmt: skip
    """Evaluate a model on TASK. Run the same command again to go on where it stopped."""
    spec = find_spec(task)
    chosen = registry.find_model(model, host=host, port=port, replicas=replicas)
    split = split or default_split(spec.splits, profile)
    result = runner.run(task, split, chosen, profile=profile, options=parse_options(options), **settings)
    show(result.scores, result.folder)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def rescore(folders: tuple[Path, ...]) -> None:
    """Compute scores.json again from the records of run FOLDERS, without any model."""
    for folder in folders:
        show(runner.rescore(folder), folder)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--runs", type=click.Path(path_type=Path), help="Where the replayed run goes; default: runs/.")
def replay(folder: Path, runs: Path | None) -> None:
    """Play the recorded replies of a run FOLDER through today's environment and grading."""
    identity = read_run(folder)["identity"]
    result = runner.run(
        identity["task"], identity["split"], registry.replay_of(folder.resolve()), profile=identity["profile"],
        sampling=identity["sampling"], options=identity["options"], runs=runs, fresh=True,
    )  # fmt: skip
    show(result.scores, result.folder)


def default_split(splits: dict[str, dict[str, Any]], profile: str) -> str:
    """The paper's split in profile paper, smoke (or the first split) otherwise."""
    if profile == "paper":
        return next((name for name, split in splits.items() if split.get("paper")), next(iter(splits)))
    return "smoke" if "smoke" in splits else next(iter(splits))


def show(scores: dict[str, Any], folder: Path) -> None:
    """One or two lines: the number, its interval, what it stands on."""
    metric = scores["metrics"][scores["main"]]
    value = "no score" if metric["value"] is None else f"{metric['value']:.2f}"
    interval = "" if metric["low"] is None else f" [{metric['low']:.2f}, {metric['high']:.2f}]"
    state = "" if scores["complete"] else f", {scores['n']} of {scores['expected']} samples"
    click.echo(
        f"{scores['title']} {scores['main']} {value}{interval} (n={metric['n']}{state}, "
        f"{scores['split']}, profile {scores['profile']}, model {scores['model']})"
    )
    if scores["infrastructure"]["count"]:
        click.echo(
            f"{scores['infrastructure']['count']} samples failed for infrastructure reasons "
            f"({scores['infrastructure']['share']:.1%}{', run invalid' if scores['infrastructure']['invalid'] else ''}); "
            "repeat the command to try them again"
        )
    click.echo(f"run: {folder}")
