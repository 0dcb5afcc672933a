"""Samples of categories that have gradients."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError
from gradflow.ops.arithmetic import maximum
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import log, log1p
from gradflow.ops.extremum import argmax
from gradflow.ops.random import uniform
from gradflow.ops.ranges import arange
from gradflow.ops.shape import reshape
from gradflow.ops.softmax import softmax
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike


def gumbel_softmax(logits: TensorLike, tau: float = 1.0, hard: bool = False, *, axis: SupportsIndex = -1) -> Tensor:
    """A sample, nearly one-hot for small ``tau``, from the distributions that ``logits`` have along ``axis``.

    With ``hard`` it is one-hot, and has the gradient of what is nearly so. Raises ArgumentError unless ``tau > 0``.
    Source: Jang, Gu & Poole; Maddison, Mnih & Teh (both ICLR 2017).

    >>> import gradflow.nn.functional as F
    >>> F.gumbel_softmax([0.0, 100.0], hard=True)
    tensor([0., 1.])
    """
    if not tau > 0:
        raise ArgumentError(f"gumbel_softmax: tau is {tau}; it must be positive")
    given = asarray(logits)
    axis = normalize_axis("gumbel_softmax", axis, given.ndim)
    drawn = -log1p(-uniform(given.shape, dtype=given.dtype, device=given.device))  # exponentially distributed
    soft = softmax((given - log(maximum(drawn, float(finfo(given.dtype).tiny)))) / tau, axis)
    if not hard:
        return soft
    chosen = argmax(soft, axis, keepdims=True)
    places = reshape(arange(soft.shape[axis], device=soft.device), (-1, *(1,) * (soft.ndim - 1 - axis)))
    return (places == chosen).astype(soft.dtype) + (soft - soft.detach())
