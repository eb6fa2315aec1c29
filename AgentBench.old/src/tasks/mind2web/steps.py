"""Task files of Mind2Web as a sequence of steps.

A file is a JSON list of tasks with their recorded actions; every action is a step, in the order file, task, action
(AgentBench.old/src/tasks/mind2web/dataloader.py of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from agenttuning.errors import KitError

from .parsing import OPERATIONS
from .ranks import Ranks

CHUNK = 1 << 20
_MARK = re.compile(rb'["{}]')
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One recorded action.

    Attributes:
        record: everything but the page, JSON-serialisable: annotation_id, action_uid, website, confirmed_task,
            previous_actions (all, oldest first), operation {op, value}, positives and negatives as [node, rank]
            in the file's order (nodes beyond the kept ranks are left out).
        html: the page, as XML.
    """

    record: dict[str, Any]
    html: str


def objects(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list, one at a time: a file of the dataset is larger than what should be in memory.

    Raises:
        KitError: naming the file where it is not a list of objects.
    """
    head = stream.read(CHUNK).lstrip()
    if not head.startswith(b"["):
        raise KitError(f"{name} is not a JSON list of tasks")
    pieces: list[bytes] = []
    depth, quoted, chunk, last = 0, False, head, b""
    while chunk:
        while chunk.endswith(b"\\") and (more := stream.read(1)):  # never cut an escape in two
            chunk += more
        start = place = 0
        while place < len(chunk):
            if quoted:
                place = _end(_REST_OF_STRING.match(chunk, place))
                quoted = place == len(chunk)
                place += 1
                continue
            mark = _MARK.search(chunk, place)
            if mark is None:
                break
            place = mark.end()
            if mark.group() == b'"':
                quoted = True
            elif mark.group() == b"{":
                if depth == 0:
                    start = mark.start()
                depth += 1
            else:
                depth -= 1
                if depth < 0:
                    raise KitError(f"{name} is not valid JSON")
                if depth == 0:
                    pieces.append(chunk[start:place])
                    yield _loaded(b"".join(pieces), name)
                    pieces = []
        if depth:
            pieces.append(chunk[start:])
        last = chunk.rstrip()[-1:] or last
        chunk = stream.read(CHUNK)
    if depth or quoted or last != b"]":
        raise KitError(f"{name} ends before its list does", "fetch it again")


def _end(match: re.Match[bytes] | None) -> int:
    assert match is not None  # the pattern matches the empty string
    return match.end()


def _loaded(text: bytes, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise KitError(f"{name} is not valid JSON ({error})") from error


def steps_of(task: dict[str, Any], ranks: Ranks, name: str) -> Iterator[Step]:
    """The steps of one task.

    Raises:
        KitError: naming the file and task that lacks a field, has another operation than CLICK, SELECT and TYPE, or
            has no ranks.
    """
    try:
        annotation = str(task["annotation_id"])
        shown = [str(text) for text in task["action_reprs"]]
        for index, action in enumerate(task["actions"]):
            uid = str(action["action_uid"])
            of_step = ranks.get(f"{annotation}_{uid}")
            if of_step is None:
                raise KitError(
                    f"{name}: step {uid} of task {annotation} has no ranks", "use the scores of the same data"
                )
            operation = action["operation"]
            if operation["op"] not in OPERATIONS:
                raise KitError(f"{name}: task {annotation} has the operation {operation['op']!r}")
            record = {
                "annotation_id": annotation,
                "action_uid": uid,
                "website": str(task["website"]),
                "confirmed_task": str(task["confirmed_task"]),
                "previous_actions": shown[:index],
                "operation": {"op": operation["op"], "value": str(operation["value"])},
                "positives": _ranked(action["pos_candidates"], of_step),
                "negatives": _ranked(action["neg_candidates"], of_step),
            }
            yield Step(record, str(action["cleaned_html"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise KitError(f"{name} holds a task that is not in Mind2Web's form ({error!r})") from error


def _ranked(candidates: list[dict[str, Any]], ranks: dict[str, int]) -> list[list[Any]]:
    nodes = [str(candidate["backend_node_id"]) for candidate in candidates]
    return [[node, ranks[node]] for node in nodes if node in ranks]
