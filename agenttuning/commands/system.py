"""agenttuning system: Debian packages the tasks need, installed when that is possible, named when it is not."""

from __future__ import annotations

import os
import shutil
import subprocess

import click

from agenttuning.episodes.rooms import all_specs
from agenttuning.episodes.types import TaskSpec
from agenttuning.errors import KitError

SBIN = "/usr/sbin:/sbin"


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what is missing.")
def system(dry_run: bool) -> None:
    """Install the missing system packages (root on a Debian-like system), or say exactly what to install."""
    missing = missing_packages()
    if not missing:
        click.echo("system packages: nothing missing")
        return
    packages = sorted({package for needed in missing.values() for package in needed})
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not dry_run and os.geteuid() == 0 and shutil.which("apt-get"):
        install(packages)
        still = missing_packages()
        if not still:
            click.echo(f"system packages: installed {', '.join(packages)}")
            return
        missing = still
    click.echo(f"system packages missing: {', '.join(packages)}; install them as root: {command}")
    click.echo(f"until then these tasks are skipped: {', '.join(missing)}")


def missing_packages() -> dict[str, list[str]]:
    """Packages by task, for tasks one of whose programs is not on this machine."""
    return {
        spec.name: list(spec.needs.get("apt", [])) for spec in all_specs().values() if not has_programs(spec)
    }


def has_programs(spec: TaskSpec) -> bool:
    """Whether every program the task needs is found, sbin folders included. "a|b" is satisfied by either."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return all(
        any(shutil.which(p, path=path) for p in either.split("|"))
        for either in spec.needs.get("programs", [])
    )


def install(packages: list[str]) -> None:
    """apt-get install. Raises KitError with the end of its output when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise KitError(
                f"{' '.join(command[:2])} failed ({last[0]})", f"install by hand: {' '.join(packages)}"
            )
