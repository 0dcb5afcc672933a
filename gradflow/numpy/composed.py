"""NumPy's functions that a line or two of gradflow's make up."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow import special
from gradflow.array_api import functions
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.numpy.creation import array, asarray
from gradflow.numpy.on_host import reading
from gradflow.ops.arithmetic import where
from gradflow.ops.conjugate import conj, imag
from gradflow.ops.create import zeros_like
from gradflow.ops.diagonal import diag, diagonal
from gradflow.ops.differences import diff
from gradflow.ops.distinct import diag_indices, flatnonzero, tril_indices, triu_indices
from gradflow.ops.floor_division import remainder
from gradflow.ops.grid import meshgrid
from gradflow.ops.join import concat
from gradflow.ops.linalg import matmul
from gradflow.ops.logic import isfinite, isinf, isnan
from gradflow.ops.lookup import take, take_along_axis
from gradflow.ops.order import sort
from gradflow.ops.order_statistics import average
from gradflow.ops.recurrence import cumprod
from gradflow.ops.rounding import trunc as fix
from gradflow.ops.scan import cumsum
from gradflow.ops.shape import moveaxis, ravel
from gradflow.ops.sign_bit import ldexp
from gradflow.shapes import Shape, normalize_axis
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "asarray_chkfinite", "block", "compress", "corrcoef", "cov", "cumulative_prod", "cumulative_sum",
    "diag_indices_from", "diagflat", "ediff1d", "einsum_path", "extract", "fix", "frexp", "i0", "iscomplex", "isneginf",
    "isposinf", "isreal", "ix_", "matvec", "nancumprod", "nancumsum", "real_if_close", "rollaxis", "sort_complex",
    "tril_indices_from", "triu_indices_from", "unstack", "unwrap", "vecmat",
]  # fmt: skip

i0 = special.i0


def unstack(x: TensorLike, /, *, axis: SupportsIndex = 0) -> tuple[Tensor, ...]:
    """The parts along ``axis``."""
    return functions.unstack(asarray(x), axis=axis)


def cumulative_sum(x: TensorLike, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """The sums of the first 1, 2, ... elements along ``axis``, after a 0 if ``include_initial``."""
    return functions.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def cumulative_prod(x: TensorLike, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """The products of the first 1, 2, ... elements along ``axis``, after a 1 if ``include_initial``."""
    return functions.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


def nancumsum(a: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """The cumulative sum, NaN counting as 0."""
    return cumsum(where(isnan(a), 0.0, a), axis)


def nancumprod(a: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """The cumulative product, NaN counting as 1."""
    return cumprod(where(isnan(a), 1.0, a), axis)


def isposinf(x: TensorLike) -> Tensor:
    """Whether an element is infinity."""
    return isinf(x) & (asarray(x) > 0)


def isneginf(x: TensorLike) -> Tensor:
    """Whether an element is minus infinity."""
    return isinf(x) & (asarray(x) < 0)


def iscomplex(x: TensorLike) -> Tensor:
    """Whether the imaginary part of an element is not 0."""
    return imag(x) != 0


def isreal(x: TensorLike) -> Tensor:
    """Whether the imaginary part of an element is 0."""
    return imag(x) == 0


def matvec(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The product of a matrix (..., m, n) and a vector (..., n)."""
    return matmul(x1, asarray(x2)[..., None])[..., 0]


