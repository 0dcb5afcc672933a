"""Dropout of whole channels, and dropout that keeps mean and variance; ``gf.random.dropout`` is of single elements."""

from __future__ import annotations

import math

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import random
from gradflow.ops.create import asarray, ones
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike

LEAST = -1.7580993408473766  # of selu


def dropout(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """In ``training``, ``x`` with each element 0 with probability ``p``, and divided by ``1 - p`` otherwise.

    Raises ArgumentError unless ``p`` is in [0, 1], DTypeError unless ``x`` is floating.

    >>> import gradflow.nn.functional as F
    >>> F.dropout([1.0, 2.0], training=False)
    tensor([1., 2.])
    """
    check_probability("dropout", p)
    return random.dropout(x, p) if training else asarray(x)


def dropout1d(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """``dropout`` of whole channels: (N, C, L) or (C, L), kept. Raises ShapeError for another rank.

    Source: Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> gf.manual_seed(0)
    >>> F.dropout1d(gf.ones((3, 2)))
    tensor([[0., 0.],
            [2., 2.],
            [2., 2.]])
    """
    return _of_channels("dropout1d", x, p, training, {2: 1, 3: 2})


def dropout2d(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """``dropout`` of whole channels: (N, C, H, W), kept; three dimensions are (N, C, L), as in PyTorch.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.dropout2d(gf.ones((2, 3, 4, 5)), training=False).shape
    (2, 3, 4, 5)
    """
    return _of_channels("dropout2d", x, p, training, {3: 2, 4: 2})


def dropout3d(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """``dropout`` of whole channels: (N, C, D, H, W) or (C, D, H, W), kept.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.dropout3d(gf.ones((3, 2, 4, 5)), training=False).shape
    (3, 2, 4, 5)
    """
    return _of_channels("dropout3d", x, p, training, {4: 1, 5: 2})


def alpha_dropout(x: TensorLike, p: float = 0.5, training: bool = False) -> Tensor:
    """In ``training``, the least value of ``selu`` in place of each element with probability ``p``, then scaled and
    shifted so that mean 0 and variance 1 stay so. Source: Klambauer et al. (arXiv:1706.02515, 2017).

    >>> import gradflow.nn.functional as F
    >>> F.alpha_dropout([1.0, 2.0])
    tensor([1., 2.])
    """
    given = asarray(x)
    return _alpha("alpha_dropout", given, given.shape, p, training)


def feature_alpha_dropout(x: TensorLike, p: float = 0.5, training: bool = False) -> Tensor:
    """``alpha_dropout`` of whole channels: (N, C, ...), kept.

    >>> import gradflow.nn.functional as F
    >>> F.feature_alpha_dropout([[1.0, 2.0]])
    tensor([[1., 2.]])
    """
    given = asarray(x)
    if given.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: the input must be (N, C, ...), got {given.shape}")
    return _alpha("feature_alpha_dropout", given, _channels(given.shape, 2), p, training)


def check_probability(name: str, p: float) -> float:
    """``p``, or ArgumentError unless it is in [0, 1]."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p is {p}; a probability is in [0, 1]")
    return p


def _channels(shape: Shape, leading: int) -> Shape:
    return shape[:leading] + (1,) * (len(shape) - leading)


def _of_channels(name: str, x: TensorLike, p: float, training: bool, leading: dict[int, int]) -> Tensor:
    """``x`` times a number for each channel; its rank says how many dimensions are of samples and channels."""
    given = asarray(x)
    check_probability(name, p)
    if given.ndim not in leading:
        raise ShapeError(f"{name}: the input must have {' or '.join(map(str, leading))} dimensions, got {given.shape}")
    return given * _drawn(given, _channels(given.shape, leading[given.ndim]), p) if training else given


def _alpha(name: str, x: Tensor, shape: Shape, p: float, training: bool) -> Tensor:
    check_probability(name, p)
    if not training:
        return x
    if p == 1:
        return x * 0
    scale = 1 / math.sqrt((1 - p) * (1 + p * LEAST**2))
    kept = _drawn(x, shape, p) * (1 - p)
    return x * (kept * scale) + (1 - p - kept) * (scale * LEAST)


def _drawn(x: Tensor, shape: Shape, p: float) -> Tensor:
    return random.dropout(ones(shape, dtype=x.dtype, device=x.device), p)
