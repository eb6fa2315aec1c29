"""Run folders written by the tests, in the format of real ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agenttuning.scores.intervals import mean, proportion

HOSTILE = (
    '<script>document.title = "owned"</script><img src=x onerror="document.title=1">'
    "</pre></details><h1>loud</h1> {{ 7 * 7 }} \x1b[31mred\x07 \u202eesrever \u2066 \ud800 &amp; $x$ | pipe"
)

COLUMNS = {
    "alfworld": ("ALFWorld", "held-in"),
    "dbbench": ("Database", "held-in"),
    "science-world": ("SciWorld", "held-out"),
    "gsm8k": ("GSM8K", "general"),
    "mt-bench": ("MT-Bench", "general"),
}


def record(
    index: int, reward: float | None, status: str = "completed", text: str = "ANSWER: 3", **more: Any
) -> dict:
    """One line of records.jsonl."""
    return {
        "sample": f"s{index:04d}",
        "index": index,
        "status": status,
        "reward": reward,
        "prediction": text[:60],
        "target": "3",
        "metrics": {"rounds": 2},
        "detail": "the answer was graded",
        "attempts": 1,
        "usage": {"calls": 2, "retries": 0, "prompt_tokens": 300, "completion_tokens": 40},
        "seconds": {"wall": 2.5, "model": 2.0},
        "error": "the server closed the connection" if status == "model_error" else None,
        "transcript": [
            {"role": "user", "content": f"Question {index}: one plus two?"},
            {"role": "assistant", "content": text},
            {"role": "note", "content": "the environment says goodbye", "state": 1},
        ],
        **more,
    }


def make_run(
    runs: Path,
    model: str,
    task: str,
    rewards: Sequence[float | None],
    *,
    split: str = "std",
    profile: str = "paper",
    folder: str | None = None,
    seed: int = 0,
    sampling: str = "upstream",
    model_id: str | None = None,
    records: Sequence[dict] | None = None,
    expected: int | None = None,
    scored: bool = True,
    **scores: Any,
) -> Path:
    """Write a run folder whose scores.json follows from the rewards; `scores` overrides single keys of it."""
    path = runs / model / task / (folder or f"{split}-{profile}")
    path.mkdir(parents=True)
    records = records or [
        record(i, r, "model_error" if r is None else "completed") for i, r in enumerate(rewards)
    ]
    identity = {
        "task": task,
        "task_version": 1,
        "split": split,
        "profile": profile,
        "model": model,
        "model_id": model_id or model,
        "template": "llama-2",
        "system": None,
        "sampling": sampling,
        "generation": {"temperature": 0.7, "seed": seed},
        "options": {},
        "seed": seed,
    }
    (path / "run.json").write_text(json.dumps({"identity": identity, "provenance": {"host": "test"}}))
    (path / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if not scored:
        return path
    done = [r["reward"] for r in records if r["reward"] is not None]
    scale = 1.0 if task == "mt-bench" else 100.0
    metric = (proportion if set(done) <= {0, 1} else mean)(done, scale)
    column, group = COLUMNS.get(task, (task, "other"))
    failed = len(records) - len(done)
    total = expected or len(records)
    document = {
        "task": task,
        "title": column,
        "group": group,
        "column": column,
        "split": split,
        "profile": profile,
        "sampling": sampling,
        "model": model,
        "main": "main_score",
        "value": metric.value,
        "metrics": {"main_score": vars(metric)},
        "n": len(done),
        "expected": total,
        "statuses": dict(Counter(r["status"] for r in records)),
        "infrastructure": {
            "count": failed,
            "share": failed / len(records),
            "invalid": failed / len(records) > 0.01,
        },
        "complete": len(records) == total,
        "paper_split": split == "std",
        "notes": [],
        **scores,
    }
    (path / "scores.json").write_text(json.dumps(document))
    return path


def share(ones: int, n: int) -> list[float]:
    """n rewards, the first `ones` of them 1."""
    return [1.0] * ones + [0.0] * (n - ones)


def make_all(runs: Path) -> Path:
    """Models of the paper and another, oracle and nop, unfinished, invalid and hostile runs."""
    make_run(runs, "agentlm-7b", "alfworld", share(41, 50))
    make_run(runs, "llama-2-7b-chat", "alfworld", share(1, 50), model_id="meta-llama/Llama-2-7b-chat-hf")
    make_run(runs, "agentlm-7b", "dbbench", share(130, 300))
    for seed in (0, 1, 2):
        make_run(
            runs,
            "agentlm-7b",
            "gsm8k",
            share(320 + 9 * seed, 1319),
            folder=f"std-paper-seed{seed}",
            seed=seed,
        )
    make_run(runs, "llama-2-7b-chat", "gsm8k", share(360, 1319))
    make_run(runs, "agentlm-7b", "science-world", [0.1 * (i % 4) for i in range(270)])
    make_run(runs, "agentlm-7b", "mt-bench", [5.0, 6.5, 7.0] * 20)
    make_run(runs, "llama-2-7b-chat", "dbbench", share(3, 40), expected=300, complete=False)
    make_run(runs, "llama-2-7b-chat", "science-world", [0.05] * 250 + [None] * 20)
    statuses = ["completed", "invalid_action", "invalid_format", "turn_limit", "repetition", "context_limit"]
    mixed = [record(i, float(i % 6 == 0), statuses[i % 6]) for i in range(12)]
    make_run(
        runs, "smollm2-135m", "dbbench", [], split="smoke", profile="kit", sampling="greedy", records=mixed
    )
    hostile = [record(0, 0.0, text=HOSTILE), record(1, 1.0, text="word " * 4000)]
    hostile += [record(i, float(i % 2), "invalid_format" if i % 3 else "completed") for i in range(2, 12)]
    make_run(
        runs, "smollm2-135m", "gsm8k", [], split="smoke", profile="kit", sampling="greedy", records=hostile
    )
    for task in ("dbbench", "gsm8k"):
        make_run(runs, "oracle", task, [1.0] * 12, split="smoke", profile="kit", sampling="greedy")
        make_run(runs, "nop", task, [0.0] * 12, split="smoke", profile="kit", sampling="greedy")
    torn = make_run(
        runs, "smollm2-135m", "science-world", [0.2, 0.4], split="smoke", profile="kit", scored=False
    )
    with (torn / "records.jsonl").open("a") as file:
        file.write('{"sample": "s0002", "index": 2, "sta')
    make_run(runs, "smollm2-135m", "no<b>such", [1.0, 0.0], split="smoke", profile="kit", folder="smoke-kit")
    broken = runs / "agentlm-7b" / "webshop" / "std-paper"
    broken.mkdir(parents=True)
    (broken / "run.json").write_text("{")
    return runs
