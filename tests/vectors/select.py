"""Choose the vectors this folder may hold: those that carry no passage of an upstream prompt.

python tests/vectors/select.py VECTORS MIRROR [PAGE ...]

A case is left out when a run of 40 characters of any prompt in MIRROR/prompts/*.json stands in its JSON text (white
space folded). The cases left out are run from the folder given to `make vectors`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUN = 40
FACTS_ONLY = (
    "reporting",
    "training",
    "agentinstruct",
)  # prompt pages that hold the paper's numbers, no passages


def texts(value: Any) -> Iterator[str]:
    """Every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def runs(text: str) -> set[str]:
    return {text[i : i + RUN] for i in range(len(text) - RUN + 1)}


def is_context(case: dict[str, Any]) -> bool:
    """Entries the other cases refer to (fixtures); look at them before committing: names may be long, prose may not."""
    return case.get("function") in ("_fixtures", "fixture", "fixtures")


def main(vectors: Path, mirror: Path, pages: list[str]) -> None:
    passages: set[str] = set()
    for path in (mirror / "prompts").glob("*.json"):
        if path.stem not in FACTS_ONLY:
            table = json.loads(path.read_text())
            for text in texts({k: v for k, v in table.items() if k != "_source"}):
                passages |= runs(folded(text))
    for path in sorted(vectors.glob("*.json")):
        if pages and path.stem not in pages:
            continue
        cases = json.loads(path.read_text())
        kept = [c for c in cases if is_context(c) or not any(runs(folded(t)) & passages for t in texts(c))]
        target = Path(__file__).parent / path.name
        target.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
        print(f"{path.stem}: {len(kept)} of {len(cases)} kept")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
