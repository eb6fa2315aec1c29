"""Programs: the s-expressions that a variable stands for, and the one SPARQL dialect they are translated to.

Follows AgentBench.old/src/tasks/knowledgegraph/utils/{logic_form_util,semparse_util,sparql_executer}.py @ e33a45d.
Upstream's text is Virtuoso-only; ours differs from it in four places, after which Virtuoso and pyoxigraph both read
it and give the same answers: `||` for OR, `(COUNT(DISTINCT ?x) AS ?cnt)`, `regex(str(...))`, and IRIs written out in
full (pyoxigraph refuses a prefixed name with two dots in its local part).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

NS = "http://rdf.freebase.com/ns/"

MAX_OPERATORS = 64
"""Operators of one program. Combining a variable with itself doubles its program; nothing honest comes near this."""

_NAME = re.compile(r"[\w.-]+")
_KEEP_ENGLISH = "FILTER (!isLiteral(?x) || lang(?x) = '' || langMatches(lang(?x), 'en'))"

Expression = str | list["Expression"]


class QueryRefused(Exception):
    """A program or query that cannot be executed; the model's doing, never the infrastructure's."""


@dataclass(frozen=True)
class Triple:
    """A pattern of a query: subject and object are variables ("?x0") or ids ("m.01"), the relation is a name."""

    subject: str
    relation: str
    object: str

    @property
    def text(self) -> str:
        return f"{_term(self.subject)} {iri(self.relation)} {_term(self.object)} ."


@dataclass(frozen=True)
class Query:
    """SPARQL with what is needed to estimate its cost.

    Attributes:
        text: the query; selects one variable.
        triples: its patterns in order, those of a sub-select not repeated.
        lists_predicates: whether it asks for predicates of what the patterns find.
    """

    text: str
    triples: tuple[Triple, ...]
    lists_predicates: bool = False


def parse(text: str) -> Expression:
    """Nested lists of an s-expression; a text without parentheses is a plain name.

    Raises:
        QueryRefused: unbalanced parentheses.
    """
    stack: list[list[Expression]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) == 1:
            raise QueryRefused("a closing parenthesis too many")
        else:
            inner = stack.pop()
            stack[-1].append(inner)
    if len(stack) != 1 or len(stack[0]) != 1:
        raise QueryRefused("not one s-expression")
    return stack[0][0]


def render(expression: Expression) -> str:
    """The s-expression as text."""
    return expression if isinstance(expression, str) else f"({' '.join(map(render, expression))})"


def with_inverses(expression: Expression) -> Expression:
    """`r_inv` spelled as `(R r)`."""
    if isinstance(expression, str):
        return ["R", expression[: -len("_inv")]] if expression.endswith("_inv") else expression
    return [with_inverses(part) for part in expression]


def is_count(program: str) -> bool:
    """Whether the program's value is a number: Virtuoso then has no ?x whose predicates it could list."""
    return program.startswith("(COUNT ")


def iri(name: str) -> str:
    """`<http://rdf.freebase.com/ns/NAME>`. Raises QueryRefused for anything but letters, digits and `._-`."""
    if not _NAME.fullmatch(name):
        raise QueryRefused(f"{name[:80]!r} is no Freebase name")
    return f"<{NS}{name}>"


@lru_cache(maxsize=4096)
def answers_query(program: str) -> Query:
    """SPARQL for the members of a program (for a count: the number).

    Sub-expressions are numbered depth first; AND, COUNT and superlatives share the number of what they restrict, and
    the outermost's number is `?x`. Filters on the entities concern `?x` only, and with a superlative only its inner query.

    Raises:
        QueryRefused: too large, or a shape for which upstream generates text that no server accepts: a count together with
            a superlative, two superlatives, an entity that is no m. or g. id.
    """
    if program.count("(") > MAX_OPERATORS:
        raise QueryRefused(f"the program has more than {MAX_OPERATORS} operators")
    tree = with_inverses(parse(program))
    shape = _Shape()
    shape.walk(tree)
    if len(shape.superlatives) > 1 or (shape.counts and shape.superlatives):
        raise QueryRefused("a superlative of a superlative, or a count of one, has no SPARQL")
    triples = shape.named()
    lines = [triple.text for triple in triples]
    filters = [f"FILTER (?x != {iri(entity)})" for entity in dict.fromkeys(shape.entities)]
    if not shape.superlatives:
        selected = "(COUNT(DISTINCT ?x) AS ?cnt)" if shape.counts else "DISTINCT ?x"
        text = [f"SELECT {selected}", "WHERE {", _KEEP_ENGLISH, *lines, *filters, "}"]
        return Query("\n".join(text), triples)
    order = "DESC(?sk0)" if shape.superlatives[0] == "ARGMAX" else "?sk0"
    inner = [
        "{SELECT ?sk0",
        "WHERE {",
        _KEEP_ENGLISH,
        *lines,
        *filters,
        "}",
        f"ORDER BY {order}",
        "LIMIT 1",
        "}",
    ]
    return Query("\n".join(["SELECT DISTINCT ?x", "WHERE {", *lines, *inner, "}"]), triples)


