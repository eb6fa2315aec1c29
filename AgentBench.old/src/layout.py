"""Upstream's output files, written from the kit's records.

Follows AgentBench.old/{evaluate.py,src/task.py,src/utils.py} of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7. The files are a view: they are written anew from records.jsonl each
time, so they never hold a sample twice and never pair the wrong input with an output.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agenttuning.episodes.rooms import find_spec, room_module
from agenttuning.episodes.types import Sample, Status

DEPTH = 5
LONGEST_LIST = 5
LONGEST_TEXT = 100
ENDS = 45

ROLES = {"user": "user", "assistant": "agent"}
"""Our transcript's roles in upstream's words; system messages, raw prompts and notes are no part of its history."""


def serialize(value: Any, depth: int = DEPTH, *, brief: bool = False) -> Any:
    """A value as JSON can hold it.

    Args:
        depth: levels still written; what lies deeper becomes "...".
        brief: keep five items of longer lists and dicts and the total (below objects without a JSON form).
    """
    if depth <= 0:
        return "..."
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        cut = brief and len(value) > LONGEST_LIST
        items = [serialize(item, depth - 1, brief=brief) for item in (value[:LONGEST_LIST] if cut else value)]
        return [*items, f"...(total: {len(value)})"] if cut else items
    if isinstance(value, dict):
        cut = brief and len(value) > LONGEST_LIST
        keys = list(value)[:LONGEST_LIST] if cut else list(value)
        table = {str(key): serialize(value[key], depth - 1, brief=brief) for key in keys}
        return {**table, "...total...": len(value)} if cut else table
    if hasattr(value, "__dict__"):
        return serialize(vars(value), depth, brief=True)
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:ENDS]}   ...   {text[-ENDS:]}"


def history(transcript: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Upstream's history of one of our transcripts: user and agent turns only, as said."""
    return [{"role": ROLES[t["role"]], "content": t["content"]} for t in transcript if t["role"] in ROLES]


def generation_lines(records: Iterable[Mapping[str, Any]], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Lines of generation.jsonl, in the order of `records` (which is the order of completion).

    exception_raised: whether a model call failed (under --upstream-errors such a sample was scored all the same).
    """
    by_id = {sample.id: sample for sample in samples}
    return [
        {
            "index": record["index"],
            "input": serialize(by_id[record["sample"]].data),
            "output": serialize(record["prediction"]),
            "history": history(record["transcript"]),
            "exception_raised": bool(
                record["metrics"].get("exception_raised", record["status"] == Status.MODEL_ERROR)
            ),
        }
        for record in records
        if record["sample"] in by_id
    ]


def run_lines(records: Iterable[Mapping[str, Any]], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Lines of runs.jsonl: every sample in its order; output null where there is none."""
    outputs = {record["sample"]: record["prediction"] for record in records}
    return [
        {
            "index": index,
            "input": serialize(sample.data),
            "output": serialize(outputs.get(sample.id)),
            "target": serialize(sample.target),
        }
        for index, sample in enumerate(samples)
    ]


def results(task: str, metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """results.json: upstream's metric names and scale, by the room's upstream.py (`results(metrics)`).

    Args:
        task: our task's name. A room without upstream.py gets our metrics as they are.
        metrics: `metrics` of scores.json.
    """
    spec = find_spec(task)
    if (spec.folder / "upstream.py").is_file():
        found: dict[str, Any] = room_module(spec, "upstream").results(metrics)
        return found
    return {name: metric["value"] for name, metric in metrics.items()}


def write_jsonl(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON-lines file in one step."""
    _replace(path, "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file in one step, indented by four as upstream's."""
    _replace(path, json.dumps(value, ensure_ascii=False, indent=4, default=str) + "\n")


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", errors="surrogatepass")
    os.replace(temporary, path)
