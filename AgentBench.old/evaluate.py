#!/usr/bin/env python3
"""Evaluates one agent on AgentBench tasks, with upstream's command line, configs and output files.

    python AgentBench.old/evaluate.py --task configs/tasks/dbbench/std.yaml --agent configs/agents/tgi_clients/AgentLM-70b.yaml

The work is done by the kit's runner, whose run folders lie in OUTPUT/runs; README.md beside this file says what
differs from AgentBench.old/evaluate.py of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from src import layout
from src.configs import AgentConfig, TaskConfig, locate, read_agent, read_task, task_files
from src.upstream_client import StickyTask, UpstreamModel, template_for

from agenttuning.commands.evaluate import show
from agenttuning.episodes.identity import default_sampling, folder_for
from agenttuning.episodes.records import latest, read_records
from agenttuning.episodes.rooms import find_spec, room_module
from agenttuning.episodes.runner import RunResult, run
from agenttuning.episodes.types import Task
from agenttuning.errors import KitError
from agenttuning.models.registry import Model


def parser() -> argparse.ArgumentParser:
    """The command line: upstream's flags first, then ours."""
    made = argparse.ArgumentParser(description="Evaluate an agent on AgentBench tasks.")
    made.add_argument("--task", nargs="+", required=True, help="task configs, or folders that hold them")
    made.add_argument("--agent", required=True, help="agent config")
    made.add_argument("--output_dir", default="outputs", help="(default: %(default)s)")
    made.add_argument("--workers", type=int, default=1, help="episodes at once (default: %(default)s)")
    made.add_argument("--max_new_tokens", type=int, help="tokens per reply (default: the task's)")
    made.add_argument("--no_timestamp", action="store_true",
                      help="write into OUTPUT_DIR itself; a second call goes on where the first one stopped")  # fmt: skip
    made.add_argument("--profile", choices=("paper", "kit"), help="(default: the config's, else paper)")
    made.add_argument(
        "--sampling", choices=("upstream", "greedy"), help="(default: upstream in profile paper)"
    )
    made.add_argument("--seed", type=int, help="seed of sampled decoding")
    made.add_argument("--limit", type=int, help="only the first N samples of each task")
    made.add_argument("--system", help="system message for conversations that have none")
    made.add_argument("--upstream-errors", action="store_true",
                      help="upstream's client: failed calls become empty answers that are scored as wrong")  # fmt: skip
    return made


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code (0: all samples finished, 1: some failed, 2 and more: stopped)."""
    args = parser().parse_args(arguments)
    try:
        return evaluate(args, sys.argv if arguments is None else arguments)
    except KitError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return error.exit_code


def evaluate(args: argparse.Namespace, command_line: Sequence[str]) -> int:
    """Read all configs, then run one task after the other. Raises KitError."""
    for name in ("workers", "max_new_tokens", "limit"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise KitError(f"--{name} must be at least 1, not {value}")
    agent = read_agent(locate(args.agent))
    files, skipped = task_files(args.task)
    for path in skipped:
        print(f"{path} is no YAML file: skipped")
    configs = [read_task(path, args.profile) for path in files]
    _refuse_twins(configs)
    model = upstream_model(args, agent) if args.upstream_errors else agent.model
    tasks = [make_task(config, agent, args.max_new_tokens, args.upstream_errors) for config in configs]
    for config in configs:
        if config.ignored:
            print(f"{config.path}: ignored here: {', '.join(config.ignored)}")

    created = f"{datetime.now():%Y-%m-%d-%H-%M-%S}"
    output = Path(args.output_dir) if args.no_timestamp else Path(args.output_dir) / created
    output.mkdir(parents=True, exist_ok=True)
    print(f"output: {output} (to go on after a stop: --output_dir {output} --no_timestamp)")
    layout.write_json(output / "configs.json", {
        "args": vars(args),
        "command_line": list(command_line),
        "create_time": created,
        "output_root_dir": str(output),
        "tasks": [{"class": c.module, "config": _described(c)} for c in configs],
        "agent": {"class": agent.module, "config": _described(agent)},
    })  # fmt: skip
    failed = 0
    for config, task in zip(configs, tasks, strict=True):
        result = run_task(config, task, model, agent, args, output)
        show(result.scores, result.folder)
        failed += result.scores["infrastructure"]["count"]
    return 1 if failed else 0


def run_task(
    config: TaskConfig, task: Task, model: Model, agent: AgentConfig, args: argparse.Namespace, output: Path
) -> RunResult:
    """Run one task and write its folder in upstream's layout. Raises KitError; finished samples are kept."""
    folder = output / config.folder
    layout.write_json(folder / "config.json", {"agent": args.agent, "task": str(config.path)})
    sampling = "upstream" if args.upstream_errors else args.sampling or default_sampling(task.profile)
    records_file = (
        folder_for(output / "runs", model.name, task, config.split, sampling, args.seed) / "records.jsonl"
    )
    samples = None
    try:
        result = run(
            task, config.split, model,
            sampling=sampling, workers=min(args.workers, config.worker_limit or args.workers), limit=args.limit,
            runs=output / "runs", seed=args.seed, system=args.system or agent.system, options=config.options,
        )  # fmt: skip
        samples = task.samples(config.split)[: args.limit]
    finally:
        # Also after Ctrl-C or a dead server: what is finished is in the records.
        if records_file.is_file():
            finished = latest(read_records(records_file)).values()
            lines = layout.generation_lines(finished, samples or task.samples(config.split))
            layout.write_jsonl(folder / "generation.jsonl", lines)
    layout.write_jsonl(folder / "runs.jsonl", layout.run_lines(result.records, samples))
    layout.write_json(folder / "results.json", layout.results(task.spec.name, result.scores["metrics"]))
    return result


