"""Sums and maxima of vectors, in a variable that is added to as they come."""

from __future__ import annotations

import ast

import numpy as np

from gradflow.backend.native.emit_arithmetic import Arithmetic
from gradflow.backend.native.emit_functions import maximum
from gradflow.backend.native.emit_values import Value, constant
from gradflow.backend.native.emit_writer import Writer
from gradflow.dtypes import DType


class Accumulator:
    """The "sum" or "max" of values of ``dtype``, kept in ``width`` lanes that are joined in the end."""

    def __init__(self, writer: Writer, over: str, dtype: DType, width: int) -> None:
        self._writer = writer
        self._over = over
        self._dtype = dtype
        self._width = width
        self._arithmetic = Arithmetic(writer, dtype if dtype.kind == "f" else None)
        self._variable = writer.room(dtype, width)

    def start(self) -> None:
        """Nothing has been added yet."""
        self._writer.store(self._neutral(self._width), self._variable)

    def add(self, value: Value) -> None:
        """Take in the lanes of ``value``; it may have fewer."""
        value = self._widened(self._arithmetic.convert(value, self._dtype), self._width)
        self._writer.store(self._joined(value, self.lanes()), self._variable)

    def lanes(self) -> Value:
        """What has been added so far, lane by lane."""
        return self._writer.recall(self._variable, self._dtype, self._width)

    def result(self) -> Value:
        """All lanes joined."""
        value = self.lanes()
        while value.width > 1:
            half = (value.width + 1) // 2
            low = self._writer.lanes(value, value, range(half)) if half > 1 else self._lane(value, 0)
            rest = self._writer.lanes(value, self._neutral(value.width), range(half, 2 * half)) if half > 1 else None
            value = self._joined(low, self._lane(value, 1) if rest is None else rest)
        return value

    def _lane(self, value: Value, number: int) -> Value:
        text = f"extractelement {value.typed}, i64 {number}"
        return self._writer.instruction(text, value.dtype, 1, [value])

    def _widened(self, value: Value, width: int) -> Value:
        if value.width == width:
            return value
        if value.width == 1:  # vectors of one lane are scalars here
            base = self._neutral(width)
            text = f"insertelement {base.typed}, {value.typed}, i64 0"
            return self._writer.instruction(text, value.dtype, width, [value])
        neutral = self._neutral(value.width)
        return self._writer.lanes(value, neutral, [min(i, value.width) for i in range(width)])

    def _joined(self, a: Value, b: Value) -> Value:
        joined = self._arithmetic.binary(ast.Add, a, b) if self._over == "sum" else maximum(self._arithmetic, a, b)
        assert isinstance(joined, Value)
        return joined

    def _neutral(self, width: int) -> Value:
        if self._over == "sum":
            return constant(0, self._dtype, width)
        if self._dtype.kind == "f":
            return constant(-np.inf, self._dtype, width)
        lowest = False if self._dtype.kind == "b" else int(np.iinfo(self._dtype).min)
        return constant(lowest, self._dtype, width)
