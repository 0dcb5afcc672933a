"""The products of windows with kernels, which is what convolution layers compute, and its two gradients.

Each is the gradient of the others: what is linear in an input and in kernels has no other derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops import columns, depthwise, reduce
from gradflow.ops.planes import planes
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.windows import Windows
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor


def _conv_forward(
    xp: Any, x: Array, weight: Array, bias: Array, *, windows: Windows, groups: int, out: Array | None = None
) -> Array:
    dtype, working = precision(x, weight, bias)
    if xp is np and weight.shape[:2] == (groups, 1):
        result = depthwise.convolved(x, weight, planes(windows, x.shape[2:]), working)
    else:
        result = columns.convolved(xp, x, weight, windows, groups, working)
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * len(windows.kernel))
    return stored(result, dtype, out)


def _input_grad_forward(
    xp: Any, g: Array, weight: Array, *, windows: Windows, groups: int, sizes: Shape, out: Array | None = None
) -> Array:
    dtype, working = precision(g, weight)
    if xp is np and weight.shape[:2] == (groups, 1):
        result = depthwise.input_grad(g, weight, planes(windows, sizes), working)
    else:
        result = columns.input_grad(xp, g, weight, windows, groups, sizes, working)
    return stored(result, dtype, out)


def _weight_grad_forward(
    xp: Any, x: Array, g: Array, *, windows: Windows, groups: int, out: Array | None = None
) -> Array:
    dtype, working = precision(x, g)
    if xp is np and x.shape[1] == g.shape[1] == groups:
        result = depthwise.weight_grad(x, g, planes(windows, x.shape[2:]), working)
    else:
        result = columns.weight_grad(xp, x, g, windows, groups, working)
    return stored(result, dtype, out)


def _conv_spec(x: Spec, weight: Spec, bias: Spec, windows: Windows, groups: int) -> Spec:
    counts = windows.counts(x.shape[2:])
    return Spec((x.shape[0], weight.shape[0], *counts), float_dtype(x.dtype, weight.dtype, bias.dtype))


def _input_grad_spec(g: Spec, weight: Spec, windows: Windows, groups: int, sizes: Shape) -> Spec:
    if windows.counts(sizes) != g.shape[2:]:
        raise ShapeError(f"conv_input_grad: an input of {sizes} has {windows.counts(sizes)} windows, not {g.shape[2:]}")
    return Spec((g.shape[0], groups * weight.shape[1], *sizes), float_dtype(g.dtype, weight.dtype))


def _weight_grad_spec(x: Spec, g: Spec, windows: Windows, groups: int) -> Spec:
    shape = (g.shape[1], x.shape[1] // groups, *windows.kernel)
    return Spec(shape, float_dtype(x.dtype, g.dtype))


def _bias_grad(g: Tensor, into: Tensor | None) -> Tensor:
    return apply(reduce._sum, g, axes=(0, *range(2, g.ndim)), keepdims=False, into=into)


def _layers() -> list[tuple[tuple[int, int, Shape], int, int, Windows]]:
    """Samples, inputs and sizes; outputs; groups; windows."""
    return [
        ((2, 2, (5,)), 3, 1, Windows((3,), (2,), ((1, 1),), (1,))),
        ((2, 4, (3, 4)), 2, 2, Windows((2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))),
        ((1, 2, (5, 4)), 4, 2, Windows((2, 3), (2, 1), ((0, 1), (2, 1)), (2, 1))),
        ((2, 3, (4, 5)), 3, 3, Windows((2, 3), (1, 2), ((1, 0), (1, 1)), (2, 1))),
        ((2, 3, (2, 3)), 2, 1, Windows((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))),
        ((1, 2, (3, 2, 3)), 2, 1, Windows((2, 2, 2), (1, 1, 2), ((1, 0), (0, 0), (1, 1)), (1, 1, 1))),
        ((0, 2, (4,)), 3, 1, Windows((2,), (1,), ((0, 0),), (1,))),
    ]


def _samples(make: Any) -> tuple[Sample, ...]:
    found = []
    for (count, inputs, sizes), outputs, groups, windows in _layers():
        x, g = Real((count, inputs, *sizes)), Real((count, outputs, *windows.counts(sizes)))
        found.append(make(x, Real((outputs, inputs // groups, *windows.kernel)), g, windows, groups))
    return tuple(found)


_conv: Op = Op(
    name="conv",
    forward=_conv_forward,
    spec=_conv_spec,
    linear=True,
    vjp=(
        lambda g, weight, specs, windows, groups, into: apply(
            _input_grad, g, weight, windows=windows, groups=groups, sizes=specs[0].shape[2:], into=into
        ),
        lambda g, x, windows, groups, into: apply(_weight_grad, x, g, windows=windows, groups=groups, into=into),
        _bias_grad,
    ),
    samples=_samples(
        lambda x, weight, g, windows, groups: sample(
            x, weight, Real(weight.shape[:1]) if x.shape[0] != 1 else None, windows=windows, groups=groups
        )
    ),
    workloads=(
        sample(
            Real((8, 64, 28, 28)),
            Real((64, 64, 3, 3)),
            None,
            windows=Windows((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
            groups=1,
        ),
    ),
)

# of conv in its input, which has ``sizes`` after samples and channels: a transposed convolution
_input_grad: Op = Op(
    name="conv_input_grad",
    forward=_input_grad_forward,
    spec=_input_grad_spec,
    linear=True,
    vjp=(
        lambda g2, weight, windows, groups: apply(_conv, g2, weight, None, windows=windows, groups=groups),
        lambda g2, g, windows, groups, into: apply(_weight_grad, g2, g, windows=windows, groups=groups, into=into),
    ),
    samples=_samples(
        lambda x, weight, g, windows, groups: sample(g, weight, windows=windows, groups=groups, sizes=x.shape[2:])
    ),
)

_weight_grad: Op = Op(
    name="conv_weight_grad",
    forward=_weight_grad_forward,
    spec=_weight_grad_spec,
    linear=True,
    vjp=(
        lambda g2, g, specs, windows, groups: apply(
            _input_grad, g, g2, windows=windows, groups=groups, sizes=specs[0].shape[2:]
        ),
        lambda g2, x, windows, groups: apply(_conv, x, g2, None, windows=windows, groups=groups),
    ),
    samples=_samples(lambda x, weight, g, windows, groups: sample(x, g, windows=windows, groups=groups)),
)
