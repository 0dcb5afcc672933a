"""Gathering and scattering by integer positions along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_of
from gradflow.determinism import are_deterministic_algorithms_enabled
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, IndexOutOfRange
from gradflow.launch import FAULT, LIMIT, THREADS, VECTOR, Launch, Zeroed, blocks_over, computable, fault_code
from gradflow.op import Op, Spec
from gradflow.ops.arithmetic import where
from gradflow.ops.cast import _astype, astype
from gradflow.ops.conjugate import complex, imag, real
from gradflow.ops.shape import reshape
from gradflow.ops.slicing import check_fits
from gradflow.samples import Given, Integer, Real, sample
from gradflow.shapes import Axes, Shape, broadcast
from gradflow.tensor import Tensor


def from_the_front(xp: Any, name: str, indices: Any, axis: int, size: int) -> Any:
    """``indices`` along an axis of ``size``, as int64, negative ones counted from the end."""
    check = backend_of(indices).check_range
    counted = indices.astype(dtypes.int64)
    if xp is np and check(name, indices, 0, size) is None:  # mostly; it spares NumPy three passes
        return counted
    wrong = check(name, indices, -size, size)
    if wrong is not None:
        index = indices.reshape(-1)[wrong]
        raise IndexOutOfRange(f"{name}: index {index} is out of range for axis {axis}, of size {size}")
    return xp.where(counted < 0, counted + size, counted)


def ravel(indices: Sequence[Any], sizes: Shape) -> Any:
    """The positions that ``indices`` name when dimensions of ``sizes`` are made one."""
    flat, *rest = indices
    for index, size in zip(rest, sizes[1:], strict=True):
        flat = flat * size + index
    return flat


def check_integers(name: str, *indices: Spec) -> None:
    """Raise unless every index is an integer."""
    for each in indices:
        if each.dtype != int and getattr(each.dtype, "kind", None) not in ("i", "u"):
            raise DTypeError(f"{name}: indices are integers, not {each.dtype}; convert with .to('int64')")


def _ravel_multi_index_forward(xp: Any, *indices: Any, name: str, axes: Axes, sizes: Shape, out: Any = None) -> Any:
    counted = [
        from_the_front(xp, name, index, axis, size) for index, axis, size in zip(indices, axes, sizes, strict=True)
    ]
    flat = ravel(counted, sizes)
    if out is None:
        return flat
    out[...] = flat
    return out


def _ravel_multi_index_spec(*indices: Spec, name: str, axes: Axes, sizes: Shape) -> Spec:
    check_integers(name, *indices)
    return Spec(broadcast(name, *(each.shape for each in indices)), dtypes.int64)


def _ravel_multi_index_cuda(*indices: Any, name: str, axes: Axes, sizes: Shape, out: Any) -> Launch | None:
    index, *rest = indices
    if rest or index.dtype != dtypes.int64 or not index.flags.c_contiguous or not 0 < index.size < LIMIT:
        return None
    arguments = (index, out, sizes[0], FAULT, fault_code(name), index.size)
    return Launch("ravel_multi_index", None, -(-index.size // THREADS), THREADS, arguments)


# one position, in dimensions of ``sizes`` made one, for every tuple of indices; ``name`` and ``axes`` are for errors
_ravel_multi_index = Op(
    name="ravel_multi_index",
    forward=_ravel_multi_index_forward,
    spec=_ravel_multi_index_spec,
    cuda=_ravel_multi_index_cuda,
    samples=(
        sample(Integer((4,), -5, 5), name="take", axes=(0,), sizes=(5,)),
        sample(Integer((2, 1), 0, 3), Integer((3,), -4, 4), name="getitem", axes=(0, 2), sizes=(3, 4)),
        sample(Integer((0,)), name="take", axes=(1,), sizes=(5,)),
    ),
    workloads=(sample(Integer((4096,), -1000, 1000), name="take", axes=(0,), sizes=(1000,)),),
)


def _kernels_suit(x: Any, indices: Any, out: Any) -> bool:
    """Whether the kernels for gathering may run: between contiguous arrays of few enough elements, by int64."""
    return (
        computable(x.dtype)
        and indices.dtype == dtypes.int64
        and out.size > 0
        and all(each.size < LIMIT and each.flags.c_contiguous for each in (x, indices, out))
    )


def gathering(name: str, x: Any, indices: Any, axis: int, out: Any) -> Launch | None:
    """The launch that takes rows of ``x``; indices out of range are faults of the op ``name``."""
    if not _kernels_suit(x, indices, out):
        return None
    after = math.prod(x.shape[axis + 1 :])
    arguments = (x, indices, out, FAULT, fault_code(name), x.shape[axis], indices.size, after, out.size)
    return Launch("take", x.dtype, blocks_over(out.size, x.dtype), THREADS, arguments)


def _scatter_add_cuda(x: Any, indices: Any, *, shape: Shape, axis: int, deterministic: bool, out: Any) -> Launch | None:
    if not _kernels_suit(x, indices, out):
        return None
    before, size, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    fault = (FAULT, fault_code("scatter_add"))
    if deterministic or x.dtype == dtypes.float16 or not x.size:  # float16 is added up in float32
        vectors = before * size * -(-after * x.dtype.itemsize // VECTOR)
        arguments = (x, indices, out, *fault, before, size, after, indices.size)
        return Launch("scatter_add", x.dtype, -(-vectors // THREADS), THREADS, arguments)
    arguments = (x, indices, Zeroed(out), *fault, size, indices.size, after, x.size)
    return Launch("scatter_add_fast", x.dtype, -(-x.size // THREADS), THREADS, arguments)


def _scatter_add_forward(
    xp: Any, x: Any, indices: Any, *, shape: Shape, axis: int, deterministic: bool, out: Any = None
) -> Any:
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    positions = indices.reshape(-1).astype(dtypes.int64, copy=False)
    if before != 1:
        positions = xp.arange(before)[:, None] * shape[axis] + positions
    if after != 1:
        positions = positions[..., None] * after + xp.arange(after)
    dtype = dtypes.accumulator(x.dtype)
    total = xp.zeros(math.prod(shape), dtype)
    xp.add.at(total, positions.reshape(-1), x.reshape(-1).astype(dtype, copy=False))  # fast in one dimension
    if out is None:
        return total.reshape(shape).astype(x.dtype, copy=False)
    out[...] = total.reshape(shape)
    return out


def _scatter_add_spec(x: Spec, indices: Spec, shape: Shape, axis: int, deterministic: bool) -> Spec:
    check_integers("scatter_add", indices)
    return Spec(shape, x.dtype)


# zeros of ``shape`` with the parts of ``x`` added at ``indices`` along ``axis``; in order if ``deterministic``
_scatter_add = Op(
    name="scatter_add",
    forward=_scatter_add_forward,
    spec=_scatter_add_spec,
    vjp=(lambda g, indices, axis: apply(_take, g, indices, axis=axis), None),
    cuda=_scatter_add_cuda,
    samples=(
        sample(Real((4,)), Given([2, 0, 2, 2], dtypes.int64), shape=(5,), axis=0, deterministic=True),
        sample(Real((4, 3)), Given([2, 0, 2, 2], dtypes.int64), shape=(5, 3), axis=0, deterministic=False),
        *(
            sample(
                Real((2, 3, 2, 2)),
                Given([[2, 0], [2, 1], [1, 1]], dtypes.int64),
                shape=(2, 3, 2),
                axis=1,
                deterministic=deterministic,
            )
            for deterministic in (True, False)
        ),
        sample(Real((2,)), Given(1, dtypes.int64), shape=(3, 2), axis=0, deterministic=True),
        sample(Real((0, 2)), Integer((0,)), shape=(3, 2), axis=0, deterministic=False),
    ),
    workloads=tuple(
        sample(Real((256, 128)), Integer((256,), 0, 1000), shape=(1000, 128), axis=0, deterministic=deterministic)
        for deterministic in (True, False)
    ),
)


def scattered(x: Tensor, indices: Tensor, shape: Shape, axis: int, into: Tensor | None = None) -> Tensor:
    """Zeros of ``shape`` with the parts of ``x`` added up at ``indices`` along ``axis``."""
    if x.dtype.kind == "c":  # CuPy adds real numbers alone
        return complex(*(scattered(part, indices, shape, axis) for part in (real(x), imag(x))))
    deterministic = are_deterministic_algorithms_enabled()
    # the kernel takes nothing else, and CuPy would add in any order
    x, positions = _contiguous(x), _contiguous(astype(indices, dtypes.int64))
    return apply(_scatter_add, x, positions, into=into, shape=shape, axis=axis, deterministic=deterministic)


def _contiguous(x: Tensor) -> Tensor:
    if x.data.flags.c_contiguous:
        return x
    return apply(_astype, x, dtype=x.dtype)  # which lies in rows


def taken(shape: Shape, indices: Shape, axis: int) -> Shape:
    """The shape of what ``indices`` take along ``axis``."""
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def _take_spec(x: Spec, indices: Spec, axis: int) -> Spec:
    check_integers("take", indices)
    return Spec(taken(x.shape, indices.shape, axis), x.dtype)


_take: Op = Op(
    name="take",
    forward=lambda xp, x, indices, *, axis, out=None: xp.take(x, indices, axis=axis, out=out),
    spec=_take_spec,
    vjp=(
        lambda g, indices, specs, axis, into: scattered(g, indices, specs[0].shape, axis, into),
        None,
    ),
    cuda=lambda x, indices, *, axis, out: gathering("take", x, indices, axis, out),
    complex=True,
    samples=(
        sample(Real((5,)), Given([2, 0, 2, 2], dtypes.int64), axis=0),
        sample(Real((5, 3)), Given([[2, 0], [2, 2]], dtypes.int64), axis=0),
        sample(Real((2, 3, 2)), Given([2, 0, 2, 2], dtypes.int64), axis=1),
        sample(Real((5, 3)), Given(1, dtypes.int64), axis=1),
        sample(Real((5, 3)), Integer((0,)), axis=0),
    ),
    workloads=(sample(Real((1000, 64)), Integer((2048,), 0, 1000), axis=0),),
)


def _last(xp: Any, indices: Any, size: int) -> Any:
    """For each of ``indices``, the number of the last one that is equal to it."""
    owner = xp.zeros(size, dtypes.int32)
    positions = indices.reshape(-1)
    xp.maximum.at(owner, positions, xp.arange(positions.size, dtype=dtypes.int32))
    return owner[positions]


def _is_last_forward(xp: Any, indices: Any, *, size: int, out: Any = None) -> Any:
    last = _last(xp, indices, size).reshape(indices.shape)
    return xp.equal(last, xp.arange(indices.size).reshape(indices.shape), out=out)


_is_last = Op(
    name="is_last",
    forward=_is_last_forward,
    spec=lambda indices, size: Spec(indices.shape, dtypes.bool_),
    samples=(
        sample(Given([2, 0, 2, 2], dtypes.int64), size=3),
        sample(Given([[1, 0], [1, 1]], dtypes.int64), size=2),
        sample(Integer((0,)), size=2),
    ),
)


def write(xp: Any, x: Any, value: Any, indices: Sequence[Any], axis: int) -> None:
    """Write ``value`` over ``x`` at index arrays, counted from the front, along the axes from ``axis`` on."""
    after = axis + len(indices)
    sizes = x.shape[axis:after]
    flat = ravel(indices, sizes)
    whole = xp.broadcast_to(xp.asarray(value), (*x.shape[:axis], *flat.shape, *x.shape[after:]))
    # equal indices all get the value of the last, so that the order of writing does not matter
    last = _last(xp, flat, math.prod(sizes))
    values = whole.reshape((*x.shape[:axis], flat.size, *x.shape[after:])).take(last, axis=axis)
    each = [index.reshape(-1) for index in xp.broadcast_arrays(*indices)]
    x[(*(slice(None),) * axis, *each)] = values


def _put_forward(xp: Any, x: Any, value: Any, indices: Any, *, axis: int, out: Any = None) -> Any:
    if out is None:
        out = x.copy()
    else:
        out[...] = x
    write(xp, out, value, (indices,), axis)
    return out


def _put_spec(x: Spec, value: Spec, indices: Spec, axis: int) -> Spec:
    check_integers("set", indices)
    check_fits("set", value.shape, taken(x.shape, indices.shape, axis))
    return x


def _put_by_value(g: Tensor, indices: Tensor, specs: tuple[Spec, ...], axis: int) -> Tensor:
    shape = specs[0].shape
    last = apply(_is_last, indices, size=shape[axis])
    seen = reshape(last, (*indices.shape, *(1 for _ in shape[axis + 1 :])))
    return where(seen, apply(_take, g, indices, axis=axis), 0.0)


_put: Op = Op(
    name="put",
    forward=_put_forward,
    spec=_put_spec,
    vjp=(lambda g, indices, axis: apply(_put, g, 0, indices, axis=axis), _put_by_value, None),
    complex=True,
    samples=(
        sample(Real((5,)), Real((4,)), Given([2, 0, 2, 2], dtypes.int64), axis=0),
        sample(Real((2, 5, 3)), Real((2, 2, 1)), Given([[2, 0], [2, 2]], dtypes.int64), axis=1),
        sample(Real((5, 3)), 1.5, Given(1, dtypes.int64), axis=0),
        sample(Real((5, 3)), Real((3,)), Integer((0,)), axis=0),
    ),
)
