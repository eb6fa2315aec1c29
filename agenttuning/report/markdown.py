"""report.md: the same tables as text, for issues, pull requests and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from agenttuning.report.entries import Entry
from agenttuning.report.results import Report, Result
from agenttuning.report.runs import SCRIPTED
from agenttuning.report.text import interval, markdown, number, p_value
from agenttuning.scores.overall import percent


def render_markdown(report: Report) -> str:
    """The report as Markdown. Everything that comes from a run is escaped."""
    parts = ["# AgentTuning: reproduced results", "Published: arXiv 2310.12823 v2. Intervals are 95 %."]
    if report.notices:
        parts.append(
            "## Before you quote a number\n\n" + "\n".join(f"- {markdown(n)}" for n in report.notices)
        )
    parts.append("## Results\n\n" + _results(report))
    parts.append("## Against the paper\n\n" + _verdicts(report))
    parts.append("## Overall scores\n\n" + _overalls(report))
    if report.comparisons:
        parts.append("## Paired comparisons\n\n" + _paired(report))
    return "\n\n".join(parts) + "\n"


def plain_score(entry: Entry, decimals: int) -> str:
    """ "31.2 ± 0.4 [26.1, 36.7]" with the parts that exist."""
    spread = "" if entry.spread is None else f" \u00b1 {number(entry.spread, decimals)}"
    limits = interval(entry.low, entry.high, decimals)
    return number(entry.value, decimals) + spread + (f" {limits}" if limits else "")


def _cell(result: Result | None) -> str:
    if result is None:
        return "\u2013"
    kind = result.verdict.kind
    words = ([] if kind == "not comparable" else [kind]) + result.entry.labels
    return plain_score(result.entry, result.decimals) + (f" ({', '.join(words)})" if words else "")


def _results(report: Report) -> str:
    head = ["Task"]
    matched = {model: report.paper_model(model) for model in report.models}
    for model in report.models:
        found = matched[model]
        head += [model] + ([f"{found.title} published"] if found else [])
    head += [f"{player} ({SCRIPTED[player]})" for player in report.players]
    rows = []
    for line in report.lines:
        row = [f"{line.column} ({line.group})"]
        for model in report.models:
            row.append(_cell(line.best.get(model)))
            if found := matched[model]:
                row.append(number(line.row.values[found.name] if line.row else None, line.decimals))
        row += [_cell(line.best.get(player)) for player in report.players]
        rows.append(row)
    return _table(head, rows)


def _verdicts(report: Report) -> str:
    rows = [
        [
            line.column,
            result.entry.run.model,
            result.entry.condition,
            str(result.entry.run.score.n),
            plain_score(result.entry, line.decimals),
            number(result.verdict.published, line.decimals),
            result.verdict.kind
            + (": " + "; ".join(result.verdict.reasons) if result.verdict.reasons else ""),
        ]
        for line in report.lines
        for result in line.results
        if result.entry.run.model not in SCRIPTED
    ]
    return _table(
        ["Task", "Model", "Split, profile, sampling", "n", "Reproduced", "Published", "Verdict"], rows
    )


def _overalls(report: Report) -> str:
    known = {group.group: group for group in report.overalls}
    rows = []
    for model in report.models:
        row = [model]
        for table in report.paper.groups:
            group = known[table.name]
            gain = group.gains.get(model)
            row.append(group.ours[model].text + ("" if gain is None else f" ({percent(gain)})"))
        rows.append(row)
    for found in report.paper.models:
        row = [f"{found.title}, published"]
        for table in report.paper.groups:
            printed = table.gain_percent.get(found.name)
            row.append(f"{table.overall[found.name]:.2f}" + ("" if printed is None else f" ({printed:+d}%)"))
        rows.append(row)
    return _table(["Model", *(table.name for table in report.paper.groups)], rows)


def _paired(report: Report) -> str:
    rows = []
    for item in report.comparisons:
        paired = item.paired
        difference = f"{100 * (paired.difference or 0.0):+.1f}"
        if paired.low is not None and paired.high is not None:
            difference += " " + interval(100 * paired.low, 100 * paired.high)
        rows.append(
            [
                item.a.run.column,
                item.a.run.model,
                item.b.run.model,
                f"{item.a.run.split}, {item.a.run.profile}" + (f"; {item.note}" if item.note else ""),
                str(paired.shared),
                difference,
                p_value(paired.p_value),
            ]
        )
    return _table(["Task", "A", "B", "Condition", "Shared samples", "A - B", "p"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    texts = [
        "| " + " | ".join(cell if cell == "---" else markdown(cell) for cell in line) + " |" for line in lines
    ]
    return "\n".join(texts)
