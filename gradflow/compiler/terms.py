"""Calls as terms of a loop: what each does to an element, a row or a column, in the names of values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradflow.compiler.domain import Domain, columns_for
from gradflow.compiler.program import Call, Value
from gradflow.dtypes import DType, bool_
from gradflow.formula import COLUMN, REDUCTIONS, Formula, parse
from gradflow.loop import COLUMN_SUM, ELEMENT, ROW, TOTAL, Statement
from gradflow.op import Spec
from gradflow.shapes import Shape, size_of

DTYPES = frozenset("fd?ilqB")  # float32, float64, bool, int32, int64, uint8: what loops are made for
FLOATS = frozenset("efd")


class Term(NamedTuple):
    """What a call contributes to a loop: its domain, the shape of that, and how its result is made.

    ``formula`` is of one element; a reduction has the text ``x``, and ``result`` says over what it is taken.
    """

    domain: Domain
    shape: Shape
    formula: Formula
    names: dict[str, Any]  # of the formula: values and numbers
    target: Value
    result: str  # ELEMENT, ROW, COLUMN_SUM or TOTAL
    scale: float = 1.0
    by_rows: bool = False  # it has reductions over a row, or asks for the column


def term(call: Call) -> Term | None:
    """``call`` as a term of a loop, None if it cannot be one."""
    op = call.op
    if op is None or not all(x.size and _is_looped(x) for x in (*call.reads, *call.writes)):
        return None
    if op.name in _REDUCTIONS:
        return _reduction(call)
    target = call.out if call.out is not None else (call.inputs[0] if op.mutates == (0,) else None)
    if op.scalar is None or op.period is not None or target is None or target.strides is not None:
        return None
    text = op.scalar_for([_spec(x) for x in call.inputs], call.attrs)
    return None if text is None else _elementwise(call, target, text)


def _elementwise(call: Call, target: Value, text: str) -> Term | None:
    assert call.op is not None
    formula = parse(text)
    by_rows = any(each in text for each in (*REDUCTIONS, COLUMN))
    widest = max((x.shape for x in (*call.reads, target)), key=size_of) if by_rows else target.shape
    columns = widest[-1] if by_rows and widest else None
    if by_rows and (columns is None or target.shape not in (widest, widest[:-1], (*widest[:-1], 1))):
        return None
    domain: Domain | None = Domain(size_of(widest), columns)
    for x in call.reads:
        asked = columns_for(x, widest)
        domain = None if asked is None or domain is None else domain.merged(Domain(domain.size, asked or None))
    if domain is None:
        return None
    names = dict(zip(call.op.input_names, call.inputs, strict=False)) | call.attrs
    result = ELEMENT if target.size == domain.size else ROW
    return Term(domain, widest, formula, names, target, result, by_rows=by_rows)


_REDUCTIONS: dict[str, Callable[[Call], tuple[int, ...]]] = {
    "sum": lambda call: call.attrs["axes"],
    "mean": lambda call: call.attrs["axes"],
    "sum_to": lambda call: _axes_to(call.inputs[0].shape, call.attrs["shape"]),
}


def _axes_to(given: Shape, shape: Shape) -> tuple[int, ...]:
    extra = len(given) - len(shape)
    return (*range(extra), *(extra + i for i, size in enumerate(shape) if size == 1 != given[extra + i]))


def _reduction(call: Call) -> Term | None:
    """A sum or mean over all, over leading or over last dimensions."""
    (x,), out = call.inputs, call.out
    if out is None or x.dtype != out.dtype or x.dtype.char not in FLOATS or out.strides is not None:
        return None
    reduced = [axis for axis in _REDUCTIONS[call.name](call) if x.shape[axis] > 1]
    left = [axis for axis in range(len(x.shape)) if x.shape[axis] > 1 and axis not in reduced]
    count = size_of(tuple(x.shape[axis] for axis in reduced))
    scale = 1 / count if call.name == "mean" else 1.0
    size = x.size
    if not reduced:
        domain, result = Domain(size), ELEMENT
    elif not left:
        domain, result = Domain(size), TOTAL
    elif max(reduced) < min(left):
        domain, result = Domain(size, size // count), COLUMN_SUM
    elif max(left) < min(reduced):
        domain, result = Domain(size, count), ROW
    else:
        return None
    asked = columns_for(x, x.shape)
    merged = None if asked is None else domain.merged(Domain(size, asked or None))
    text = {ROW: "row_sum(x)", ELEMENT: "x", TOTAL: "x", COLUMN_SUM: "x"}[result]
    if result == ROW and scale != 1:
        text = f"row_sum(x) * {scale!r}"
    if merged is None:
        return None
    factor = scale if result in (TOTAL, COLUMN_SUM) else 1.0
    return Term(merged, x.shape, parse(text), {"x": x}, out, result, factor, by_rows=result == ROW)


def _is_looped(x: Value) -> bool:
    """Whether loops are made for arrays like ``x``."""
    return x.dtype.char in DTYPES or (x.dtype.char == "e" and x.storage.device.kind == "cuda")


def _spec(x: Any) -> Spec:
    return Spec(x.shape, x.dtype) if isinstance(x, Value) else Spec((), type(x))


class Writer:
    """Makes statements of formulas, with names that are unique in a loop."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def name(self) -> str:
        """A new name."""
        return f"t{len(self.statements)}"

    def add(self, each: Term, given: dict[str, str]) -> str:
        """The statements of ``each``, whose values have the names ``given``; the name of its result."""
        dtype = each.target.dtype
        working = dtype if dtype.char in FLOATS else _working(each)
        local: dict[str, str] = dict(given)
        for name, expression in each.formula.assignments:
            local[name] = self._statement(expression, bool_ if is_condition(expression) else working, local, each)
        assert each.formula.result is not None
        return self._statement(each.formula.result, dtype, local, each)

    def _statement(self, expression: ast.expr, dtype: DType, local: dict[str, str], each: Term) -> str:
        bound = _Bound(self, dtype if dtype.char in FLOATS else _working(each), local, each.names).visit(
            ast.parse(ast.unparse(expression), mode="eval").body  # a copy: formulas are cached
        )
        if isinstance(bound, ast.Name) and bound.id != COLUMN and self._dtype_of(bound.id) == dtype:
            return bound.id
        name = self.name()
        self.statements.append(Statement(name, dtype, bound))
        return name

    def _dtype_of(self, name: str) -> DType | None:
        return next((each.dtype for each in self.statements if each.name == name), None)

    def over_row(self, expression: ast.expr, how: str, dtype: DType) -> str:
        """The name of the sum or the maximum of ``expression`` over a row."""
        name = self.name()
        self.statements.append(Statement(name, dtype, expression, how))
        return name