def vecmat(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """The product of a vector (..., n), conjugated, and a matrix (..., n, m)."""
    return matmul(conj(asarray(x1))[..., None, :], x2)[..., 0, :]


def cov(
    m: TensorLike,
    y: TensorLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: TensorLike | None = None,
    aweights: TensorLike | None = None,
) -> Tensor:
    """The covariance matrix of variables, which are the rows (the columns with ``rowvar`` False).

    Divided by the number of observations less ``ddof``: 1, or 0 with ``bias``. ``fweights`` count observations,
    ``aweights`` weigh them. Raises ShapeError for more than two dimensions.
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = concat([x, _variables(y, rowvar)], 0)
    given = [asarray(w) for w in (fweights, aweights) if w is not None]
    weights = given[0] * given[-1] if len(given) == 2 else given[0] if given else None
    less = (0 if bias else 1) if ddof is None else ddof
    centred = x - average(x, 1, weights)[:, None]
    weighted = centred if weights is None else centred * weights
    total: Any = x.shape[1] if weights is None else weights.sum()
    share = less if aweights is None or not less else less * (weights * aweights).sum() / total
    result = matmul(weighted, conj(centred).T) / (total - share)
    return asarray(result)[0, 0] if result.shape == (1, 1) else asarray(result)


def _variables(m: TensorLike, rowvar: bool) -> Tensor:
    x = asarray(m)
    if x.ndim > 2:
        raise ShapeError(f"cov: takes variables as rows of a matrix, and shape {x.shape} has more than two dimensions")
    x = x * 1.0 if x.dtype.kind in "iub" else x
    return x[None, :] if x.ndim == 1 else x if x.ndim == 0 or rowvar else x.T


def corrcoef(x: TensorLike, y: TensorLike | None = None, rowvar: bool = True) -> Tensor:
    """The matrix of correlations of variables, which are the rows (the columns with ``rowvar`` False)."""
    c = cov(x, y, rowvar)
    if not c.ndim:
        return asarray(c / c)
    scale = diagonal(c).real.sqrt()
    return asarray(c / scale[:, None] / scale[None, :])


def block(arrays: Any) -> Tensor:
    """Nested lists of blocks, joined: the innermost along the last axis, those around along the one before it."""
    depth = _depth(arrays)
    rank = max(depth, _rank(arrays))
    return _joined(arrays, depth, rank)


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _rank(arrays: Any) -> int:
    return max(map(_rank, arrays)) if isinstance(arrays, list) else asarray(arrays).ndim


def _joined(arrays: Any, depth: int, rank: int) -> Tensor:
    if isinstance(arrays, list) != (depth > 0):
        raise ShapeError("block: lists are nested to different depths")
    if depth == 0:
        return array(arrays, copy=None, ndmin=rank)
    return concat([_joined(each, depth - 1, rank) for each in arrays], rank - depth)


def compress(condition: TensorLike, a: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """The parts of ``a`` along ``axis`` (of the elements, for None) for which ``condition`` is true."""
    return asarray(a).compress(condition, axis)


def extract(condition: TensorLike, arr: TensorLike) -> Tensor:
    """The elements for which ``condition`` is true."""
    return take(ravel(arr), flatnonzero(condition), 0)


def diagflat(v: TensorLike, k: SupportsIndex = 0) -> Tensor:
    """A matrix with all elements of ``v`` on its ``k``-th diagonal."""
    return diag(ravel(v), k)


def ediff1d(ary: TensorLike, to_end: TensorLike | None = None, to_begin: TensorLike | None = None) -> Tensor:
    """The differences between neighbours, between ``to_begin`` and ``to_end``."""
    parts = [to_begin, diff(ravel(ary)), to_end]
    return concat([ravel(each) for each in parts if each is not None], 0)


def rollaxis(a: TensorLike, axis: SupportsIndex, start: SupportsIndex = 0) -> Tensor:
    """``a`` with ``axis`` moved to before ``start``."""
    x = asarray(a)
    source = axis.__index__() % max(1, x.ndim)
    target = start.__index__() + (x.ndim if start.__index__() < 0 else 0)
    return moveaxis(x, source, target - 1 if source < target else target)


def tril_indices_from(arr: TensorLike, k: SupportsIndex = 0) -> tuple[Tensor, Tensor]:
    """Where the elements at and below the ``k``-th diagonal of ``arr`` are."""
    rows, columns = _matrix_shape("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: TensorLike, k: SupportsIndex = 0) -> tuple[Tensor, Tensor]:
    """Where the elements at and above the ``k``-th diagonal of ``arr`` are."""
    rows, columns = _matrix_shape("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def _matrix_shape(name: str, arr: TensorLike) -> Shape:
    shape = asarray(arr).shape
    if len(shape) != 2:
        raise ShapeError(f"{name}: takes a matrix, not shape {shape}")
    return shape


def diag_indices_from(arr: TensorLike) -> tuple[Tensor, ...]:
    """Where the elements of the main diagonal of ``arr`` are, whose sizes are all the same."""
    sizes = asarray(arr).shape
    if len(sizes) < 2 or len({*sizes}) > 1:
        raise ShapeError(f"diag_indices_from: takes two dimensions or more, all of one size, not shape {sizes}")
    return diag_indices(sizes[0], len(sizes))


def ix_(*args: TensorLike) -> tuple[Tensor, ...]:
    """Index arrays for every combination of the numbers in the vectors, or of the places where masks are true."""
    given = [asarray(each) for each in args]
    if any(each.ndim != 1 for each in given):
        raise ShapeError(f"ix_: takes vectors, got shapes {', '.join(str(each.shape) for each in given)}")
    places = [flatnonzero(x) if x.dtype.kind == "b" else x.astype("int64") if not x.size else x for x in given]
    return tuple(meshgrid(*places, indexing="ij", sparse=True))


def frexp(x: TensorLike) -> tuple[Tensor, Tensor]:
    """The significand, in [0.5, 1), and the exponent, int32, with ``x == significand * 2**exponent``."""
    exponent = reading("frexp", lambda values: np.frexp(values)[1])(asarray(x))
    half = exponent // 2
    return ldexp(ldexp(x, -half), half - exponent), exponent


def unwrap(
    p: TensorLike, discont: float | None = None, axis: SupportsIndex = -1, *, period: float = 2 * np.pi
) -> Tensor:
    """``p`` with multiples of ``period`` added, so that no step along ``axis`` is larger than half of it.

    Steps smaller than ``discont`` stay. The gradient passes through.
    """
    x = asarray(p)
    along = normalize_axis("unwrap", axis, x.ndim)
    result = x.astype(np.result_type(x.dtype, period))
    steps = diff(result.detach(), axis=along)
    whole = result.dtype.kind in "iu"
    high = period // 2 if whole else period / 2
    wrapped = remainder(steps + high, period) - high
    if not whole or period % 2 == 0:
        wrapped = where((wrapped == -high) & (steps > 0), high, wrapped)
    turns = where(abs(steps) < (period / 2 if discont is None else discont), 0, wrapped - steps)
    first = result[(slice(None),) * along + (slice(0, 1),)]
    return result + concat([zeros_like(first), cumsum(turns, along)], along)


def sort_complex(a: TensorLike) -> Tensor:
    """The elements along the last axis in order, as complex numbers: by real parts, then by imaginary ones."""
    x = asarray(a)
    if x.dtype.kind != "c":
        return sort(x).astype("complex64" if x.dtype.char in "bhBH" else "complex128")
    return take_along_axis(x, reading("sort_complex", np.argsort)(x, kind="stable"), -1)


def real_if_close(a: TensorLike, tol: float = 100) -> Tensor:
    """``a``, or its real part if all imaginary ones are below ``tol``, which counts epsilons if it is above 1."""
    x = asarray(a)
    least = tol * float(np.finfo(x.dtype).eps) if x.dtype.kind == "c" and tol > 1 else tol
    return x.real if x.dtype.kind == "c" and bool((abs(x.imag.detach()) < least).all()) else x


def asarray_chkfinite(a: Any, dtype: DTypeLike = None, order: str | None = None) -> Tensor:
    """As ``asarray``. Raises ArgumentError if an element is infinite or NaN."""
    x = asarray(a, dtype, order)
    if x.dtype.kind in "fc" and not bool(isfinite(x.detach()).all()):
        raise ArgumentError("asarray_chkfinite: there are infinities or NaN among the elements")
    return x


def einsum_path(*operands: Any, optimize: Any = "greedy") -> Any:
    """NumPy's order of contractions for operands of these shapes, and its description."""
    given = [np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, Tensor) else x for x in operands]
    return np.einsum_path(*given, optimize=optimize)
