"""Exit 0 if the first argument contains the second one."""

import sys

said, part = (argument.replace("\r\n", "\n").replace("\r", "\n").strip() for argument in sys.argv[1:3])
sys.exit(part not in said)
