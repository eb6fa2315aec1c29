"""Chat templates: the model's own Jinja text, rendered in a sandbox."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agenttuning.serving.errors import ApiError


def _raise(message: str) -> None:
    raise TemplateError(message)


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    # Templates come with the checkpoint, so they are hostile until shown otherwise: sandboxed, immutable.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def render(template: str | None, messages: list[dict[str, Any]], bos: str, eos: str) -> str:
    """Prompt of a conversation, ending in the open assistant slot.

    Raises:
        ApiError: 422 template_error, when there is no template or it refuses the messages.
    """
    if template is None:
        raise ApiError(422, "template_error", "Template error: the model has no chat template")
    try:
        return _compiled(template).render(
            messages=messages, bos_token=bos, eos_token=eos, add_generation_prompt=True, tools=None
        )
    except UndefinedError as error:
        raise ApiError(422, "missing_template_variable", f"Missing template variable: {error}") from error
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise ApiError(422, "template_error", f"Template error: {error}") from error
