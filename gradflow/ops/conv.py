"""Convolution layers as functions, over one, two and three dimensions, and transposed ones."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.convolution import _conv, _input_grad
from gradflow.ops.create import asarray
from gradflow.ops.shape import expand_dims, reshape, squeeze
from gradflow.ops.slicing import integer
from gradflow.ops.windows import Sizes, Windows, check_counts, padding_of, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike


def conv1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: SupportsIndex = 1,
) -> Tensor:
    """Kernels that slide along a signal: (N, C, L) or (C, L) with ``weight`` (O, C / groups, k) gives (N, O, windows).

    See ``conv2d``, of which this is the one-dimensional form.

    >>> import gradflow.nn.functional as F
    >>> F.conv1d([[1.0, 2.0, 4.0, 8.0]], [[[1.0, -1.0]]])
    tensor([[-1., -2., -4.]])
    """
    return _convolved(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: SupportsIndex = 1,
) -> Tensor:
    """Kernels that slide over images: (N, C, H, W) or (C, H, W) with ``weight`` (O, C / groups, kh, kw), ``bias`` (O,).

    Every output is the sum of the products of a kernel with the window under it (a cross-correlation: the kernel is
    not mirrored). Windows begin ``stride`` apart, their elements are ``dilation`` apart, and ``padding`` zeros are
    around the input; a number, or one for each dimension. ``"valid"`` is no padding, ``"same"`` as much as keeps the
    size, if the stride is 1. With ``groups`` each group of outputs sees its own group of channels. Sizes become
    (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.

    Raises ShapeError if ranks, channels or the bias do not fit or the window is larger than the padded input,
    ArgumentError for a setting out of range.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv2d(gf.ones((1, 1, 3, 3)), gf.ones((1, 1, 3, 3)), padding="same")
    tensor([[[[4., 6., 4.],
              [6., 9., 6.],
              [4., 6., 4.]]]])
    """
    return _convolved(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: SupportsIndex = 1,
) -> Tensor:
    """Kernels that slide through volumes: (N, C, D, H, W) with ``weight`` (O, C / groups, kd, kh, kw); see ``conv2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv3d(gf.ones((2, 1, 4, 4, 4)), gf.ones((3, 1, 2, 2, 2)), stride=2).shape
    (2, 3, 2, 2, 2)
    """
    return _convolved(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: SupportsIndex = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """What ``conv_transpose2d`` does, along one dimension: (N, C, L) with ``weight`` (C, O / groups, k).

    >>> import gradflow.nn.functional as F
    >>> F.conv_transpose1d([[1.0, 2.0]], [[[1.0, 10.0]]])
    tensor([[ 1., 12., 20.]])
    """
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
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

    The input is (N, C, H, W) or (C, H, W), ``weight`` (C, O / groups, kh, kw), ``bias`` (O,). Sizes become
    (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + ``output_padding``; the last, below the stride or
    the dilation, says which of the sizes is meant that a convolution with that stride makes the same.
    Raises ShapeError and ArgumentError as ``conv2d`` does.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv_transpose2d(gf.ones((1, 1, 2, 2)), gf.ones((1, 1, 2, 2)), stride=2, output_padding=1).shape
    (1, 1, 5, 5)
    """
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: SupportsIndex = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """What ``conv_transpose2d`` does, in three dimensions: (N, C, D, H, W) with ``weight`` (C, O / groups, kd, kh, kw).

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.conv_transpose3d(gf.ones((1, 2, 2, 2, 2)), gf.ones((2, 3, 3, 3, 3)), stride=2, padding=1).shape
    (1, 3, 3, 3, 3)
    """
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _convolved(
    rank: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: SupportsIndex,
) -> Tensor:
    name = f"conv{rank}d"
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
    return unbatched(apply(_conv, x, kernels, shift, windows=windows, groups=shared), input, rank)


def _transposed(
    rank: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: SupportsIndex,
    dilation: Sizes,
) -> Tensor:
    name = f"conv_transpose{rank}d"
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
    sizes = _transposed_sizes(name, windows, x.shape[2:], sizes_of(name, "output_padding", output_padding, rank))
    out = apply(_input_grad, x, kernels, windows=windows, groups=shared, sizes=sizes)
    if shift is not None:
        out = out + reshape(shift, (outputs,) + (1,) * rank)
    return unbatched(out, input, rank)


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


def batched(name: str, input: TensorLike, rank: int) -> Tensor:
    """``input`` (N, C, sizes...) of ``rank`` sizes, or (C, sizes...), for which N is 1; ShapeError for another rank."""
    x = asarray(input)
    if x.ndim not in (rank + 1, rank + 2):
        sizes = ", ".join(("D", "H", "W")[3 - rank :] if rank > 1 else ("L",))
        raise ShapeError(f"{name}: the input must be (N, C, {sizes}) or (C, {sizes}), got {x.shape}")
    return x if x.ndim == rank + 2 else expand_dims(x, 0)


def unbatched(out: Tensor, input: TensorLike, rank: int) -> Tensor:
    """``out`` without its first dimension, if ``input`` had none for samples."""
    return out if asarray(input).ndim == rank + 2 else squeeze(out, 0)


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
