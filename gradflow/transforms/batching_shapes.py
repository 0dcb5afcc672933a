"""The rules of ``vmap`` for ops that give elements another shape or place."""

from __future__ import annotations

from gradflow import dtypes
from gradflow.device import Device
from gradflow.ops.arithmetic import where
from gradflow.ops.ranges import arange
from gradflow.ops.shape import broadcast_to, moveaxis, reshape
from gradflow.ops.slicing import FULL, selected
from gradflow.tensor import Tensor
from gradflow.transforms.batching import Batch, elementwise, in_front, merged, one_by_one, rule, shifted


@rule("reshape")
def reshaped(batch: Batch) -> Tensor:
    return batch.do(batch.values[0], shape=(batch.size, *batch.attrs["shape"]))


@rule("permute_dims")
def permuted(batch: Batch) -> Tensor:
    return batch.do(batch.values[0], axes=(0, *(shifted(axis, batch.rank()) for axis in batch.attrs["axes"])))


@rule("broadcast_to")
def repeated(batch: Batch) -> Tensor:
    shape = batch.attrs["shape"]
    return batch.do(batch.aligned(0, len(shape)), shape=(batch.size, *shape))


@rule("sum_to")
def summed(batch: Batch) -> Tensor:
    shape = batch.attrs["shape"]
    out = batch.do(batch.values[0], shape=(batch.size, *(1,) * (batch.rank() - len(shape)), *shape))
    return reshape(out, (batch.size, *shape))


@rule("getitem")
def sliced(batch: Batch) -> Tensor:
    return batch.do(batch.values[0], index=(FULL, *batch.attrs["index"]))


@rule("place")
def placed(batch: Batch) -> Tensor:
    return batch.do(batch.values[0], shape=(batch.size, *batch.attrs["shape"]), index=(FULL, *batch.attrs["index"]))


@rule("set_slice")
def written(batch: Batch) -> Tensor:
    index = batch.attrs["index"]
    value = batch.aligned(1, len(selected(batch.specs[0].shape, index)))
    return batch.do(batch.front(0), value, index=(FULL, *index))


@rule("ravel_multi_index")
def positions(batch: Batch) -> Tensor:
    return elementwise(batch)


@rule("is_last")
def last(batch: Batch) -> Tensor:
    """Numbers of different examples are made different."""
    indices, size = batch.values[0], batch.attrs["size"]
    return batch.do(indices + _offsets(batch, size, batch.rank()), size=size * batch.size)


def _offsets(batch: Batch, size: int, rank: int) -> Tensor:
    """How far the positions of each example are moved, if dimensions of ``size`` follow one another."""
    numbers = arange(batch.size, dtype=dtypes.int64, device=_device(batch)) * size
    return reshape(numbers, (batch.size, *(1,) * rank))


def _device(batch: Batch) -> Device:
    return next(x.device for x in batch.values if isinstance(x, Tensor))


def _from_the_front(indices: Tensor, size: int) -> Tensor:
    return where(indices < 0, indices + size, indices).astype(dtypes.int64)


@rule("take", "embedding")
def taken(batch: Batch) -> Tensor:
    """If both differ, the parts of all examples lie one after another, and the indices are moved on."""
    axis = batch.attrs.get("axis", 0)
    given = {"axis": axis} if "axis" in batch.attrs else {}
    x, indices = batch.values
    if not batch.mapped[0]:
        out = batch.do(x, indices)  # (before, examples, indices, after)
        return in_front(out, axis)
    if batch.op.name == "take" and not batch.mapped[1]:
        return batch.do(x, indices, axis=axis + 1)
    size = batch.specs[0].shape[axis]
    rows = merged(moveaxis(x, axis + 1, 1))
    counted = _from_the_front(batch.front(1), size) + _offsets(batch, size, batch.rank(1))
    out = batch.do(rows, counted, **dict.fromkeys(given, 0))  # (examples, indices, before, after)
    return _back(out, 1, batch.rank(1), axis)


def _back(out: Tensor, start: int, count: int, axis: int) -> Tensor:
    """``out`` with ``count`` dimensions from ``start`` on moved behind ``axis`` dimensions that follow them."""
    if not axis or not count:
        return out
    return moveaxis(out, tuple(range(start, start + count)), tuple(range(start + axis, start + axis + count)))


def _forth(x: Tensor, start: int, count: int, axis: int) -> Tensor:
    """The other way round."""
    if not axis or not count:
        return x
    return moveaxis(x, tuple(range(start + axis, start + axis + count)), tuple(range(start, start + count)))


@rule("scatter_add")
def scattered(batch: Batch) -> Tensor:
    shape, axis = batch.attrs["shape"], batch.attrs["axis"]
    if not batch.mapped[1]:
        return batch.do(*batch.values, shape=(batch.size, *shape), axis=axis + 1)
    x = _forth(batch.front(0), 1, batch.rank(1), axis)  # (examples, indices, before, after)
    rest = (*shape[:axis], *shape[axis + 1 :])
    rows = (batch.size * shape[axis], *rest)
    counted = batch.values[1] + _offsets(batch, shape[axis], batch.rank(1))
    out = batch.do(x, counted, shape=rows, axis=0)
    return moveaxis(reshape(out, (batch.size, shape[axis], *rest)), 1, axis + 1)


@rule("put")
def put(batch: Batch) -> Tensor:
    axis = batch.attrs["axis"]
    shape, count = batch.specs[0].shape, batch.rank(2)
    part = (*shape[:axis], *batch.specs[2].shape, *shape[axis + 1 :])
    value = batch.aligned(1, len(part))
    if not batch.mapped[2]:
        return batch.do(batch.front(0), value, batch.values[2], axis=axis + 1)
    if isinstance(value, Tensor):
        value = _forth(broadcast_to(value, (batch.size, *part)), 1, count, axis)
    rows = merged(moveaxis(batch.front(0), axis + 1, 1))
    counted = _from_the_front(batch.values[2], shape[axis]) + _offsets(batch, shape[axis], count)
    out = batch.do(rows, value, counted, axis=0)
    return moveaxis(reshape(out, (batch.size, shape[axis], *out.shape[1:])), 1, axis + 1)


@rule("searchsorted")
def searched(batch: Batch) -> Tensor:
    return one_by_one(batch) if batch.mapped[0] else batch.do(*batch.values)
