"""Mean 0 and variance 1 over some axes, by the statistics of the array itself."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import DType
from gradflow.launch import THREADS, Launch, Tickets
from gradflow.op import Op, Spec
from gradflow.ops.precision import Array, float_dtype, precision, room, stored
from gradflow.ops.reduce import by_rows
from gradflow.ops.teams import Groups, alike, blocks_for, groups_of, partial_sums
from gradflow.samples import Real, sample
from gradflow.shapes import Axes, Shape, reduced, size_of
from gradflow.tensor import Tensor


def sum_of_products(xp: Any, a: Array, b: Array, axes: Axes) -> Array:
    """``(a * b).sum(axes, keepdims=True)``, without an array of the products."""
    letters = "abcdefghijklmnop"[: a.ndim]
    kept = "".join(letter for axis, letter in enumerate(letters) if axis not in axes)
    return xp.einsum(f"{letters},{letters}->{kept}", a, b).reshape(reduced(a.shape, axes, True))


def _count(x: Array, axes: Axes) -> int:
    return max(1, size_of(tuple(x.shape[axis] for axis in axes)))


def _standard(
    xp: Any, x: Array, axes: Axes, eps: float, working: DType, out: Array | None = None
) -> tuple[Array, Array]:
    """``x`` with mean 0 and variance 1 over ``axes``, and what it was multiplied by for that."""
    count = _count(x, axes)
    mean = x.sum(axis=axes, dtype=working, keepdims=True)
    mean /= count
    z = xp.subtract(x, mean, dtype=working, out=room(out, working))
    factor = sum_of_products(xp, z, z, axes)
    factor /= count
    factor += eps
    factor = 1 / xp.sqrt(factor, out=factor)
    z *= factor
    return z, factor


def _standardize_forward(
    xp: Any, x: Array, weight: Array, bias: Array, *, axes: Axes, eps: float, out: Array | None = None
) -> Array:
    dtype, working = precision(x, weight, bias)
    z, _ = _standard(xp, x, axes, eps, working, out)
    if weight is not None:
        z *= weight
    if bias is not None:
        z += bias
    return stored(z, dtype, out)


def _standardize_grad_forward(
    xp: Any, g: Array, x: Array, weight: Array, *, axes: Axes, eps: float, out: Array | None = None
) -> Array:
    dtype, working = precision(g, x, weight)
    count = _count(x, axes)
    z, factor = _standard(xp, x, axes, eps, working, out)
    h = xp.asarray(g, working) if weight is None else xp.multiply(g, weight, dtype=working)
    z *= sum_of_products(xp, h, z, axes) / count
    z += h.sum(axis=axes, keepdims=True) / count
    xp.subtract(h, z, out=z)
    z *= factor
    return stored(z, dtype, out)


def _weight_grad_forward(
    xp: Any, g: Array, x: Array, *, axes: Axes, eps: float, shape: Shape, out: Array | None = None
) -> Array:
    dtype, working = precision(g, x)
    z, _ = _standard(xp, x, axes, eps, working)
    broadcast = (1,) * (x.ndim - len(shape)) + shape
    summed = tuple(axis for axis, size in enumerate(broadcast) if size != x.shape[axis])
    total = sum_of_products(xp, xp.asarray(g, working), z, summed)
    return stored(total.reshape(shape), dtype, out)


def _standard_text(x: Spec) -> str:
    """What ``_standard`` does to rows, as lines of a formula: ``z`` and ``factor``."""
    count = x.shape[-1]
    return f"""
distance = x - row_sum(x) / {count}
factor = 1 / sqrt(row_sum(distance * distance) / {count} + eps)
z = distance * factor
"""


def _standardize_scalar(x: Spec, weight: Spec, bias: Spec, axes: Axes, eps: float) -> str | None:
    if not by_rows(x, axes):
        return None
    return _standard_text(x) + ("z" if weight.absent else "z * weight") + ("" if bias.absent else " + bias")


def _standardize_grad_scalar(g: Spec, x: Spec, weight: Spec, axes: Axes, eps: float) -> str | None:
    if not by_rows(x, axes) or g.shape != x.shape:
        return None
    count = x.shape[-1]
    return f"""{_standard_text(x)}
