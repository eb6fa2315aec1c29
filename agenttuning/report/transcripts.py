"""Pages of one run: a list of its samples and, 100 at a time, their transcripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agenttuning.episodes.rooms import all_specs, room_module
from agenttuning.report import pages, text
from agenttuning.report.runs import Row, Run, transcript_of

LIST_ROWS = 2000
PAGE_SAMPLES = 100
PAGE_BYTES = 1_500_000
HEAD_CHARACTERS = 3000  # shown of a message; the rest is folded
REST_CHARACTERS = 60_000  # folded at most; what is longer stays in records.jsonl
OPEN_CHARACTERS = 2500  # transcripts up to this length are not folded

ROLES = ("system", "user", "assistant", "prompt", "note")


def write_run(run: Run, labels: Sequence[str], folder: Path, up: str) -> Path:
    """Write all pages of a run and return its first one, index.html.

    Args:
        labels: what a reader must know of the run (smoke, unfinished, ...).
        folder: where the pages go; pages of an earlier report there are removed.
        up: relative path from there to the folder of report.html, with a final slash.
    """
    view = _view_of(run.task)
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("index*.html"), *folder.glob("page-*.html")]:
        old.unlink()
    links: dict[str, str] = {}
    chunks = split_pages(run.rows)
    transcript_pages = [
        {"file": f"page-{number}.html", "label": f"{chunk[0].index}\u2013{chunk[-1].index}"}
        for number, chunk in enumerate(chunks, 1)
    ]
    for page, chunk in zip(transcript_pages, chunks, strict=True):
        pages.write(
            folder / page["file"],
            "transcripts.html",
            run=run,
            up=up,
            items=[_item(run, row, view) for row in chunk],
            statuses=Counter(row.status for row in chunk),
            pages=transcript_pages,
            here=page["file"],
        )
        links |= {row.sample: f"{page['file']}#s-{row.index}" for row in chunk}
    lists = [run.rows[start : start + LIST_ROWS] for start in range(0, len(run.rows), LIST_ROWS)] or [[]]
    list_pages = [
        {"file": "index.html" if number == 1 else f"index-{number}.html", "label": f"list {number}"}
        for number in range(1, len(lists) + 1)
    ]
    for page, rows in zip(list_pages, lists, strict=True):
        pages.write(
            folder / page["file"],
            "run.html",
            run=run,
            up=up,
            labels=labels,
            rows=[(row, links[row.sample]) for row in rows],
            statuses=Counter(row.status for row in rows),
            pages=list_pages,
            here=page["file"],
        )
    return folder / "index.html"


def split_pages(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows in pages of at most 100 samples and about 1.5 MB of records, at least one sample each."""
    chunks: list[list[Row]] = []
    size = 0
    for row in rows:
        if not chunks or len(chunks[-1]) >= PAGE_SAMPLES or size + row.size > PAGE_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(row)
        size += row.size
    return chunks


def _view_of(task: str) -> Callable[[dict[str, Any]], str | None]:
    """The room's own way to tell an episode (`view` of its transcript.py); nothing where it has none."""
    spec = all_specs().get(task)
    if spec is None or not (spec.folder / "transcript.py").is_file():
        return lambda record: None
    view: Callable[[dict[str, Any]], str | None] = room_module(spec, "transcript").view
    return view


def _told(view: Callable[[dict[str, Any]], str | None], record: dict[str, Any]) -> str:
    try:
        return text.visible(text.block(view(record) or ""))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # a record of other code
        return f"this record cannot be told turn by turn ({type(error).__name__}: {error})"


def _item(run: Run, row: Row, view: Callable[[dict[str, Any]], str | None]) -> dict[str, Any]:
    """What the template shows of a sample."""
    record = transcript_of(run, row)
    transcript = record.get("transcript")
    turns = (
        [_turn(turn) for turn in transcript if isinstance(turn, dict)] if isinstance(transcript, list) else []
    )
    characters = sum(turn["characters"] for turn in turns)
    facts = [
        (name, text.one_line(record[key], 400))
        for name, key in (
            ("prediction", "prediction"),
            ("target", "target"),
            ("ended because", "detail"),
            ("error", "error"),
            ("metrics", "metrics"),
        )
        if record.get(key) not in (None, "", {})
    ]
    tokens = f"{text.count(row.prompt_tokens)} prompt, {text.count(row.completion_tokens)} generated"
    retries = f", {row.retries} retries" if row.retries else ""
    facts.append(("cost", f"{row.calls} calls{retries}; {tokens} tokens; {text.duration(row.seconds)}"))
    return {
        "row": row,
        "facts": facts,
        "turns": turns,
        "told": _told(view, record),
        "characters": characters,
        "open": characters <= OPEN_CHARACTERS,
    }


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    content = text.visible(text.block(turn.get("content", "")))
    rest = content[HEAD_CHARACTERS:]
    extra = {key: value for key, value in turn.items() if key not in ("role", "content")}
    role = str(turn.get("role", "unknown"))
    return {
        "role": role,
        "kind": role if role in ROLES else "unknown",
        "extra": text.one_line(extra, 300) if extra else "",
        "characters": len(content),
        "head": content[:HEAD_CHARACTERS],
        "rest": rest[:REST_CHARACTERS],
        "cut": max(0, len(rest) - REST_CHARACTERS),
    }
