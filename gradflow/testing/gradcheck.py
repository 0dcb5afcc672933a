"""Gradients compared with finite differences, of first and higher order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.errors import DTypeError, GradflowError
from gradflow.tape import gradients
from gradflow.tensor import Tensor, operand

STEP = 1e-5  # central differences in float64: truncation and rounding are both near 1e-10
TOLERANCE = 2e-6


class GradientMismatch(GradflowError, AssertionError):
    """A gradient that finite differences do not confirm."""


def gradcheck(f: Callable[..., Tensor], *inputs: Any, order: int = 2, seed: int = 0) -> None:
    """Raise GradientMismatch unless the gradients of ``f(*inputs)`` agree with finite differences.

    Each floating tensor among ``inputs`` must be float64 or complex128; the gradient in it is compared along a random
    direction with a central difference, then (``order`` 2) the gradient of that gradient, and so on. One number is
    compared, not a Jacobian, so large inputs are cheap. Complex inputs are moved in a complex direction, and of complex
    results the number is the real part of their product with the conjugates of random weights.

    >>> import gradflow as gf
    >>> gf.testing.gradcheck(lambda x: (x * x).sum(), gf.tensor([1.0, 2.0], dtype="float64"))
    """
    rng = np.random.default_rng(seed)
    given = [operand(x) for x in inputs]
    floating = [i for i, x in enumerate(given) if isinstance(x, Tensor) and dtypes.is_differentiable(x.dtype)]
    for i in floating:
        if given[i].dtype not in (dtypes.float64, dtypes.complex128):
            raise DTypeError(f"gradcheck: input {i} is {given[i].dtype}; finite differences need float64 or complex128")
    _check(f, given, floating, order, rng, 1)


def _check(f: Callable[..., Tensor], given: list[Any], floating: list[int], order: int, rng: Any, level: int) -> None:
    leaves = [Tensor(x.data.copy(), True) if i in floating else x for i, x in enumerate(given)]
    out = f(*leaves)
    weights = _normal(rng, out)
    directions = {i: _normal(rng, given[i]) for i in floating}
    wrt = [leaves[i] for i in floating]
    found = gradients(out, wrt, weights) if out.requires_grad else [None] * len(wrt)
    for i, gradient in zip(floating, found, strict=True):
        analytic = 0.0 if gradient is None else _inner(gradient.data, directions[i])
        numeric, scale = _difference(f, given, i, directions[i], weights)
        if not abs(analytic - numeric) <= TOLERANCE * max(1.0, abs(analytic), scale):
            raise GradientMismatch(
                f"gradient of order {level} in input {i}, shape {given[i].shape}: "
                f"{analytic:.10g} by the tape, {numeric:.10g} by finite differences"
            )
    if order > 1 and floating:
        _check(_gradient_of(f, floating, directions, weights), given, floating, order - 1, rng, level + 1)


def _normal(rng: Any, like: Tensor) -> Any:
    """Random numbers, complex if those of ``like`` are."""
    drawn = rng.standard_normal(like.shape)
    return drawn + 1j * rng.standard_normal(like.shape) if like.dtype.kind == "c" else drawn


def _inner(a: Any, b: Any) -> float:
    return float(np.sum(a * np.conj(b)).real)


def _difference(
    f: Callable[..., Tensor], given: list[Any], i: int, direction: Any, weights: Any
) -> tuple[float, float]:
    def along(step: float) -> Any:
        moved = [Tensor(np.asarray(x.data + step * direction)) if j == i else x for j, x in enumerate(given)]
        return f(*moved).data

    ahead, behind = along(STEP), along(-STEP)
    return _inner(ahead - behind, weights) / (2 * STEP), float(np.sum(np.abs(ahead * weights)))


def _gradient_of(
    f: Callable[..., Tensor], floating: list[int], directions: dict[int, Any], weights: Any
) -> Callable[..., Tensor]:
    """The function whose value is the gradient of ``f`` along ``directions``."""

    def gradient(*xs: Any) -> Tensor:
        leaves = [x if i not in floating or x.requires_grad else Tensor(x.data, True) for i, x in enumerate(xs)]
        out = f(*leaves)
        total = Tensor(np.zeros(()))
        if out.requires_grad:
            wrt = [leaves[i] for i in floating]
            for i, g in zip(floating, gradients(out, wrt, weights, create_graph=True), strict=True):
                if g is not None:
                    total = total + (g * np.conj(directions[i])).sum().real
        return total

    return gradient
