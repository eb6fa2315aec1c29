#!/usr/bin/env python3
"""GSM8K with upstream's command line and files, over the kit's runner.

    python eval_general/evaluate_gsm8k_tgi.py --port 30070

Flags and output files follow eval_general/eval_gsm8k_tgi.py of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7;
gsm8k/README.md says what differs. Beside upstream's two files an ordinary run folder is written, which makes the
run resumable: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from agenttuning.episodes.records import is_final
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.runner import RunResult, run
from agenttuning.errors import KitError
from agenttuning.models import registry

SPLITS = ("smoke", "test", "train")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        description="Evaluate a served model on GSM8K. Run the same command again to go on where it stopped."
    )
    made.add_argument("-f", "--sample-input-file", metavar="FILE",
                      help="JSON lines with question and answer; default: the pinned test set (make data TASKS=gsm8k)")  # fmt: skip
    made.add_argument("-o", "--sample-output-file", metavar="FILE", default="gsm8k_res.jsonl",
                      help="JSON lines with question, answer, completion, acc (default: %(default)s)")  # fmt: skip
    made.add_argument(
        "-i", "--ip", "--host", dest="host", help="host or URL of the server (default: 127.0.0.1)"
    )
    made.add_argument(
        "-p", "--port", type=int, help="port of the server (default: the model's in models.toml)"
    )
    made.add_argument("--min", type=int, help="first port of several servers")
    made.add_argument("--max", type=int, help="last port of several servers")
    made.add_argument(
        "--model-id", help="name in models.toml (default: the first one with that port, else agentlm-70b)"
    )
    made.add_argument("--split", choices=SPLITS, default="test", help="(default: %(default)s)")
    made.add_argument("--profile", choices=("paper", "kit"), default="paper",
                      help="paper: upstream's prompts and grading; kit: our own (default: %(default)s)")  # fmt: skip
    made.add_argument("--limit", type=int, help="only the first N problems")
    made.add_argument("--workers", type=int, help="requests at once (default: 16)")
    made.add_argument("--runs", type=Path, help="folder of run folders (default: runs/)")
    return made


def choose_model(args: argparse.Namespace) -> registry.Model:
    """The model of --model-id, or the one served on that port by models.toml.

    --port wins over --min/--max; upstream ignores it, so that its own README's command cannot work.

    Raises:
        KitError: unknown model, a port range that is empty, or a port that no model has.
    """
    first, replicas = args.port, 1
    if first is None and args.min is not None:
        last = args.min if args.max is None else args.max
        if last < args.min:
            raise KitError(f"--max {last} is below --min {args.min}")
        first, replicas = args.min, last - args.min + 1
    name = args.model_id or (_served_on(first) if first is not None else "agentlm-70b")
    return registry.find_model(name, host=args.host, port=first, replicas=replicas)


def _served_on(port: int) -> str:
    for name in registry.names():
        if any(url.endswith(f":{port}") for url in registry.find_model(name).urls):
            return name
    raise KitError(f"no model in models.toml has the port {port}", "name the model with --model-id")


def evaluate(args: argparse.Namespace) -> RunResult:
    """Run, then write upstream's two files. Raises KitError."""
    split, options = args.split, {}
    if args.sample_input_file:
        path = Path(args.sample_input_file).resolve()
        if not path.is_file():
            raise KitError(f"there is no file {path}", "give JSON lines with question and answer")
        split = "file"
        options = {"file": str(path), "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    result = run(
        "gsm8k", split, choose_model(args),
        profile=args.profile, sampling="greedy", workers=args.workers, limit=args.limit, runs=args.runs, options=options,
    )  # fmt: skip
    problems = {s.id: s.data for s in load_task("gsm8k", args.profile, options).samples(split)}
    write_upstream_files(result, problems, vars(args), Path(args.sample_output_file))
    return result


def write_upstream_files(
    result: RunResult, problems: dict[str, dict[str, Any]], arguments: dict[str, Any], output: Path
) -> Path:
    """Upstream's jsonl and its summary `gsm8k_eval_result_TIME.json` in the same folder.

    Samples that failed for infrastructure reasons have no completion and are left out of both. The summary has two
    keys more than upstream's: the numbers of problems graded and expected.

    Returns:
        path of the summary.
    """
    graded = [r for r in result.records if is_final(r)]
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", encoding="utf-8") as file:
        for record in graded:
            line = {
                **problems[record["sample"]],
                "completion": record["prediction"] or "",
                "acc": record["reward"] == 1.0,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    summary = {
        "args": {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()},
        "acc": sum(r["reward"] for r in graded) / len(graded) if graded else None,
        "graded": len(graded),
        "expected": result.scores["expected"],
    }
    path = output.parent / f"gsm8k_eval_result_{datetime.now():%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code (2: nothing could be done, 1: samples are missing, 0: complete)."""
    args = parser().parse_args(arguments)
    try:
        result = evaluate(args)
    except KitError as error:
        print(f"evaluate_gsm8k_tgi: {error}", file=sys.stderr)
        return error.exit_code
    scores = result.scores
    shown = ", ".join(f"{k} {v['value']:.2f}" for k, v in scores["metrics"].items() if v["value"] is not None)
    print(f"{scores['n']} of {scores['expected']} problems graded: {shown or 'no score'}")
    print(f"completions: {args.sample_output_file}\nrun: {result.folder}")
    failed = scores["infrastructure"]["count"]
    if failed:
        print(f"{failed} problems failed for infrastructure reasons; run the same command to try them again")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
