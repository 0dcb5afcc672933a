"""Pooling as functions, with PyTorch's names and arguments, over one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

from gradflow.ops import pooled
from gradflow.ops.windows import Sizes
from gradflow.tensor import Tensor, TensorLike


def max_pool1d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window: (N, C, L) or without N. See ``max_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_pool1d(gf.ones((1, 1, 4)), 2).shape
    (1, 1, 2)
    """
    how = kernel_size, stride, padding, dilation, ceil_mode
    return pooled.max_pool("max_pool1d", 1, input, *how, return_indices=return_indices)


def max_pool2d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window: (N, C, H, W) or without N.

    Windows of ``kernel_size``, a number or one for each dimension, begin ``stride`` apart (by default they are side by
    side); their elements are ``dilation`` apart. ``padding`` is never a maximum; with ``ceil_mode`` a last window may
    reach past the end. The gradient goes to the first maximum. With ``return_indices`` the result is a pair: also where
    the maxima were, as positions in the flattened plane. Raises ShapeError for an input of another rank or smaller
    than a window, ArgumentError for a setting out of range, DTypeError unless the input is floating.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_pool2d(gf.ones((1, 1, 4, 4)), 2).shape
    (1, 1, 2, 2)
    """
    how = kernel_size, stride, padding, dilation, ceil_mode
    return pooled.max_pool("max_pool2d", 2, input, *how, return_indices=return_indices)


def max_pool3d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window: (N, C, D, H, W) or without N. See ``max_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_pool3d(gf.ones((1, 1, 4, 4, 4)), 2).shape
    (1, 1, 2, 2, 2)
    """
    how = kernel_size, stride, padding, dilation, ceil_mode
    return pooled.max_pool("max_pool3d", 3, input, *how, return_indices=return_indices)


def avg_pool1d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window: (N, C, L) or without N. See ``avg_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.avg_pool1d(gf.ones((1, 1, 4)), 2).shape
    (1, 1, 2)
    """
    how = kernel_size, stride, padding, ceil_mode, count_include_pad
    return pooled.avg_pool("avg_pool1d", 1, input, *how)


def avg_pool2d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
) -> Tensor:
    """The mean of every window: (N, C, H, W) or without N.

    Windows are as in ``max_pool2d``. ``count_include_pad`` says whether the zeros of the padding count, in number too;
    ``divisor_override`` is what sums are divided by instead of the number of elements.
    Raises ShapeError and ArgumentError as ``max_pool2d`` does.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.avg_pool2d(gf.ones((1, 1, 4, 4)), 2).shape
    (1, 1, 2, 2)
    """
    how = kernel_size, stride, padding, ceil_mode, count_include_pad
    return pooled.avg_pool("avg_pool2d", 2, input, *how, divisor_override)


def avg_pool3d(
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
) -> Tensor:
    """The mean of every window: (N, C, D, H, W) or without N. See ``avg_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.avg_pool3d(gf.ones((1, 1, 4, 4, 4)), 2).shape
    (1, 1, 2, 2, 2)
    """
    how = kernel_size, stride, padding, ceil_mode, count_include_pad
    return pooled.avg_pool("avg_pool3d", 3, input, *how, divisor_override)


def lp_pool1d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of every window: (N, C, L) or without N. See ``lp_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.lp_pool1d(gf.ones((1, 1, 4)), 2, 2).shape
    (1, 1, 2)
    """
    return pooled.lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of every window: (N, C, H, W) or without N.

    ``(sum of x**p) ** (1 / p)`` with ``norm_type`` p, for windows as in ``avg_pool2d``, without padding.
    Raises ArgumentError for a ``norm_type`` of 0, ShapeError for a window larger than the input.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.lp_pool2d(gf.ones((1, 1, 4, 4)), 2, 2).shape
    (1, 1, 2, 2)
    """
    return pooled.lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of every window: (N, C, D, H, W) or without N. See ``lp_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.lp_pool3d(gf.ones((1, 1, 4, 4, 4)), 2, 2).shape
    (1, 1, 2, 2, 2)
    """
    return pooled.lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def max_unpool1d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Tensor:
    """The inverse of ``max_pool1d``: maxima at the places its ``indices`` say, and 0 elsewhere.

    ``output_size`` is the size that was pooled, which kernel, stride and padding do not always say.
    Raises ShapeError if input and indices differ in shape, IndexOutOfRange for a place outside.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_unpool1d(*F.max_pool1d(gf.ones((1, 1, 4)), 2, return_indices=True), 2).shape
    (1, 1, 4)
    """
    return pooled.max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Tensor:
    """The inverse of ``max_pool2d``: maxima at the places its ``indices`` say, and 0 elsewhere.

    ``output_size`` is the size that was pooled, which kernel, stride and padding do not always say.
    Raises ShapeError if input and indices differ in shape, IndexOutOfRange for a place outside.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_unpool2d(*F.max_pool2d(gf.ones((1, 1, 4, 4)), 2, return_indices=True), 2).shape
    (1, 1, 4, 4)
    """
    return pooled.max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Tensor:
    """The inverse of ``max_pool3d``: maxima at the places its ``indices`` say, and 0 elsewhere.

    ``output_size`` is the size that was pooled, which kernel, stride and padding do not always say.
    Raises ShapeError if input and indices differ in shape, IndexOutOfRange for a place outside.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_unpool3d(*F.max_pool3d(gf.ones((1, 1, 4, 4, 4)), 2, return_indices=True), 2).shape
    (1, 1, 4, 4, 4)
    """
    return pooled.max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
