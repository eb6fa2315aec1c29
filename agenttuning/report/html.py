"""report.html: one page without external resources, and the pages of all runs below samples/."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from agenttuning.episodes.types import Status
from agenttuning.errors import MissingDependency
from agenttuning.report import charts, pages, transcripts
from agenttuning.report.results import Report
from agenttuning.report.runs import SCRIPTED, Run

RUN_PAGES = "samples"


@dataclass(frozen=True)
class Cost:
    """What a run cost: sums over its samples; `per_sample` is the median wall time, seconds."""

    calls: int
    retries: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    model_seconds: float
    per_sample: float


def cost(run: Run) -> Cost:
    """Sums over the records of a run that has at least one."""
    rows = run.rows
    return Cost(
        calls=sum(row.calls for row in rows),
        retries=sum(row.retries for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        seconds=sum(row.seconds for row in rows),
        model_seconds=sum(row.model_seconds for row in rows),
        per_sample=statistics.median(row.seconds for row in rows),
    )


def write_html(report: Report, out: Path) -> Path:
    """Write report.html and the pages of every run into `out`; returns the path of report.html."""
    links = {}
    for line in report.lines:
        for result in line.results:
            for run in result.entry.runs:
                folder = out / RUN_PAGES / run.slug
                first = transcripts.write_run(run, result.entry.labels, folder, up="../../")
                links[run.name] = first.relative_to(out).as_posix()
    note = ""
    overall_figures: list[tuple[str, Markup]] = []
    task_figures: list[tuple[str, Markup]] = []
    try:
        overall_figures = [
            (g.group, charts.overall_figure(report, g)) for g in report.overalls if g.group != "general"
        ]
        for model in report.models:
            lines = [
                line
                for line in report.lines
                if model in line.best and line.best[model].entry.value is not None
            ]
            if lines:
                task_figures.append((model, charts.task_figure(report, model, lines)))
    except MissingDependency as error:
        note = f"{error}."
    matched = {model: report.paper_model(model) for model in report.models}
    seen = {status for run in report.runs for status in run.statuses}
    path = out / "report.html"
    pages.write(
        path,
        "report.html",
        report=report,
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        paper_tasks=sum(len(group.rows) for group in report.paper.groups),
        links=links,
        matched=matched,
        player_role=SCRIPTED,
        columns=1 + len(report.models) + sum(m is not None for m in matched.values()) + len(report.players),
        overalls={group.group: group for group in report.overalls},
        relative=[group for group in report.overalls if group.relative] if len(report.models) > 1 else [],
        overall_figures=overall_figures,
        task_figures=task_figures,
        figure_note=note,
        statuses=[*(s.value for s in Status if s in seen), *sorted(seen - set(Status))],
        costs=[
            (run, cost(run))
            for line in report.lines
            for r in line.results
            for run in r.entry.runs
            if run.rows
        ],
        bar_part=_bar_part,
    )
    return path


def _bar_part(status: str, share: float) -> Markup:
    """style attribute of one part of a stacked bar."""
    return Markup('style="--colour: var(--{}); width: {:.2f}%"').format(
        status if status in set(Status) else "unknown", 100 * share
    )
