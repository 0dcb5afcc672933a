"""Normalisation layers: mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, SupportsIndex

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.create import ones, zeros
from gradflow.ops.group_norm import group_norm, instance_norm, rms_norm
from gradflow.ops.normalize import batch_norm, layer_norm, track_statistics
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.shapes import Shape, as_shape
from gradflow.tensor import Tensor

Sizes = SupportsIndex | Iterable[SupportsIndex]
SIZES = ("", ", L", ", H, W", ", D, H, W")  # what follows samples and channels, by how many there are


class _Scaled(Module):
    """What all have: ``weight``, which begins as 1, and ``bias``, which begins as 0, or None."""

    keeps_shape = True

    def __init__(
        self, shape: int | Shape, weight: bool, bias: bool, device: str | Device | None, dtype: DTypeLike
    ) -> None:
        super().__init__()
        self.weight = Parameter(ones(shape, dtype=dtype, device=device)) if weight else None
        self.bias = Parameter(zeros(shape, dtype=dtype, device=device)) if bias else None


class _ByChannel(_Scaled):
    ranks: ClassVar[tuple[int, ...]]  # how many dimensions an input has
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track: bool,
        bias: bool,
        device: str | Device | None,
        dtype: DTypeLike,
    ) -> None:
        super().__init__(num_features, affine, affine and bias, device, dtype)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype, device=device) if track else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype="int64", device=device) if track else None)


class _BatchNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

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


class BatchNorm1d(_BatchNorm):
    """Each of ``num_features`` channels with mean 0 and variance 1 over the batch: (N, C) or (N, C, L), kept.

    In training the statistics are those of the batch, and ``running_mean`` and ``running_var`` (unbiased) move
    towards them by ``momentum``; with None they are the average over all ``num_batches_tracked`` batches. In
    evaluation the running ones are used, or the batch's if ``track_running_stats`` is False. ``affine`` adds the
    parameters ``weight`` and, unless it is left out, ``bias``. Raises ShapeError, also in training for a single value
    per channel.

    >>> import gradflow as gf
    >>> layer = gf.nn.BatchNorm1d(1)
    >>> layer(gf.tensor([[1.0], [3.0]])).tolist()
    [[-0.999995], [0.999995]]
    >>> layer.running_mean, layer.running_var, layer.num_batches_tracked
    (tensor([0.2]), tensor([1.1]), tensor(1))
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each of ``num_features`` channels of images with mean 0 and variance 1: (N, C, H, W), kept; see ``BatchNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.BatchNorm2d(3)(gf.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Each channel of volumes with mean 0 and variance 1: (N, C, D, H, W), kept; see ``BatchNorm1d``."""

    ranks = (5,)


class _InstanceNorm(_ByChannel):
    momentum: float

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        (rank,) = self.ranks  # with the samples; there may be none
        if x.ndim not in (rank - 1, rank) or x.shape[1 - rank] != self.num_features:
            shape = f"{self.num_features}{SIZES[rank - 2]}"
            raise ShapeError(f"{type(self).__name__}: the input must be (N, {shape}) or ({shape}), got {x.shape}")
        own = self.training or self.running_mean is None
        tracked = self.running_mean, self.running_var
        out = instance_norm(
            x if x.ndim == rank else expand_dims(x, 0), *tracked, self.weight, self.bias, own, self.momentum, self.eps
        )
        return out if x.ndim == rank else squeeze(out, 0)

    def extra_repr(self) -> str:
        return f"{self.num_features}{', affine=True' if self.weight is not None else ''}"


class InstanceNorm1d(_InstanceNorm):
    """``instance_norm``: each channel of each sample with mean 0 and variance 1: (N, C, L) or (C, L), kept.

    ``affine`` adds the parameters ``weight`` and ``bias``; ``track_running_stats`` the buffers ``running_mean`` and
    ``running_var``, which are used in evaluation. Both are False by default, as in PyTorch. Raises ShapeError.

    >>> import gradflow as gf
    >>> gf.nn.InstanceNorm1d(2)(gf.tensor([[[1.0, 3.0], [10.0, 30.0]]])).tolist()
    [[[-0.999995, 0.999995], [-1.0, 1.0]]]
    """

    ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image with mean 0 and variance 1: (N, C, H, W) or (C, H, W); see ``InstanceNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.InstanceNorm2d(3)(gf.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    ranks = (4,)


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each volume with mean 0 and variance 1: (N, C, D, H, W), kept; see ``InstanceNorm1d``."""

    ranks = (5,)


class GroupNorm(_Scaled):
    """``group_norm``: ``num_groups`` groups of channels of each sample with mean 0 and variance 1: (N, C, ...), kept.

    ``affine`` adds the parameters ``weight`` and ``bias``, (C,). Raises ArgumentError unless ``num_channels`` is a
    multiple of ``num_groups``, ShapeError for another number of channels.

    >>> import gradflow as gf
    >>> gf.nn.GroupNorm(2, 6)(gf.ones((4, 6, 8))).shape
    (4, 6, 8)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: {num_channels} channels do not make {num_groups} equal groups")
        super().__init__(num_channels, affine, affine and bias, device, dtype)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm: the input must be (N, {self.num_channels}, ...), got {x.shape}")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}"


class _Last(_Scaled):
    def __init__(self, shape: Sizes, weight: bool, bias: bool, device: str | Device | None, dtype: DTypeLike) -> None:
        self.normalized_shape = as_shape(type(self).__name__, shape)
        super().__init__(self.normalized_shape, weight, bias, device, dtype)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.normalized_shape))


class LayerNorm(_Last):
    """Each sample with mean 0 and variance 1 over its last dimensions, of ``normalized_shape``: (..., *shape), kept.

    ``elementwise_affine`` adds the parameter ``weight`` of that shape, and ``bias`` if that is True too. Raises
    ShapeError if the last sizes of the input are not ``normalized_shape``.

    >>> import gradflow as gf
    >>> gf.nn.LayerNorm(2)(gf.tensor([[10.0, 30.0], [200.0, 100.0]])).detach()
    tensor([[-1.,  1.],
            [ 1., -1.]])
    """

    def __init__(
        self,
        normalized_shape: Sizes,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(_Last):
    """``rms_norm``: each sample, its last dimensions, of ``normalized_shape``, divided by its root mean square.

    ``elementwise_affine`` adds the parameter ``weight`` of that shape. Raises ShapeError for another shape.

    >>> import gradflow as gf
    >>> gf.nn.RMSNorm(2)(gf.tensor([[1.0, 1.0]])).detach()
    tensor([[0.99999994, 0.99999994]])
    """

    def __init__(
        self,
        normalized_shape: Sizes,
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(normalized_shape, elementwise_affine, False, device, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)
