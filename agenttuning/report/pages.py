"""The Jinja environment of all pages: everything that comes from a run is sanitised and escaped on output."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agenttuning.episodes.types import Status
from agenttuning.report import text
from agenttuning.report.runs import Row
from agenttuning.scores.overall import percent

TEMPLATES = Path(__file__).with_name("templates")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates with autoescape on. Strings are first made visible, so no control character reaches a page.

    The only script is our own; a Content-Security-Policy with its hash keeps any other from running.
    """
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: text.visible(value) if type(value) is str else value,
    )
    script = (TEMPLATES / "filter.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    env.globals.update(
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=Markup(digest),
        interval=text.interval,
    )
    env.filters.update(
        number=text.number,
        duration=text.duration,
        count=text.count,
        block=text.block,
        short=text.one_line,
        p_value=text.p_value,
        percent=percent,
        colour=colour,
        reward_class=reward_class,
    )
    return env


def write(path: Path, template: str, **values: Any) -> None:
    """Render a template into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment().get_template(template).render(**values), encoding="utf-8")


def colour(status: str) -> Markup:
    """style attribute with the colour of a status; statuses we do not know are grey."""
    name = status if status in set(Status) else "unknown"
    return Markup('style="--colour: var(--{})"').format(name)


def reward_class(row: Row) -> str:
    """none, zero, part or one: what the filter offers."""
    if row.reward is None:
        return "none"
    return "zero" if row.reward <= 0 else "one" if row.reward >= 1 else "part"