h = {"g" if weight.absent else "g * weight"}
(h - (row_sum(h) / {count} + z * (row_sum(h * z) / {count}))) * factor
"""


def _over_groups(kernel: str, x: Array, found: Groups, eps: float, *arrays: Array | None) -> Launch:
    """``kernel(arrays..., eps, 1 / length, each, groups, count, inner, outer, team, step)``, a team for each group."""
    each, _, *sizes = found
    team, step = found.teams(x.dtype)
    arguments = (*arrays, eps, 1 / found.length, int(each), *sizes, team, step)
    return Launch(kernel, x.dtype, blocks_for(found.groups, team), THREADS, arguments)


def _standardize_cuda(x: Array, weight: Array, bias: Array, *, axes: Axes, eps: float, out: Array) -> Launch | None:
    found = groups_of(x.shape, axes)
    if found is None or not alike(x.dtype, x, weight, bias, out) or not found.fits(weight, bias):
        return None
    return _over_groups("standardize", x, found, eps, x, weight, bias, out)


def _standardize_grad_cuda(g: Array, x: Array, weight: Array, *, axes: Axes, eps: float, out: Array) -> Launch | None:
    found = groups_of(x.shape, axes)
    if found is None or not alike(x.dtype, g, x, weight, out) or not found.fits(weight) or g.shape != x.shape:
        return None
    return _over_groups("standardize_grad", x, found, eps, g, x, weight, out, None)


CHUNKS, ROWS = 128, (8, 64)  # blocks that share the rows, if that makes neither less nor more than so many for each


def _weight_grad_cuda(g: Array, x: Array, *, axes: Axes, eps: float, shape: Shape, out: Array) -> Launch | None:
    found = groups_of(x.shape, axes)
    if found is None or not alike(x.dtype, g, x, out) or found.weights != shape or g.shape != x.shape:
        return None
    if not found.each:
        return _over_groups("standardize_grad", x, found, eps, g, x, None, None, out)
    rows, columns = found.groups, found.length
    chunk = min(max(-(-rows // CHUNKS), ROWS[0]), ROWS[1])
    blocks = -(-rows // chunk)
    scratch = partial_sums(blocks, x.dtype, columns)
    arguments = (g, x, out, eps, 1 / columns, scratch, Tickets(1), rows, columns, chunk)
    return Launch("standardize_weight_grad", x.dtype, blocks, THREADS, arguments)


def like_x(x: Spec, *others: Spec) -> Spec:
    """The Spec of a result with the shape of ``x`` and the dtype of all together."""
    return Spec(x.shape, float_dtype(x.dtype, *(each.dtype for each in others)))


def _grad_by_x(g2: Tensor, g: Tensor, x: Tensor, weight: Any, axes: Axes, eps: float) -> Tensor:
    """The gradient is A h, with h = g * weight and A the symmetric Jacobian of z, the standardized x, in x."""

    def mean(y: Tensor) -> Tensor:
        return y.mean(axes, keepdims=True)

    z = apply(_standardize, x, None, None, axes=axes, eps=eps)
    h = g if weight is None else g * weight
    a_h = apply(_standardize_grad, g, x, weight, axes=axes, eps=eps)
    a_g2 = apply(_standardize_grad, g2, x, None, axes=axes, eps=eps)
    factor = (mean((x - mean(x)) ** 2) + eps) ** -0.5
    return -factor * (z * mean(g2 * a_h) + mean(h * z) * a_g2 + mean(g2 * z) * a_h)


def _grad_by_g(g2: Tensor, x: Tensor, weight: Any, axes: Axes, eps: float) -> Tensor:
    part = apply(_standardize_grad, g2, x, None, axes=axes, eps=eps)
    return part if weight is None else part * weight


# the gradient of _standardize in its weight, of ``shape``, given that of its result, ``g``
_weight_grad: Op = Op(
    name="standardize_weight_grad",
    forward=_weight_grad_forward,
    spec=lambda g, x, axes, eps, shape: Spec(shape, float_dtype(g.dtype, x.dtype)),
    cuda=_weight_grad_cuda,
    vjp=(
        lambda g2, x, axes, eps: apply(_standardize, x, g2, None, axes=axes, eps=eps),
        lambda g2, g, x, axes, eps: apply(_standardize_grad, g, x, g2, axes=axes, eps=eps),
    ),
    samples=(
        sample(Real((5, 3)), Real((5, 3)), axes=(0,), eps=1e-5, shape=(3,)),
        sample(Real((4, 3)), Real((4, 3)), axes=(1,), eps=0.1, shape=(3,)),
        sample(Real((2, 3, 4)), Real((2, 3, 4)), axes=(0, 2), eps=1e-3, shape=(3, 1)),
        sample(Real((0, 3)), Real((0, 3)), axes=(1,), eps=1e-5, shape=(3,)),
    ),
    workloads=tuple(sample(*2 * (Real((16384, 64)),), axes=axes, eps=1e-5, shape=(64,)) for axes in [(0,), (1,)]),
)

_standardize_grad: Op = Op(
    name="standardize_grad",
    forward=_standardize_grad_forward,
    spec=lambda g, x, weight, axes, eps: like_x(x, g, weight),
    cuda=_standardize_grad_cuda,
    vjp=(
        _grad_by_g,
        _grad_by_x,
        lambda g2, g, x, axes, eps: g * apply(_standardize_grad, g2, x, None, axes=axes, eps=eps),
    ),
    scalar=_standardize_grad_scalar,
    samples=(
        sample(Real((5, 3)), Real((5, 3)), Real((3,)), axes=(0,), eps=1e-5),
        sample(Real((4, 3)), Real((4, 3)), None, axes=(1,), eps=0.1),
        sample(Real((4, 3)), Real((4, 3)), Real((3,)), axes=(1,), eps=1e-5),
        sample(Real((2, 3, 4)), Real((2, 3, 4)), Real((3, 4)), axes=(1, 2), eps=1e-5),
        sample(Real((2, 3, 4)), Real((2, 3, 4)), Real((3, 1)), axes=(0, 2), eps=1e-3),
        sample(Real((0, 3)), Real((0, 3)), Real((3,)), axes=(1,), eps=1e-5),
    ),
    workloads=tuple(
        sample(Real((128, 256)), Real((128, 256)), Real((256,)), axes=axes, eps=1e-5) for axes in [(0,), (1,)]
    ),
)

_standardize: Op = Op(
    name="standardize",
    forward=_standardize_forward,
    spec=lambda x, weight, bias, axes, eps: like_x(x, weight, bias),
    cuda=_standardize_cuda,
    vjp=(
        lambda g, x, weight, axes, eps: apply(_standardize_grad, g, x, weight, axes=axes, eps=eps),
        lambda g, x, specs, axes, eps, into: apply(
            _weight_grad, g, x, axes=axes, eps=eps, shape=specs[1].shape, into=into
        ),
        lambda g: g,
    ),
    scalar=_standardize_scalar,
    samples=(
        sample(Real((5, 3)), Real((3,)), Real((3,)), axes=(0,), eps=1e-5),
        sample(Real((4, 3)), None, None, axes=(1,), eps=0.1),
        sample(Real((4, 3)), Real((3,)), Real((3,)), axes=(1,), eps=1e-5),
        sample(Real((2, 3, 4)), Real((3, 4)), None, axes=(1, 2), eps=1e-5),
        sample(Real((2, 3, 4)), Real((3, 1)), Real((3, 1)), axes=(0, 2), eps=1e-3),
        sample(Real((0, 3)), Real((3,)), Real((3,)), axes=(1,), eps=1e-5),
    ),
    workloads=tuple(sample(Real((128, 256)), Real((256,)), Real((256,)), axes=axes, eps=1e-5) for axes in [(0,), (1,)]),
)
