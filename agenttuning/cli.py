"""Console script `agenttuning`: one verb per command, errors as one sentence."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from agenttuning import __version__
from agenttuning.errors import KitError

# verb -> module and name of its click command; imported when the verb is used, so that each environment
# needs only the packages of the verbs it runs.
COMMANDS = {
    "eval": ("agenttuning.commands.evaluate", "evaluate"),
    "eval-all": ("agenttuning.commands.evaluate_all", "evaluate_all"),
    "rescore": ("agenttuning.commands.evaluate", "rescore"),
    "replay": ("agenttuning.commands.evaluate", "replay"),
    "tasks": ("agenttuning.commands.listing", "tasks"),
    "models": ("agenttuning.commands.listing", "models"),
    "serve": ("agenttuning.commands.serve", "serve"),
    "data": ("agenttuning.commands.data", "data"),
    "report": ("agenttuning.commands.report", "report"),
    "compare": ("agenttuning.commands.report", "compare"),
    "selfcheck": ("agenttuning.commands.selfcheck", "selfcheck"),
    "system": ("agenttuning.commands.system", "system"),
    "doctor": ("agenttuning.commands.doctor", "doctor"),
    "vectors": ("agenttuning.commands.vectors", "vectors"),
    "demo": ("agenttuning.commands.demo", "demo"),
    "images": ("agenttuning.commands.images", "images"),
    "serve-gpu": ("agenttuning.commands.services", "serve_gpu"),
    "stop": ("agenttuning.commands.services", "stop"),
    "logs": ("agenttuning.commands.services", "logs"),
    "ps": ("agenttuning.commands.services", "ps"),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Reproduce AgentTuning: serve a model, evaluate it, report beside the paper's numbers."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point. KitError -> one sentence on stderr and its exit code; Ctrl-C -> 130."""
    try:
        cli.main(arguments, standalone_mode=False)
    except KitError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say("stopped; repeat the command to go on, finished work is kept")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os._exit(0)
        _say(f"{error.strerror or error} ({error.filename})" if error.filename else str(error))
        sys.exit(1)
    except ModuleNotFoundError as error:
        _say(f"the Python package {error.name} is not installed; run: make setup")
        sys.exit(2)


def _say(text: Any) -> None:
    click.echo(f"agenttuning: {text}", err=True)


if __name__ == "__main__":
    main()