def make_task(
    config: TaskConfig, agent: AgentConfig, max_new_tokens: int | None, upstream_errors: bool
) -> Task:
    """The room's task with the limits and token numbers of the configs.

    Raises:
        KitError: no token left for the prompt, or changes that worker processes would not see.
    """
    spec = config.spec
    generation = dict(spec.generation)
    new = max_new_tokens or agent.max_new_tokens or generation["max_new_tokens"]
    whole = agent.max_tokens
    if whole is None and "truncate" in generation:
        whole = generation["truncate"] + generation["max_new_tokens"]
    generation["max_new_tokens"] = new
    if whole is not None:
        if whole <= new:
            raise KitError(
                f"max_new_tokens {new} leaves nothing of {whole} tokens for the prompt", "lower it"
            )
        generation["truncate"] = whole - new
    if upstream_errors:
        generation["extra"] = {
            "client": "upstream"
        }  # part of the run's identity; the request does not change
    published = find_spec(spec.name)
    changed = generation != published.generation or spec.limits != published.limits
    if changed and spec.resources.get("isolation", "threads") != "threads":
        raise KitError(
            f"task {spec.name} runs in worker processes, which take their limits from its task.toml",
            "use the published limits and max_new_tokens, without --upstream-errors",
        )
    task: Task = room_module(spec, "task").TASK(
        replace(spec, generation=generation), config.profile, config.options
    )
    return StickyTask(task) if upstream_errors else task


def upstream_model(args: argparse.Namespace, agent: AgentConfig) -> Model:
    """The agent's model behind upstream's client. Raises KitError for what upstream's client cannot do."""
    if agent.model.kind != "tgi":
        raise KitError(f"--upstream-errors needs a TGI server, {args.agent} has none", "leave it out")
    for flag, given in (
        ("--system", args.system or agent.system),
        ("--seed", args.seed),
        ("--sampling", args.sampling),
    ):
        if given not in (None, "upstream"):
            raise KitError(f"upstream's client has no {flag}", f"leave out {flag} or --upstream-errors")
    model = agent.model
    return UpstreamModel(
        model.name, "tgi", model.urls,
        template=template_for(agent.served_name), hf=model.hf, paper=model.paper, start=model.start,
    )  # fmt: skip


def _refuse_twins(configs: list[TaskConfig]) -> None:
    seen: dict[tuple[str, ...], Path] = {}
    for config in configs:
        for key in ((config.folder,), (config.spec.name, config.split, config.profile)):
            if key in seen:
                raise KitError(
                    f"{seen[key]} and {config.path} would write to the same folder",
                    "give them different names, or evaluate them one by one with --output_dir of their own",
                )
            seen[key] = config.path


def _described(config: TaskConfig | AgentConfig) -> dict[str, Any]:
    table = {"module": config.module, "parameters": config.parameters, "src": str(config.path)}
    return dict(layout.serialize(table))


if __name__ == "__main__":
    sys.exit(main())
