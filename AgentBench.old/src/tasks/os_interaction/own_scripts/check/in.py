"""Exit 0 if the first argument stands in the second one."""

import sys

said, whole = (argument.replace("\r\n", "\n").replace("\r", "\n").strip() for argument in sys.argv[1:3])
sys.exit(said not in whole)
