"""Entries: runs pooled over seeds, and how each compares with the paper or why it cannot."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from agenttuning.report.runs import INVALID_SHARE, SCRIPTED, Run
from agenttuning.scores.paper import Paper, PaperModel, model_key


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
        run, words = self.run, ["earlier run"] if self.run.superseded else []
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


def identify(run: Run, paper: Paper) -> tuple[PaperModel | None, str | None]:
    """The paper's model a run used, and why it is none of them.

    The server's own word (model_id) decides over the name in the configuration: a small model served on the
    port of a large one must not be taken for it.
    """
    named = paper.model(run.model)
    if not run.model_id or model_key(run.model_id) == model_key(run.model):
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
        alone = run.superseded or not run.usable or not run.identity
        if alone or any(run.seed == other.seed for other in known):
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
