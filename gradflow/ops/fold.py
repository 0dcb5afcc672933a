"""Windows side by side as columns, and columns added up to an image again."""

from __future__ import annotations

import math
from typing import Any

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.ranks import batched, unbatched
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.ops.windows import Sizes, Windows, check_counts, padded, padding_of, sizes_of, unpadded
from gradflow.samples import Real, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike


def unfold(input: TensorLike, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Every window of an image as a column: (N, C, H, W) -> (N, C * elements of the kernel, windows), or without N.

    Raises ShapeError for an input of another rank or smaller than a window, ArgumentError for a setting out of range.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.unfold(gf.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), 2)
    tensor([[1., 2.],
            [2., 3.],
            [4., 5.],
            [5., 6.]])
    """
    x = batched("unfold", input, 2)
    windows = _windows("unfold", kernel_size, dilation, padding, stride)
    check_counts("unfold", windows, x.shape[2:])
    return unbatched(apply(_unfold, x, windows=windows), input, 2)


def fold(
    input: TensorLike,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Columns added up where their windows lie: (N, C * elements of the kernel, windows) -> (N, C, *output_size).

    The adjoint of ``unfold``: an element in several windows is the sum of them. Raises ShapeError if rows or columns
    of the input are not as many as the kernel and ``output_size`` say.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.fold(gf.ones((4, 2)), (2, 3), 2)
    tensor([[[1., 2., 1.],
             [1., 2., 1.]]])
    """
    x = asarray(input)
    if x.ndim not in (2, 3):
        raise ShapeError(f"fold: the input must be (N, rows, windows) or (rows, windows), got {x.shape}")
    windows = _windows("fold", kernel_size, dilation, padding, stride)
    sizes = sizes_of("fold", "output_size", output_size, 2, 1)
    counts, elements = check_counts("fold", windows, sizes), math.prod(windows.kernel)
    if x.shape[-2] % elements or x.shape[-1] != math.prod(counts):
        raise ShapeError(
            f"fold: the input is {x.shape}; it must have a multiple of {elements} rows, for kernels of "
            f"{windows.kernel}, and {math.prod(counts)} windows, {counts} in {sizes}"
        )
    out = apply(_fold, x if x.ndim == 3 else expand_dims(x, 0), windows=windows, sizes=sizes)
    return out if x.ndim == 3 else squeeze(out, 0)


def _windows(name: str, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Windows:
    kernel, apart = sizes_of(name, "kernel_size", kernel_size, 2, 1), sizes_of(name, "dilation", dilation, 2, 1)
    steps = sizes_of(name, "stride", stride, 2, 1)
    return Windows(kernel, steps, padding_of(name, padding, kernel, steps, apart), apart)


def _unfold_forward(xp: Any, x: Array, *, windows: Windows, out: Array | None = None) -> Array:
    dtype = float_dtype(x)
    rank = len(windows.kernel)
    counts = windows.counts(x.shape[-rank:])
    source = padded(xp, x, windows, dtype)
    samples, channels = x.shape[:2]
    columns = xp.empty((samples, channels, *windows.kernel, *counts), dtype)
    for place, where in windows.offsets(counts):
        columns[:, :, *place] = source[..., *where]
    shape = (samples, channels * math.prod(windows.kernel), math.prod(counts))
    return stored(columns.reshape(shape), dtype, out)


def _fold_forward(xp: Any, x: Array, *, windows: Windows, sizes: Shape, out: Array | None = None) -> Array:
    dtype, working = precision(x)
    counts = windows.counts(sizes)
    samples, channels = x.shape[0], x.shape[1] // math.prod(windows.kernel)
    columns = x.reshape((samples, channels, *windows.kernel, *counts))
    result = xp.zeros((samples, channels, *windows.padded(sizes)), working)
    for place, where in windows.offsets(counts):
        there = result[..., *where]
        there += columns[:, :, *place]
    return stored(unpadded(result, windows, sizes), dtype, out)


def _unfold_spec(x: Spec, windows: Windows) -> Spec:
    samples, channels, *sizes = x.shape
    counts = windows.counts(tuple(sizes))
    return Spec((samples, channels * math.prod(windows.kernel), math.prod(counts)), float_dtype(x.dtype))


def _fold_spec(x: Spec, windows: Windows, sizes: Shape) -> Spec:
    return Spec((x.shape[0], x.shape[1] // math.prod(windows.kernel), *sizes), float_dtype(x.dtype))


_SAMPLES = [
    ((2, 2, 3, 4), Windows((2, 2), (1, 2), ((1, 1), (0, 0)), (1, 1))),
    ((1, 2, 5, 4), Windows((2, 3), (2, 1), ((0, 0), (1, 1)), (2, 1))),
    ((0, 2, 3, 3), Windows((2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))),
]

_unfold: Op = Op(
    name="unfold",
    forward=_unfold_forward,
    spec=_unfold_spec,
    linear=True,
    vjp=(lambda g, specs, windows: apply(_fold, g, windows=windows, sizes=specs[0].shape[2:]),),
    samples=tuple(sample(Real(shape), windows=windows) for shape, windows in _SAMPLES),
)

_fold: Op = Op(
    name="fold",
    forward=_fold_forward,
    spec=_fold_spec,
    linear=True,
    vjp=(lambda g, windows: apply(_unfold, g, windows=windows),),
    samples=tuple(
        sample(
            Real((shape[0], shape[1] * math.prod(windows.kernel), math.prod(windows.counts(shape[2:])))),
            windows=windows,
            sizes=shape[2:],
        )
        for shape, windows in _SAMPLES
    ),
)
