"""Discrete Fourier transforms with NumPy's names and arguments, and gradients of any order.

float16 and float32 are transformed to complex64, float64 and integers to complex128. ``norm`` says which direction
divides: "backward", the default, the inverse by n; "forward" the other by n; "ortho" both by the square root of n.
An axis is cut off or filled up with zeros to the size that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.ops.conjugate import conj
from gradflow.ops.create import asarray
from gradflow.ops.fourier import ADJOINT, fourier, from_half_spectrum, half_spectrum
from gradflow.ops.rearrange import roll
from gradflow.ops.spectrum import axis_of, check_real, checked_norm, checked_size, resized, sizes_of
from gradflow.shapes import normalize_axes
from gradflow.tensor import Tensor, TensorLike, tensor

Sizes = Sequence[SupportsIndex] | None
AxesLike = Sequence[SupportsIndex] | None

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]


def fft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The Fourier transform along ``axis`` of its first ``n`` elements (all by default).

    Element k is the sum over j of ``x[j] * exp(-2 pi i j k / n)``. Raises ArgumentError for an ``n`` below 1 or a
    ``norm`` of another name, IndexOutOfRange for an axis that is not there.

    >>> import gradflow as gf
    >>> gf.fft.fft([1.0, 0.0, 0.0, 0.0])
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    return _along("fft", x, n, axis, norm, inverse=False)


def ifft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``fft``: element j is the mean over k of ``x[k] * exp(2 pi i j k / n)``.

    >>> import gradflow as gf
    >>> gf.fft.ifft([4.0, 0.0, 0.0, 0.0])
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    return _along("ifft", x, n, axis, norm, inverse=True)


def rfft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The first n // 2 + 1 elements of the ``fft`` of real numbers, whose conjugates the others are.

    >>> import gradflow as gf
    >>> gf.fft.rfft([1.0, 2.0, 3.0, 4.0])
    tensor([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
    """
    given, place = axis_of("rfft", x, axis)
    check_real("rfft", given)
    size = given.shape[place] if n is None else checked_size("rfft", n)
    return half_spectrum(resized(given, {place: size}), place, checked_norm("rfft", norm))


def irfft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``rfft``: ``n`` real numbers, by default 2 * (m - 1) of m elements.

    The imaginary part of element 0, and for an even ``n`` of the last, counts for nothing.

    >>> import gradflow as gf
    >>> gf.fft.irfft(gf.fft.rfft([1.0, 2.0, 3.0]), n=3)
    tensor([1., 2., 3.])
    """
    given, place = axis_of("irfft", x, axis)
    size = checked_size("irfft", 2 * (given.shape[place] - 1) if n is None else n)
    return from_half_spectrum(resized(given, {place: size // 2 + 1}), size, place, checked_norm("irfft", norm))


def hfft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The ``fft``, of ``n`` real numbers, of a signal whose second half conjugates the first, which ``x`` is.

    >>> import gradflow as gf
    >>> gf.fft.hfft([1.0, 2.0, 3.0])
    tensor([ 8., -2.,  0., -2.])
    """
    return irfft(conj(x), n, axis, ADJOINT[checked_norm("hfft", norm)])


