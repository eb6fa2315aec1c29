"""Reads an answer the way upstream's `eval` would, without evaluating anything a model wrote.

Literals and their arithmetic cover what answers contain. Names, calls, subscripts, comparisons and f-strings are
refused; upstream runs them, which in practice ends in an exception and the same fallback.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

LONGEST_TEXT = 10_000
DEEPEST = 50
LONGEST_SEQUENCE = 10_000
MOST_BITS = 10_000


class Refused(ValueError):
    """Not a literal, or too large to be an answer."""


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


def evaluate(text: str, arithmetic: bool = True) -> Any:
    """Value of a Python literal expression with + - * / // % between numbers and + between texts or lists.

    Args:
        text: the expression.
        arithmetic: False refuses everything but literals and signs.

    Raises:
        Refused: anything else, or beyond the limits of this module.
        ArithmeticError, TypeError, ValueError: what the same expression raises in Python.
    """
    if len(text) > LONGEST_TEXT:
        raise Refused("too long")
    try:
        tree = ast.parse(text.lstrip(" \t"), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Refused("not a Python expression") from error
    return _value(tree.body, DEEPEST, arithmetic)


def _value(node: ast.expr, depth: int, arithmetic: bool) -> Any:
    if depth == 0:
        raise Refused("too deep")

    def inner(part: ast.expr) -> Any:
        return _value(part, depth - 1, arithmetic)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements):
            return [inner(e) for e in elements]
        case ast.Tuple(elts=elements):
            return tuple(inner(e) for e in elements)
        case ast.Set(elts=elements):
            return {inner(e) for e in elements}
        case ast.Dict(keys=keys, values=values) if all(k is not None for k in keys):
            return {inner(k): inner(v) for k, v in zip(keys, values, strict=True) if k}
        case ast.UnaryOp(op=op, operand=operand) if arithmetic or isinstance(op, (ast.UAdd, ast.USub)):
            return _UNARY[type(op)](inner(operand))
        case ast.BinOp(left=left, op=op, right=right) if arithmetic and type(op) in _BINARY:
            return _bounded(op, inner(left), inner(right))
    raise Refused(f"{type(node).__name__} is not part of an answer")


def _bounded(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = isinstance(left, (int, float, complex)) and isinstance(right, (int, float, complex))
    same_kind = type(left) is type(right) and isinstance(left, (str, list, tuple))
    if not numbers and not (same_kind and isinstance(op, ast.Add)):
        raise Refused("arithmetic on other things than numbers")
    result = _BINARY[type(op)](left, right)
    if isinstance(result, int) and result.bit_length() > MOST_BITS:
        raise Refused("too large a number")
    if same_kind and len(result) > LONGEST_SEQUENCE:
        raise Refused("too long")
    return result
