"""agenttuning report, agenttuning compare: what the runs say."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from agenttuning import report as pages
from agenttuning.errors import KitError
from agenttuning.home import runs_dir
from agenttuning.report.results import differences
from agenttuning.report.runs import Run, read_run
from agenttuning.report.terminal import print_comparison, print_report
from agenttuning.scores.paired import compare as compare_rewards


@click.command()
@click.option("--runs", "runs", type=click.Path(path_type=Path), help="Folder of runs (default: runs/).")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: RUNS/report).")
@click.option("--models", help="Only these models, separated by commas.")
def report(runs: Path | None, out: Path | None, models: str | None) -> None:
    """Write the report of all runs: terminal table, report.md, report.html with all transcripts."""
    runs = runs or runs_dir()
    names = [name.strip() for name in models.split(",") if name.strip()] if models else None
    loaded = pages.load(runs, names)
    print_report(loaded, Console())
    click.echo(f"report: {pages.write(loaded, out or runs / 'report')}")


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--runs", "runs", type=click.Path(path_type=Path), help="Folder of runs (default: runs/).")
def compare(a: str, b: str, runs: Path | None) -> None:
    """Compare two runs sample by sample. A and B are run folders: MODEL/TASK/SPLIT-PROFILE or paths."""
    runs = runs or runs_dir()
    left, right = _find(a, runs), _find(b, runs)
    if (left.task, left.split) != (right.task, right.split):
        raise KitError(
            f"{left.name} and {right.name} have no samples in common ({left.task} {left.split}, {right.task} {right.split})",
            "compare two runs of the same task and split",
        )
    notes = [*left.problems, *right.problems, *differences(left, right)]
    print_comparison(left, right, compare_rewards(left.rewards, right.rewards), notes, Console())


def _find(given: str, runs: Path) -> Run:
    """The run folder meant: a path, or a path below the folder of runs."""
    for folder in (Path(given), runs / given):
        if (folder / "run.json").is_file():
            return read_run(folder)
    raise KitError(f"there is no run {given} in {runs}", "list the runs with: agenttuning report")
