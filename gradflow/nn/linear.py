"""Linear layers, and what reshapes the input for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import init
from gradflow.nn.functional import bilinear
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


class Bilinear(Module):
    """``bilinear``, the form ``x1 @ row @ x2`` for every row of the weight: (..., in1), (..., in2) -> (..., out).

    ``weight`` is (out_features, in1_features, in2_features), ``bias`` (out_features,) or None; both begin uniform
    within 1 / sqrt(in1_features), as in PyTorch. Raises ShapeError for inputs that do not fit.

    >>> import gradflow as gf
    >>> gf.nn.Bilinear(3, 4, 2)(gf.ones((5, 3)), gf.ones((5, 4))).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if in1_features < 1:
            raise ArgumentError(f"Bilinear: in1_features must be 1 or more, got {in1_features}")
        self.sizes = in1_features, in2_features, out_features
        bound = 1 / math.sqrt(in1_features)
        weight = Parameter(zeros((out_features, in1_features, in2_features), dtype=dtype, device=device))
        self.weight = init.uniform_(weight, -bound, bound)
        shift = Parameter(zeros(out_features, dtype=dtype, device=device)) if bias else None
        self.bias = None if shift is None else init.uniform_(shift, -bound, bound)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.sizes)) + ("" if self.bias is not None else ", bias=False")


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


class Unflatten(Module):
    """The dimension ``dim`` as several, of ``unflattened_size``, one of which may be -1: what is left for it.

    Raises ShapeError unless the sizes multiply to that of the dimension.

    >>> import gradflow as gf
    >>> gf.nn.Unflatten(1, (3, -1))(gf.zeros((5, 12))).shape
    (5, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        along = normalize_axis("Unflatten", self.dim, x.ndim)
        known = math.prod(size for size in self.unflattened_size if size != -1)
        sizes = tuple(x.shape[along] // max(known, 1) if size == -1 else size for size in self.unflattened_size)
        if math.prod(sizes) != x.shape[along] or min(sizes, default=0) < 0 or self.unflattened_size.count(-1) > 1:
            raise ShapeError(f"Unflatten: dimension {along} of {x.shape} does not make {self.unflattened_size}")
        return reshape(x, (*x.shape[:along], *sizes, *x.shape[along + 1 :]))

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"


class Identity(Module):
    """The input itself: a layer that does nothing, to stand where another was.

    >>> import gradflow as gf
    >>> gf.nn.Identity()(gf.ones(2))
    tensor([1., 1.])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return x
