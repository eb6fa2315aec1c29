"""Exit 0 if both arguments are the same size: decimals, letters of either case, K, KB and KiB all 1024 bytes."""

import re
import sys
from decimal import Decimal


def size(text: str) -> Decimal:
    found = re.fullmatch(
        r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)(?:i?B|bytes?)?", text.strip(), re.IGNORECASE | re.ASCII
    )
    if found is None:
        sys.exit(1)
    return Decimal(found[1]) * 1024 ** " KMGTP".index(found[2].upper() or " ")


sys.exit(size(sys.argv[1]) != size(sys.argv[2]))
