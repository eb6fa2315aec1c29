"""From a model's reply to a simulator command, and the judgement of what came back.

Follows findValidActionNew and is_action_failed (eval_heldout/science-world/eval_utils.py) and the reply
handling of eval.py and its TGI client @ e33a45d.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

ROOMS = (
    "hallway", "greenhouse", "green house", "kitchen", "bathroom", "outside", "workshop", "art studio",
    "foundry", "bedroom", "living room",
)  # fmt: skip
UNFOCUSABLE = ("agent", "air", *ROOMS)

THINK = "Think:"
ACTION = "Action:"
UNKNOWN_COMMAND = "No known action matches that input."
FAILURE_WORDS = ("can't", "not", "doesn't")
"""Searched as substrings, so `nothing`, `knot` and `cannot` count as failures too: upstream's rule."""

_FOCUS_WORDS = re.compile(r"\b(?:focus|on|in|to)\b", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ]")


def clean(observation: str) -> str:
    """The observation on one line: each newline and each tab becomes one space, nothing else changes."""
    return observation.replace("\n", " ").replace("\t", " ")


def cut_reply(text: str) -> str:
    """Generated text up to the first marker of a next turn, stripped."""
    return text.split("[INST]")[0].split("<|end_of_turn|>")[0].strip()


def is_thought(reply: str) -> bool:
    """Whether a cut reply is a thought: then nothing is executed, whatever else it holds."""
    return reply.strip().startswith(THINK)


def command_of(reply: str) -> str:
    """What a reply that is no thought asks for: the reply without any `Action:`, stripped."""
    return reply.replace(ACTION, "").strip()


def is_action_failed(observation: str) -> bool:
    """Whether the observation counts towards the ten failures in a row."""
    return observation == UNKNOWN_COMMAND or any(word in observation for word in FAILURE_WORDS)


def find_valid_action(
    prediction: str, valid: Iterable[str], look: str, inventory: str, history: Sequence[str]
) -> str:
    """The simulator command that a predicted action stands for.

    An exact match wins; else the valid action that shares most words with the prediction, the shortest first;
    else the prediction itself, stripped of everything but letters, digits and spaces.

    Upstream breaks ties of equal overlap and length by the order of a Python set, which changes from run to
    run. Here the alphabetically first wins.

    Args:
        prediction: the reply without its `Action:`.
        valid: the simulator's valid actions.
        look: the room's description after the previous command.
        inventory: what the agent carries.
        history: entries so far, `look around` first and then "(action, observation)"; since an entry is not an
            action, only `look around` is ever taken out by the rule against repeating the last three.
    """
    candidates = set(valid)
    candidates.update(f"open door to {room}" for room in ROOMS)
    candidates.difference_update(f"focus on {thing}" for thing in UNFOCUSABLE)
    candidates.difference_update(history[-3:])
    seen = f"{look} {inventory.lower()}"
    usable = [action for action in candidates if _offered(action, seen)]

    wanted = prediction.replace("green house", "greenhouse").strip()
    if wanted in usable:
        return wanted
    words = set(prediction.split(" "))
    best, most = prediction, 0
    for action in sorted(usable, key=lambda a: (len(a), a)):
        shared = len(words & set(action.split(" ")))
        if shared > most:
            best, most = action, shared
    return _NOT_PLAIN.sub("", best)


def _offered(action: str, seen: str) -> bool:
    """Doors are only opened; only what is in sight or carried can be focused on."""
    if "door" in action and "open" not in action:
        return False
    if action.startswith("focus on"):
        return all(piece in seen for piece in _FOCUS_WORDS.sub("", action).split(" "))
    return True