class _Bound(ast.NodeTransformer):
    """Puts names of values and numbers in the place of a formula's names, and reductions into statements before it."""

    def __init__(self, writer: Writer, dtype: DType, local: dict[str, str], numbers: dict[str, Any]) -> None:
        self.writer = writer
        self.dtype = dtype
        self.local = local
        self.numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.local:
            return ast.Name(self.local[node.id], ast.Load())
        number = self.numbers.get(node.id)
        return node if number is None or isinstance(number, Value) else ast.Constant(number)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(each) for each in node.args]
        assert isinstance(node.func, ast.Name)
        if node.func.id in REDUCTIONS:
            return ast.Name(
                self.writer.over_row(arguments[0], node.func.id.removeprefix("row_"), self.dtype), ast.Load()
            )
        return ast.Call(node.func, arguments, [])


def is_condition(expression: ast.expr) -> bool:
    """Whether the value of ``expression`` is true or false."""
    if isinstance(expression, ast.Call):
        return isinstance(expression.func, ast.Name) and expression.func.id in ("isnan", "isinf", "isfinite")
    if isinstance(expression, ast.UnaryOp):
        return isinstance(expression.op, ast.Invert)
    if isinstance(expression, ast.BinOp):
        return isinstance(expression.op, (ast.BitAnd, ast.BitOr))
    return isinstance(expression, ast.Compare)


def _working(each: Term) -> DType:
    """The dtype in which conditions and integers are computed: what the arrays promote to."""
    dtypes = [x.dtype for x in each.names.values() if isinstance(x, Value)]
    dtype: DType = np.result_type(*dtypes) if dtypes else each.target.dtype
    return dtype
