"""Linear layers, and what reshapes the input for them."""

from __future__ import annotations

import math

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.create import zeros
from gradflow.ops.linalg import linear
from gradflow.ops.shape import reshape
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor


class Linear(Module):
    """``x @ weight.T + bias``: (..., in_features) -> (..., out_features).

    ``weight`` is (out_features, in_features), ``bias`` (out_features,) or None; both begin uniform within
    1 / sqrt(in_features), as in PyTorch. Raises ShapeError if the last size of ``x`` is not ``in_features``.

    >>> import gradflow as gf
    >>> layer = gf.nn.Linear(3, 2)
    >>> layer(gf.zeros((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(zeros((out_features, in_features), dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_features, dtype=dtype, device=device)) if bias else None
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(in_features, 1))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}{'' if self.bias is not None else ', bias=False'}"


class Flatten(Module):
    """The dimensions from ``start_dim`` to ``end_dim`` as one; by default all but the first.

    Raises IndexOutOfRange for a dimension that ``x`` does not have.

    >>> import gradflow as gf
    >>> gf.nn.Flatten()(gf.zeros((5, 3, 4))).shape
    (5, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape
        start = normalize_axis("Flatten", self.start_dim, len(shape))
        stop = normalize_axis("Flatten", self.end_dim, len(shape)) + 1
        return reshape(x, (*shape[:start], math.prod(shape[start:stop]), *shape[stop:]))

    def extra_repr(self) -> str:
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Identity(Module):
    """The input itself: a layer that does nothing, to stand where another was.

    >>> import gradflow as gf
    >>> gf.nn.Identity()(gf.ones(2))
    tensor([1., 1.])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return x
