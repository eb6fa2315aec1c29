"""What a reply asks for: SQL to run, or the end of the episode with an answer.

Follows `process` of AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d. Its quirks (an action needs a newline after
it, "Operation " with a trailing blank is none, a final answer cannot be the first line) are profile paper's; profile
kit reads the same protocol without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Grammar:
    """The patterns of one profile.

    Attributes:
        action, sql, final: regular expressions whose group 1 is the action word, the SQL, the answer.
        one_line: join the SQL's lines with blanks (a `-- comment` then hides what follows it).
    """

    action: re.Pattern[str]
    sql: re.Pattern[str]
    final: re.Pattern[str]
    one_line: bool


PAPER = Grammar(
    action=re.compile(r"Action: (.*?)\n"),
    sql=re.compile(r"```sql\n([\s\S]*?)\n```"),
    final=re.compile(r"\nFinal Answer:(.*)"),
    one_line=True,
)

KIT = Grammar(
    action=re.compile(r"^[ \t]*Action:[ \t]*(\w+)[ \t\r]*$", re.MULTILINE),
    sql=re.compile(r"```[ \t]*(?:sql|mysql)[ \t\r]*\n([\s\S]*?)```", re.IGNORECASE),
    final=re.compile(r"^[ \t]*Final Answer:(.*)", re.MULTILINE),
    one_line=False,
)

GRAMMARS = {"paper": PAPER, "kit": KIT}


@dataclass(frozen=True)
class Turn:
    """What one reply asks for.

    Attributes:
        operation: the reply's action is an operation.
        sql: the SQL of an operation; None if it has no SQL block (or is no operation).
        answer: the final answer as written, None if there is none.
    """

    operation: bool
    sql: str | None
    answer: str | None


def read_turn(reply: str, grammar: Grammar) -> Turn:
    """Parse a reply. The first action, the first SQL block and the first final answer count."""
    action = grammar.action.search(reply)
    operation = action is not None and action[1] == "Operation"
    block = grammar.sql.search(reply) if operation else None
    final = grammar.final.search(reply)
    sql = block[1].strip() if block else None
    if sql is not None and grammar.one_line:
        sql = sql.replace("\n", " ")
    return Turn(operation, sql, final[1] if final else None)
