"""The products of windows with kernels, which is what convolution layers compute, and its two gradients.

Each is the gradient of the others: what is linear in an input and in kernels has no other derivatives.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops import reduce
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.windows import Block, Windows, blocks, inside, padded
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor

# Windows are copied side by side, to be multiplied as a matrix, in blocks of so many elements: on a CPU what its caches
# hold, on a GPU what keeps launches few.
CPU_ROOM = 1 << 20
GPU_ROOM = 1 << 27


def _room(xp: Any) -> int:
    return CPU_ROOM if xp is np else GPU_ROOM


def _columns(xp: Any, x: Array, block: Block, windows: Windows, counts: Shape, groups: int) -> Array:
    """What the windows of ``block`` hold, as columns: (groups, elements of a window, windows)."""
    seen, counts = block.seen(x, windows), block.counts(counts)
    channels, samples = seen.shape[:2]
    columns = xp.empty((channels, *windows.kernel, samples, *counts), x.dtype)
    for place, where in windows.offsets(counts):
        columns[:, *place] = seen[:, :, *where]
    return columns.reshape(groups, -1, samples * math.prod(counts))


def _matrices(weight: Array, groups: int) -> Array:
    """Kernels (outputs, inputs of a group, ...) as (groups, outputs of a group, elements of a window)."""
    return weight.reshape(groups, weight.shape[0] // groups, math.prod(weight.shape[1:]))


def _side_by_side(g: Array, block: Block, groups: int) -> Array:
    """What belongs to the windows of ``block``, of (N, outputs, windows...): (groups, outputs of a group, windows)."""
    part = block.of(g)
    return part.reshape(groups, len(part) // groups, math.prod(part.shape[1:]))


def _conv_forward(
    xp: Any, x: Array, weight: Array, bias: Array, *, windows: Windows, groups: int, out: Array | None = None
) -> Array:
    dtype, working = precision(x, weight, bias)
    rank = len(windows.kernel)
    counts = windows.counts(x.shape[2:])
    matrices = _matrices(weight.astype(working, copy=False), groups)
    result = xp.empty((len(x), len(weight), *counts), working)
    source = padded(xp, x, windows, working)
    if windows.single:
        pixels = source.reshape(len(x), groups, x.shape[1] // groups, math.prod(counts))
        result = xp.matmul(matrices, pixels).reshape(result.shape)
    else:
        elements = groups * matrices.shape[-1]
        for block in blocks(len(x), counts, elements, _room(xp)):
            part = block.of(result)
            part[...] = xp.matmul(matrices, _columns(xp, source, block, windows, counts, groups)).reshape(part.shape)
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * rank)
    return stored(result, dtype, out)


def _input_grad_forward(
    xp: Any, g: Array, weight: Array, *, windows: Windows, groups: int, sizes: Shape, out: Array | None = None
) -> Array:
    dtype, working = precision(g, weight)
    counts = g.shape[2:]
    g = g.astype(working, copy=False)
    matrices = _matrices(weight.astype(working, copy=False), groups).swapaxes(-1, -2)
    channels = groups * weight.shape[1]
    if windows.single:
        pixels = g.reshape(len(g), groups, g.shape[1] // groups, math.prod(counts))
        return stored(xp.matmul(matrices, pixels).reshape(len(g), channels, *sizes), dtype, out)
    result = xp.zeros((len(g), channels, *windows.padded(sizes)), working)
    for block in blocks(len(g), counts, groups * matrices.shape[1], _room(xp)):
        side = _side_by_side(g, block, groups)
        # with one output to a group, as in depthwise layers, nothing is summed: BLAS takes five times as long
        columns = matrices * side if side.shape[1] == 1 else xp.matmul(matrices, side)
        seen = block.seen(result, windows)
        columns = columns.reshape(channels, *windows.kernel, seen.shape[1], *block.counts(counts))
        for place, where in windows.offsets(block.counts(counts)):
            there = seen[:, :, *where]
            there += columns[:, *place]
    kept = result[inside(windows, sizes)]
    return stored(kept if kept.size == result.size else kept.copy(), dtype, out)


def _weight_grad_forward(
    xp: Any, x: Array, g: Array, *, windows: Windows, groups: int, out: Array | None = None
) -> Array:
    dtype, working = precision(x, g)
    counts = g.shape[2:]
    source, g = padded(xp, x, windows, working), g.astype(working, copy=False)
    outputs, inputs = g.shape[1], x.shape[1] // groups
    elements = inputs * math.prod(windows.kernel)
    total = xp.zeros((groups, outputs // groups, elements), working)
    for block in blocks(len(x), counts, groups * elements, _room(xp)):
        columns = _columns(xp, source, block, windows, counts, groups)
        total += xp.matmul(_side_by_side(g, block, groups), columns.swapaxes(-1, -2))
    return stored(total.reshape(outputs, inputs, *windows.kernel), dtype, out)


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
