"""Figures as inline SVG. Colours are CSS variables of the page, so that they follow light and dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from agenttuning.errors import MissingDependency
from agenttuning.report.results import GroupOverall, Line, Report, Result
from agenttuning.report.text import interval, number, visible

# matplotlib only knows concrete colours: each stands for a CSS variable and is replaced in the finished SVG.
INK, GRID, BASE, TUNED, OURS, PALE = "#010203", "#010204", "#010205", "#010206", "#010207", "#010208"
_VARIABLES = {
    INK: "var(--ink)",
    GRID: "var(--line)",
    BASE: "var(--series-base)",
    TUNED: "var(--series-tuned)",
    OURS: "var(--series-ours)",
    PALE: "var(--series-pale)",
}


def overall_figure(report: Report, group: GroupOverall) -> Markup:
    """Published overalls (Llama-2-chat and AgentLM by size, GPT) and, beside them, ours where they are complete.

    The published half follows figure 1 of the paper. Raises MissingDependency without matplotlib.
    """
    paper = report.paper
    table = paper.group(group.group)
    assert table is not None
    ours = {model: score.value for model, score in group.ours.items() if score.value is not None}
    clusters: list[tuple[str, list[tuple[float, str, bool, str]]]] = []
    for size in ("7B", "13B", "70B"):
        bars = []
        for model in (m for m in paper.models if m.size == size):
            gain = f"{table.gain_percent[model.name]:+d}%" if model.name in table.gain_percent else ""
            bars.append((table.overall[model.name], BASE if model.base is None else TUNED, False, gain))
            bars += [(ours[name], OURS, True, "") for name in ours if report.paper_model(name) == model]
        clusters.append((size, bars))
    for model in (m for m in paper.models if m.size is None):
        bars = [(table.overall[model.name], BASE, False, "")]
        bars += [(ours[name], OURS, True, "") for name in ours if report.paper_model(name) == model]
        clusters.append((model.title, bars))
    for name, value in ours.items():
        if report.paper_model(name) is None:
            clusters.append((_short(name), [(value, OURS, True, "")]))
    return _draw_clusters(f"overall-{group.group}", group, clusters)


def _draw_clusters(
    name: str, group: GroupOverall, clusters: list[tuple[str, list[tuple[float, str, bool, str]]]]
) -> Markup:
    figure = _figure(3.8, 2.6)
    axes = figure.add_subplot()
    position, ticks, spoken = 0.0, [], []
    for title, bars in clusters:
        ticks.append((position + (len(bars) - 1) / 2, title))
        for height, colour, reproduced, label in bars:
            axes.bar(
                position,
                height,
                width=0.86,
                color=colour,
                hatch="///" if reproduced else None,
                edgecolor=INK,
                lw=0.4,
            )
            axes.annotate(
                f"{height:.2f}" + (f"\n{label}" if label else ""),
                (position, height),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=6,
                color=INK,
            )
            spoken.append(f"{title} {'reproduced' if reproduced else 'published'} {height:.2f}")
            position += 1
        position += 0.7
    axes.set_xticks([at for at, _ in ticks], [_literal(title) for _, title in ticks])
    axes.set_ylabel("overall score", color=INK, fontsize=8)
    axes.margins(y=0.18)
    axes.grid(axis="y", color=GRID, lw=0.6)
    return _svg(figure, axes, name, f"{group.group} overall: " + ", ".join(spoken))


def task_figure(report: Report, model: str, lines: Sequence[Line]) -> Markup:
    """One model's result per task with its interval, and the published value where the paper has the model.

    MT-Bench is drawn times ten, so that all rows share one axis. Raises MissingDependency without matplotlib.
    """
    shown: list[tuple[Line, Result]] = []
    for line in lines:
        result = line.best.get(model)
        if result and result.entry.value is not None:
            shown.append((line, result))
    figure = _figure(3.8, 0.6 + 0.36 * len(shown))
    axes = figure.add_subplot()
    spoken, names = [], []
    for place, (line, result) in enumerate(shown):
        scale = 10.0 if line.column == "MT-Bench" else 1.0
        entry, verdict = result.entry, result.verdict
        value = scale * (entry.value or 0.0)
        comparable = verdict.kind != "not comparable"
        axes.barh(place, value, height=0.62, color=OURS if comparable else PALE, edgecolor=INK, lw=0.4)
        if entry.low is not None and entry.high is not None:
            low, high = scale * entry.low, scale * entry.high
            axes.plot([low, high], [place, place], color=INK, lw=1.2, marker="|", markersize=6)
        if verdict.published is not None:
            axes.plot(
                scale * verdict.published,
                place,
                "D",
                color=TUNED,
                markeredgecolor=INK,
                mew=0.6,
                markersize=6,
                clip_on=False,
                zorder=5,
            )
        label = line.column + (" \u00d7 10" if scale > 1 else "")
        names.append(
            _literal(label + ("" if comparable else f"\n({result.entry.run.split}, {entry.run.profile})"))
        )
        spoken.append(
            f"{line.column} {number(entry.value, line.decimals)} {interval(entry.low, entry.high, line.decimals)}"
            + ("" if verdict.published is None else f" published {verdict.published}")
        )
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.grid(axis="x", color=GRID, lw=0.6)
    return _svg(figure, axes, f"tasks-{model}", f"{visible(model)}: " + ", ".join(spoken))


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("the report's figures need matplotlib", "run: make setup") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _svg(figure: Any, axes: Any, name: str, description: str) -> Markup:
    """The figure as an <svg> element without ids that could clash, named for screen readers."""
    import matplotlib

    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8, length=0, pad=5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    buffer = io.StringIO()
    # Text stays text: it is small, can be searched, and takes the page's font.
    with (
        warnings.catch_warnings(),
        matplotlib.rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": name, "hatch.color": INK, "hatch.linewidth": 0.5}
        ),
    ):
        # A glyph that its own font lacks only makes the measured width a guess: the page's font draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    label = Markup('<svg role="img" aria-label="{}" ').format(description)
    return Markup(svg.replace("<svg ", label, 1))


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "\u2026"


def _literal(text: str) -> str:
    """Text that matplotlib does not read as a formula."""
    return visible(text).replace("$", r"\$")
