"""Exit 0 if both arguments are the same text but for outer blanks and the kind of line ends."""

import sys

said, right = (argument.replace("\r\n", "\n").replace("\r", "\n").strip() for argument in sys.argv[1:3])
sys.exit(said != right)
