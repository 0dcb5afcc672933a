"""Adaptive pooling as functions, over one, two and three dimensions."""

from __future__ import annotations

from typing import Any

from gradflow.ops import adaptive_pool
from gradflow.ops.adaptive_pool import Target
from gradflow.tensor import Tensor, TensorLike


def adaptive_avg_pool1d(input: TensorLike, output_size: Target) -> Tensor:
    """The means of as many windows as ``output_size`` says, which cover (N, C, L); see ``adaptive_avg_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_avg_pool1d(gf.ones((1, 2, 5)), 3).shape
    (1, 2, 3)
    """
    return adaptive_pool.adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: TensorLike, output_size: Target) -> Tensor:
    """The means of as many windows as ``output_size`` says, which cover the input: (N, C, H, W) or without N.

    Along each dimension window i is from floor(i * size / count) to ceil((i + 1) * size / count): windows may overlap.
    ``output_size`` is a number or one for each dimension, None for the size of the input.
    Raises ShapeError for an input of another rank or an empty one, ArgumentError for a size below 1.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_avg_pool2d(gf.ones((1, 2, 5, 5)), 3).shape
    (1, 2, 3, 3)
    """
    return adaptive_pool.adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: TensorLike, output_size: Target) -> Tensor:
    """The means of as many windows as ``output_size`` says, which cover (N, C, D, H, W); see ``adaptive_avg_pool2d``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_avg_pool3d(gf.ones((1, 2, 5, 5, 5)), 3).shape
    (1, 2, 3, 3, 3)
    """
    return adaptive_pool.adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: TensorLike, output_size: Target, return_indices: bool = False) -> Any:
    """The maxima of as many windows as ``output_size`` says, which cover the input: (N, C, L) or without N.

    The windows are those of ``adaptive_avg_pool2d``; with ``return_indices`` also where in the flattened plane the
    maxima were. The gradient goes to the first maximum. Raises ShapeError, ArgumentError, and DTypeError for integers.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_max_pool1d(gf.ones((1, 2, 5)), 3).shape
    (1, 2, 3)
    """
    return adaptive_pool.adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: TensorLike, output_size: Target, return_indices: bool = False) -> Any:
    """The maxima of as many windows as ``output_size`` says, which cover the input: (N, C, H, W) or without N.

    The windows are those of ``adaptive_avg_pool2d``; with ``return_indices`` also where in the flattened plane the
    maxima were. The gradient goes to the first maximum. Raises ShapeError, ArgumentError, and DTypeError for integers.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_max_pool2d(gf.ones((1, 2, 5, 5)), 3).shape
    (1, 2, 3, 3)
    """
    return adaptive_pool.adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: TensorLike, output_size: Target, return_indices: bool = False) -> Any:
    """The maxima of as many windows as ``output_size`` says, which cover the input: (N, C, D, H, W) or without N.

    The windows are those of ``adaptive_avg_pool2d``; with ``return_indices`` also where in the flattened plane the
    maxima were. The gradient goes to the first maximum. Raises ShapeError, ArgumentError, and DTypeError for integers.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_max_pool3d(gf.ones((1, 2, 5, 5, 5)), 3).shape
    (1, 2, 3, 3, 3)
    """
    return adaptive_pool.adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)
