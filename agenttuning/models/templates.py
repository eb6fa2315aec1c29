"""Conversation templates: fschat's by name, plus ChatML for the embedded model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from fastchat.conversation import Conversation, SeparatorStyle, conv_templates, get_conv_template

from agenttuning.errors import KitError
from agenttuning.models.types import Message

CHATML = "chatml"


@cache
def _blank(name: str) -> Conversation:
    if name == CHATML:
        # fschat has no neutral ChatML entry; this one writes <|im_start|>role\n...<|im_end|>\n.
        return Conversation(
            name=CHATML,
            system_template="<|im_start|>system\n{system_message}",
            roles=("<|im_start|>user", "<|im_start|>assistant"),
            sep_style=SeparatorStyle.CHATML,
            sep="<|im_end|>",
            stop_str="<|im_end|>",
        )
    if name not in conv_templates:
        raise KitError(
            f"there is no conversation template {name!r}",
            f"use {CHATML} or one of fschat's, e.g. llama-2, vicuna_v1.1",
        )
    return get_conv_template(name)


def check(name: str) -> None:
    """Raise KitError when no template has that name."""
    _blank(name)


def render(name: str, messages: Sequence[Message], *, strip: bool = True) -> str:
    """Prompt text of a conversation, ending in the open assistant slot.

    Args:
        name: fschat template name or "chatml".
        messages: optional system message first, then user and assistant turns. Without a system
            message the template's own default stands (Llama-2: none, Vicuna: its published sentence).
        strip: strip the turns, as AgentBench's client does (AgentBench.old/src/agents/tgi_client.py @ e33a45d).

    Raises:
        KitError: unknown template, or a role other than system, user, assistant.
    """
    conversation = _blank(name).copy()
    rest = list(messages)
    if rest and rest[0]["role"] == "system":
        conversation.set_system_message(rest.pop(0)["content"])
    elif name == CHATML:
        conversation.system_template = ""
    user, assistant = conversation.roles
    for message in rest:
        role = message["role"]
        content = message["content"].strip() if strip else message["content"]
        if role == "user":
            conversation.append_message(user, content)
        elif role == "assistant":
            conversation.append_message(assistant, content)
        else:
            raise KitError(
                f"a message has the role {role!r}", "roles are system (first only), user, assistant"
            )
    conversation.append_message(assistant, None)
    return conversation.get_prompt()


def stop_strings(name: str) -> tuple[str, ...]:
    """Strings after which a reply is over in this template (empty for templates that end with EOS)."""
    stop = _blank(name).stop_str
    return () if not stop else (stop,) if isinstance(stop, str) else tuple(stop)
