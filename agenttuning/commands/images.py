"""agenttuning images: build the images, list their sizes, run a command in one, or natively."""

from __future__ import annotations

import subprocess
import sys

import click
from rich.console import Console
from rich.table import Table

from agenttuning.commands.options import words
from agenttuning.containers import engine, runtime, serve_cpu
from agenttuning.containers import images as library
from agenttuning.containers.debian import make as make_debian
from agenttuning.episodes.rooms import all_specs, find_spec

FOREIGN = {"ignore_unknown_options": True, "allow_interspersed_args": False}
runtime_option = click.option(
    "--runtime",
    "wanted",
    envvar="RUNTIME",
    help="docker or native; default: docker where the image is current ($RUNTIME).",
)


@click.group()
def images() -> None:
    """Images of the tasks and stages."""


@images.command()
@click.argument("names", nargs=-1)
def build(names: tuple[str, ...]) -> None:
    """Build the images NAMES (all without names), and the base if they need it."""
    click.echo(f"building with {engine.builder()}", err=True)
    for name, seconds in library.build(names).items():
        built = library.inspect(library.find_image(name).tag)
        size = f"{built.size / 1e6:.0f} MB" if built else "gone"
        click.echo(f"{library.find_image(name).tag}: built in {seconds:.1f} s, {size}")


@images.command()
def base() -> None:
    """Make a Debian base image without a registry (as root; debootstrap)."""
    click.echo(f"{make_debian()}: made; the images will stand on it (BASE_IMAGE= names another)")


@images.command()
def sizes() -> None:
    """Size and state of every image."""
    table = Table("image", "MB", "state", box=None, pad_edge=False)
    for image in library.all_images().values():
        built = library.inspect(image.tag)
        size = f"{built.size / 1e6:.0f}" if built else ""
        current = built and built.labels.get(library.SOURCE) == image.digest()
        state = "current" if current else "built from other code" if built else "not built"
        table.add_row(image.tag, size, state if current else f"{state}: make image-{image.name}")
    Console(soft_wrap=True).print(table)


@images.command(context_settings=FOREIGN)
@runtime_option
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(wanted: str | None, name: str, command: tuple[str, ...]) -> None:
    """Run `agenttuning COMMAND` for the task or stage NAME in its image, or natively."""
    choice = runtime.choose(name, wanted)
    click.echo(f"{name}: runtime {choice.runtime} ({choice.why})", err=True)
    sys.exit(runtime.run(name, command, choice))


@images.command()
@runtime_option
@click.option("--tasks", callback=words, help="Task names; default: all.")
def selfcheck(wanted: str | None, tasks: list[str]) -> None:
    """Oracle and nop through the real environments, each task in its image where it has one."""
    names = [find_spec(name).name for name in tasks] or list(all_specs())
    native, failed = [], []
    for name in names:
        choice = runtime.choose(name, wanted)
        click.echo(f"{name}: runtime {choice.runtime} ({choice.why})", err=True)
        if choice.runtime == "native":
            native.append(name)
        elif subprocess.run(runtime.run_command(name, ["selfcheck", "--tasks", name])).returncode:
            failed.append(name)
    if native:
        command = [sys.executable, "-m", "agenttuning.cli", "selfcheck", "--tasks", " ".join(native)]
        failed += ["native tasks"] if subprocess.run(command).returncode else []
    if failed:
        click.echo(f"selfcheck failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)


@images.command(name="serve-cpu", context_settings=FOREIGN)
@runtime_option
@click.option("--port", type=int, default=serve_cpu.PORT, show_default=True, help="Port on 127.0.0.1.")
@click.option("--checkpoint", help="Checkpoint folder: served natively, the image holds no transformers.")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
def serve(wanted: str | None, port: int, checkpoint: str | None, rest: tuple[str, ...]) -> None:
    """Serve the embedded model in its image, or natively; REST goes to `agenttuning serve`."""
    sys.exit(serve_cpu.serve(wanted, port, checkpoint, list(rest)))
