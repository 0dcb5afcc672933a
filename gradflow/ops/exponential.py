"""Elementwise functions with exponentials and logarithms in them, careful where these over- or underflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import float64
from gradflow.op import Op, elementwise
from gradflow.ops.arithmetic import power, where
from gradflow.ops.blockwise import blockwise, real
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import exp, function, log, log1p
from gradflow.ops.precision import precision, stored
from gradflow.samples import Given, Real, Sample, binary, sample, unary
from gradflow.tensor import SCALARS, Tensor, TensorLike

_exp2 = function(np.exp2, lambda g, out: g * (out * math.log(2)), f"out * {math.log(2)}", unary(), "2 ** x")
_cbrt = function(np.cbrt, lambda g, out: g / (out * out * 3), "", unary(0.2, 3.0), "sign(x) * abs(x) ** (1 / 3)")


def exp2(x: TensorLike) -> Tensor:
    """2 to the power of ``x``, elementwise.

    >>> import gradflow as gf
    >>> gf.exp2(gf.tensor([3.0, -1.0]))
    tensor([8. , 0.5])
    """
    return apply(_exp2, x)


def cbrt(x: TensorLike) -> Tensor:
    """The cube root, elementwise, of negative numbers too; the gradient at 0 is infinite.

    >>> import gradflow as gf
    >>> gf.cbrt(gf.tensor([8.0, -27.0]))
    tensor([ 2., -3.])
    """
    return apply(_cbrt, x)


def float_power(a: TensorLike, b: TensorLike) -> Tensor:
    """``a ** b`` in float64, whatever the dtypes are, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.float_power(gf.tensor([2, 4]), -1)
    tensor([0.5 , 0.25], dtype=float64)
    """
    return power(asarray(a).astype(float64), asarray(b).astype(float64))


def logaddexp(a: TensorLike, b: TensorLike) -> Tensor:
    """``log(exp(a) + exp(b))`` without overflow, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.logaddexp(gf.tensor([1000.0, 0.0]), gf.tensor([1000.0, -gf.inf]))
    tensor([1000.6932,    0.    ])
    """
    return apply(_logaddexp, a, b)


def logaddexp2(a: TensorLike, b: TensorLike) -> Tensor:
    """``log2(2**a + 2**b)`` without overflow, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.logaddexp2(gf.tensor([1000.0, 0.0]), gf.tensor([1000.0, 1.0]))
    tensor([1001.       ,    1.5849625])
    """
    return apply(_logaddexp2, a, b)


def _sum_of_exponentials(ufunc: np.ufunc, unit: float, back: str) -> Op:
    """The op of the logarithm of a sum of two powers, whose base has the natural logarithm ``unit``."""
    rise = exp if unit == 1 else exp2

    def share(g: Tensor, x: Any, out: Tensor) -> Tensor:
        same = out == x  # where both are infinite, too
        return g * rise(where(same, 0.0, x) - where(same, 0.0, out))

    return Op(
        name=ufunc.__name__,
        forward=lambda xp, a, b, *, out=None: getattr(xp, ufunc.__name__)(a, b, out=out),
        spec=elementwise(ufunc.__name__, ufunc),
        vjp=(lambda g, a, out: share(g, a, out), lambda g, b, out: share(g, b, out)),  # noqa: PLW0108 - names matter
        scalar=f"where(a == b, a + {math.log(2) / unit}, maximum(a, b) + {back.format('-abs(a - b)')})",
        samples=binary(),
    )


_logaddexp = _sum_of_exponentials(np.logaddexp, 1, "log1p(exp({}))")
_logaddexp2 = _sum_of_exponentials(np.logaddexp2, math.log(2), f"log1p(2 ** {{}}) / {math.log(2)}")


def xlogy(x: TensorLike, y: TensorLike) -> Tensor:
    """``x * log(y)``, and 0 where ``x`` is 0 unless ``y`` is NaN, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.xlogy(gf.tensor([0.0, 2.0]), gf.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return apply(_xlogy, x, y)


def xlog1py(x: TensorLike, y: TensorLike) -> Tensor:
    """``x * log1p(y)``, and 0 where ``x`` is 0 unless ``y`` is NaN, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.xlog1py(gf.tensor([0.0, 2.0]), gf.tensor([-1.0, 0.0]))
    tensor([0., 0.])
    """
    return apply(_xlog1py, x, y)


def _times_logarithm(name: str, logarithm: str, offset: int, samples: tuple[Sample, ...]) -> Op:
    def forward(xp: Any, x: Any, y: Any, *, out: Any = None) -> Any:
        dtype, wide = precision(x, y)
        x, y = (xp.full((), z, wide) if type(z) in SCALARS else z.astype(wide, copy=False) for z in (x, y))
        kept = xp.not_equal(x, 0) | xp.isnan(y)
        return stored(x * getattr(xp, logarithm)(xp.where(kept, y, wide.type(1))), dtype, out)

    def by_y(g: Tensor, x: Any, y: Tensor) -> Tensor:
        zero = asarray(x) == 0
        return g * where(zero, 0.0, x / where(zero, 1.0, y + offset))

    return Op(
        name=name,
        forward=forward,
        spec=elementwise(name, np.true_divide),
        vjp=(lambda g, y: _times_log(name, g, y), by_y),
        scalar=f"where(isnan(y), y, where(x == 0, 0, x * {logarithm}(y)))",
        samples=samples,
    )


def _times_log(name: str, g: Tensor, y: Any) -> Tensor:
    return g * (log(y) if name == "xlogy" else log1p(y))


_POSITIVE = (
    *(sample(Real(a), Real(b, 0.3, 3.0)) for a, b in [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]),
    sample(Real((3,)), 0.7),
    sample(0.7, Real((3,), 0.3, 3.0)),
)
_xlogy = _times_logarithm("xlogy", "log", 0, _POSITIVE)
_xlog1py = _times_logarithm("xlog1py", "log1p", 1, _POSITIVE)


def entr(x: TensorLike) -> Tensor:
    """``-x * log(x)``, 0 at 0 and -inf below, elementwise: what an event of probability ``x`` adds to the entropy.

    >>> import gradflow as gf
    >>> gf.special.entr(gf.tensor([0.0, 0.5, 1.0]))
    tensor([ 0.       ,  0.3465736, -0.       ])
    """
    return apply(_entr, x)


def _entr_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    inside = xp.where(x > 0, x, 1)
    result = xp.where(x > 0, -(x * xp.log(inside)), xp.where(x < 0, -math.inf, x))
    out[...] = result
    return out


_entr = Op(
    name="entr",
    forward=blockwise(_entr_forward),
    spec=real("entr"),
    vjp=(lambda g, x: -g * (log(x) + 1),),
    scalar="where(x > 0, -x * log(x), where(x < 0, -inf, x))",
    samples=(*unary(0.2, 3.0), sample(Given([0.3, 1.0, 2.0]))),
)


def logit(x: TensorLike) -> Tensor:
    """``log(x / (1 - x))``, the inverse of ``sigmoid``, elementwise: infinite at 0 and 1, NaN outside.

    >>> import gradflow as gf
    >>> gf.special.logit(gf.tensor([0.5, 0.75]))
    tensor([0.       , 1.0986123])
    """
    return apply(_logit, x)


def _logit_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    rest = xp.log1p(-x)
    return xp.subtract(xp.log(x), rest, out=out)


_logit = Op(
    name="logit",
    forward=blockwise(_logit_forward),
    spec=real("logit"),
    vjp=(lambda g, x: g / (x * (1 - x)),),
    partials=("1 / (x * (1 - x))",),
    scalar="log(x) - log1p(-x)",
    samples=unary(0.1, 0.9),
)
