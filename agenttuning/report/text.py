"""Turning values into text that is safe to show: model output is hostile, also to a terminal."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any

_JOINERS = "\u200c\u200d"  # needed to write several scripts and emoji; they cannot hide or reorder text
_SHOWN = re.compile(r"[^\t\n\x20-\x7e]")


def _show(match: re.Match[str]) -> str:
    character = match.group()
    if character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return character
    return f"\u27e8U+{ord(character):04X}\u27e9"


def visible(text: str) -> str:
    """The text with control, direction-changing and invisible characters spelled out as \u27e8U+XXXX\u27e9.

    Tabs and line ends stay (CR LF becomes LF). Lone surrogates, which no file can hold, are spelled out too.
    """
    return _SHOWN.sub(_show, text.replace("\r\n", "\n"))


def one_line(value: Any, limit: int = 90) -> str:
    """Any value as one short line: strings as they are, everything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(visible(text[: 4 * limit]).split())
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def block(value: Any) -> str:
    """Any value as readable text on as many lines as it needs."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)


def number(value: float | None, decimals: int = 1) -> str:
    """A score for people; an en dash for None."""
    return "\u2013" if value is None else f"{value:.{decimals}f}"


def interval(low: float | None, high: float | None, decimals: int = 1) -> str:
    """ "[26.1, 36.7]", or nothing where there is no interval."""
    return "" if low is None or high is None else f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def duration(seconds: float) -> str:
    """ "41 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def count(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def p_value(value: float | None) -> str:
    """ "0.031", "< 0.001", or an en dash."""
    if value is None:
        return "\u2013"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def markdown(value: str) -> str:
    """Text for one cell of a Markdown table: nothing in it is read as markup, HTML or a cell border."""
    line = " ".join(visible(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", line)


def slug(*parts: str) -> str:
    """Parts of a path as one name of letters, digits, dots, dashes and underscores; different parts, different name."""
    clean = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip(".-") or "x" for part in parts]
    name = "--".join(clean)
    if clean == list(parts) and not any("--" in part for part in parts):
        return name
    return f"{name}--{hashlib.sha256(repr(parts).encode(errors='backslashreplace')).hexdigest()[:8]}"
