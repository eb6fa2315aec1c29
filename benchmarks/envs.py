"""make bench-envs: the speed of every task's real environment, one table (each room's bench.py)."""

from __future__ import annotations

import sys

from common import finish
from rich.console import Console
from rich.table import Table

from agenttuning.commands.doctor import native_problem
from agenttuning.episodes.rooms import all_specs, find_spec, room_module


def main(names: list[str]) -> None:
    figures: dict[str, float] = {}
    table = Table("task", "figure", "value")
    specs = [find_spec(name) for name in names] if names else list(all_specs().values())
    for spec in specs:
        if not (spec.folder / "bench.py").is_file():
            continue
        problem = native_problem(spec)
        if problem:
            print(f"{spec.name}: not measured, {problem}")
            continue
        print(f"measuring {spec.name}", file=sys.stderr, flush=True)
        for key, value in room_module(spec, "bench").bench().items():
            figures[key] = value
            table.add_row(spec.name, key, f"{value:g}")
    Console().print(table)
    finish("envs", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
