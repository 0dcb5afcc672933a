"""Steps of optimizers as loops: what is the same for all elements is computed first, once, in float64."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradflow.dtypes import DType, bool_, float64
from gradflow.formula import NUMBERS, names, parse
from gradflow.loop import ELEMENT, SCALAR, Loop, Operand, Result, Statement
from gradflow.op import Op, Spec
from gradflow.shapes import size_of


def updates(op: Op, inputs: Sequence[Any]) -> bool:
    """Whether there are loops for ``op`` with these inputs: a formula, and floats to compute with."""
    first = inputs[0]
    if op.scalar is None or op.period is not None or len(op.mutates) < 2 or first.dtype.char not in "fd":
        return False
    arrays = [x for x in inputs if x is not None]
    return bool(first.shape and size_of(first.shape)) and all(
        x.shape in ((), first.shape) and x.dtype.char in "fd" and (x.dtype == first.dtype or not x.shape)
        for x in arrays
    )


def update_loops(
    op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any], number: Callable[[DType], Any]
) -> tuple[Loop, Loop]:
    """The loop over one element, that counts the step and knows its rates, and the one over all.

    ``inputs`` are arrays or None, as the op takes them; those with dimensions are C-contiguous and of one shape.
    ``number`` makes the array of one element in which the second loop finds what the first one has computed.
    """
    specs = [Spec((), type(None)) if x is None else Spec(x.shape, x.dtype) for x in inputs]
    text = op.scalar(*specs, **attrs) if callable(op.scalar) else op.scalar
    given = {name: x for name, x in zip(op.input_names, inputs, strict=True) if x is not None}
    first = _Writer({name: x for name, x in given.items() if not x.shape}, SCALAR, float64, number)
    second = _Writer({name: x for name, x in given.items() if x.shape}, ELEMENT, inputs[0].dtype, number)
    assert text is not None
    for name, expression in parse(text).assignments:
        whole = _Numbers(attrs).visit(
            ast.parse(ast.unparse(expression), mode="eval").body
        )  # a copy: formulas are cached
        if first.knows(whole):
            first.assign(name, whole)
        else:
            second.assign(name, _Lifted(first, second).visit(whole))
    size = size_of(inputs[0].shape)
    return first.loop(1), second.loop(size)


class _Writer:
    """Makes a loop of assignments to names, which may be those of arrays that it has read before."""

    def __init__(self, arrays: dict[str, Any], kind: str, dtype: DType, number: Callable[[DType], Any]) -> None:
        self.kind = kind
        self.dtype = dtype
        self.number = number
        self.operands: list[Operand] = []
        self.statements: list[Statement] = []
        self.results: dict[str, Result] = {}
        self._arrays = arrays
        self._current: dict[str, str] = {}  # what a name of the formula is called now
        self._made: dict[str, str] = {}  # the statement that computes an expression
        self._taken: dict[str, str] = {}  # what values of the loop before are called here

    def knows(self, expression: ast.expr) -> bool:
        """Whether all that ``expression`` reads is known here."""
        return all(name in self._arrays or name in self._current for name in names(expression))

    def assign(self, name: str, expression: ast.expr) -> None:
        """One more statement; an array of that name gets its value."""
        self._current[name] = self.add(expression)
        if name in self._arrays:
            array = self._arrays[name]
            self.results[name] = Result(self._current[name], self.kind, array.dtype, array)

    def add(self, expression: ast.expr) -> str:
        """The new name of the value of ``expression``."""
        bound = _Renamed(self).visit(expression)
        if isinstance(bound, ast.Name) and bound.id not in self._arrays:
            return bound.id
        text = ast.unparse(bound)
        if text not in self._made:
            dtype = bool_ if _is_condition(bound, self.dtype_of) else self.dtype
            self._made[text] = f"t{len(self.statements)}"
            self.statements.append(Statement(self._made[text], dtype, bound))
        return self._made[text]

    def read(self, name: str) -> str:
        """What ``name`` is called now; an array is read if it was not before."""
        if name in self._arrays and name not in self._current:
            array = self._arrays[name]
            self.operands.append(Operand(name, self.kind, array.dtype, array))
            self._current[name] = name
        return self._current[name]

    def take(self, other: _Writer, expression: ast.expr) -> str:
        """The value of ``expression``, which ``other`` computes in a loop before this one."""
        made = other.add(expression)
        if made not in self._taken:
            dtype = other.dtype_of(made)
            kept = self.number(dtype)
            other.results[made] = Result(made, SCALAR, dtype, kept)
            name = self._taken[made] = f"s{len(self.operands)}"
            self.operands.append(Operand(name, SCALAR, dtype, kept))
            self._current[name] = name
        return self._taken[made]

    def dtype_of(self, name: str) -> DType:
        """The dtype of a statement or operand."""
        values: list[Statement | Operand] = [*self.statements, *self.operands]
        return next(each.dtype for each in values if each.name == name)

    def loop(self, size: int) -> Loop:
        """The loop, over ``size`` elements."""
        return Loop(1, size, tuple(self.operands), tuple(self.statements), tuple(self.results.values()))


class _Numbers(ast.NodeTransformer):
    """Puts attributes in the place of their names."""

    def __init__(self, attrs: Any) -> None:
        self.attrs = attrs

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self.attrs[node.id]) if node.id in self.attrs else node


class _Renamed(ast.NodeTransformer):
    """Puts what values are called now in the place of the formula's names."""

    def __init__(self, writer: _Writer) -> None:
        self.writer = writer

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return node if node.id in NUMBERS else ast.Name(self.writer.read(node.id), ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(node.func, [self.visit(each) for each in node.args], [])


class _Lifted(ast.NodeTransformer):
    """Moves the parts that are the same for all elements into the loop before."""

    def __init__(self, first: _Writer, second: _Writer) -> None:
        self.first = first
        self.second = second

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and any(names(node)) and self.first.knows(node):
            return ast.Name(self.second.take(self.first, node), ast.Load())
        if isinstance(node, ast.Call):
            return ast.Call(node.func, [self.visit(each) for each in node.args], [])
        return self.generic_visit(node)


def _is_condition(expression: ast.expr, dtype_of: Any) -> bool:
    if isinstance(expression, ast.Name):
        return bool(dtype_of(expression.id) == bool_)
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.BitAnd | ast.BitOr):
        return _is_condition(expression.left, dtype_of)
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.Invert):
        return True
    return isinstance(expression, ast.Compare)
