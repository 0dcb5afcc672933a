"""What cuBLASLt computes: column-major products and their epilogues, in NumPy on the simulated device's memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradflow.backend.cublaslt import Compute, Epilogue, Type
from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.memory import BASE

Array = Any

STORED = {Type.R_16F: np.float16, Type.R_16BF: np.uint16, Type.R_32F: np.float32, Type.R_64F: np.float64}
FORWARD_BIAS = {Epilogue.BIAS, Epilogue.RELU_BIAS, Epilogue.RELU_AUX_BIAS, Epilogue.GELU_AUX_BIAS}
RELUS = {Epilogue.RELU, Epilogue.RELU_BIAS, Epilogue.RELU_AUX, Epilogue.RELU_AUX_BIAS}
GELUS = {Epilogue.GELU_AUX, Epilogue.GELU_AUX_BIAS}


class Stored(NamedTuple):
    """A stack of column-major matrices in memory."""

    address: int
    rows: int
    columns: int
    ld: int
    stride: int
    transposed: bool = False


class Product(NamedTuple):
    """One call of ``cublasLtMatmul``: everything it was told."""

    a: Stored
    b: Stored
    c: Stored
    d: Stored
    batch: int
    type: Type
    compute: Compute
    epilogue: Epilogue
    bias: int  # addresses; 0 for none
    aux: int
    aux_ld: int
    alpha: float
    beta: float
    workspace: int
    workspace_bytes: int
    stream: int

    @property
    def name(self) -> str:
        """Sizes and epilogue, for a log."""
        terms = self.a.rows if self.a.transposed else self.a.columns
        return f"{self.d.rows}x{self.d.columns}x{terms} {self.epilogue.name}"

    @property
    def bytes(self) -> int:
        """What the matrices hold: read once each, and written."""
        elements = sum(x.rows * x.columns * (self.batch if x.stride else 1) for x in (self.a, self.b, self.d))
        return elements * np.dtype(STORED[self.type]).itemsize

    def run(self, memory: Any) -> None:
        """Compute the product: D, and what the epilogue writes beside it."""
        with np.errstate(all="ignore"):
            a, b = (_operand(self, memory, x) for x in (self.a, self.b))
            result = np.matmul(a, b) * a.dtype.type(self.alpha)
            if self.beta:
                result = result + _wide(_view(self, memory, self.c), self.type) * a.dtype.type(self.beta)
            _store(self, memory, self.d, _epilogue(self, memory, a, b, result))


def _epilogue(product: Product, memory: Any, a: Array, b: Array, result: Array) -> Array:
    """``result`` as it is stored, after everything else the epilogue does."""
    what = product.epilogue
    if what in FORWARD_BIAS:
        bias = Stored(product.bias, product.d.rows, 1, product.d.rows, 0)
        result = result + _wide(_view(product, memory, bias), product.type)
    if what in RELUS:
        if what & 128:
            _write_mask(product, memory, result[0] > 0)
        return np.maximum(result, 0)
    if what in GELUS:
        _store(product, memory, _aux(product), result)
        return gelu(result)
    if what in (Epilogue.DRELU, Epilogue.DRELU_BGRAD):
        result = np.where(_read_mask(product, memory), result, 0)
    elif what in (Epilogue.DGELU, Epilogue.DGELU_BGRAD):
        result = result * gelu_slope(_wide(_view(product, memory, _aux(product)), product.type))
    sums: dict[Epilogue, Callable[[], Array]] = {
        Epilogue.DRELU_BGRAD: lambda: result[0].sum(axis=1),
        Epilogue.DGELU_BGRAD: lambda: result[0].sum(axis=1),
        Epilogue.BGRADA: lambda: a[0].sum(axis=1),
        Epilogue.BGRADB: lambda: b[0].sum(axis=0),
    }
    if what in sums:
        total = sums[what]()
        _store(product, memory, Stored(product.bias, len(total), 1, len(total), 0), total[None, :, None])
    return result


def gelu(x: Array) -> Array:
    """GELU as cuBLASLt has it, with tanh."""
    return x * (np.tanh(_inner(x)) + 1) / 2


def gelu_slope(x: Array) -> Array:
    """The derivative of ``gelu``."""
    t = np.tanh(_inner(x))
    return (1 + t) / 2 + x * (1 - t * t) * math.sqrt(0.5 / math.pi) * (1 + 3 * 0.044715 * x * x)


def _inner(x: Array) -> Array:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


def _aux(product: Product) -> Stored:
    return Stored(product.aux, product.d.rows, product.d.columns, product.aux_ld, 0)


def _mask(product: Product, memory: Any, reading: bool) -> Array:
    """The mask as bytes, a row for each column of D; bit i % 8 of byte i // 8 is that of row i."""
    shape = product.d.columns, -(-product.d.rows // 8)
    return _checked(memory, product.aux, shape, np.dtype(np.uint8), (product.aux_ld // 8, 1), reading)


def _write_mask(product: Product, memory: Any, positive: Array) -> None:
    bits = np.packbits(positive.T, axis=1, bitorder="little")
    _mask(product, memory, False)[...] = bits
    memory.mark_written(product.aux, (product.d.columns - 1) * product.aux_ld // 8 + bits.shape[1])


def _read_mask(product: Product, memory: Any) -> Array:
    bits = np.unpackbits(_mask(product, memory, True), axis=1, count=product.d.rows, bitorder="little")
    return bits.T.astype(bool)


def _operand(product: Product, memory: Any, x: Stored) -> Array:
    """op(A) or op(B), a stack of matrices, in the precision that products are added up in."""
    values = _wide(_view(product, memory, x), product.type)
    if product.compute == Compute.F32_FAST_TF32:
        values = rounded_to_tf32(values)
    return values.swapaxes(1, 2) if x.transposed else values


def _view(product: Product, memory: Any, x: Stored, reading: bool = True) -> Array:
    dtype = np.dtype(STORED[product.type])
    strides = x.stride * dtype.itemsize, dtype.itemsize, x.ld * dtype.itemsize
    return _checked(memory, x.address, (product.batch, x.rows, x.columns), dtype, strides, reading)


def _checked(memory: Any, address: int, shape: Any, dtype: Any, strides: Any, reading: bool) -> Array:
    """Device memory as an array; KernelFault if part of it is not allocated, or not written and to be read."""
    last = address + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + dtype.itemsize - 1
    allocation = memory.find(address - BASE)
    if allocation is None or memory.find(last - BASE) is not allocation:
        outside = address if allocation is None else last
        raise KernelFault("out of bounds", f"cublasLtMatmul at {outside:#x}, {memory.place(outside, 1).words}")
    if reading and not allocation.complete and not as_strided(memory.written[address - BASE :], shape, strides).all():
        raise KernelFault("uninitialised read", f"cublasLtMatmul of {shape} elements from {address:#x}")
    return memory.view(address, shape, dtype, strides)


def _store(product: Product, memory: Any, x: Stored, values: Array) -> None:
    _view(product, memory, x, False)[...] = _narrow(values, product.type)
    size = np.dtype(STORED[product.type]).itemsize
    for matrix in range(product.batch):
        for column in range(x.columns):
            memory.mark_written(x.address + (matrix * x.stride + column * x.ld) * size, x.rows * size)


def _wide(values: Array, kind: Type) -> Array:
    """Stored values as float32, or as float64 if they are."""
    if kind == Type.R_16BF:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float64 if kind == Type.R_64F else np.float32)


def _narrow(values: Array, kind: Type) -> Array:
    """Values as they are stored, rounded to nearest, ties to even."""
    if kind != Type.R_16BF:
        return values.astype(STORED[kind])
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FFF), rounded)


def rounded_to_tf32(values: Array) -> Array:
    """float32 values with the ten bits of fraction that TF32 keeps, rounded to nearest, ties away from zero."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(np.isfinite(values), ((bits + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32), values)
