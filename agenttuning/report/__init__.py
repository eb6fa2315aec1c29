"""The report: tables, figures and transcripts of all runs in a folder, beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agenttuning.errors import KitError
from agenttuning.report.html import write_html
from agenttuning.report.markdown import render_markdown
from agenttuning.report.results import Report, collect
from agenttuning.report.runs import SCRIPTED, find_runs

__all__ = ["build", "load", "write"]


def load(runs: Path, models: Sequence[str] | None = None) -> Report:
    """Read all runs below a folder.

    Args:
        runs: folder laid out <model>/<task>/<split>-<profile>.../.
        models: show only these models; scripted players always stay.

    Raises:
        KitError: no run there that can be read, or no run of a model asked for.
    """
    found, problems = find_runs(runs)
    if not found:
        cause = (
            f"there are no runs in {runs}" if not problems else f"no run in {runs} can be read: {problems[0]}"
        )
        raise KitError(cause, "make some with: make demo")
    if models is not None:
        present = {run.model for run in found} - set(SCRIPTED)
        if absent := sorted(set(models) - present - set(SCRIPTED)):
            raise KitError(
                f"there is no run of {', '.join(absent)} in {runs}",
                f"models with runs: {', '.join(sorted(present)) or 'none'}",
            )
    return collect(found, problems, models)


def write(report: Report, out: Path) -> Path:
    """Write report.html, report.md and the pages of all runs into a folder; returns the path of report.html."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.md").write_text(render_markdown(report), encoding="utf-8")
        return write_html(report, out)
    except OSError as error:
        raise KitError(
            f"the report cannot be written to {out} ({error})", "give another folder with --out"
        ) from error


def build(runs: Path, out: Path) -> Path:
    """The whole report of a folder of runs; returns the path of report.html. Raises KitError when there are none."""
    return write(load(runs), out)
