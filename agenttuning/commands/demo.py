"""agenttuning demo: the whole way on a laptop, from a real small model to the report."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from agenttuning import report
from agenttuning.commands.doctor import native_problem
from agenttuning.commands.evaluate import show
from agenttuning.episodes import runner
from agenttuning.episodes.rooms import all_specs
from agenttuning.errors import KitError
from agenttuning.home import runs_dir
from agenttuning.models.registry import DEFAULT_MODEL, Model, find_model

START_SECONDS = 120
FIRST_SECONDS = 8.0  # even with no time left, every task begins its first episodes


@click.command()
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="Any model of models.toml; the default is started here.",
)
@click.option("--port", type=int, help="Port of the model server.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=1.5,
    show_default=True,
    help="The model's time, shared by the tasks.",
)
def demo(model: str, port: int | None, minutes: float) -> None:
    """Serve the embedded model, evaluate the smoke split of every task, with oracle and nop, and write the report.

    The model's time is bounded, so that the first run fits in ten minutes on two cores; a task whose split did not fit
    says how many samples it has, and the next run goes on from there.
    """
    chosen = find_model(model, port=port)
    began = time.monotonic()
    skipped: list[str] = []
    unfinished: list[str] = []
    specs = {spec.name: spec for spec in all_specs().values() if "smoke" in spec.splits}
    for spec in list(specs.values()):
        problem = native_problem(spec)
        if problem:
            skipped.append(f"{spec.name}: skipped, {problem}")
            del specs[spec.name]
    for spec in list(specs.values()):
        try:
            for player in ("oracle", "nop"):
                result = runner.run(spec.name, "smoke", find_model(player))
                show(result.scores, result.folder)
        except runner.Interrupted:
            raise
        except KitError as error:  # one task's environment must not cost the others theirs
            skipped.append(f"{spec.name}: skipped, {error}")
            del specs[spec.name]
    left = 60 * minutes
    with served(chosen):
        for number, spec in enumerate(specs.values()):
            started = time.monotonic()
            result = runner.run(
                spec.name, "smoke", chosen, seconds=max(FIRST_SECONDS, left / (len(specs) - number))
            )
            left = max(0.0, left - (time.monotonic() - started))
            show(result.scores, result.folder)
            if not result.scores["complete"]:
                unfinished.append(f"{spec.name} {result.scores['n']} of {result.scores['expected']}")
    path = report.build(runs_dir(), runs_dir() / "report")
    for line in skipped:
        click.echo(line)
    click.echo(
        f"demo: {len(all_specs()) - len(skipped)} of {len(all_specs())} tasks in {time.monotonic() - began:.0f} s"
    )
    click.echo(f"report: {path}")


@contextmanager
def served(model: Model) -> Iterator[None]:
    """The model answering at its URL: as it is, or started here (embedded model only) and stopped again."""
    endpoint = model.endpoints()[0]
    try:
        if endpoint.alive():
            yield
            return
        if model.name != DEFAULT_MODEL:
            model.probe()
        port = model.urls[0].rsplit(":", 1)[1]
        command = [sys.executable, "-m", "agenttuning.cli", "serve", "--port", port]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            click.echo(f"starting {model.name} on port {port}", err=True)
            deadline = time.monotonic() + START_SECONDS
            while not endpoint.alive():
                if server.poll() is not None:
                    raise KitError(
                        "the CPU server did not start", f"see why with: make serve-cpu PORT={port}"
                    )
                if time.monotonic() > deadline:
                    raise KitError(
                        f"the CPU server did not answer within {START_SECONDS} s",
                        f"see why with: make serve-cpu PORT={port}",
                    )
                time.sleep(0.2)
            yield
        finally:
            server.terminate()
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        endpoint.close()
