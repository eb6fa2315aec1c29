"""What a reply asks the game for, and what of the game's text the model is shown.

Follows process_action, process_ob and bleu_score of AgentBench.old/src/tasks/alfworld/utils.py @ e33a45d, get_prompt and
alfworld_run of its task.py.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

MARKER = "ACTION:"
LEAST_SIMILAR = 0.01
"""A command must be more similar to the model's words than this; so low that one common word is usually enough."""

ARRIVAL = "You arrive at loc "
_ANY_CASE = re.compile(MARKER, re.IGNORECASE)
GAPS = 5  # k of the smoothing below
ORDERS = (1, 2, 3, 4)

TYPES = {
    "pick_and_place": "put",
    "pick_clean_then_place": "clean",
    "pick_heat_then_place": "heat",
    "pick_cool_then_place": "cool",
    "look_at_obj": "examine",
    "pick_two_obj": "puttwo",
}
"""Start of a game's name, tested in this order, and the short name of its type."""


class UnsupportedGame(Exception):
    """The name of a game belongs to none of the six types. The text is upstream's exception, word for word."""


def task_type(name: str) -> str:
    """put, clean, heat, cool, examine or puttwo. Raises UnsupportedGame."""
    for start, kind in TYPES.items():
        if name.startswith(start):
            return kind
    raise UnsupportedGame(f"unsupported name: {name}")


def game_name(path: str) -> str:
    """The two folders above a game file, as TYPE-Object-.../trial_..."""
    return "/".join(path.split("/")[-3:-1])


def first_observation(feedback: str) -> str:
    """The room and the task, out of the text a game begins with: its first paragraph, the welcome, is left out."""
    return "\n".join(feedback.split("\n\n")[1:])


def shown(feedback: str) -> str:
    """A command's feedback as the model sees it: arriving at a numbered place is cut.

    Without a following sentence the cut leaves all but the first letter, as upstream's does.
    """
    if feedback.startswith(ARRIVAL):
        return feedback[feedback.find(". ") + 2 :]
    return feedback


def asked_for(reply: str) -> str:
    """The command a reply asks for: the rest of the line after the first `ACTION:`, else its first line.

    Lower case, stripped; may be empty. A second ACTION in the same reply is ignored.
    """
    _, marker, rest = reply.partition(MARKER)
    text = rest.partition("\n")[0] if marker else reply
    return text.strip().lower().split("\n")[0]


def strictly_asked_for(reply: str) -> str:
    """Profile kit's reading: `Action:` in any case, the command on its line or the next, blanks do not matter."""
    found = _ANY_CASE.search(reply)
    text = reply[found.end() :] if found else reply
    return " ".join(text.strip().lower().split("\n")[0].split())


def nearest(text: str, commands: Sequence[str]) -> str:
    """What upstream sends to the game: the text itself if it is a command, else the most similar command, the first of
    equals; the text as it is when nothing is similar enough or there are no commands."""
    if text in commands or not commands:
        return text
    grams = _grams(text.split())
    scores = [_similarity(command.split(), grams) for command in commands]
    best = max(scores)
    return commands[scores.index(best)] if best > LEAST_SIMILAR else text


def bleu(reference: str, candidate: str) -> float:
    """Sentence BLEU of blank-separated words: 1 to 4 words with equal weights, brevity penalty, and NLTK's smoothing method 4
    (Chen and Cherry 2014) with k = 5. 0 without a common word."""
    return _similarity(reference.split(), _grams(candidate.split()))


def _grams(words: list[str]) -> list[Counter[tuple[str, ...]]]:
    """The text's runs of 1, 2, 3 and 4 words with their numbers."""
    return [Counter(zip(*(words[i:] for i in range(n)), strict=False)) for n in ORDERS]


def _similarity(reference: list[str], grams: list[Counter[tuple[str, ...]]]) -> float:
    length = grams[0].total()
    logs: list[float] = []
    misses = 0
    for found, wanted in zip(grams, _grams(reference), strict=True):
        common = sum(min(number, found[gram]) for gram, number in wanted.items())
        if not common and not logs:
            return 0.0  # no common word
        total = max(1, found.total())
        if common:
            logs.append(math.log(common / total))
        elif length > 1:
            misses += 1
            logs.append(math.log(math.log(length) / (2**misses * GAPS) / total))
    penalty = 1.0 if length > len(reference) else math.exp(1 - len(reference) / length)
    return penalty * math.exp(math.fsum(value / len(ORDERS) for value in logs))
