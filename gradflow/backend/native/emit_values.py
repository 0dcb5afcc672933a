"""Typed values of LLVM's intermediate representation: what loops compute with, one element or a vector of them."""

from __future__ import annotations

import struct
from typing import NamedTuple

from gradflow.dtypes import DType, bool_, float32, float64, int32, int64

Number = bool | int | float  # as in Python's expressions: weak, it takes the dtype of what it meets


class Value(NamedTuple):
    """A register or a constant: one element if ``width`` is 1, else a vector of so many.

    ``depth`` says in which of the nested loops it is known: 0 before all of them.
    """

    text: str
    dtype: DType
    width: int
    depth: int

    @property
    def typed(self) -> str:
        """The value as an operand of an instruction that wants its type too."""
        return f"{llvm(self.dtype, self.width)} {self.text}"


Operand = Value | Number


def llvm(dtype: DType, width: int = 1) -> str:
    """LLVM's name of the type of ``width`` elements; conditions are single bits.

    >>> llvm(float32, 8), llvm(bool_)
    ('<8 x float>', 'i1')
    """
    element = "i1" if dtype == bool_ else {float32: "float", float64: "double"}.get(dtype, f"i{8 * dtype.itemsize}")
    return element if width == 1 else f"<{width} x {element}>"


def stored(dtype: DType, width: int) -> str:
    """The type in memory, where a condition takes a byte."""
    return llvm(dtype, width).replace("i1", "i8") if dtype == bool_ else llvm(dtype, width)


def suffix(dtype: DType, width: int) -> str:
    """What the names of LLVM's functions end in that are made for many types."""
    element = f"{'f' if dtype.kind == 'f' else 'i'}{8 * dtype.itemsize}"
    return element if width == 1 else f"v{width}{element}"


def constant(number: Number, dtype: DType, width: int = 1) -> Value:
    """``number`` as ``dtype``, in each of ``width`` lanes.

    >>> constant(1, float32, 8).text
    'splat (float 0x3FF0000000000000)'
    """
    if dtype == bool_:
        text = "true" if number else "false"
    elif dtype.kind == "f":
        rounded = float(dtype.type(number))  # LLVM refuses a float constant that is not one
        text = f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
    else:
        text = str(int(number))
    return Value(text if width == 1 else f"splat ({llvm(dtype)} {text})", dtype, width, 0)


def signed_like(dtype: DType) -> DType:
    """The integers as wide as floats of ``dtype``, for work on their bits."""
    return int32 if dtype.itemsize == 4 else int64
