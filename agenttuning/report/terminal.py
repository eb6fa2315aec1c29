"""The report in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agenttuning.report.markdown import plain_score
from agenttuning.report.results import Report, Result
from agenttuning.report.runs import SCRIPTED, Run
from agenttuning.report.text import interval, number, p_value, visible
from agenttuning.scores.paired import Paired

_STYLES = {"inside": "green", "outside": "red", "invalid": "red", "smoke": "yellow", "unfinished": "yellow"}


def print_report(report: Report, console: Console) -> None:
    """Results per task and model beside the paper's, then the overall scores and what is wrong or unfinished."""
    matched = {model: report.paper_model(model) for model in report.models}
    table = Table(title="Reproduced and published scores, 95 % intervals", title_justify="left")
    table.add_column("Task", no_wrap=True)
    for model in report.models:
        table.add_column(_text(model), justify="right")
        if found := matched[model]:
            table.add_column(_text(f"{found.title}\npublished"), justify="right")
    for player in report.players:
        table.add_column(_text(f"{player}\n{SCRIPTED[player]}"), justify="right")
    for group in report.groups:
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for line in (line for line in report.lines if line.group == group):
            cells = [_text(f"  {line.column}")]
            for model in report.models:
                cells.append(_cell(line.best.get(model)))
                if found := matched[model]:
                    cells.append(
                        Text(number(line.row.values[found.name] if line.row else None, line.decimals))
                    )
            cells += [_cell(line.best.get(player)) for player in report.players]
            table.add_row(*cells)
        scores = next((overall for overall in report.overalls if overall.group == group), None)
        if scores and report.models:
            published = report.paper.group(group)
            cells = [Text("  overall", style="italic")]
            for model in report.models:
                cells.append(Text(scores.ours[model].text, style="italic"))
                if found := matched[model]:
                    cells.append(
                        Text(number(published.overall[found.name] if published else None, 2), style="italic")
                    )
            table.add_row(*cells)
    console.print(table)
    for notice in report.notices:
        console.print(Text.assemble(("note: ", "yellow"), visible(notice)))


def print_comparison(a: Run, b: Run, paired: Paired, notes: list[str], console: Console) -> None:
    """Paired comparison of two runs; rewards on a scale of 0 to 100."""
    table = Table()
    for name in ("", "A", "B", "A - B"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=bool(name))
    console.print(
        Text(visible(f"{a.title}, {a.split}: {paired.shared} shared samples\nA: {a.name}\nB: {b.name}")),
        soft_wrap=True,
    )
    difference = "\u2013" if paired.difference is None else f"{100 * paired.difference:+.1f}"
    if paired.low is not None and paired.high is not None:
        difference += " " + interval(100 * paired.low, 100 * paired.high)
    table.add_row("mean reward", _percent(paired.mean_a), _percent(paired.mean_b), difference)
    table.add_row("better on", str(paired.a_better), str(paired.b_better), f"{paired.ties} ties")
    table.add_row("scored only here", str(paired.only_a), str(paired.only_b), "")
    table.add_row("p (exact McNemar)", "", "", p_value(paired.p_value))
    console.print(table)
    for note in notes:
        console.print(Text.assemble(("note: ", "yellow"), visible(note)))


def _percent(mean: float | None) -> str:
    return number(None if mean is None else 100 * mean)


def _cell(result: Result | None) -> Text:
    if result is None:
        return Text("\u2013", style="dim")
    cell = Text(plain_score(result.entry, result.decimals))
    kind = result.verdict.kind
    for label in ([] if kind == "not comparable" else [kind]) + result.entry.labels:
        cell.append("\n" + visible(label), style=_STYLES.get(label.split(":")[0], "cyan"))
    return cell


def _text(value: str) -> Text:
    """Text that rich reads as no markup and that holds no terminal escape."""
    return Text(visible(value))
