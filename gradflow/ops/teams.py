"""How rows and channels are dealt out to teams of threads, as kernels/common.cuh wants to be told."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.dtypes import DType, accumulator
from gradflow.launch import LIMIT, THREADS, VECTOR, Scratch, computable
from gradflow.shapes import Axes, Shape, size_of

Array = Any
WARP = 32
SECTOR = 32  # bytes that a GPU moves at least: a row of a block's threads reads as many side by side
MANY = 2048  # rows enough to fill a GPU with a warp for each


def alike(dtype: DType, *arrays: Array | None) -> bool:
    """Whether a kernel can be given ``arrays``: contiguous, of ``dtype``, for which there are kernels; or absent."""
    return computable(dtype) and all(
        x is None or (getattr(x, "dtype", None) == dtype and x.flags.c_contiguous) for x in arrays
    )


def team_over(count: int, groups: int, dtype: DType) -> int:
    """How many threads go through ``count`` neighbours together: some of a warp, or a block where that is long."""
    width = VECTOR // dtype.itemsize
    steps = count if count % width else count // width
    if steps > THREADS or (steps >= THREADS // 2 and groups < MANY):
        return THREADS
    return min(WARP, 1 << (steps - 1).bit_length())


def blocks_for(groups: int, team: int) -> int:
    """How many blocks have a team for each of ``groups``."""
    return -(-groups // (THREADS // team))


def partial_sums(blocks: int, dtype: DType, each: int = 1) -> Scratch:
    """Room for ``each`` sums of every block."""
    return Scratch(blocks * each * accumulator(dtype).itemsize)


class Groups(NamedTuple):
    """The groups of elements of an array that are normalised together: its rows, or its channels."""

    each: bool  # whether weights are for each element of a group (rows), not for each group (channels)
    weights: Shape  # the shape of weights that fit
    groups: int
    length: int  # elements of a group: runs of ``inner``, ``outer`` apart
    inner: int
    outer: int

    def fits(self, *weights: Array | None) -> bool:
        """Whether ``weights`` are absent or of the shape in which kernels read them."""
        return all(x is None or x.shape == self.weights for x in weights)

    def teams(self, dtype: DType) -> tuple[int, int]:
        """The threads of a team, and how far apart they are: 1, or the groups that lie side by side in a block."""
        if self.outer and self.inner == 1:
            step = SECTOR // dtype.itemsize
            return THREADS // step, step
        return team_over(self.length, self.groups, dtype), 1


def groups_of(shape: Shape, axes: Axes) -> Groups | None:
    """How an array of ``shape`` is normalised over ``axes``, if these are its last ones, or all but axis 1."""
    size, rank = size_of(shape), len(shape)
    if not 0 < size < LIMIT:
        return None
    if axes == tuple(range(rank - len(axes), rank)):
        weights = shape[rank - len(axes) :]
        count = size_of(weights)
        return Groups(True, weights, size // count, count, count, 0)
    if rank > 1 and axes == (0, *range(2, rank)):
        channels, inner = shape[1], size_of(shape[2:])
        return Groups(False, (channels, *(1,) * (rank - 2)), channels, size // channels, inner, channels * inner)
    return None
