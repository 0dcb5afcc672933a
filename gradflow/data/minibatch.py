"""Mini-batches of a data set, in order or shuffled."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.philox import permutation

X = TypeVar("X", bound=np.generic)
Y = TypeVar("Y", bound=np.generic)

SHUFFLES = 2**63  # a seed's draws from here on are for shuffling; random tensors count their draws from 0


def batches(
    x: NDArray[X],
    y: NDArray[Y],
    size: int,
    *,
    seed: int | None = None,
    epoch: int = 0,
    drop_last: bool = False,
) -> Iterator[tuple[NDArray[X], NDArray[Y]]]:
    """The examples and their labels, `size` at a time along the first axes of `x` and `y`.

    Without a `seed` they come in order, as views. With one (0 to 2**64 - 1) they are shuffled, as copies in C
    order; the order depends on `seed`, `epoch` (0 to 2**63 - 1) and the number of examples alone, on every
    machine. The last batch is smaller if `size` does not divide the number of examples; `drop_last` leaves it
    out. Raises ShapeError for arrays of different lengths or of none, ArgumentError for a number out of range
    and for a `drop_last` that leaves no batch, DTypeError for what is not an array or not an integer.

    >>> import numpy as np
    >>> x, y = np.arange(10).reshape(5, 2), np.arange(5)
    >>> [labels.tolist() for _, labels in batches(x, y, 2)]
    [[0, 1], [2, 3], [4]]
    >>> [labels.tolist() for _, labels in batches(x, y, 2, seed=0, epoch=1)]
    [[0, 3], [1, 2], [4]]
    """
    count = _count_examples(x, y)
    size = _integer("size", size, 1, 2**63 - 1)
    epoch = _integer("epoch", epoch, 0, 2**63 - 1)
    if drop_last and size > count:
        raise ArgumentError(f"batches: drop_last leaves no batch of {size} from {count} examples; lower size")
    stop = count - count % size if drop_last else count
    spans = (slice(start, start + size) for start in range(0, stop, size))
    if seed is None:
        return ((x[span], y[span]) for span in spans)
    order = permutation(count, _integer("seed", seed, 0, 2**64 - 1), SHUFFLES + epoch)
    return ((np.take(x, order[span], axis=0), np.take(y, order[span], axis=0)) for span in spans)


def _count_examples(x: NDArray[X], y: NDArray[Y]) -> int:
    for name, array in (("x", x), ("y", y)):
        if not isinstance(array, np.ndarray):
            raise DTypeError(f"batches: {name} is a {type(array).__name__}; give a NumPy array")
    if not x.ndim or x.shape[:1] != y.shape[:1] or not len(x):
        raise ShapeError(f"batches: x has shape {x.shape} and y {y.shape}; the first axes must agree and be at least 1")
    return len(x)


def _integer(name: str, given: int, least: int, most: int) -> int:
    try:
        number = operator.index(given)
    except TypeError:
        raise DTypeError(f"batches: {name} is {given!r}; give an integer") from None
    if not least <= number <= most:
        raise ArgumentError(f"batches: {name} is {number}; it must be from {least} to {most}")
    return number
