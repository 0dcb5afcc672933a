"""Arithmetic between typed values by NumPy's rules: conversion, promotion, operators, comparisons."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.backend.native.emit_values import Number, Operand, Value, constant, llvm
from gradflow.backend.native.emit_writer import Writer
from gradflow.dtypes import DType, bool_, float64, int64
from gradflow.errors import GradflowError

NUMBERS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.Invert: operator.invert,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_FLOATS = {ast.Add: "fadd contract", ast.Sub: "fsub contract", ast.Mult: "fmul contract", ast.Div: "fdiv"}
_INTEGERS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.LShift: "shl"}
_CONDITIONS = {ast.Add: "or", ast.Mult: "and", ast.BitAnd: "and", ast.BitOr: "or"}
_RELATIONS: dict[type, str] = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}


class Unsupported(GradflowError, NotImplementedError):
    """A loop that is not made into machine code; NumPy has to do it."""


class Arithmetic:
    """Operators on values, for a statement that computes in ``floats``; None if its result is no float.

    What is float is of this dtype there; elsewhere, and for integers, dtypes promote as in NumPy.
    """

    def __init__(self, writer: Writer, floats: DType | None) -> None:
        self.writer = writer
        self.floats = floats

    def read(self, value: Value) -> Value:
        """``value`` as the statement computes with it."""
        return self.convert(value, self.floats) if self.floats is not None and value.dtype.kind == "f" else value

    def binary(self, kind: type, a: Operand, b: Operand) -> Operand:
        """``a + b`` and the like, ``kind`` being the operator's node in Python's syntax tree."""
        if not isinstance(a, Value) and not isinstance(b, Value):
            return _folded(kind, a, b)
        if kind is ast.Pow:
            return self.power(a, b)
        dtype = self.common(a, b)
        if kind is ast.Div and dtype.kind != "f":
            dtype = self.floats or float64
        if kind is ast.Div and not isinstance(b, Value) and b and np.frexp(b)[0] in (0.5, -0.5):
            return self.binary(ast.Mult, a, 1 / b)  # by a power of two: the same, and faster
        left, right = self.alike(dtype, a, b)
        return self.writer.instruction(
            f"{_instruction(kind, dtype)} {left.typed}, {right.text}", dtype, left.width, [left, right]
        )

    def compare(self, kind: type, a: Operand, b: Operand) -> Operand:
        """A condition; comparisons with NaN are false, but that it differs."""
        if not isinstance(a, Value) and not isinstance(b, Value):
            return _folded(kind, a, b)
        left, right = self.alike(dtype := self.common(a, b), a, b)
        relation = _RELATIONS[kind]
        if dtype.kind == "f":
            text = f"fcmp {'une' if kind is ast.NotEq else f'o{relation}'}"
        else:
            sign = "" if kind in (ast.Eq, ast.NotEq) else "s" if dtype.kind == "i" else "u"
            text = f"icmp {sign}{relation}"
        return self.writer.instruction(f"{text} {left.typed}, {right.text}", bool_, left.width, [left, right])

    def unary(self, kind: type, x: Operand) -> Operand:
        """``-x``, or ``~x`` of a condition or an integer."""
        if not isinstance(x, Value):
            return not x if isinstance(x, bool) and kind is ast.Invert else NUMBERS[kind](x)
        if kind is ast.Invert and x.dtype.kind != "f":
            ones = constant(True if x.dtype == bool_ else -1, x.dtype, x.width)
            return self.writer.instruction(f"xor {x.typed}, {ones.text}", x.dtype, x.width, [x])
        if kind is ast.USub and x.dtype.kind == "f":
            return self.writer.instruction(f"fneg {x.typed}", x.dtype, x.width, [x])
        if kind is ast.USub and x.dtype != bool_:
            return self.binary(ast.Sub, 0, x)
        raise Unsupported(f"{kind.__name__} of {x.dtype}")

    def power(self, a: Operand, b: Operand) -> Operand:
        """``a ** b``: small powers by multiplication and square roots, others by the C library."""
        if isinstance(a, Value) and not isinstance(b, Value):
            if b in (1, 2, 3, 4):
                half = self.power(a, b // 2) if b > 1 else a
                square = self.binary(ast.Mult, half, half) if b > 1 else half
                return self.binary(ast.Mult, square, a) if b == 3 else square
            if a.dtype.kind == "f" or isinstance(b, float):
                if b in (0.5, -0.5):
                    root = self.writer.intrinsic("sqrt", self.real(a))
                    return root if b > 0 else self.binary(ast.Div, 1, root)
                if b in (-1, -2):
                    return self.binary(ast.Div, 1, self.power(self.real(a), -b))
        dtype = self.common(a, b)
        if dtype.kind != "f":
            raise Unsupported("powers of integers")
        return self.writer.intrinsic("pow", *self.alike(dtype, a, b))

    def where(self, condition: Operand, a: Operand, b: Operand) -> Operand:
        """``a`` where the condition holds, else ``b``."""
        if not isinstance(condition, Value):
            return a if condition else b
        dtype = self.common(a, b)
        width = max(each.width for each in (condition, a, b) if isinstance(each, Value))
        test = self.writer.splat(self.convert(condition, bool_), width)
        left, right = (self.writer.splat(self.typed(each, dtype), width) for each in (a, b))
        text = f"select {test.typed}, {left.typed}, {right.typed}"
        return self.writer.instruction(text, dtype, width, [test, left, right])

    # dtypes

    def common(self, a: Operand, b: Operand) -> DType:
        """What ``a`` and ``b`` are both converted to; Python numbers are weak."""
        if isinstance(a, Value) and isinstance(b, Value):
            dtype = np.result_type(a.dtype, b.dtype)
        elif isinstance(a, Value):
            dtype = _beside(a.dtype, b)
        elif isinstance(b, Value):
            dtype = _beside(b.dtype, a)
        else:
            dtype = np.result_type(type(a), type(b))
        return self.floats if self.floats is not None and dtype.kind == "f" else dtype

    def typed(self, x: Operand, dtype: DType) -> Value:
        """``x`` as ``dtype``, a number as a constant."""
        return self.convert(x, dtype) if isinstance(x, Value) else constant(x, dtype)

    def alike(self, dtype: DType, *operands: Operand) -> list[Value]:
        """``operands`` as ``dtype``, all as wide as the widest."""
        values = [self.typed(each, dtype) for each in operands]
        width = max(each.width for each in values)
        return [self.writer.splat(each, width) for each in values]

    def real(self, x: Operand) -> Value:
        """``x`` as a float."""
        if isinstance(x, Value) and x.dtype.kind == "f":
            return x
        return self.typed(x, self.floats or float64)

    def convert(self, value: Value, dtype: DType) -> Value:
        """``value`` as ``dtype``, as NumPy's astype has it."""
        if value.dtype == dtype:
            return value
        if dtype == bool_:
            zero: Number = 0
            differs = self.compare(ast.NotEq, value, zero)
            assert isinstance(differs, Value)
            return differs
        text = f"{_conversion(value.dtype, dtype)} {value.typed} to {llvm(dtype, value.width)}"
        return self.writer.instruction(text, dtype, value.width, [value])