def ihfft(x: TensorLike, n: SupportsIndex | None = None, axis: SupportsIndex = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``hfft``: the first half of the ``ifft`` of real numbers.

    >>> import gradflow as gf
    >>> gf.fft.ihfft([8.0, -2.0, 0.0, -2.0])
    tensor([1.-0.j, 2.-0.j, 3.-0.j], dtype=complex64)
    """
    check_real("ihfft", asarray(x))
    return conj(rfft(x, n, axis, ADJOINT[checked_norm("ihfft", norm)]))


def fftn(x: TensorLike, s: Sizes = None, axes: AxesLike = None, norm: str | None = None) -> Tensor:
    """The Fourier transform along several ``axes`` (by default all, or as many last ones as ``s`` has sizes).

    >>> import gradflow as gf
    >>> gf.fft.fftn(gf.ones((2, 2)))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    given, sizes = sizes_of("fftn", x, s, axes)
    return fourier(resized(given, sizes), tuple(sizes), False, checked_norm("fftn", norm))


def ifftn(x: TensorLike, s: Sizes = None, axes: AxesLike = None, norm: str | None = None) -> Tensor:
    """The inverse of ``fftn``.

    >>> import gradflow as gf
    >>> gf.fft.ifftn(gf.fft.fftn(gf.ones(2)))
    tensor([1.+0.j, 1.+0.j], dtype=complex64)
    """
    given, sizes = sizes_of("ifftn", x, s, axes)
    return fourier(resized(given, sizes), tuple(sizes), True, checked_norm("ifftn", norm))


def rfftn(x: TensorLike, s: Sizes = None, axes: AxesLike = None, norm: str | None = None) -> Tensor:
    """The ``fftn`` of real numbers, of which the last of ``axes`` has its first n // 2 + 1 elements.

    >>> import gradflow as gf
    >>> gf.fft.rfftn(gf.ones((2, 4))).shape
    (2, 3)
    """
    given, sizes = sizes_of("rfftn", x, s, axes, least=1)
    check_real("rfftn", given)
    *others, last = sizes
    name = checked_norm("rfftn", norm)
    return fourier(half_spectrum(resized(given, sizes), last, name), tuple(others), False, name)


def irfftn(x: TensorLike, s: Sizes = None, axes: AxesLike = None, norm: str | None = None) -> Tensor:
    """The inverse of ``rfftn``: real numbers, by default 2 * (m - 1) of the m elements of the last of ``axes``.

    >>> import gradflow as gf
    >>> gf.fft.irfftn(gf.fft.rfftn(gf.ones((2, 4)))).shape
    (2, 4)
    """
    given, sizes = sizes_of("irfftn", x, s, axes, least=1)
    *others, last = sizes
    size = checked_size("irfftn", sizes[last] if s is not None else 2 * (sizes[last] - 1))
    name = checked_norm("irfftn", norm)
    halved = fourier(resized(given, {**sizes, last: size // 2 + 1}), tuple(others), True, name)
    return from_half_spectrum(halved, size, last, name)


def fft2(x: TensorLike, s: Sizes = None, axes: AxesLike = (-2, -1), norm: str | None = None) -> Tensor:
    """``fftn`` along the last two axes."""
    return fftn(x, s, axes, norm)


def ifft2(x: TensorLike, s: Sizes = None, axes: AxesLike = (-2, -1), norm: str | None = None) -> Tensor:
    """``ifftn`` along the last two axes."""
    return ifftn(x, s, axes, norm)


def rfft2(x: TensorLike, s: Sizes = None, axes: AxesLike = (-2, -1), norm: str | None = None) -> Tensor:
    """``rfftn`` along the last two axes."""
    return rfftn(x, s, axes, norm)


def irfft2(x: TensorLike, s: Sizes = None, axes: AxesLike = (-2, -1), norm: str | None = None) -> Tensor:
    """``irfftn`` along the last two axes."""
    return irfftn(x, s, axes, norm)


def fftfreq(n: SupportsIndex, d: float = 1.0, *, dtype: DTypeLike = None, device: str | Device | None = None) -> Tensor:
    """The frequencies of the elements of an ``fft`` of ``n`` samples, ``d`` apart: in cycles per unit of ``d``.

    >>> import gradflow as gf
    >>> gf.fft.fftfreq(4, 0.5)
    tensor([ 0. ,  0.5, -1. , -0.5])
    """
    return _frequencies(np.fft.fftfreq(checked_size("fftfreq", n), d), dtype, device)


def rfftfreq(
    n: SupportsIndex, d: float = 1.0, *, dtype: DTypeLike = None, device: str | Device | None = None
) -> Tensor:
    """The frequencies of the elements of an ``rfft`` of ``n`` samples, ``d`` apart.

    >>> import gradflow as gf
    >>> gf.fft.rfftfreq(4, 0.5)
    tensor([0. , 0.5, 1. ])
    """
    return _frequencies(np.fft.rfftfreq(checked_size("rfftfreq", n), d), dtype, device)


def fftshift(x: TensorLike, axes: SupportsIndex | AxesLike = None) -> Tensor:
    """``x`` with frequency 0 in the middle of ``axes``, by default all.

    >>> import gradflow as gf
    >>> gf.fft.fftshift(gf.tensor([0, 1, 2, -2, -1]))
    tensor([-2, -1,  0,  1,  2])
    """
    return _shifted("fftshift", x, axes, 1)


def ifftshift(x: TensorLike, axes: SupportsIndex | AxesLike = None) -> Tensor:
    """The inverse of ``fftshift``.

    >>> import gradflow as gf
    >>> gf.fft.ifftshift(gf.tensor([-2, -1, 0, 1, 2]))
    tensor([ 0,  1,  2, -2, -1])
    """
    return _shifted("ifftshift", x, axes, -1)


def _shifted(name: str, x: TensorLike, axes: SupportsIndex | AxesLike, sign: int) -> Tensor:
    given = asarray(x)
    places = normalize_axes(name, axes, given.ndim)
    if not places:
        return given
    return roll(given, [sign * (given.shape[axis] // 2) for axis in places], places)


def _frequencies(values: Any, dtype: DTypeLike, device: str | Device | None) -> Tensor:
    return tensor(values, dtypes.get_default_dtype() if dtype is None else dtype, device)


def _along(
    name: str, x: TensorLike, n: SupportsIndex | None, axis: SupportsIndex, norm: str | None, inverse: bool
) -> Tensor:
    given, place = axis_of(name, x, axis)
    size = given.shape[place] if n is None else checked_size(name, n)
    return fourier(resized(given, {place: size}), (place,), inverse, checked_norm(name, norm))
