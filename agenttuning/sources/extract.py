"""Takes prompt texts out of upstream's Python files by reading their syntax tree; nothing is ever executed.

A rule (see data/README.md) names what to look for: an assignment, an argument of a call, a returned value,
or a whole JSON file. The expression found must be made of literals: strings (also f-strings, whose fields
become {name}), numbers, lists, tuples, dicts, `+` between strings, `%` with nothing but %s, `.strip()`, and
names that the same module assigns once to such a literal. Anything else is refused.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

from agenttuning.errors import KitError
from agenttuning.sources.catalogue import Rule

_MAX_DEPTH = 50  # names that stand for names, nested literals


class _Module:
    """Syntax tree of one file with what it assigns at module level."""

    def __init__(self, source: bytes, name: str):
        self.name = name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in upstream's strings
                self.tree = ast.parse(source, filename=name)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise KitError(f"{name} cannot be parsed as Python ({error})") from error
        self.globals: dict[str, list[ast.expr]] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.globals.setdefault(target.id, []).append(node.value)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                self.globals.setdefault(node.target.id, []).append(node.value)

    def scope(self, within: str | None) -> ast.AST:
        """The function or class of that dotted name, or the whole file."""
        node: ast.AST = self.tree
        for part in within.split(".") if within else []:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            found = [child for child in _in_order(node) if isinstance(child, kinds) and child.name == part]
            if not found:
                raise KitError(f"{self.name} has no function or class {within}")
            node = found[0]
        return node

    def literal(self, node: ast.AST, fields: dict[str, str], depth: int = 0) -> Any:
        """Value of an expression made of literals. Raises KitError with the line of anything else."""
        if depth > _MAX_DEPTH:
            raise self._refused(node, "nested too deeply")
        match node:
            case ast.Constant(value=str() | int() | float() | bool() | None as value):
                return value
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.literal(item, fields, depth + 1) for item in items]
            case ast.Dict(keys=keys, values=values):
                names = [self.literal(key, fields, depth + 1) if key else None for key in keys]
                if not all(isinstance(name, str) for name in names):
                    raise self._refused(node, "a dict whose keys are not all strings")
                return {k: self.literal(v, fields, depth + 1) for k, v in zip(names, values, strict=True)}
            case ast.JoinedStr(values=pieces):
                return "".join(self._piece(piece, fields) for piece in pieces)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                sides = [self.literal(side, fields, depth + 1) for side in (left, right)]
                if all(isinstance(side, str) for side in sides):
                    return sides[0] + sides[1]
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                template = self.literal(left, fields, depth + 1)
                parts = right.elts if isinstance(right, ast.Tuple) else [right]
                values = [self.literal(part, fields, depth + 1) for part in parts]
                marks = re.findall("%.?", template) if isinstance(template, str) else [""]
                if set(marks) <= {"%s", "%%"} and marks.count("%s") == len(values):
                    return template % tuple(values)
            case ast.Call(func=ast.Attribute(value=text, attr="strip"), args=[], keywords=[]):
                value = self.literal(text, fields, depth + 1)
                if isinstance(value, str):
                    return value.strip()
            case ast.Name(id=name) if len(self.globals.get(name, [])) == 1:
                return self.literal(self.globals[name][0], fields, depth + 1)
        raise self._refused(node, f"`{ast.unparse(node)[:60]}` is not made of literals")

    def _piece(self, node: ast.expr, fields: dict[str, str]) -> str:
        """A piece of an f-string: its text, or {name} for a field."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
            expression = ast.unparse(node.value)
            if expression in fields or isinstance(node.value, ast.Name):
                return "{" + fields.get(expression, expression) + "}"
        raise self._refused(node, f"f-string field {ast.unparse(node)[:60]} has no name in `fields`")

    def _refused(self, node: ast.AST, why: str) -> KitError:
        return KitError(f"{self.name}, line {getattr(node, 'lineno', '?')}: {why}")


