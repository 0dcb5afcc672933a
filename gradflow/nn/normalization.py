"""Normalisation layers: mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, SupportsIndex

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ShapeError
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.create import ones, zeros
from gradflow.ops.normalize import batch_norm, layer_norm, track_statistics
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor

SIZES = ("", ", L", ", H, W", ", D, H, W")  # what follows samples and channels, by how many there are


class BatchNorm1d(Module):
    """Each of ``num_features`` channels with mean 0 and variance 1 over the batch: (N, C) or (N, C, L), kept.

    In training the statistics are those of the batch, and ``running_mean`` and ``running_var`` (unbiased) move
    towards them by ``momentum``; with None they are the average over all ``num_batches_tracked`` batches. In
    evaluation the running ones are used, or the batch's if ``track_running_stats`` is False. ``affine`` adds the
    parameters ``weight`` and ``bias``. Raises ShapeError, also in training for a single value per channel.

    >>> import gradflow as gf
    >>> layer = gf.nn.BatchNorm1d(1)
    >>> layer(gf.tensor([[1.0], [3.0]])).tolist()
    [[-0.999995], [0.999995]]
    >>> layer.running_mean, layer.running_var, layer.num_batches_tracked
    (tensor([0.2]), tensor([1.1]), tensor(1))
    """

    keeps_shape = True
    ranks: ClassVar[tuple[int, ...]] = (2, 3)  # how many dimensions an input has
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(ones(num_features, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(num_features, dtype=dtype, device=device)) if affine else None
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype="int64", device=device) if track else None)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.ranks or x.shape[1] != self.num_features:
            shapes = " or ".join(f"(N, {self.num_features}{SIZES[rank - 2]})" for rank in self.ranks)
            raise ShapeError(f"{type(self).__name__}: the input must be {shapes}, got {x.shape}")
        mean, var = self.running_mean, self.running_var
        if mean is None or var is None:
            return batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        if not self.training:
            return batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)
        out = batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        track_statistics(x, mean, var, self.num_batches_tracked, self.momentum)
        return out

    def extra_repr(self) -> str:
        return f"{self.num_features}{'' if self.weight is not None else ', affine=False'}"


class BatchNorm2d(BatchNorm1d):
    """Each of ``num_features`` channels of images with mean 0 and variance 1: (N, C, H, W), kept; see ``BatchNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.BatchNorm2d(3)(gf.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    ranks = (4,)


class BatchNorm3d(BatchNorm1d):
    """Each channel of volumes with mean 0 and variance 1: (N, C, D, H, W), kept; see ``BatchNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.BatchNorm3d(3)(gf.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    ranks = (5,)


class LayerNorm(Module):
    """Each sample with mean 0 and variance 1 over its last dimensions, of ``normalized_shape``: (..., *shape), kept.

    ``elementwise_affine`` adds the parameter ``weight`` of that shape, and ``bias`` if that is True too. Raises
    ShapeError if the last sizes of the input are not ``normalized_shape``.

    >>> import gradflow as gf
    >>> gf.nn.LayerNorm(2)(gf.tensor([[10.0, 30.0], [200.0, 100.0]])).detach()
    tensor([[-1.,  1.],
            [ 1., -1.]])
    """

    keeps_shape = True

    def __init__(
        self,
        normalized_shape: SupportsIndex | Iterable[SupportsIndex],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_shape("LayerNorm", normalized_shape)
        self.eps = eps
        shape = self.normalized_shape
        self.weight = Parameter(ones(shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype, device=device)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.normalized_shape))
