"""Large calls of ops that have a formula, but no kernel that suits: by a kernel generated from the formula."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.backend import cuda_loops
from gradflow.dtypes import DType, bool_, float32
from gradflow.formula import COLUMN as COLUMN_NAME
from gradflow.formula import REDUCTIONS, parse
from gradflow.launch import LIMIT, THREADS, Launch
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, Loop, Operand, Result, Statement
from gradflow.op import Op, Spec
from gradflow.shapes import Shape, size_of

LARGE = 1 << 20  # elements: CuPy launches its kernels in half the time, but they move 60% of the bytes a second
RECIPES = 1024  # that are remembered

_recipes: dict[Any, Recipe | None] = {}


class Recipe(NamedTuple):
    """How a call becomes a launch: its arguments are what was given, the result, and the numbers after them."""

    kernel: str
    blocks: Any
    given: tuple[int | str, ...]  # positions of inputs, names of attributes
    rest: tuple[Any, ...]


def launch(op: Op, arrays: Sequence[Any], attrs: dict[str, Any], out: Any) -> Launch | None:
    """The launch that does a large elementwise call of ``op`` on contiguous arrays by its formula; None if none can."""
    large = out is not None and out.size >= LARGE
    return generated(op, arrays, attrs, out) if large and op.scalar is not None and not op.mutates else None


def generated(op: Op, arrays: Sequence[Any], attrs: dict[str, Any], out: Any) -> Launch | None:
    """The same of a call of any size, but for an empty one, of an op that has a formula and returns a result."""
    if not (0 < out.size < LIMIT and out.flags.c_contiguous):
        return None
    key = (op, out.dtype, out.shape, *((type(x), *_facts(x)) for x in arrays), *attrs.items())
    if key not in _recipes:
        if len(_recipes) >= RECIPES:
            _recipes.clear()
        _recipes[key] = _recipe(op, arrays, attrs, out)
    recipe = _recipes[key]
    if recipe is None:
        return None
    given = (arrays[x] if isinstance(x, int) else attrs[x] for x in recipe.given)
    return Launch(recipe.kernel, None, recipe.blocks, THREADS, (*given, out, *recipe.rest))


def _facts(x: Any) -> tuple[Any, ...]:
    return (x.shape, x.dtype, x.flags.c_contiguous) if hasattr(x, "dtype") else ()


def _recipe(op: Op, arrays: Sequence[Any], attrs: dict[str, Any], out: Any) -> Recipe | None:
    specs = [Spec(x.shape, x.dtype) if hasattr(x, "dtype") else Spec((), type(x)) for x in arrays]
    text = op.scalar_for(specs, attrs)
    if text is None or any(name in text for name in (*REDUCTIONS, COLUMN_NAME)):
        return None
    dtypes = [x.dtype for x in arrays if hasattr(x, "dtype")]
    if not all(x.flags.c_contiguous for x in arrays if hasattr(x, "dtype")):
        return None
    if any(dtype.char not in "efd?" for dtype in (*dtypes, out.dtype)):
        return None
    working = out.dtype if out.dtype.kind == "f" else np.result_type(*dtypes)
    sources: dict[str, int | str] = {name: i for i, name in enumerate(op.input_names)} | {k: k for k in attrs}
    values = dict(zip(op.input_names, arrays, strict=False)) | attrs
    columns, kinds = _kinds([values[name].shape for name in sources if hasattr(values[name], "dtype")], out.shape)
    if kinds is None:
        return None
    operands = [
        Operand(name, kinds[values[name].shape], values[name].dtype, values[name])
        if hasattr(values[name], "dtype")
        else Operand(name, SCALAR, working, values[name])
        for name in sources
        if hasattr(values[name], "dtype") or type(values[name]) in (int, float, bool)
    ]
    result = Result("result", ELEMENT, out.dtype, out)
    loop = Loop(out.size // columns, columns, tuple(operands), _statements(text, working, out.dtype), (result,))
    (made,) = cuda_loops.launches(loop, np.empty)
    count = len(operands)
    given = tuple(sources[operand.name] for operand in operands)
    return Recipe(made.kernel, made.blocks, given, made.arguments[count + 1 :])


def _kinds(shapes: Sequence[Shape], whole: Shape) -> tuple[int, dict[Shape, str] | None]:
    """How many columns the elements of ``whole`` have, and what arrays of each of ``shapes`` have values for."""
    kinds: dict[Shape, str] = {}
    found: set[int] = set()
    for shape in shapes:
        padded = (1,) * (len(whole) - len(shape)) + shape
        same = [a == b for a, b in zip(padded, whole, strict=True)]
        if padded == whole:
            kinds[shape] = ELEMENT
        elif size_of(shape) == 1:
            kinds[shape] = SCALAR
        else:
            first, last = same.index(True), len(same) - same[::-1].index(True)
            if all(same[first:]) and set(padded[:first]) <= {1}:
                kinds[shape], columns = COLUMN, size_of(whole[first:])
            elif all(same[:last]) and set(padded[last:]) <= {1}:
                kinds[shape], columns = ROW, size_of(whole[last:])
            else:
                return 1, None
            found.add(columns)
    if len(found) > 1:
        return 1, None
    return (found.pop() if found else size_of(whole)), kinds


def _statements(text: str, working: DType, dtype: DType) -> tuple[Statement, ...]:
    formula = parse(text)
    inner = float32 if working.itemsize == 2 else working  # what is not stored is not rounded
    made = [Statement(name, bool_ if _is_condition(x) else inner, x) for name, x in formula.assignments]
    assert formula.result is not None
    return (*made, Statement("result", dtype, formula.result))


def _is_condition(expression: ast.expr) -> bool:
    if isinstance(expression, ast.BinOp):
        return isinstance(expression.op, ast.BitAnd | ast.BitOr)
    return isinstance(expression, ast.Compare) or (
        isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.Invert)
    )
