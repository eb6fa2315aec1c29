"""What the report says: entries by task and model, overall scores, paired comparisons, notices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from agenttuning.episodes.rooms import GROUPS
from agenttuning.report.entries import Entry, Verdict, identify, judge, pool
from agenttuning.report.runs import SCRIPTED, Run
from agenttuning.scores import paper as published
from agenttuning.scores.overall import Overall, overall, relative_gain, weights_from_runs
from agenttuning.scores.paired import Paired, compare
from agenttuning.scores.paper import Paper, PaperGroup, PaperModel, PaperRow


@dataclass(frozen=True)
class Result:
    """An entry with its verdict."""

    entry: Entry
    verdict: Verdict
    decimals: int


@dataclass(frozen=True)
class Line:
    """One task: its row in the paper if it has one, and for each model its best result and all others."""

    task: str
    title: str
    group: str
    column: str
    row: PaperRow | None
    best: dict[str, Result]
    results: tuple[Result, ...]

    @property
    def decimals(self) -> int:
        return self.row.decimals if self.row else 1


@dataclass(frozen=True)
class GroupOverall:
    """Overall scores of a group: the paper's, ours with its weights, ours with weights from the runs at hand.

    Attributes:
        ours: by model, from paper-protocol runs over full splits only.
        gains: gain over the base model's overall, both ours, where the paper names a base; a fraction.
        relative: by model, with weights from the runs at hand. Never comparable with the paper.
        relative_basis: conditions the relative scores were taken under, one sentence.
    """

    group: str
    ours: dict[str, Overall]
    gains: dict[str, float]
    relative: dict[str, Overall]
    relative_basis: str


@dataclass(frozen=True)
class Comparison:
    """Two models on the same samples of a task."""

    a: Entry
    b: Entry
    paired: Paired
    note: str


@dataclass(frozen=True)
class Report:
    """Everything the renderers show.

    Attributes:
        models: names of real models, the paper's first; `players` are oracle, nop, replay.
        groups: GROUPS, and "other" if there are tasks outside them.
        notices: what is wrong or unfinished, one sentence each.
    """

    paper: Paper
    runs: tuple[Run, ...]
    models: tuple[str, ...]
    players: tuple[str, ...]
    groups: tuple[str, ...]
    lines: tuple[Line, ...]
    overalls: tuple[GroupOverall, ...]
    comparisons: tuple[Comparison, ...]
    notices: tuple[str, ...]

    def paper_model(self, model: str) -> PaperModel | None:
        """The paper's model that the runs of this name are put beside."""
        for run in self.runs:
            if run.model == model and (found := identify(run, self.paper)[0]):
                return found
        return None


def collect(runs: Sequence[Run], problems: Sequence[str], models: Sequence[str] | None = None) -> Report:
    """Everything the report says about these runs.

    Args:
        problems: sentences about folders that could not be read.
        models: show only these models (scripted players always stay).
    """
    paper = published.load()
    runs = [run for run in runs if models is None or run.model in models or run.model in SCRIPTED]
    _name_tasks(runs)
    names = sorted(
        {run.model for run in runs if run.model not in SCRIPTED}, key=lambda name: _order(name, paper)
    )
    players = [name for name in SCRIPTED if any(run.model == name for run in runs)]
    lines = _lines(pool(runs), paper)
    groups = tuple(g for g in (*GROUPS, "other") if any(line.group == g for line in lines))
    return Report(
        paper=paper,
        runs=tuple(runs),
        models=tuple(names),
        players=tuple(players),
        groups=groups,
        lines=tuple(lines),
        overalls=tuple(_overall(group, lines, names, paper) for group in paper.groups),
        comparisons=tuple(_comparisons(lines, names)),
        notices=tuple(_notices(runs, problems)),
    )


def _name_tasks(runs: Sequence[Run]) -> None:
    """Give unfinished runs the title, group and column that a finished run of the same task knows."""
    known = {run.task: run for run in runs if run.scored}
    for run in runs:
        if not run.scored and (other := known.get(run.task)):
            run.title, run.group, run.column = other.title, other.group, other.column


def _order(name: str, paper: Paper) -> tuple[int, str]:
    model = paper.model(name)
    place = paper.models.index(model) if model else len(paper.models) + (name in SCRIPTED)
    return (place, name)


def _lines(entries: list[Entry], paper: Paper) -> list[Line]:
    columns = [row.column for group in paper.groups for row in group.rows]
    tasks: dict[str, list[Entry]] = {}
    for entry in entries:
        tasks.setdefault(entry.run.task, []).append(entry)
    lines = []
    for task, found in tasks.items():
        run = found[0].run
        row = paper.row(run.column)
        decimals = row.decimals if row else 1
        found.sort(key=lambda entry: (_order(entry.run.model, paper), _rank(entry)))
        results = [Result(entry, judge(entry, paper), decimals) for entry in found]
        best: dict[str, Result] = {}
        for result in results:
            best.setdefault(result.entry.run.model, result)
        lines.append(Line(task, run.title, run.group, run.column, row, best, tuple(results)))
    order = (*GROUPS, "other")
    last = len(columns)
    lines.sort(
        key=lambda line: (
            order.index(line.group),
            columns.index(line.column) if line.column in columns else last,
            line.task,
        )
    )
    return lines


