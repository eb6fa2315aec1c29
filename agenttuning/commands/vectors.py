"""agenttuning vectors: upstream's recorded outputs against ours."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click

from agenttuning.commands.options import words
from agenttuning.episodes import vectors as differential
from agenttuning.errors import KitError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--tasks", callback=words, help="Pages (file names without .json); default: all files of the folder."
)
@click.option("--verbose", is_flag=True, help="Name every unhandled case too.")
def vectors(folder: Path, tasks: list[str], verbose: bool) -> None:
    """Run the vector files of FOLDER. Fails when a case fails; unhandled cases are counted, never passed."""
    if not folder.is_dir():
        raise KitError(f"{folder} is not a folder", "give VECTORS=DIR with NAME.json files")
    beside = folder.resolve().parent.parent / "mirror"
    if not os.environ.get("MIRROR") and (beside / "prompts").is_dir():
        os.environ["MIRROR"] = str(beside)
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    missing = [name for name in tasks if name not in files]
    if missing or not files:
        raise KitError(
            f"{folder} has no {', '.join(f'{m}.json' for m in missing) or '*.json'}",
            f"it has: {', '.join(files) or 'nothing'}",
        )
    handlers = differential.adapters()
    total: Counter[str] = Counter()
    for name in tasks or files:
        results = differential.run_file(files[name], handlers.get(name, {}))
        count = Counter(r.outcome for r in results)
        total += count
        click.echo(
            f"{name}: {count['passed']} passed, {count['failed']} failed, {count['unhandled']} unhandled"
        )
        for result in results:
            if result.outcome == "failed" or (verbose and result.outcome == "unhandled"):
                click.echo(f"  {result.outcome}: {result.function} / {result.case}: {result.reason}")
        reasons = Counter((r.function, r.reason) for r in results if r.outcome == "unhandled")
        for (function, reason), number in reasons.items():
            click.echo(f"  unhandled: {number} of {function} ({reason})")
    click.echo(f"vectors: {total['passed']} passed, {total['failed']} failed, {total['unhandled']} unhandled")
    if total["failed"]:
        raise SystemExit(1)
