"""The discrete Fourier transforms from which all of gf.fft is made, and their adjoints, which are transforms too."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import complex_of, real_of
from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec
from gradflow.ops.precision import stored
from gradflow.samples import Real, sample
from gradflow.shapes import Axes, Shape
from gradflow.tensor import Tensor

# by which one of a pair of transforms divides; its adjoint is the other one, which then divides by as much
ADJOINT = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def fourier(x: Tensor, axes: Axes, inverse: bool, norm: str) -> Tensor:
    """The transform of ``x`` along ``axes``, or its inverse."""
    return apply(_fftn, x, axes=axes, inverse=inverse, norm=norm)


def half_spectrum(x: Tensor, axis: int, norm: str) -> Tensor:
    """The transform of real ``x`` along ``axes``, without the frequencies whose numbers conjugate others'."""
    return apply(_rfft, x, axis=axis, norm=norm)


def from_half_spectrum(x: Tensor, n: int, axis: int, norm: str) -> Tensor:
    """The ``n`` real numbers along ``axis`` that ``x`` is the half spectrum of."""
    return apply(_irfft, x, n=n, axis=axis, norm=norm)


def _check_sizes(name: str, shape: Shape, axes: Axes) -> None:
    if any(shape[axis] == 0 for axis in axes):
        raise ArgumentError(f"{name}: there is nothing to transform along axes {axes} of shape {shape}")


def _result(out: Any, spec: Spec, xp: Any, transform: Any) -> Any:
    """What ``transform`` returns; CuPy makes no plan for transforms of nothing."""
    if 0 in spec.shape:
        return xp.empty(spec.shape, spec.dtype) if out is None else out
    return stored(transform(), spec.dtype, out)  # type: ignore[arg-type]


def _fftn_spec(x: Spec, axes: Axes, inverse: bool, norm: str) -> Spec:
    _check_sizes("ifftn" if inverse else "fftn", x.shape, axes)
    return Spec(x.shape, complex_of(np.dtype(x.dtype)))


def _fftn_forward(xp: Any, x: Any, *, axes: Axes, inverse: bool, norm: str, out: Any = None) -> Any:
    transform = xp.fft.ifftn if inverse else xp.fft.fftn
    spec = _fftn_spec(x, axes, inverse, norm)
    return _result(out, spec, xp, lambda: transform(x, axes=axes, norm=norm) if axes else x)


_fftn: Op = Op(
    name="fftn",
    forward=_fftn_forward,
    spec=_fftn_spec,
    vjp=(lambda g, axes, inverse, norm: fourier(g, axes, not inverse, ADJOINT[norm]),),
    complex=True,
    samples=(
        sample(Real((7,)), axes=(0,), inverse=False, norm="backward"),
        sample(Real((3, 4)), axes=(1,), inverse=True, norm="backward"),
        sample(Real((2, 3, 4)), axes=(0, 2), inverse=False, norm="ortho"),
        sample(Real((2, 3, 4)), axes=(1, 2), inverse=True, norm="forward"),
        sample(Real((0, 4)), axes=(1,), inverse=False, norm="backward"),
    ),
)


def _rfft_spec(x: Spec, axis: int, norm: str) -> Spec:
    _check_sizes("rfft", x.shape, (axis,))
    shape = (*x.shape[:axis], x.shape[axis] // 2 + 1, *x.shape[axis + 1 :])
    return Spec(shape, complex_of(np.dtype(x.dtype)))


def _rfft_vjp(g: Tensor, specs: tuple[Spec, ...], axis: int, norm: str) -> Tensor:
    n = specs[0].shape[axis]
    halved = apply(_scale_inner, g, n=n, axis=axis, factor=0.5)  # irfft counts these frequencies twice
    return from_half_spectrum(halved, n, axis, ADJOINT[norm])


_rfft: Op = Op(
    name="rfft",
    forward=lambda xp, x, *, axis, norm, out=None: _result(
        out, _rfft_spec(x, axis, norm), xp, lambda: xp.fft.rfft(x, axis=axis, norm=norm)
    ),
    spec=_rfft_spec,
    vjp=(_rfft_vjp,),
    samples=(
        *(sample(Real((n,)), axis=0, norm=norm) for n in (1, 2, 7, 8) for norm in ADJOINT),
        sample(Real((2, 5, 3)), axis=1, norm="backward"),
        sample(Real((0, 4)), axis=1, norm="backward"),
    ),
)


def _irfft_spec(x: Spec, n: int, axis: int, norm: str) -> Spec:
    if n < 1 or x.shape[axis] != n // 2 + 1:
        raise ArgumentError(
            f"irfft: {x.shape} has {x.shape[axis]} frequencies along axis {axis}, not those of {n} numbers"
        )
    shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
    return Spec(shape, real_of(complex_of(np.dtype(x.dtype))))


def _irfft_vjp(g: Tensor, n: int, axis: int, norm: str) -> Tensor:
    return apply(_scale_inner, half_spectrum(g, axis, ADJOINT[norm]), n=n, axis=axis, factor=2.0)


_irfft: Op = Op(
    name="irfft",
    forward=lambda xp, x, *, n, axis, norm, out=None: _result(
        out, _irfft_spec(x, n, axis, norm), xp, lambda: xp.fft.irfft(x, n=n, axis=axis, norm=norm)
    ),
    spec=_irfft_spec,
    vjp=(_irfft_vjp,),
    complex=True,
    samples=(
        *(sample(Real((n // 2 + 1,)), n=n, axis=0, norm=norm) for n in (1, 2, 7, 8) for norm in ADJOINT),
        sample(Real((2, 3, 3)), n=5, axis=1, norm="backward"),
        sample(Real((0, 3)), n=4, axis=1, norm="backward"),
    ),
)


def _scale_inner_forward(xp: Any, x: Any, *, n: int, axis: int, factor: float, out: Any = None) -> Any:
    weights = xp.full(x.shape[axis], factor, real_of(x.dtype))
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return xp.multiply(x, weights.reshape(-1, *(1,) * (x.ndim - axis - 1)), out=out)


# times ``factor``, but for the frequencies of ``n`` numbers that are their own conjugates: 0, and of an even n the last
_scale_inner: Op = Op(
    name="scale_inner",
    forward=_scale_inner_forward,
    spec=lambda x, n, axis, factor: x,
    vjp=(lambda g, n, axis, factor: apply(_scale_inner, g, n=n, axis=axis, factor=factor),),
    complex=True,
    samples=(
        sample(Real((4,)), n=7, axis=0, factor=2.0),
        sample(Real((2, 5, 3)), n=8, axis=1, factor=0.5),
        sample(Real((0, 3)), n=4, axis=1, factor=2.0),
    ),
)
