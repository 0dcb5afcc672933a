"""Channels beside channels: shuffled, divided by the size of their neighbours, vectors of them made unit vectors."""

from __future__ import annotations

import math
from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import maximum
from gradflow.ops.borders import pad
from gradflow.ops.create import asarray
from gradflow.ops.norm import norm
from gradflow.ops.pool import avg_pool2d
from gradflow.ops.shape import reshape, swapaxes
from gradflow.ops.slicing import integer
from gradflow.tensor import Tensor, TensorLike


def channel_shuffle(input: TensorLike, groups: SupportsIndex) -> Tensor:
    """The channels of (N, C, ...) dealt out, one from each of ``groups`` of neighbours in turn.

    Raises ArgumentError unless the groups are equal. Source: Zhang et al., "ShuffleNet", CVPR 2018.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.channel_shuffle(gf.arange(6).reshape(1, 6, 1), 2).ravel()
    tensor([0, 3, 1, 4, 2, 5])
    """
    x, count = asarray(input), integer("channel_shuffle", "groups", groups)
    if x.ndim < 3:
        raise ShapeError(f"channel_shuffle: the input must be (N, C, sizes...), got {x.shape}")
    if count < 1 or x.shape[1] % count:
        raise ArgumentError(f"channel_shuffle: {x.shape[1]} channels do not make {count} equal groups")
    apart = reshape(x, (x.shape[0], count, x.shape[1] // count, *x.shape[2:]))
    return reshape(swapaxes(apart, 1, 2), x.shape)


def local_response_norm(
    input: TensorLike, size: SupportsIndex, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """(N, C, ...) over ``(k + alpha m) ** beta``, where m is the mean square of the ``size`` channels around each.

    Channels that are not there count as 0. Raises ArgumentError for a size below 1, ShapeError.
    Source: Krizhevsky, Sutskever & Hinton, NeurIPS 2012.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.local_response_norm(gf.ones((1, 2, 1)), 2, alpha=2.0, beta=1.0).ravel()
    tensor([0.5       , 0.33333334])
    """
    x, count = asarray(input), integer("local_response_norm", "size", size)
    if x.ndim < 3:
        raise ShapeError(f"local_response_norm: the input must be (N, C, sizes...), got {x.shape}")
    if count < 1:
        raise ArgumentError(f"local_response_norm: size is {count}; it must be 1 or more")
    if not x.size:
        return x
    squares = reshape(x * x, (x.shape[0], 1, x.shape[1], math.prod(x.shape[2:])))
    around = pad(squares, (0, 0, count // 2, (count - 1) // 2))
    mean = reshape(avg_pool2d(around, (count, 1), 1), x.shape)
    return x / (k + alpha * mean) ** beta


def normalize(input: TensorLike, p: float = 2.0, axis: SupportsIndex = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along ``axis`` divided by their ``p``-norm, or by ``eps`` if that is larger.

    >>> import gradflow.nn.functional as F
    >>> F.normalize([[3.0, 4.0]])
    tensor([[0.6, 0.8]])
    """
    x = asarray(input)
    return x / maximum(norm(x, p, axis, keepdims=True), eps)
