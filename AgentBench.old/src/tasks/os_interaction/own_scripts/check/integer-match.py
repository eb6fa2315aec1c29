"""Exit 0 if both arguments are the same integer, written as Python reads it; anything else is a mismatch."""

import sys

sys.exit(int(sys.argv[1]) != int(sys.argv[2]))
