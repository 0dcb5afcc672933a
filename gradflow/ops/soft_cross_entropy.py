"""Cross-entropy of logits against shares: what minus the log softmax of every class is multiplied by."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import DType
from gradflow.op import Op, Spec
from gradflow.ops.class_labels import over_classes
from gradflow.ops.loss import check_reduction, each_loss, reduced, scale
from gradflow.ops.precision import float_dtype, precision, room, stored
from gradflow.ops.softmax import log_softmax, softmax
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor

Array = Any
NARROW = 32  # classes; sums along rows as short as that are faster in memory ordered by columns


def exponents(xp: Any, logits: Array, working: DType, out: Array | None = None) -> Array:
    """Logits less the largest of their row, so that no exp overflows; in memory of its own, or in ``out``."""
    if logits.shape[1] <= NARROW:
        z = xp.array(logits, working, order="F")
        z -= z.max(axis=1, keepdims=True)
        return z
    return xp.subtract(logits, logits.max(axis=1, keepdims=True), dtype=working, out=room(out, working))


def by_row(xp: Any, z: Array, dtype: DType, out: Array | None) -> Array:
    """The result ``z``, in ``out`` or in memory ordered by rows."""
    return stored(xp.ascontiguousarray(z) if out is None else z, dtype, out)


def _soft_forward(xp: Any, logits: Array, shares: Array, *, reduction: str, out: Array | None = None) -> Array:
    dtype, working = precision(logits, shares)
    z = exponents(xp, logits, working)
    picked = (z * shares).sum(axis=1)
    each = xp.log(xp.exp(z, out=z).sum(axis=1))
    each *= shares.sum(axis=1, dtype=working)
    each -= picked
    return reduced(each, reduction, dtype, out)


def _soft_grad_forward(
    xp: Any, g: Array, logits: Array, shares: Array, *, reduction: str, out: Array | None = None
) -> Array:
    dtype, working = precision(logits, shares)
    z = exponents(xp, logits, working, out)
    xp.exp(z, out=z)
    z *= (shares.sum(axis=1, dtype=working) / z.sum(axis=1))[:, None]
    z -= shares
    z *= xp.multiply(g, scale(reduction, len(z)), dtype=working)[..., None]
    return by_row(xp, z, dtype, out)


_SOFT = """
z = logits - row_max(logits)
log(row_sum(exp(z))) * row_sum(shares) - row_sum(z * shares)
"""


def _soft_grad_scalar(g: Spec, logits: Spec, shares: Spec, reduction: str) -> str | None:
    if g.shape:  # a number for each row would stand for columns
        return None
    return f"""
e = exp(logits - row_max(logits))
(e * (row_sum(shares) / row_sum(e)) - shares) * (g * {scale(reduction, logits.shape[0])})
"""


def _soft_spec(logits: Spec, shares: Spec, reduction: str) -> Spec:
    check_reduction("cross_entropy", reduction)
    return Spec(logits.shape[:1] if reduction == "none" else (), float_dtype(logits.dtype, shares.dtype))


def along(g2: Tensor, logits: Tensor) -> Tensor:
    """How -log softmax of the logits changes in the direction ``g2``."""
    return (g2 * softmax(logits, axis=1)).sum(axis=1, keepdims=True) - g2


def by_shares(g: Tensor, logits: Tensor) -> Tensor:
    """The gradient of the loss, as the sum of shares times -log softmax, in the shares."""
    return -over_classes(g) * log_softmax(logits, axis=1)


def curvature(g2: Tensor, g: Tensor, logits: Tensor, shares: Tensor) -> Tensor:
    """The Hessian of that loss in the logits, times ``g2``."""
    p = softmax(logits, axis=1)
    bend = p * (g2 - (g2 * p).sum(axis=1, keepdims=True))
    return bend * shares.sum(axis=1, keepdims=True) * over_classes(g)


_LOGITS = Real((4, 3))
_SHARES = Real((4, 3), 0.1, 0.6)

_soft_grad: Op = Op(
    name="soft_cross_entropy_grad",
    forward=_soft_grad_forward,
    spec=lambda g, logits, shares, reduction: Spec(logits.shape, float_dtype(logits.dtype, shares.dtype)),
    vjp=(
        lambda g2, logits, shares, reduction: (
            (shares * along(g2, logits)).sum(axis=1) * scale(reduction, logits.shape[0])
        ),
        lambda g2, g, logits, shares, reduction: curvature(g2, g, logits, shares) * scale(reduction, logits.shape[0]),
        lambda g2, g, logits, reduction: over_classes(g) * along(g2, logits) * scale(reduction, logits.shape[0]),
    ),
    scalar=_soft_grad_scalar,
    samples=(
        sample(Real(), _LOGITS, _SHARES, reduction="mean"),
        sample(Real((4,)), _LOGITS, _SHARES, reduction="none"),
        sample(Real(), Real((0, 3)), Real((0, 3)), reduction="sum"),
    ),
)

_soft_cross_entropy: Op = Op(
    name="soft_cross_entropy",
    forward=_soft_forward,
    spec=_soft_spec,
    vjp=(
        lambda g, logits, shares, reduction: apply(_soft_grad, g, logits, shares, reduction=reduction),
        lambda g, logits, reduction: by_shares(g, logits) * scale(reduction, logits.shape[0]),
    ),
    scalar=each_loss(_SOFT),
    samples=(
        sample(_LOGITS, _SHARES, reduction="mean"),
        sample(_LOGITS, _SHARES, reduction="sum"),
        sample(_LOGITS, _SHARES, reduction="none"),
        sample(Real((0, 3)), Real((0, 3)), reduction="sum"),
    ),
)
