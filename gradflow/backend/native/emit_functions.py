"""The functions of formulas on typed values, with NumPy's answers for NaN, infinities and integers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from gradflow.backend.native.emit_arithmetic import Arithmetic, Unsupported
from gradflow.backend.native.emit_values import Operand, Value, llvm, signed_like
from gradflow.dtypes import float64, int32

# LLVM has these for vectors; what the processor cannot do becomes a call of the C library for each lane
INTRINSICS = {
    "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "rint": "rint", "trunc": "trunc", "exp": "exp", "log": "log",
    "log2": "log2", "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "fma": "fma",
    "copysign": "copysign",
}  # fmt: skip
LIBRARY = {
    "expm1": "expm1", "log1p": "log1p", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf",
    "hypot": "hypot",
}  # fmt: skip
_WHOLE = {"floor", "ceil", "rint", "trunc"}  # integers are what they are


def function(name: str, operands: Sequence[Operand], arithmetic: Arithmetic) -> Operand:
    """What the function ``name`` of formulas answers."""
    if name in OWN:
        return OWN[name](arithmetic, *operands)
    first = operands[0]
    if name in _WHOLE and (isinstance(first, int) or (isinstance(first, Value) and first.dtype.kind != "f")):
        return first
    reals = [arithmetic.real(each) for each in operands]
    values = arithmetic.alike(arithmetic.common(reals[0], reals[-1]), *reals)
    if name in INTRINSICS:
        return arithmetic.writer.intrinsic(INTRINSICS[name], *values)
    if name in LIBRARY:
        return _lane_by_lane(LIBRARY[name], values, arithmetic)
    raise Unsupported(name)


def beyond(limit: float, x: Value, arithmetic: Arithmetic) -> Value:
    """Whether any lane of ``x`` is a number larger than ``limit``, or one below its negative."""
    size = _abs(arithmetic, x)
    outside = arithmetic.compare(ast.Gt, size, limit)
    number = arithmetic.compare(ast.Lt, size, float("inf"))
    each = arithmetic.binary(ast.BitAnd, outside, number)
    assert isinstance(each, Value)
    if each.width == 1:
        return each
    return arithmetic.writer.call(f"llvm.vector.reduce.or.v{each.width}i1", each.dtype, 1, (each,))


def _lane_by_lane(name: str, values: list[Value], arithmetic: Arithmetic) -> Value:
    """The C library's function ``name`` of each lane."""
    writer = arithmetic.writer
    dtype, width = values[0].dtype, values[0].width
    name = name if dtype == float64 else f"{name}f"
    if width == 1:
        return writer.call(name, dtype, 1, tuple(values))
    result = Value("poison", dtype, width, 0)
    for lane in range(width):
        single = [writer.instruction(f"extractelement {each.typed}, i64 {lane}", dtype, 1, [each]) for each in values]
        called = writer.call(name, dtype, 1, tuple(single))
        text = f"insertelement {result.typed}, {called.typed}, i64 {lane}"
        result = writer.instruction(text, dtype, width, [result, called])
    return result


def maximum(arithmetic: Arithmetic, a: Operand, b: Operand) -> Operand:
    return _extremum(arithmetic, ast.Gt, a, b)


def minimum(arithmetic: Arithmetic, a: Operand, b: Operand) -> Operand:
    return _extremum(arithmetic, ast.Lt, a, b)


def _extremum(arithmetic: Arithmetic, better: type, a: Operand, b: Operand) -> Operand:
    """The better of two, or NaN if one is; ``b`` where neither is better, as processors have it."""
    if isinstance(a, Value) and not isinstance(b, Value):
        a, b = b, a  # a number is not NaN: then one comparison does
    best = arithmetic.where(arithmetic.compare(better, a, b), a, b)
    if not isinstance(a, Value) or a.dtype.kind != "f":
        return best
    return arithmetic.where(arithmetic.compare(ast.NotEq, a, a), a, best)


def _abs(arithmetic: Arithmetic, x: Operand) -> Operand:
    if not isinstance(x, Value):
        return abs(x)
    if x.dtype.kind == "f":
        return arithmetic.writer.intrinsic("fabs", x)
    negative = arithmetic.compare(ast.Lt, x, 0) if x.dtype.kind == "i" else False
    return arithmetic.where(negative, arithmetic.unary(ast.USub, x), x) if negative is not False else x


def _sign(arithmetic: Arithmetic, x: Operand) -> Operand:
    """1, -1, 0 for both zeros, and NaN."""
    if isinstance(x, Value) and x.dtype.kind == "f":
        x = arithmetic.where(arithmetic.compare(ast.Eq, x, 0), 0, x)
    signed = not isinstance(x, Value) or x.dtype.kind in "fi"
    below = arithmetic.where(arithmetic.compare(ast.Lt, x, 0), -1, x) if signed else x
    return arithmetic.where(arithmetic.compare(ast.Gt, x, 0), 1, below)


def _isnan(arithmetic: Arithmetic, x: Operand) -> Operand:
    return arithmetic.compare(ast.NotEq, x, x)


def _isinf(arithmetic: Arithmetic, x: Operand) -> Operand:
    return arithmetic.compare(ast.Eq, _abs(arithmetic, arithmetic.real(x)), float("inf"))


def _isfinite(arithmetic: Arithmetic, x: Operand) -> Operand:
    return arithmetic.compare(ast.Lt, _abs(arithmetic, arithmetic.real(x)), float("inf"))


def _where(arithmetic: Arithmetic, condition: Operand, a: Operand, b: Operand) -> Operand:
    return arithmetic.where(condition, a, b)


def _bits(arithmetic: Arithmetic, x: Operand) -> Operand:
    """The integer with the bits of a float; for formulas of gradflow.backend.native.math, like the next ones."""
    value = arithmetic.real(x)
    dtype = signed_like(value.dtype)
    text = f"bitcast {value.typed} to {llvm(dtype, value.width)}"
    return arithmetic.writer.instruction(text, dtype, value.width, [value])


def _float_of(arithmetic: Arithmetic, n: Operand) -> Operand:
    """The float with the bits of an integer."""
    assert isinstance(n, Value) and arithmetic.floats is not None
    text = f"bitcast {n.typed} to {llvm(arithmetic.floats, n.width)}"
    return arithmetic.writer.instruction(text, arithmetic.floats, n.width, [n])


def _whole(arithmetic: Arithmetic, x: Operand) -> Operand:
    """A float that is a small whole number as an int32: few processors convert between floats and 64 bits."""
    return arithmetic.convert(arithmetic.real(x), int32)


def _wide(arithmetic: Arithmetic, n: Operand) -> Operand:
    """An integer as wide as the floats are."""
    assert isinstance(n, Value) and arithmetic.floats is not None
    return arithmetic.convert(n, signed_like(arithmetic.floats))


def _decimal(arithmetic: Arithmetic, n: Operand) -> Operand:
    """A small integer as a float of its width."""
    assert isinstance(n, Value)
    return arithmetic.real(arithmetic.convert(n, int32))


OWN: dict[str, Callable[..., Operand]] = {
    "maximum": maximum, "minimum": minimum, "abs": _abs, "sign": _sign, "where": _where,
    "isnan": _isnan, "isinf": _isinf, "isfinite": _isfinite,
    "bits": _bits, "float_of": _float_of, "whole": _whole, "wide": _wide, "decimal": _decimal,
}  # fmt: skip
