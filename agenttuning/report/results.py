"""What the report says: runs pooled over seeds, put beside the paper, with the reason where they cannot be."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from agenttuning.episodes.rooms import GROUPS
from agenttuning.report.runs import INVALID_SHARE, SCRIPTED, Run
from agenttuning.scores import paper as published
from agenttuning.scores.overall import Overall, overall, relative_gain, weights_from_runs
from agenttuning.scores.paired import Paired, compare
from agenttuning.scores.paper import Paper, PaperModel, PaperRow


@dataclass(frozen=True)
class Entry:
    """One or several runs that differ in nothing but the seed.

    With several runs, value, low and high are the means of theirs. The interval is then that of a single run,
    so it is rather too wide than too narrow; `spread` is the standard deviation of the runs' values.
    """

    runs: tuple[Run, ...]
    value: float | None
    low: float | None
    high: float | None
    spread: float | None

    @property
    def run(self) -> Run:
        return self.runs[0]

    @property
    def condition(self) -> str:
        return f"{self.run.split}, {self.run.profile}, {self.run.sampling}"

    @property
    def full_paper(self) -> bool:
        """Whether it was made the way the paper's number was: upstream's protocol on the whole paper split."""
        return self.run.usable and self.run.profile == "paper" and self.run.paper_split

    @property
    def labels(self) -> list[str]:
        """What a reader must know before comparing the number with any other."""
        run, words = self.run, []
        if run.invalid:
            words.append("invalid")
        if not run.scored or not run.complete:
            of = f" of {run.expected}" if run.expected else ""
            words.append(f"unfinished: {run.finished}{of}")
        if not run.paper_split:
            words.append(run.split)
        if run.profile != "paper":
            words.append(run.profile)
        if len(self.runs) > 1:
            words.append(f"{len(self.runs)} seeds")
        return words


@dataclass(frozen=True)
class Verdict:
    """Comparison of an entry with the paper.

    Attributes:
        kind: "inside", "outside" or "not comparable".
        reasons: why not comparable; empty otherwise.
        published: the paper's number for this task and model, None where it has none.
        model: the paper's model, None where it has none.
    """

    kind: str
    reasons: tuple[str, ...]
    published: float | None
    model: PaperModel | None


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


def identify(run: Run, paper: Paper) -> tuple[PaperModel | None, str | None]:
    """The paper's model a run used, and why it is none of them.

    The server's own word (model_id) decides over the name in the configuration: a small model served on the
    port of a large one must not be taken for it.
    """
    named = paper.model(run.model)
    if not run.model_id or published.model_key(run.model_id) == published.model_key(run.model):
        return named, None if named else f"the paper has no model {run.model}"
    reported = paper.model(run.model_id)
    if named and named != reported:
        return None, f"the server reported the model {run.model_id}"
    return reported, None if reported else f"the paper has no model {run.model}"


def judge(entry: Entry, paper: Paper) -> Verdict:
    """Compare with the paper. Inside: the published value, within its rounding, lies in the 95 % interval."""
    run = entry.run
    row = paper.row(run.column)
    model, reason = (None, None) if run.model in SCRIPTED else identify(run, paper)
    reasons = []
    if run.model in SCRIPTED:
        reasons.append(f"{run.model} is a scripted player")
    elif reason:
        reasons.append(reason)
    if row is None:
        reasons.append("the paper has no such task")
    if not run.paper_split:
        reasons.append(f"the {run.split} split is not the paper's")
    if run.profile != "paper":
        reasons.append(f"profile {run.profile} uses other prompts and grading")
    if not run.scored or not run.complete:
        reasons.append("the run is unfinished")
    if run.invalid:
        reasons.append(f"more than {INVALID_SHARE:.0%} of the samples failed in the infrastructure")
    value = row.values.get(model.name) if row and model else None
    if not reasons and value is None:
        reasons.append("the paper prints no number")
    if not reasons and (entry.low is None or entry.high is None):
        reasons.append("the run has no interval")
    if reasons or row is None or value is None or entry.low is None or entry.high is None:
        return Verdict("not comparable", tuple(reasons), value, model)
    slack = 0.5 * 10**-row.decimals + 1e-9
    inside = entry.low - slack <= value <= entry.high + slack
    return Verdict("inside" if inside else "outside", (), value, model)


def pool(runs: Sequence[Run]) -> list[Entry]:
    """Put runs together whose identity differs only in the seed. Runs that cannot stand alone are not pooled."""
    entries: dict[str, list[Run]] = {}
    for position, run in enumerate(runs):
        same = {key: value for key, value in run.identity.items() if key != "seed"}
        if isinstance(same.get("generation"), dict):
            same["generation"] = {k: v for k, v in same["generation"].items() if k != "seed"}
        key = json.dumps(same, sort_keys=True, default=str)
        known = entries.setdefault(key, [])
        # A second copy of the same seed is no second draw.
        if not run.usable or not run.identity or any(run.seed == other.seed for other in known):
            key = f"{key} {position}"
        entries.setdefault(key, []).append(run)
    return [_entry(group) for group in entries.values() if group]


def _entry(runs: list[Run]) -> Entry:
    def average(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return math.fsum(known) / len(known) if len(known) == len(runs) else None

    values = [run.score.value for run in runs]
    spread = statistics.stdev(v for v in values if v is not None) if len(runs) > 1 else None
    low, high = average([run.score.low for run in runs]), average([run.score.high for run in runs])
    return Entry(tuple(runs), average(values), low, high, spread)


def collect(runs: Sequence[Run], problems: Sequence[str], models: Sequence[str] | None = None) -> Report:
    """Everything the report says about these runs.

    Args:
        problems: sentences about folders that could not be read.
        models: show only these models (scripted players always stay).
    """
    paper = published.load()
    runs = [run for run in runs if models is None or run.model in models or run.model in SCRIPTED]
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
        overalls=tuple(_overall(group, lines, names, paper) for group in groups if paper.group(group)),
        comparisons=tuple(_comparisons(lines, names)),
        notices=tuple(_notices(runs, problems)),
    )


def _order(name: str, paper: Paper) -> tuple[int, str]:
    model = paper.model(name)
    return (paper.models.index(model) if model else len(paper.models), name)


def _lines(entries: list[Entry], paper: Paper) -> list[Line]:
    columns = [row.column for group in paper.groups for row in group.rows]
    tasks: dict[str, list[Entry]] = {}
    for entry in entries:
        tasks.setdefault(entry.run.task, []).append(entry)
    lines = []
    for task, found in tasks.items():
        # The group and column of a finished run come from the task itself; an unfinished one may not know them.
        run = next((e.run for e in found if e.run.scored), found[0].run)
        row = paper.row(run.column)
        decimals = row.decimals if row else 1
        results = [Result(entry, judge(entry, paper), decimals) for entry in sorted(found, key=_rank)]
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


def _rank(entry: Entry) -> tuple[bool, bool, bool, bool, int, str]:
    """Smaller is nearer to the paper's own conditions; that entry is shown in the overview."""
    run = entry.run
    size = -(run.expected or run.finished)
    return (not entry.full_paper, not run.usable, not run.paper_split, run.profile != "paper", size, run.name)


def _overall(group: str, lines: list[Line], models: list[str], paper: Paper) -> GroupOverall:
    table = paper.group(group)
    assert table is not None
    weights = table.inverse_weights
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
    return GroupOverall(group, ours, gains, relative, basis)


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
        if not run.scored or not run.complete:
            of = f" of {run.expected}" if run.expected else ""
            notices.append(f"{run.name} is unfinished: {run.finished}{of} samples have a record")
    return notices
