"""Activation functions along a dimension, as layers."""

from __future__ import annotations

from gradflow.nn.applied import Applied
from gradflow.ops.activation_formulas import glu, softmin
from gradflow.ops.softmax import log_softmax, softmax
from gradflow.tensor import Tensor


class _AlongDim(Applied):
    keeps_shape = True

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmax(_AlongDim, of=softmax):
    """``gf.softmax``, exp(x) over its sum along ``dim``, as a layer.

    Not before ``nn.CrossEntropyLoss``, which takes the scores themselves.

    >>> import gradflow as gf
    >>> gf.nn.Softmax()(gf.tensor([[0.0, 0.0], [0.0, 1000.0]]))
    tensor([[0.5, 0.5],
            [0. , 1. ]])
    """


class Softmin(_AlongDim, of=softmin):
    """``softmin``, softmax(-x) along ``dim``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Softmin()(gf.tensor([0.0, 1000.0]))
    tensor([1., 0.])
    """


class LogSoftmax(_AlongDim, of=log_softmax):
    """``gf.log_softmax``, the logarithm of softmax along ``dim``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LogSoftmax()(gf.tensor([0.0, 100.0]))
    tensor([-100.,    0.])
    """


class GLU(_AlongDim, of=glu):
    """``glu``, half of x times the sigmoid of the other half, along ``dim``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.GLU()(gf.tensor([2.0, 4.0, 0.0, 100.0]))
    tensor([1., 4.])
    """

    keeps_shape = False


class Softmax2d(Applied):
    """``gf.softmax`` over the channels of images, (N, C, H, W) or (C, H, W), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Softmax2d()(gf.ones((2, 4, 1, 1)))[0, 0]
    tensor([[0.25]])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return softmax(x, -3)
