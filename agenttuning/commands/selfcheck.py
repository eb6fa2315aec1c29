"""agenttuning selfcheck: the oracle reaches the ceiling, the nop player the floor, through the real environment."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from agenttuning import sources
from agenttuning.commands.options import words
from agenttuning.episodes import runner
from agenttuning.episodes.rooms import all_specs, find_spec, load_task
from agenttuning.episodes.types import Task, TaskSpec
from agenttuning.errors import KitError, MissingDependency
from agenttuning.models.registry import find_model

TOLERANCE = 0.011
"""Largest difference between the oracle's reward and the ceiling: a point of a 0..100 score, and rounding."""


@click.command()
@click.option("--tasks", callback=words, help="Task names; default: all.")
@click.option(
    "--split", help="One split instead of smoke and, where its data is present, the selfcheck split."
)
@click.option("--workers", type=click.IntRange(min=1))
def selfcheck(tasks: list[str], split: str | None, workers: int | None) -> None:
    """Prove each task: oracle = ceiling and nop = floor, sample by sample.

    Runs the smoke split in profile kit and, where the upstream data is present (make data, or MIRROR=DIR), the
    task's selfcheck split in profile paper.
    """
    specs = [find_spec(name) for name in tasks] if tasks else list(all_specs().values())
    if not specs:
        raise KitError("there are no tasks in this checkout")
    good, left_out = 0, []
    for spec in specs:
        try:
            results = [_check(spec, s, profile, workers) for s, profile in _plan(spec, split)]
            results.append(_extra(spec))
            good += all(results)
        except MissingDependency as error:
            click.echo(f"{spec.name}: NOT checked, it cannot run here: {error}")
            left_out.append(spec.name)
        except runner.Interrupted:
            raise
        except KitError as error:
            click.echo(f"{spec.name}: failed: {error}")
    checked = len(specs) - len(left_out)
    if left_out:
        click.echo(f"not checked here: {', '.join(left_out)}")
    click.echo(f"selfcheck: {good} of {checked} tasks at ceiling and floor")
    if good < checked or not checked or (tasks and left_out):
        raise SystemExit(1)


def _extra(spec: TaskSpec) -> bool:
    """What a task can prove besides episodes, on upstream data that cannot be played here (Task.extra_checks)."""
    ok, lines = load_task(spec.name, "paper").extra_checks()
    for line in lines:
        click.echo(f"{spec.name}: {line}")
    return ok


def _plan(spec: TaskSpec, only: str | None) -> list[tuple[str, str]]:
    """(split, profile) pairs to check."""
    if only:
        return [(only, "kit" if only == "smoke" else "paper")]
    plan = [("smoke", "kit")]
    for name, split in spec.splits.items():
        if not split.get("selfcheck"):
            continue
        missing = [k for k in split.get("files", []) if not sources.available(k)]
        missing += [f"prompts {p}" for p in spec.needs.get("prompts", []) if not sources.prompts_available(p)]
        if missing:
            click.echo(
                f"{spec.name}: split {name} is not checked, {', '.join(missing)} not fetched (make data TASKS={spec.name}, or MIRROR=DIR)"
            )
        else:
            plan.append((name, "paper"))
    return plan


def _check(spec: TaskSpec, split: str, profile: str, workers: int | None) -> bool:
    with tempfile.TemporaryDirectory(prefix="agenttuning-selfcheck-") as scratch:
        rewards: dict[str, list[dict[str, Any]]] = {}
        value: dict[str, Any] = {}
        for player in ("oracle", "nop"):
            result = runner.run(
                spec.name,
                split,
                find_model(player),
                profile=profile,
                sampling="greedy",
                workers=workers,
                runs=Path(scratch),
            )
            rewards[player] = result.records
            value[player] = result.scores["value"]
    task = load_task(spec.name, profile)
    problems, lower = _judge(task, split, rewards)
    shown = {k: "none" if v is None else f"{v:.2f}" for k, v in value.items()}
    state = "at ceiling and floor" if not problems else f"{len(problems)} samples off"
    click.echo(
        f"{spec.name}: {split} ({len(rewards['oracle'])} samples, profile {profile}): oracle {shown['oracle']}, "
        f"nop {shown['nop']} {result.scores['main']}: {state}"
    )
    for line in lower:
        click.echo(f"  ceiling below 1: {line}")
    for line in problems:
        click.echo(f"  off: {line}")
    return not problems


def _judge(task: Task, split: str, rewards: dict[str, list[dict[str, Any]]]) -> tuple[list[str], list[str]]:
    problems, lower = [], []
    by_id = {player: {r["sample"]: r for r in records} for player, records in rewards.items()}
    for sample in task.samples(split):
        ceiling, floor = task.ceiling(sample), task.floor(sample)
        oracle, nop = by_id["oracle"].get(sample.id), by_id["nop"].get(sample.id)
        if oracle is None or oracle["reward"] is None or abs(oracle["reward"] - ceiling) > TOLERANCE:
            problems.append(f"{sample.id}: oracle {_seen(oracle)}, ceiling {ceiling:g}")
        elif ceiling < 1:
            lower.append(f"{sample.id}: {ceiling:g} ({task.ceiling_note(sample)})")
        if nop is None or nop["reward"] is None or abs(nop["reward"] - floor) > 1e-9:
            problems.append(f"{sample.id}: nop {_seen(nop)}, floor {floor:g}")
    return problems, lower


def _seen(record: dict[str, Any] | None) -> str:
    if record is None:
        return "has no record"
    if record["reward"] is None:
        return f"{record['status']} ({(record['error'] or record['detail']).strip().splitlines()[-1]})"
    return f"{record['reward']:g}"
