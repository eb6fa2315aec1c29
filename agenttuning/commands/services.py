"""agenttuning serve-gpu, stop, logs, ps: the model services on GPUs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click

from agenttuning.containers import engine, services
from agenttuning.errors import KitError


@click.command("serve-gpu")
@click.argument("size", type=click.Choice(list(services.SIZES)))
@click.option("--model", help="Another model of that size in models.toml, for example llama-2-7b-chat.")
@click.option("--engine", "engine_name", default="tgi", show_default=True, help="tgi or vllm.")
@click.option(
    "--replicas", type=click.IntRange(1, 64), default=1, show_default=True, help="On consecutive ports."
)
@click.option("--port", type=int, help="Port of the first replica on 127.0.0.1.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Serve this folder.")
@click.option("--gpus", help='Indices of the GPUs to use, as "4,5".')
@click.option("--check", is_flag=True, help="Only say what is missing.")
def serve_gpu(
    size: str, model: str | None, engine_name: str, replicas: int, port: int | None,
    checkpoint: Path | None, gpus: str | None, check: bool,
) -> None:  # fmt: skip
    """Serve a 7b, 13b or 70b model on this machine's GPUs by compose and wait until it answers.

    TGI_IMAGE, VLLM_IMAGE, MAX_INPUT, MAX_TOTAL, MAX_MODEL_LEN, MEM_LIMIT, SHM_SIZE and HF_TOKEN are taken from
    the environment.
    """
    try:
        indices = tuple(int(word) for word in (gpus or "").replace(",", " ").split())
    except ValueError:
        raise KitError(f"GPUS={gpus} is no list of GPU indices", 'give it as GPUS="0,1"') from None
    wanted = services.service(
        size,
        engine_name=engine_name,
        model=model,
        replicas=replicas,
        port=port,
        checkpoint=checkpoint,
        gpus=indices,
    )
    if check:
        missing = services.preflight(wanted)
        click.echo("\n".join(missing) or f"{wanted.model} can be served here")
        raise SystemExit(1 if missing else 0)
    services.start(wanted, click.echo)


@click.command()
@click.option("--purge", is_flag=True, help="Remove the cache of downloaded weights too.")
def stop(purge: bool) -> None:
    """Remove every container, network and volume of the kit, also those a killed command left behind."""
    removed = services.stop(purge)
    click.echo(f"removed {', '.join(removed)}" if removed else "nothing of the kit was running")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--follow/--no-follow", default=True, show_default=True)
def logs(names: tuple[str, ...], follow: bool) -> None:
    """Follow the logs of the kit's containers (all, or those whose name contains one of NAMES)."""
    listed = engine.docker("ps", "-a", "--filter", f"label={engine.LABEL}", "--format", "{{.Names}}").split()
    found = [name for name in listed if not names or any(part in name for part in names)]
    if not found:
        raise KitError("no container of the kit is here", "start one, for example with: make serve-7b")
    running = []
    try:
        for name in found:
            click.echo(f"== {name}")
            command = [engine.client(), "logs", "--tail", "200", *(["--follow"] if follow else []), name]
            process = subprocess.Popen(command, env=dict(os.environ))
            if follow:
                running.append(process)
            else:
                process.wait()
        for process in running:
            process.wait()
    except KeyboardInterrupt:
        for process in running:
            process.terminate()


@click.command()
def ps() -> None:
    """The kit's containers: name, state, ports, what they run."""
    columns = "table {{.Names}}\t{{.Status}}\t{{.Ports}}\t{{.Image}}"
    click.echo(engine.docker("ps", "-a", "--filter", f"label={engine.LABEL}", "--format", columns))
