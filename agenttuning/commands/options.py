"""Command-line options several verbs share."""

from __future__ import annotations

import tomllib
from typing import Any

import click

from agenttuning.errors import KitError


def parse_options(pairs: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE pairs; values are TOML (numbers, true, "text", [1, 2]), anything else is taken as text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            raise KitError(f"--option {pair!r} is not KEY=VALUE")
        try:
            found[key] = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            found[key] = text
    return found


def words(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    """Callback for lists given as one string ("a b" or "a,b")."""
    return (value or "").replace(",", " ").split()
