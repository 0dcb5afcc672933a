"""How numbers and formulas are written: six digits, names filled in, parentheses where a sign needs them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

DIGITS = 6  # float32 has seven, and the last one is mostly noise


def number(x: Any) -> str:
    """``x`` with at most six significant digits; integers and booleans exactly.

    >>> number(0.1 + 0.2), number(-0.0), number(2**40), number(1e-7)
    ('0.3', '0', '1099511627776', '1e-07')
    """
    if isinstance(x, bool | int | np.bool_ | np.integer):
        return str(x)
    return f"{x + 0.0:.{DIGITS}g}"  # adding 0 turns -0 into 0


def array(x: Any) -> str:
    """A Python number or a NumPy array as (nested) lists of numbers.

    >>> array(np.array([[0.1 + 0.2, -1.0]]))
    '[[0.3, -1]]'
    """
    return _nested(x.tolist() if isinstance(x, np.ndarray) else x)


def _nested(x: Any) -> str:
    return f"[{', '.join(map(_nested, x))}]" if isinstance(x, list) else number(x)


def guarded(text: str) -> str:
    """``text`` as an operand: a negative number stands in parentheses."""
    return f"({text})" if text.startswith("-") else text


def product(factors: Sequence[str]) -> str:
    """The factors, multiplied.

    >>> product(["-1.6", "1", "0.5"])
    '(-1.6) * 1 * 0.5'
    """
    return " * ".join(map(guarded, factors)) if len(factors) > 1 else factors[0]


def total(terms: Sequence[str]) -> str:
    """The terms, added.

    >>> total(["-0.5", "-0.25"])
    '-0.5 + (-0.25)'
    """
    first, *others = terms
    return " + ".join([first, *map(guarded, others)])


def filled(expression: str, texts: Mapping[str, str]) -> str:
    """A Python ``expression`` with its names replaced by ``texts``, and powers tidied.

    >>> filled("out * (1 - out)", {"out": "y"})
    'y * (1 - y)'
    >>> filled("b * a ** (b - 1)", {"a": "-0.5", "b": "2"})
    '2 * (-0.5)'
    """
    tree = _Filling(texts).visit(ast.parse(expression, mode="eval"))
    return ast.unparse(tree)


class _Filling(ast.NodeTransformer):
    """Puts texts in place of names. A text stays one indivisible name of the tree, whatever it contains."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.texts.get(node.id, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and "/" in node.value.id:  # (dL/dy).T
            node.value = ast.Name(f"({node.value.id})")
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        node.operand = _operand(node.operand)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            node.right = _computed(node.right)
            if _text(node.right) == "1":
                return node.left
        if not isinstance(node.op, ast.Add | ast.Sub):  # a sum may begin with a sign
            node.left = _operand(node.left)
        node.right = _operand(node.right)
        return node


def _text(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _operand(node: ast.expr) -> ast.expr:
    return ast.Name(guarded(node.id)) if isinstance(node, ast.Name) else node


def _computed(exponent: ast.expr) -> ast.expr:
    """``2 - 1`` as ``1``: the derivative of a power shows its new exponent."""
    if not (isinstance(exponent, ast.BinOp) and isinstance(exponent.op, ast.Sub)):
        return exponent
    try:
        return ast.Name(number(float(_text(exponent.left)) - float(_text(exponent.right))))
    except ValueError:  # a name, or an array
        return exponent
