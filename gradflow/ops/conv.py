"""Convolution layers as functions, over one, two and three dimensions, and transposed ones."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import convolution
from gradflow.ops.create import asarray
from gradflow.ops.ranks import batched, by_rank, unbatched
from gradflow.ops.rearrange import pad
from gradflow.ops.shape import reshape
from gradflow.ops.slicing import integer
from gradflow.ops.windows import Sizes, Windows, check_counts, padding_of, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike


def _conv(
    name: str,
    rank: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: SupportsIndex = 1,
) -> Tensor:
    """Kernels that slide over an input (N, C, H, W) or (C, H, W): ``weight`` (O, C / groups, *kernel), ``bias`` (O,).

    Every output is the sum of the products of a kernel with the window under it (a cross-correlation: the kernel is
    not mirrored). Windows begin ``stride`` apart, their elements are ``dilation`` apart, and ``padding`` zeros are
    around the input; a number, or one for each dimension. ``"valid"`` is no padding, ``"same"`` as much as keeps the
    size, if the stride is 1. With ``groups`` each group of outputs sees its own group of channels. Sizes become
    (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.

    Raises ShapeError if ranks, channels or the bias do not fit or the window is larger than the padded input,
    ArgumentError for a setting out of range.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv2d(gf.ones((1, 3, 5, 5)), gf.ones((8, 3, 2, 2)), stride=2, padding=1).shape
    (1, 8, 3, 3)
    """
    x, kernels, shift = batched(name, input, rank), asarray(weight), _given(bias)
    shared = _check(name, x, kernels, rank, groups)
    outputs = kernels.shape[0]
    if kernels.shape[1] * shared != x.shape[1] or outputs % shared:
        raise ShapeError(
            f"{name}: weight is {kernels.shape}, the input {x.shape}; weight is (outputs, channels / groups, ...) "
            f"with outputs a multiple of groups, {shared}"
        )
    _check_bias(name, shift, outputs)
    windows = _windows(name, kernels.shape[2:], stride, padding, dilation)
    check_counts(name, windows, x.shape[2:])
    return unbatched(apply(convolution._conv, x, kernels, shift, windows=windows, groups=shared), input, rank)


def _conv_transpose(
    name: str,
    rank: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: SupportsIndex = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The gradient of ``conv2d`` in its input, as a layer: every element puts a kernel, times itself, in its window.

    The input is (N, C, H, W) or (C, H, W), ``weight`` (C, O / groups, *kernel), ``bias`` (O,). Sizes become
    (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + ``output_padding``; the last, below the stride or
    the dilation, says which of the sizes is meant that a convolution with that stride makes the same.
    Raises ShapeError and ArgumentError as ``conv2d`` does.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv_transpose2d(gf.ones((1, 3, 2, 2)), gf.ones((3, 8, 3, 3)), stride=2, output_padding=1).shape
    (1, 8, 6, 6)
    """
    x, kernels, shift = batched(name, input, rank), asarray(weight), _given(bias)
    shared = _check(name, x, kernels, rank, groups)
    if kernels.shape[0] != x.shape[1] or x.shape[1] % shared:
        raise ShapeError(
            f"{name}: weight is {kernels.shape}, the input {x.shape}; weight is (channels, outputs / groups, ...) "
            f"with channels a multiple of groups, {shared}"
        )
    outputs = shared * kernels.shape[1]
    _check_bias(name, shift, outputs)
    windows = _windows(name, kernels.shape[2:], stride, padding, dilation)
    extra = sizes_of(name, "output_padding", output_padding, rank)
    sizes = _transposed_sizes(name, windows, x.shape[2:], extra)
    more = [(0, each // step) for each, step in zip(extra, windows.stride, strict=True)]
    if any(after for _, after in more):  # in so large an output are windows that have no element yet
        x = pad(x, [(0, 0), (0, 0), *more])
    out = apply(convolution._input_grad, x, kernels, windows=windows, groups=shared, sizes=sizes)
    if shift is not None:
        out = out + reshape(shift, (outputs,) + (1,) * rank)
    return unbatched(out, input, rank)


conv1d, conv2d, conv3d = by_rank(_conv)
conv_transpose1d, conv_transpose2d, conv_transpose3d = by_rank(_conv_transpose)


def _transposed_sizes(name: str, windows: Windows, counts: Shape, extra: Shape) -> Shape:
    for more, step, apart in zip(extra, windows.stride, windows.dilation, strict=True):
        if more and more >= max(step, apart):
            raise ArgumentError(
                f"{name}: output_padding {extra} must be below stride or dilation, "
                f"{windows.stride} and {windows.dilation}"
            )
    each = zip(counts, windows.stride, windows.padding, windows.extents(), extra, strict=True)
    sizes = tuple((n - 1) * step - before - after + size + more for n, step, (before, after), size, more in each)
    if any(size < 1 for size in sizes):
        raise ShapeError(f"{name}: an input of {counts} would give an output of {sizes}; use less padding")
    return sizes


def _given(bias: TensorLike) -> Tensor | None:
    return None if bias is None else asarray(bias)


def _check(name: str, x: Tensor, kernels: Tensor, rank: int, groups: SupportsIndex) -> int:
    shared = integer(name, "groups", groups)
    if shared < 1:
        raise ArgumentError(f"{name}: groups must be 1 or more, got {groups}")
    if kernels.ndim != rank + 2 or not all(kernels.shape[2:]):
        raise ShapeError(f"{name}: weight must have {rank + 2} dimensions and no empty kernel, got {kernels.shape}")
    return shared


def _check_bias(name: str, bias: Tensor | None, outputs: int) -> None:
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"{name}: bias is {bias.shape}; it must be ({outputs},), one number for each output")


def _windows(name: str, kernel: Shape, stride: Sizes, padding: Sizes | str, dilation: Sizes) -> Windows:
    rank = len(kernel)
    steps, apart = sizes_of(name, "stride", stride, rank, 1), sizes_of(name, "dilation", dilation, rank, 1)
    return Windows(kernel, steps, padding_of(name, padding, kernel, steps, apart), apart)
