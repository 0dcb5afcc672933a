"""Dropout: layers that leave out what they are given, at random, while training."""

from __future__ import annotations

from gradflow.errors import ArgumentError
from gradflow.nn.module import Module
from gradflow.ops.random import dropout
from gradflow.tensor import Tensor


class Dropout(Module):
    """In training, 0 in place of each element with probability ``p``, the others divided by ``1 - p``.

    In evaluation it gives back its input. Raises ArgumentError unless ``p`` is in [0, 1]. Source: Srivastava
    et al., Dropout, JMLR 15, 2014.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> layer = gf.nn.Dropout(0.5)
    >>> layer(gf.ones(8))
    tensor([0., 2., 2., 2., 2., 0., 2., 0.])
    >>> layer.eval()(gf.ones(8))
    tensor([1., 1., 1., 1., 1., 1., 1., 1.])
    """

    keeps_shape = True

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"Dropout: p is {p}; a probability is in [0, 1]")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x

    def extra_repr(self) -> str:
        return f"{self.p}"
