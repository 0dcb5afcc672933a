"""Complex numbers: their parts, their conjugates, and what formulas of gradients conjugate."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import bool_, complex_of, real_of
from gradflow.errors import DTypeError
from gradflow.op import Op, Spec, elementwise
from gradflow.samples import PAIRS, Real, sample, unary
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike, tensor


def conj(x: TensorLike) -> Tensor:
    """The complex conjugate, elementwise; ``x`` itself if it is real.

    >>> import gradflow as gf
    >>> gf.conj(gf.tensor([1 + 2j, 3j]))
    tensor([1.-2.j, 0.-3.j], dtype=complex64)
    """
    return conjugated(_tensor(x))


def conjugated(x: TensorLike) -> Tensor:
    """What formulas of gradients conjugate: at no cost where ``x`` is real. A Python number stays one."""
    if isinstance(x, Tensor) and x.data.dtype.kind != "c":
        return x
    number_or_tensor: Tensor = apply(_conj, x) if isinstance(x, Tensor) else x.conjugate()
    return number_or_tensor


_conj = Op(
    name="conj",
    forward=lambda xp, x, *, out=None: xp.conjugate(x, out=out),
    spec=lambda x: x,
    vjp=(conjugated,),
    samples=unary(),
    complex=True,
)


def real(x: TensorLike) -> Tensor:
    """The real part, elementwise; ``x`` itself if it is real.

    >>> import gradflow as gf
    >>> gf.real(gf.tensor([1 + 2j, 3j]))
    tensor([1., 0.])
    """
    given = _tensor(x)
    return apply(_real, given) if given.dtype.kind == "c" else given


def imag(x: TensorLike) -> Tensor:
    """The imaginary part, elementwise; zeros, through which no gradient flows, if ``x`` is real.

    >>> import gradflow as gf
    >>> gf.imag(gf.tensor([1 + 2j, 3j]))
    tensor([2., 3.])
    """
    return apply(_imag, _tensor(x))


def _tensor(x: TensorLike) -> Tensor:
    return x if isinstance(x, Tensor) else tensor(x)


def _part_spec(x: Spec) -> Spec:
    return Spec(x.shape, real_of(np.dtype(x.dtype)))


def _copied(part: Any, xp: Any, out: Any) -> Any:
    if out is None:
        return xp.array(part, copy=True)  # in one piece, and not a view of every other number
    out[...] = part
    return out


_real = Op(
    name="real",
    forward=lambda xp, x, *, out=None: _copied(x.real, xp, out),
    spec=_part_spec,
    vjp=(lambda g: g,),
    samples=unary(),
    complex=True,
)
_imag = Op(
    name="imag",
    forward=lambda xp, x, *, out=None: _copied(x.imag, xp, out),
    spec=_part_spec,
    vjp=(lambda g, specs: g * 1j if specs[0].dtype.kind == "c" else None,),
    samples=unary(),
    complex=True,
)


def complex(re: TensorLike, im: TensorLike) -> Tensor:
    """The complex numbers with real parts ``re`` and imaginary parts ``im``, elementwise with broadcasting.

    complex64 for float16 and float32, complex128 for the rest. Raises DTypeError for parts that are complex.

    >>> import gradflow as gf
    >>> gf.complex(gf.tensor([1.0, 2.0]), 3.0)
    tensor([1.+3.j, 2.+3.j], dtype=complex64)
    """
    return apply(_complex, re, im)


def _complex_forward(xp: Any, re: Any, im: Any, *, out: Any = None) -> Any:
    if out is None:
        spec = _complex_spec(*(Spec(getattr(x, "shape", ()), getattr(x, "dtype", type(x))) for x in (re, im)))
        out = xp.empty(spec.shape, spec.dtype)
    out.real = re  # not re + im * 1j, which makes NaN of infinity
    out.imag = im
    return out


def _complex_spec(re: Spec, im: Spec) -> Spec:
    dtype = elementwise("complex", np.add)(re, im).dtype
    return Spec(broadcast("complex", re.shape, im.shape), complex_of(np.dtype(dtype)))


_complex = Op(
    name="complex",
    forward=_complex_forward,
    spec=_complex_spec,
    vjp=(real, imag),
    samples=(*(sample(Real(a), Real(b)) for a, b in PAIRS), sample(Real((3,)), 0.5), sample(0.5, Real((3,)))),
)


def angle(x: TensorLike) -> Tensor:
    """The angle of ``x`` in the complex plane, in radians, in [-pi, pi], elementwise; its gradient at 0 is 0.

    >>> import gradflow as gf
    >>> gf.angle(gf.tensor([1j, -1.0]))
    tensor([1.5707964, 3.1415927])
    """
    return apply(_angle, x)


def _angle_spec(x: Spec) -> Spec:
    dtype = np.dtype(x.dtype)
    if dtype == bool_:
        raise DTypeError("angle: not defined for bool; convert with .to('float32')")
    return Spec(x.shape, real_of(elementwise("angle", np.exp)(x).dtype))  # type: ignore[arg-type]


def _angle_by_x(g: Tensor, x: Tensor) -> Tensor | None:
    if x.dtype.kind != "c":
        return None
    size = real(x * conj(x))
    return x * 1j * (g / (size + (size == 0)))


_angle = Op(
    name="angle",
    forward=lambda xp, x, *, out=None: xp.arctan2(x.imag, x.real, out=out),
    spec=_angle_spec,
    vjp=(_angle_by_x,),
    samples=unary(kinks=(0.0,)),
    complex=True,
)