def _rank(entry: Entry) -> tuple[bool, bool, bool, bool, bool, int, str]:
    """Smaller is nearer to the paper's own conditions; that entry is shown in the overview."""
    run = entry.run
    size = -(run.expected or run.finished)
    return (
        not entry.full_paper,
        run.superseded,
        not run.usable,
        not run.paper_split,
        run.profile != "paper",
        size,
        run.name,
    )


def _overall(group: PaperGroup, lines: list[Line], models: list[str], paper: Paper) -> GroupOverall:
    weights = group.inverse_weights
    here = [line for line in lines if line.column in weights]
    scores: dict[str, dict[str, float | None]] = {model: {} for model in models}
    for line, model in itertools.product(here, models):
        result = line.best.get(model)
        if result and result.entry.full_paper and line.column not in scores[model]:
            scores[model][line.column] = result.entry.value
    gains = {}
    for model in models:
        found = paper.model(model)
        base = next(
            (m for m in models if found and found.base and paper.model(m) == paper.model(found.base)), None
        )
        gain = relative_gain(scores[model], scores[base], weights) if base else None
        if gain is not None:
            gains[model] = gain
    relative, basis = _relative(here, models, list(weights))
    ours = {model: overall(scores[model], weights) for model in models}
    return GroupOverall(group.name, ours, gains, relative, basis)


def _relative(lines: list[Line], models: list[str], columns: list[str]) -> tuple[dict[str, Overall], str]:
    """Overalls with weights from the runs at hand, each task under the condition most models share."""
    scores: dict[str, dict[str, float | None]] = {model: {} for model in models}
    used = []
    for line in lines:
        conditions: dict[str, dict[str, float | None]] = {}
        for result in line.results:
            entry = result.entry
            if entry.run.usable and entry.run.model in models:
                conditions.setdefault(entry.condition, {}).setdefault(entry.run.model, entry.value)
        if conditions:
            condition = max(conditions, key=lambda key: len(conditions[key]))
            used.append(f"{line.column} ({condition})")
            for model, value in conditions[condition].items():
                scores[model].setdefault(line.column, value)
    weights = weights_from_runs(scores.values())
    tasks = {column: weights[column] for column in columns if column in weights}
    return {model: overall(scores[model], tasks) for model in models} if tasks else {}, "; ".join(used)


def _comparisons(lines: list[Line], models: list[str]) -> list[Comparison]:
    """All pairs of models on the same task, version, split and profile; each model's best entry there."""
    found = []
    for line in lines:
        same: dict[tuple[str, ...], dict[str, Entry]] = {}
        for result in line.results:
            run = result.entry.run
            if run.model in models and run.rows:
                key = (run.split, run.profile, str(run.identity.get("task_version")))
                same.setdefault(key, {}).setdefault(run.model, result.entry)
        for entries in same.values():
            ordered = [entries[model] for model in models if model in entries]
            for a, b in itertools.combinations(ordered, 2):
                paired = compare(_rewards(a), _rewards(b))
                if paired.shared:
                    found.append(Comparison(a, b, paired, "; ".join(differences(a.run, b.run))))
    return found


def _rewards(entry: Entry) -> dict[str, float | None]:
    """Reward by sample, averaged over seeds."""
    sums: dict[str, list[float]] = {}
    for run in entry.runs:
        for sample, reward in run.rewards.items():
            if reward is not None:
                sums.setdefault(sample, []).append(reward)
    return {sample: math.fsum(values) / len(values) for sample, values in sums.items()}


def differences(a: Run, b: Run) -> list[str]:
    """In what two runs differ, besides the model, that bears on the comparison of their scores."""
    notes = []
    for key in ("sampling", "profile", "task_version", "options", "generation"):
        if (left := a.identity.get(key)) != (right := b.identity.get(key)):
            detail = "" if isinstance(left, dict) or isinstance(right, dict) else f" ({left} and {right})"
            notes.append(f"different {key.replace('_', ' ')}{detail}")
    for run in (a, b):
        if not run.complete:
            notes.append(f"{run.model} is unfinished")
    return notes


def _notices(runs: Sequence[Run], problems: Sequence[str]) -> list[str]:
    notices = list(problems)
    for run in runs:
        notices += run.problems
        if run.invalid:
            notices.append(
                f"{run.name} is invalid: {run.infrastructure} of {run.finished} samples "
                f"({run.infrastructure_share:.1%}) failed in the infrastructure; resume it to try them again"
            )
        elif run.infrastructure:
            notices.append(
                f"{run.name}: {run.infrastructure} samples failed in the infrastructure and are not scored"
            )
        if not run.superseded and not (run.scored and run.complete):
            of = f" of {run.expected}" if run.expected else ""
            notices.append(f"{run.name} is unfinished: {run.finished}{of} samples have a record")
    return notices