def _beside(dtype: DType, number: Operand) -> DType:
    """What ``dtype`` becomes beside a Python number."""
    if dtype.kind != "f" and isinstance(number, float):
        return float64
    return int64 if dtype == bool_ and not isinstance(number, bool) else dtype


def _folded(kind: type, a: Number, b: Number) -> Number:
    if kind is ast.Div and b == 0:
        return float(np.float64(a) / np.float64(b))
    result: Number = NUMBERS[kind](a, b)
    return result


def _instruction(kind: type, dtype: DType) -> str:
    table = _FLOATS if dtype.kind == "f" else _CONDITIONS if dtype == bool_ else _INTEGERS
    if kind is ast.RShift and dtype.kind in "iu":
        return "ashr" if dtype.kind == "i" else "lshr"
    if kind not in table:
        raise Unsupported(f"{kind.__name__} of {dtype}")
    return table[kind]


def _conversion(source: DType, target: DType) -> str:
    """LLVM's instruction from ``source`` to another dtype."""
    if source.kind == target.kind == "f":
        return "fpext" if target.itemsize > source.itemsize else "fptrunc"
    if target.kind == "f":
        return "sitofp" if source.kind == "i" else "uitofp"
    if source.kind == "f":
        return "fptosi" if target.kind == "i" else "fptoui"
    if source != bool_ and target.itemsize == source.itemsize:
        return "bitcast"
    if source != bool_ and target.itemsize < source.itemsize:
        return "trunc"
    return "sext" if source.kind == "i" else "zext"
