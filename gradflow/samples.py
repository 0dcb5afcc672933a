"""Descriptions of example inputs, from which every generic test and benchmark of an op is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.shapes import Shape


class Real(NamedTuple):
    """A floating input, uniform in [low, high), at least ``gap`` away from each of ``kinks``."""

    shape: Shape = ()
    low: float = -2.0
    high: float = 2.0
    kinks: tuple[float, ...] = ()
    distinct: bool = False  # all elements differ by clearly more than a finite-difference step
    gap: float = 0.05

    def draw(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        if self.distinct:
            size = int(np.prod(self.shape))
            values = rng.permutation(np.linspace(self.low, self.high, size)).reshape(self.shape)
        else:
            values = rng.uniform(self.low, self.high, self.shape)
        if dtype.kind == "c":
            return np.asarray(values + 1j * rng.uniform(self.low, self.high, self.shape), dtype)
        for kink in self.kinks:
            near = np.abs(values - kink) < self.gap
            values = np.where(near, kink + np.where(values >= kink, 2, -2) * self.gap, values)
        return np.asarray(values, dtype)


class Integer(NamedTuple):
    """An int64 input, uniform in [low, high)."""

    shape: Shape = ()
    low: int = 0
    high: int = 5

    def draw(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        return rng.integers(self.low, self.high, self.shape)


class Boolean(NamedTuple):
    """A bool input, each element true with probability one half."""

    shape: Shape = ()

    def draw(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        return np.asarray(rng.integers(0, 2, self.shape), np.bool_)


class Given(NamedTuple):
    """An input with exactly these values, in a dtype of its own or in the one under test."""

    values: Any
    dtype: Any = None
    imaginary: Any = 0.0  # parts that it has where the dtype is complex

    def draw(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        values = np.array(self.values, self.dtype or dtype)
        return values + np.array(self.imaginary, dtype) * 1j if values.dtype.kind == "c" else values


Input = Real | Integer | Boolean | Given | float | int | bool | None


class Sample(NamedTuple):
    """One example call of an op: its inputs in order, and its attributes."""

    inputs: tuple[Input, ...]
    attrs: dict[str, Any]

    def draw(self, dtype: np.dtype[Any], seed: int = 0) -> list[Any]:
        """Arrays for the described inputs; Python scalars and None as they are."""
        rng = np.random.default_rng(seed)
        return [x.draw(rng, dtype) if isinstance(x, Real | Integer | Boolean | Given) else x for x in self.inputs]

    def __str__(self) -> str:
        shown = [str(getattr(x, "shape", x)).replace(" ", "") for x in self.inputs]
        shown += [f"{name}={value}".replace(" ", "") for name, value in self.attrs.items()]
        return "-".join(shown)


def sample(*inputs: Input, **attrs: Any) -> Sample:
    """The call ``op(*inputs, **attrs)`` as an example."""
    return Sample(inputs, attrs)


SHAPES: Sequence[Shape] = ((), (7,), (3, 4), (2, 0))
PAIRS: Sequence[tuple[Shape, Shape]] = (
    ((), ()),
    ((3, 4), (3, 4)),
    ((3, 1), (4,)),
    ((2, 3), ()),
    ((0, 2), (2,)),
)


def unary(low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = (), **attrs: Any) -> tuple[Sample, ...]:
    """Samples of an elementwise op of one input: a scalar, a vector, a matrix and an empty array."""
    return tuple(sample(Real(shape, low, high, kinks), **attrs) for shape in SHAPES)


def binary(low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = ()) -> tuple[Sample, ...]:
    """Samples of an elementwise op of two inputs: equal shapes, broadcasting, empty arrays, a Python scalar."""
    pairs = [sample(Real(a, low, high, kinks), Real(b, low, high, kinks)) for a, b in PAIRS]
    middle = (low + high) / 2 + 0.375
    return (
        *pairs,
        sample(Real((3,), low, high, kinks), middle),
        sample(middle, Real((3,), low, high, kinks)),
    )
