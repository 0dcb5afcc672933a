"""Convolution and correlation of two vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.along import part
from gradflow.ops.create import asarray
from gradflow.ops.precision import precision, stored
from gradflow.ops.rearrange import flip
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, TensorLike


def convolve(a: TensorLike, v: TensorLike, mode: str = "full") -> Tensor:
    """The convolution of two vectors, of sizes m and n: the sums of ``a[i] * v[k - i]`` over i.

    "full" has every k where they overlap, m + n - 1 of them; "same" as many as the longer, in the middle; "valid" those
    where the shorter lies wholly in the other. Raises ShapeError unless both are vectors that are not empty.

    >>> import gradflow as gf
    >>> gf.convolve(gf.tensor([1.0, 2.0, 3.0]), gf.tensor([1.0, 1.0]))
    tensor([1., 3., 5., 3.])
    """
    return _cut("convolve", apply(_convolve, asarray(a), asarray(v)), a, v, mode)


def correlate(a: TensorLike, v: TensorLike, mode: str = "valid") -> Tensor:
    """The correlation of two vectors: the sums of ``a[i + k] * v[i]`` over i, for the k of ``mode``, as ``convolve``.

    >>> import gradflow as gf
    >>> gf.correlate(gf.tensor([1.0, 2.0, 3.0]), gf.tensor([0.0, 1.0]))
    tensor([2., 3.])
    """
    a, v = asarray(a), asarray(v)
    backwards = flip(v) if v.ndim == 1 else v
    if mode == "same" and a.ndim == v.ndim == 1 and v.size > a.size:  # NumPy swaps them, and the result is reversed
        return flip(_cut("correlate", apply(_convolve, v, flip(a)), a, v, mode))
    return _cut("correlate", apply(_convolve, a, backwards), a, v, mode)


def _cut(name: str, full: Tensor, a: TensorLike, v: TensorLike, mode: str) -> Tensor:
    short, long = sorted((asarray(a).size, asarray(v).size))
    if mode == "full":
        return full
    if mode == "same":
        start = (short - 1) // 2
        return part(full, 0, start, start + long)
    if mode == "valid":
        return part(full, 0, short - 1, long)
    raise ArgumentError(f"{name}: mode is {mode!r}; it must be 'full', 'same' or 'valid'")


def _convolve_spec(a: Spec, v: Spec) -> Spec:
    if len(a.shape) != 1 or len(v.shape) != 1 or 0 in (*a.shape, *v.shape):
        raise ShapeError(f"convolve: takes two vectors that are not empty, got {a.shape} and {v.shape}")
    if "b" in (np.dtype(a.dtype).kind, np.dtype(v.dtype).kind):
        raise DTypeError("convolve: not defined for bool; convert with .to('float32')")
    return Spec((a.shape[0] + v.shape[0] - 1,), np.result_type(a.dtype, v.dtype))


def _convolve_forward(xp: Any, a: Any, v: Any, *, out: Any = None) -> Any:
    dtype = np.result_type(a.dtype, v.dtype)
    wide = precision(a, v)[1] if dtype.kind == "f" else dtype
    return stored(xp.convolve(a.astype(wide), v.astype(wide)), dtype, out)


def _adjoint(g: Tensor, other: Tensor) -> Tensor:
    """The gradient of one vector: ``g`` correlated with the other."""
    size = other.shape[0]
    whole = apply(_convolve, g, flip(other))
    return part(whole, 0, size - 1, whole.shape[0] - size + 1)


_convolve: Op = Op(
    name="convolve",
    forward=_convolve_forward,
    spec=_convolve_spec,
    vjp=(lambda g, v: _adjoint(g, v), lambda g, a: _adjoint(g, a)),  # noqa: PLW0108 - names say what is kept
    samples=(sample(Real((7,)), Real((3,))), sample(Real((2,)), Real((5,))), sample(Real((1,)), Real((1,)))),
)
