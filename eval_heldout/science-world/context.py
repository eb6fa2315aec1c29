"""Shortening a conversation that does not fit: upstream's rule, with a token counter that can be chosen.

Upstream (eval_heldout/science-world/eval.py @ e33a45d) counts cl100k_base tokens of the rendered prompt, also for
Llama, and downloads that vocabulary at first use. Here nothing is ever downloaded at run time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from agenttuning.errors import KitError, MissingData
from agenttuning.models import templates
from agenttuning.models.types import Message

TokenCounter = Callable[[str], int]

CL100K_FILE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""Name tiktoken gives the cached cl100k_base vocabulary."""

CL100K_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

FIRST_REMOVED = 4
"""Index, without the system message, of the first message the rule removes: the demonstration's second pair."""


class CannotCut(Exception):
    """Nothing is left that the rule may remove. Upstream crashes here (IndexError) and loses the whole task."""


def cl100k_file() -> Path | None:
    """The vocabulary in the folder $TIKTOKEN_CACHE_DIR, if its checksum is right; None otherwise."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR")
    if not folder:
        return None
    path = Path(folder) / CL100K_FILE
    if not path.is_file():
        return None
    return path if hashlib.sha256(path.read_bytes()).hexdigest() == CL100K_SHA256 else None


def counter_name(wanted: str) -> str:
    """Which counter is used: "cl100k" or "chars4". "auto" takes cl100k where its vocabulary is present.

    Raises:
        KitError: an unknown name.
        MissingData: "cl100k" was asked for and is absent.
    """
    if wanted not in ("auto", "cl100k", "chars4"):
        raise KitError(f"there is no token counter {wanted!r}", "choose auto, cl100k or chars4")
    if wanted == "chars4":
        return "chars4"
    # Checked before tiktoken is called: with a missing or damaged file tiktoken would go to the network.
    if cl100k_file() is not None:
        return "cl100k"
    if wanted == "cl100k":
        raise MissingData(
            "the cl100k_base vocabulary is not on this machine",
            f"set TIKTOKEN_CACHE_DIR to a folder that holds it as {CL100K_FILE}",
        )
    return "chars4"


@lru_cache(maxsize=2)
def counter(name: str) -> TokenCounter:
    """The counter of that name (as `counter_name` gives it)."""
    if name == "chars4":
        return lambda text: -(-len(text) // 4)
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def render_llama2(messages: list[Message]) -> str:
    """The prompt in FastChat's llama-2 template, contents unstripped as upstream's loop leaves them."""
    return templates.render("llama-2", messages, strip=False)


def shorten(
    messages: list[Message], new_task_prefix: str, count: TokenCounter, limit: int, has_system: bool
) -> list[Message]:
    """Remove message pairs until the rendered prompt has at most `limit` tokens; returns a new list.

    First the demonstration goes, from its second pair on, and with its last pair the first one too. Then the
    episode's oldest observation together with the action that followed goes, pair by pair.

    Args:
        messages: instruction, acknowledgement, demonstration, new task, and the episode so far; with a system
            message before them if `has_system`.
        new_task_prefix: how the new-task message begins.

    Raises:
        CannotCut: fewer than five messages would have to be shortened further.
    """
    system, rest = (messages[:1], messages[1:]) if has_system else ([], list(messages))
    while count(render_llama2(system + rest)) > limit:
        del rest[FIRST_REMOVED : FIRST_REMOVED + 2]
        if len(rest) <= FIRST_REMOVED:
            raise CannotCut(f"the prompt has more than {limit} tokens and nothing is left to remove")
        if rest[FIRST_REMOVED]["content"].startswith(new_task_prefix):
            del rest[2:FIRST_REMOVED]
    return system + rest