def _in_order(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes below `scope` in the order of the source."""
    nodes = [node for node in ast.walk(scope) if hasattr(node, "lineno")]
    return iter(sorted(nodes, key=lambda node: (node.lineno, node.col_offset)))  # type: ignore[attr-defined]


def _matches(rule: Rule, scope: ast.AST) -> Iterator[ast.expr]:
    """Expressions the rule looks for, in the order of the source."""
    for node in _in_order(scope):
        if rule.assign:
            match node:
                case ast.Assign(targets=[ast.Name(id=rule.assign)], value=value):
                    yield value
                case ast.AugAssign(target=ast.Name(id=rule.assign), value=value):
                    yield value
                case ast.AnnAssign(target=ast.Name(id=rule.assign), value=ast.expr() as value):
                    yield value
        elif rule.call:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == rule.call:
                named = {keyword.arg: keyword.value for keyword in node.keywords}
                if isinstance(rule.argument, str):
                    if rule.argument in named:
                        yield named[rule.argument]
                elif rule.argument < len(node.args):
                    yield node.args[rule.argument]
        elif isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _taken(node: ast.expr, take: str | None, name: str) -> ast.expr:
    """Side of a `+`, item of a tuple or value of a dict: "left.left.1" walks down from the outermost one."""
    for side in take.split(".") if take else []:
        if side.isdecimal():
            node = _item(node, int(side), name)
            continue
        if not isinstance(node, ast.BinOp):
            raise KitError(f"{name}, line {node.lineno}: `{ast.unparse(node)[:60]}` has no {side} side")
        node = node.left if side == "left" else node.right
    return node


def _item(node: ast.expr, key: int, name: str) -> ast.expr:
    """Item number `key` of a list or tuple, or the value under the number `key` of a dict."""
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items) if key < len(items):
            return items[key]
        case ast.Dict(keys=keys, values=values):
            for one, value in zip(keys, values, strict=True):
                if isinstance(one, ast.Constant) and type(one.value) is int and one.value == key:
                    return value
    raise KitError(f"{name}, line {node.lineno}: `{ast.unparse(node)[:60]}` has no item {key}")


def _turns(value: Any, roles: tuple[str, str]) -> Any:
    """Texts as messages with alternating roles; pairs are flattened, dicts handled value by value."""
    if isinstance(value, dict):
        return {key: _turns(texts, roles) for key, texts in value.items()}
    texts = [text for item in value for text in (item if isinstance(item, list) else [item])]
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def extract(rule: Rule, source: bytes, name: str) -> Any:
    """Value that `rule` finds in a file's bytes; `name` is used in messages.

    Raises:
        KitError: unparsable file, no match, an ambiguous match, or an expression that is not a literal.
    """
    if rule.json:
        try:
            value = json.loads(source)
        except ValueError as error:
            raise KitError(f"{name} is not valid JSON ({error})") from error
        if rule.item is not None:
            if not isinstance(value, dict) or rule.item not in value:
                raise KitError(f"{name} is no JSON object with the key {rule.item!r}")
            value = value[rule.item]
        return _turns(value, rule.roles) if rule.roles else value
    module = _Module(source, name)
    found = list(_matches(rule, module.scope(rule.within)))
    what = rule.assign or rule.call or "return"
    place = f"{name}{f' ({rule.within})' if rule.within else ''}"

    def one(index: int) -> Any:
        if index >= len(found):
            raise KitError(f"{place} has {len(found)} matches of `{what}`, number {index} was asked for")
        value = module.literal(_taken(found[index], rule.take, name), rule.fields or {})
        if rule.item is None:
            return value
        if not isinstance(value, dict) or rule.item not in value:
            raise KitError(f"{place}: match {index} of `{what}` is no dict with the key {rule.item!r}")
        return value[rule.item]

    if isinstance(rule.nth, tuple):
        value = [one(index) for index in rule.nth]
    elif rule.nth is not None:
        value = one(rule.nth)
    elif len(found) == 1:
        value = one(0)
    else:
        raise KitError(f"{place} has {len(found)} matches of `{what}`, exactly one was expected")
    return _turns(value, rule.roles) if rule.roles else value
