"""Normalisation of groups of channels within each sample, and by the root of the mean square."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError, ShapeError
from gradflow.mode import no_grad
from gradflow.ops.create import asarray
from gradflow.ops.normalize import batch_norm, check_parameters
from gradflow.ops.reduce import mean
from gradflow.ops.resample import wide
from gradflow.ops.shape import reshape
from gradflow.ops.slicing import integer
from gradflow.ops.standardize import _standardize
from gradflow.ops.statistics import var
from gradflow.ops.write import add_, multiply_
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor, TensorLike


def group_norm(
    input: TensorLike,
    num_groups: SupportsIndex,
    weight: TensorLike = None,
    bias: TensorLike = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each group of channels of each sample with mean 0 and variance 1, then times ``weight`` plus ``bias``, (C,).

    The input is (N, C, ...), its C channels in ``num_groups`` groups of neighbours. Raises ShapeError for other shapes,
    ArgumentError unless the groups are equal. Source: Wu & He, "Group normalization", ECCV 2018.

    >>> import gradflow.nn.functional as F
    >>> F.group_norm([[1.0, 3.0, 10.0, 30.0]], 2)
    tensor([[-0.999995, 0.999995, -1.      , 1.      ]])
    """
    x, groups = asarray(input), integer("group_norm", "num_groups", num_groups)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: the input must be (N, C) or (N, C, ...), got {x.shape}")
    if groups < 1 or x.shape[1] % groups:
        raise ArgumentError(f"group_norm: the {x.shape[1]} channels do not make {groups} equal groups")
    return _by_rows("group_norm", x, groups, weight, bias, eps)


def instance_norm(
    input: TensorLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: TensorLike = None,
    bias: TensorLike = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample with mean 0 and variance 1, then times ``weight`` plus ``bias``, (C,).

    The input is (N, C, sizes...). With ``use_input_stats`` the running statistics, unless None, move in place towards
    the mean over the samples of theirs, ``momentum`` of the way; without it they are what is used, as in
    ``batch_norm``. Raises ShapeError, also for a single value per channel, and ArgumentError.
    Source: Ulyanov, Vedaldi & Lempitsky, "Instance normalization", 2016.

    >>> import gradflow.nn.functional as F
    >>> F.instance_norm([[[1.0, 3.0], [10.0, 30.0]]])
    tensor([[[-0.999995, 0.999995],
             [-1.      , 1.      ]]])
    """
    x = asarray(input)
    if x.ndim < 3:
        raise ShapeError(f"instance_norm: the input must be (N, C, sizes...), got {x.shape}")
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("instance_norm: give both running_mean and running_var, or neither")
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    if math.prod(x.shape[2:]) == 1:
        raise ShapeError(f"instance_norm: needs more than one value per channel, and the input is {x.shape}")
    if running_mean is not None and running_var is not None:
        check_parameters("instance_norm", x.shape[1:2], running_mean=running_mean, running_var=running_var)
        axes = tuple(range(2, x.ndim))
        with no_grad():
            for running, new in ((running_mean, mean(x, axes)), (running_var, var(x, axes, correction=1))):
                multiply_(running, 1 - momentum)
                add_(running, momentum * mean(new, 0))
    return _by_rows("instance_norm", x, x.shape[1], weight, bias, eps)


def rms_norm(
    input: TensorLike,
    normalized_shape: SupportsIndex | Iterable[SupportsIndex],
    weight: TensorLike = None,
    eps: float | None = None,
) -> Tensor:
    """Each sample divided by the root of its mean square, then times ``weight``, of ``normalized_shape``.

    A sample is what the last dimensions, ``normalized_shape``, hold; ``eps``, by default that of the dtype, is added to
    the mean. Raises ShapeError. Source: Zhang & Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    >>> import gradflow.nn.functional as F
    >>> F.rms_norm([[3.0, 4.0]], 2, eps=0.0) * 12.5**0.5
    tensor([[3., 4.]])
    """
    x, shape = asarray(input), as_shape("rms_norm", normalized_shape)
    first = x.ndim - len(shape)
    if not shape or first < 0 or x.shape[first:] != shape:
        raise ShapeError(f"rms_norm: the input is {x.shape}; its last sizes must be normalized_shape, {shape}")
    scale = None if weight is None else asarray(weight)
    check_parameters("rms_norm", shape, weight=scale)
    exact = wide(x)
    small = float(finfo(x.dtype).eps) if eps is None else float(eps)
    out = exact * (mean(exact * exact, tuple(range(first, x.ndim)), keepdims=True) + small) ** -0.5
    out = out if out.dtype == x.dtype else out.astype(x.dtype)
    return out if scale is None else out * scale


def _by_rows(name: str, x: Tensor, groups: int, weight: TensorLike, bias: TensorLike, eps: float) -> Tensor:
    """Each of ``groups`` of channels of each sample as one row, standardized; then scaled and shifted by channel."""
    channels = x.shape[1:2]
    scale, shift = (None if given is None else asarray(given) for given in (weight, bias))
    check_parameters(name, channels, weight=scale, bias=shift)
    rows = x.shape[0] * groups
    length = x.shape[1] // groups * math.prod(x.shape[2:])
    out = reshape(apply(_standardize, reshape(x, (rows, length)), None, None, axes=(1,), eps=float(eps)), x.shape)
    column = channels + (1,) * (x.ndim - 2)
    if scale is not None:
        out = out * reshape(scale, column)
    return out if shift is None else out + reshape(shift, column)