@lru_cache(maxsize=4096)
def predicates_query(program: str) -> Query:
    """SPARQL for the predicates that leave the members of a program. Raises QueryRefused for counts too."""
    if is_count(program):
        raise QueryRefused("a number has no predicates")
    inner = answers_query(program)
    text = f"SELECT DISTINCT ?rel\nWHERE {{\n?x ?rel ?obj .\n{{\n{inner.text}\n}}\n}}"
    return Query(text, inner.triples, lists_predicates=True)


def entity_predicates_query(entity: str) -> Query:
    """SPARQL for the predicates that leave one entity."""
    text = f'SELECT DISTINCT ?x0\nWHERE {{\n{iri(entity)} ?x0 ?obj .\nFILTER regex(str(?x0), "{NS}")\n}}'
    return Query(text, (), lists_predicates=True)


def cleaned(value: str) -> str:
    """A result value as upstream shows and grades it: without the namespace and without the time zone."""
    return value.replace(NS, "").replace("-08:00", "")


class _Shape:
    """What a walk over a program collects; numbers are variables before they are named."""

    def __init__(self) -> None:
        self.patterns: list[tuple[int | str, str, int | str]] = []
        self.entities: list[str] = []
        self.superlatives: list[str] = []
        self.counts = False
        self._root: list[int] = []

    def walk(self, tree: Expression) -> int:
        """Number of the expression's variable."""
        if isinstance(tree, str) or len(tree) < 2 or not isinstance(tree[0], str):
            raise QueryRefused(f"{render(tree)[:80]} is no program")
        operator, *parts = tree
        match operator, parts:
            case "JOIN", [relation, target]:
                source = self._operand(target)
                number = self._new()
                match relation:
                    case ["R", str(name)]:
                        self.patterns.append((source, name, number))
                    case str(name):
                        self.patterns.append((number, name, source))
                    case _:
                        raise QueryRefused(f"{render(relation)[:80]} is no relation")
            case "AND", [left, right]:
                first, second = self.walk(left), self.walk(right)
                number = self._new()
                self._merge(first, second, number)
            case "OR", [
                left,
                right,
            ]:  # upstream never ties the parts to the union, which therefore stays empty
                self.walk(left)
                self.walk(right)
                number = self._new()
            case "COUNT", [part]:
                self.counts = True
                first = self.walk(part)
                number = self._new()
                self._merge(first, number)
            case (("ARGMAX" | "ARGMIN"), [part, str(attribute)]):
                first = self.walk(part)
                number = self._new()
                self._merge(first, number)
                self.superlatives.append(str(operator))
                self.patterns.append((number, attribute, "?sk0"))
            case _:
                raise QueryRefused(f"{render(tree)[:80]} is no program")
        return number

    def named(self) -> tuple[Triple, ...]:
        """The patterns with their variables' names."""
        last = self._find(len(self._root) - 1)

        def name(term: int | str) -> str:
            if isinstance(term, str):
                return term
            return "?x" if self._find(term) == last else f"?x{self._find(term)}"

        return tuple(Triple(name(s), relation, name(o)) for s, relation, o in self.patterns)

    def _operand(self, target: Expression) -> int | str:
        if not isinstance(target, str):
            return self.walk(target)
        if not target.startswith(("m.", "g.")):
            raise QueryRefused(f"{target[:80]!r} cannot be written as an entity")
        self.entities.append(target)
        return target

    def _new(self) -> int:
        self._root.append(len(self._root))
        return len(self._root) - 1

    def _find(self, number: int) -> int:
        while self._root[number] != number:
            number = self._root[number]
        return number

    def _merge(self, *numbers: int) -> None:
        roots = [self._find(number) for number in numbers]
        for root in roots:
            self._root[root] = min(roots)


def _term(term: str) -> str:
    return term if term.startswith("?") else iri(term)
