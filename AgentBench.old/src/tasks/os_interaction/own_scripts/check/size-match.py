"""Exit 0 if both arguments are the same size, as upstream reads sizes.

Its suffixes are tried in this order, so "4KB" is the number "4K" with the suffix "B", which is none; nor is "8.0K" a size.
"""

import sys

SUFFIXES = (
    ("B", 0),
    ("Byte", 0),
    *((letter + b, n) for n, letter in enumerate("KMGTP", 1) for b in ("", "B")),
)


def size(text: str) -> int:
    text = text.strip()
    for suffix, power in SUFFIXES:
        if text.endswith(suffix):
            return int(text[: -len(suffix)]) * 1024**power
    return int(text)


sys.exit(size(sys.argv[1]) != size(sys.argv[2]))
