"""How a product of row-major matrices becomes one of column-major matrices, which is what cuBLASLt computes.

Row-major memory read column by column is the transpose of what it holds. So ``out = a @ b`` is asked for as ``D = A B``
with the memory of ``out`` as D, that of ``b`` as A and that of ``a`` as B, and nothing is copied. What cuBLASLt calls
the rows of D are the columns of ``out``: they have a bias, or the gradient of one, an element each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.backend.cublaslt import Compute, Epilogue, Type
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import LIMIT, Gemm

Array = Any

TYPES = {"float16": Type.R_16F, "bfloat16": Type.R_16BF, "float32": Type.R_32F, "float64": Type.R_64F}
MASK_MULTIPLE = 128  # bits to which a row of a ReLU's mask is padded
AUX_ALIGNMENT = 16  # bytes
VALUES_MULTIPLE = 8  # elements to which a row of a GELU's input is padded


class Rule(NamedTuple):
    """What an epilogue of ``Gemm`` is to cuBLASLt, and which arrays come with it."""

    plain: Epilogue
    with_bias: Epilogue | None = None
    aux: str = ""  # "mask": a ReLU's, in bits; "values": what a GELU was applied to
    sums: str = ""  # whose size bias_grad has: "columns" or "rows" of out


RULES = {
    "none": Rule(Epilogue.DEFAULT, Epilogue.BIAS),
    "relu": Rule(Epilogue.RELU, Epilogue.RELU_BIAS),
    "relu_aux": Rule(Epilogue.RELU_AUX, Epilogue.RELU_AUX_BIAS, aux="mask"),
    "gelu_aux": Rule(Epilogue.GELU_AUX, Epilogue.GELU_AUX_BIAS, aux="values"),
    "drelu": Rule(Epilogue.DRELU, aux="mask"),
    "drelu_bgrad": Rule(Epilogue.DRELU_BGRAD, aux="mask", sums="columns"),
    "dgelu": Rule(Epilogue.DGELU, aux="values"),
    "dgelu_bgrad": Rule(Epilogue.DGELU_BGRAD, aux="values", sums="columns"),
    # the sum over k of op(a), which is cuBLASLt's B, and of op(b), which is its A
    "bgrad_a": Rule(Epilogue.BGRADB, sums="rows"),
    "bgrad_b": Rule(Epilogue.BGRADA, sums="columns"),
}
_LINEAR = ("none", "bgrad_a", "bgrad_b")  # adding to out before or after these comes to the same


class Matrix(NamedTuple):
    """A matrix, or a stack of them, as column-major memory; ``transposed`` if the product takes its transpose."""

    rows: int
    columns: int
    ld: int  # elements from one column to the next
    stride: int  # elements from one matrix of a stack to the next
    transposed: bool


class Problem(NamedTuple):
    """A product as cuBLASLt describes it, without addresses: ``D = epilogue(op(A) op(B) + C)``, C being D."""

    a: Matrix
    b: Matrix
    d: Matrix
    batch: int
    type: Type
    compute: Compute
    epilogue: Epilogue
    aux_ld: int


def aux_shape(epilogue: str, rows: int, columns: int) -> tuple[int, int]:
    """The shape of ``aux`` for an ``out`` of (rows, columns): bytes of the mask of a ReLU (uint8), or elements, of the
    dtype of ``out``, of what a GELU was applied to. Rows are padded as cuBLASLt wants them.

    >>> aux_shape("relu_aux", 32, 10), aux_shape("dgelu_bgrad", 32, 10)
    ((32, 16), (32, 16))
    """
    mask = RULES[epilogue].aux == "mask"
    multiple = MASK_MULTIPLE if mask else VALUES_MULTIPLE
    padded = -(-columns // multiple) * multiple
    return rows, padded // 8 if mask else padded


def column_major(gemm: Gemm, tf32: bool) -> Problem | None:
    """``gemm`` as cuBLASLt computes it; None if it cannot: a dtype it does not know, or memory it cannot step through.

    A transposed view costs nothing. Raises ShapeError for operands that do not fit together and ArgumentError for an
    epilogue without what belongs to it.
    """
    rule = _rule(gemm)
    _check_shapes(gemm)
    aux_ld = _aux_ld(gemm, rule)
    a, b = _matrix(gemm.b, gemm.transpose_b), _matrix(gemm.a, gemm.transpose_a)
    d = _matrix(gemm.out, False)
    if not _suits(gemm, rule) or a is None or b is None or d is None or d.transposed:
        return None
    batch = gemm.out.shape[0] if gemm.out.ndim == 3 else 1
    if batch > 1 and d.stride == 0:
        return None
    kind = TYPES[gemm.out.dtype.name]
    epilogue = rule.plain if gemm.bias is None or rule.with_bias is None else rule.with_bias
    return Problem(a, b, d, batch, kind, _compute(kind, tf32), epilogue, aux_ld)


def _suits(gemm: Gemm, rule: Rule) -> bool:
    """Whether cuBLASLt has the dtype and the epilogue, and may read the vectors and aux."""
    vectors = [x for x in (gemm.bias, gemm.bias_grad) if x is not None]
    dtype = gemm.out.dtype
    if dtype.name not in TYPES or any(x.dtype != dtype for x in (gemm.a, gemm.b, *vectors)):
        return False
    if not all(x.flags.c_contiguous for x in vectors) or (gemm.aux is not None and gemm.aux.data.ptr % AUX_ALIGNMENT):
        return False
    if gemm.out.ndim == 3 and (rule.aux or rule.sums):
        return False
    return not gemm.accumulate or gemm.epilogue in _LINEAR  # it would add before the epilogue, not after


def _compute(kind: Type, tf32: bool) -> Compute:
    if kind == Type.R_64F:
        return Compute.F64
    return Compute.F32_FAST_TF32 if tf32 and kind == Type.R_32F else Compute.F32


def _matrix(array: Array, transpose: bool) -> Matrix | None:
    """``array`` as column-major memory, or None if neither its rows nor its columns are contiguous."""
    rows, columns = array.shape[-2:]
    steps = [step // array.itemsize for step in array.strides]
    if any(step < 0 or step % array.itemsize for step in array.strides) or max(array.shape) >= LIMIT:
        return None
    stride = steps[0] if array.ndim == 3 and array.shape[0] > 1 else 0
    down, along = steps[-2:]
    if along == 1 or columns == 1:
        ld = down if rows > 1 else columns
        return Matrix(columns, rows, ld, stride, transpose) if ld >= columns else None
    if down == 1 or rows == 1:
        return Matrix(rows, columns, along, stride, not transpose) if along >= rows else None
    return None


def _rule(gemm: Gemm) -> Rule:
    """The rule of the epilogue, if the arrays that belong to it are there and no others."""
    rule = RULES.get(gemm.epilogue)
    if rule is None:
        raise ArgumentError(f"a product has no epilogue {gemm.epilogue!r}; use one of {', '.join(RULES)}")
    if gemm.bias is not None and rule.with_bias is None:
        raise ArgumentError(f"{describe(gemm)}: takes no bias")
    for name, array, wanted in (("aux", gemm.aux, rule.aux), ("bias_grad", gemm.bias_grad, rule.sums)):
        if (array is not None) != bool(wanted):
            raise ArgumentError(f"{describe(gemm)}: {f'needs {name}' if wanted else f'takes no {name}'}")
    return rule


def _check_shapes(gemm: Gemm) -> None:
    a, b, out = (list(x.shape) for x in (gemm.a, gemm.b, gemm.out))
    if gemm.transpose_a:
        a[-2:] = a[:-3:-1]
    if gemm.transpose_b:
        b[-2:] = b[:-3:-1]
    if not (len(a) == len(b) == len(out) in (2, 3) and a[:-1] == out[:-1] and b[:-2] == out[:-2] and b[-1] == out[-1]):
        raise ShapeError(f"{describe(gemm)}: the result does not fit into {tuple(gemm.out.shape)}")
    if a[-1] != b[-2]:
        raise ShapeError(f"{describe(gemm)}: sums over {a[-1]} and over {b[-2]} terms")
    size = gemm.out.shape[-2 if RULES[gemm.epilogue].sums == "rows" else -1]
    for vector in (gemm.bias, gemm.bias_grad):
        if vector is not None and vector.shape != (size,):
            raise ShapeError(
                f"{describe(gemm)}: the bias or its gradient must have {size} elements, not shape {tuple(vector.shape)}"
            )


def _aux_ld(gemm: Gemm, rule: Rule) -> int:
    """Elements, bits of a mask, from one row of ``aux`` to the next; 0 without one."""
    if gemm.aux is None or gemm.out.ndim == 3:
        return 0
    shape = aux_shape(gemm.epilogue, *gemm.out.shape)
    dtype = "uint8" if rule.aux == "mask" else gemm.out.dtype
    if gemm.aux.shape != shape or gemm.aux.dtype != dtype or not gemm.aux.flags.c_contiguous:
        raise ShapeError(
            f"{describe(gemm)}: aux must be contiguous {dtype} of {shape}, see aux_shape, "
            f"not {tuple(gemm.aux.shape)} of {gemm.aux.dtype}"
        )
    return shape[1] * (8 if rule.aux == "mask" else 1)


def describe(gemm: Gemm) -> str:
    """``gemm`` in words, for messages."""
    a, b = (f"{tuple(x.shape)}{'ᵀ' * t}" for x, t in ((gemm.a, gemm.transpose_a), (gemm.b, gemm.transpose_b)))
    return f"product of {a} and {b} in {gemm.out.dtype}, epilogue {gemm.epilogue}"
