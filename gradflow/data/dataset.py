"""A data set for classification, and the rule that splits one into training and test examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradflow.errors import DataError

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test examples with their class labels.

    `x_train` and `x_test` are float32 of shape (examples, *features); `y_train` and `y_test` are int64 of
    shape (examples,) with values 0 .. classes - 1: a model needs `classes` outputs. Raises DataError for an
    empty part and for shapes that do not fit together.

    >>> from gradflow import data
    >>> data.load_digits()
    Dataset(digits: 1437 train, 360 test, x (64,) float32, 10 classes)
    """

    name: str
    x_train: Features
    y_train: Labels
    x_test: Features
    y_test: Labels
    classes: int

    def __post_init__(self) -> None:
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if x.shape[:1] != y.shape or not len(y):
                raise DataError(
                    f"{self.name}: x_{part} has shape {x.shape} and y_{part} {y.shape}; "
                    "give one label per example, and at least one example"
                )
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.name}: a training example has shape {self.x_train.shape[1:]} and a test example "
                f"{self.x_test.shape[1:]}; they must agree"
            )

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}: {len(self.x_train)} train, {len(self.x_test)} test, "
            f"x {self.x_train.shape[1:]} {self.x_train.dtype}, {self.classes} classes)"
        )


def split(name: str, x: Features, y: Labels) -> Dataset:
    """The data set `name` with every fifth example of `x` and `y` set aside for testing.

    The examples are sorted by label, keeping their order within a class; of these the second, the seventh,
    the twelfth and so on are for testing: a fifth of each class, give or take one, and always the same. Both
    parts keep the order of `x`. Raises DataError for fewer than two examples.

    >>> import numpy as np
    >>> split("six", np.zeros((6, 1), np.float32), np.array([0, 1, 0, 1, 0, 1])).y_train
    array([0, 1, 1, 0, 1])
    """
    if len(y) < 2:
        raise DataError(f"{name}: there is {len(y)} example; training and testing need at least two")
    testing = np.zeros(len(y), dtype=np.bool_)
    testing[np.argsort(y, kind="stable")[1::5]] = True
    return Dataset(name, x[~testing], y[~testing], x[testing], y[testing], count_classes(y))


def count_classes(*labels: Labels) -> int:
    """One more than the largest label."""
    return 1 + max(int(y.max()) for y in labels)


def as_float32(x: NDArray[Any]) -> Features:
    """`x` in float32 and C order; what does not fit becomes infinite, for `first_bad_value` to find."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x, dtype=np.float32)


def scale_pixels(pixels: NDArray[np.uint8]) -> Features:
    """Bytes as float32 in [0, 1]."""
    return np.divide(pixels, 255, dtype=np.float32)


def first_bad_value(x: Features) -> tuple[int, ...] | None:
    """The index of the first value that is not finite, or None."""
    bad = ~np.isfinite(x)
    return tuple(int(i) for i in np.unravel_index(bad.argmax(), x.shape)) if bad.any() else None


def first_bad_label(y: NDArray[Any]) -> int | None:
    """The index of the first label that is not a whole number from 0 to 2**31 - 1, or None."""
    good = (y >= 0) & (y < np.float64(2**31)) & (y == np.floor(y))  # float16 cannot hold 2**31
    return None if good.all() else int(good.argmin())
