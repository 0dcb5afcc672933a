"""Dropout: layers that leave out what they are given, at random, while training."""

from __future__ import annotations

from gradflow.nn.applied import Applied
from gradflow.ops import dropout
from gradflow.tensor import Tensor


class Dropout(Applied, of=dropout.dropout):
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
        self.p = dropout.check_probability(type(self).__name__, p)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = type(self).function(x, self.p, True) if self.training else x
        return result

    def extra_repr(self) -> str:
        return f"{self.p}"


class Dropout1d(Dropout, of=dropout.dropout1d):
    """``dropout1d``, which drops whole channels of (N, C, L) or (C, L), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Dropout1d()(gf.ones((2, 3, 4))).shape
    (2, 3, 4)
    """


class Dropout2d(Dropout, of=dropout.dropout2d):
    """``dropout2d``, which drops whole channels of (N, C, H, W) or (N, C, L), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Dropout2d()(gf.ones((2, 3, 4, 5))).shape
    (2, 3, 4, 5)
    """


class Dropout3d(Dropout, of=dropout.dropout3d):
    """``dropout3d``, which drops whole channels of (N, C, D, H, W) or (C, D, H, W), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Dropout3d()(gf.ones((3, 4, 5, 6))).shape
    (3, 4, 5, 6)
    """


class AlphaDropout(Dropout, of=dropout.alpha_dropout):
    """``alpha_dropout``, which keeps mean 0 and variance 1 and goes with ``SELU``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AlphaDropout(0.2)(gf.ones((2, 3))).shape
    (2, 3)
    """


class FeatureAlphaDropout(Dropout, of=dropout.feature_alpha_dropout):
    """``feature_alpha_dropout``, ``AlphaDropout`` of whole channels of (N, C, ...), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.FeatureAlphaDropout(0.2)(gf.ones((2, 3, 4))).shape
    (2, 3, 4)
    """
