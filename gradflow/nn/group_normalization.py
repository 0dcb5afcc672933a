"""Normalisation layers within each sample: by groups of channels, by channel, and by the root mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, SupportsIndex

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn.module import Module
from gradflow.nn.normalization import SIZES
from gradflow.nn.parameter import Parameter
from gradflow.ops.create import ones, zeros
from gradflow.ops.group_norm import group_norm, instance_norm, rms_norm
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor


class GroupNorm(Module):
    """``group_norm``: ``num_groups`` groups of channels of each sample with mean 0 and variance 1: (N, C, ...), kept.

    ``affine`` adds the parameters ``weight`` and ``bias``, (C,). Raises ArgumentError unless ``num_channels`` is a
    multiple of ``num_groups``, ShapeError for another number of channels.

    >>> import gradflow as gf
    >>> gf.nn.GroupNorm(2, 6)(gf.ones((4, 6, 8))).shape
    (4, 6, 8)
    """

    keeps_shape = True

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: {num_channels} channels do not make {num_groups} equal groups")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.weight = Parameter(ones(num_channels, dtype=dtype, device=device)) if affine else None
        self.bias = Parameter(zeros(num_channels, dtype=dtype, device=device)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm: the input must be (N, {self.num_channels}, ...), got {x.shape}")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}"


class InstanceNorm1d(Module):
    """``instance_norm``: each channel of each sample with mean 0 and variance 1: (N, C, L) or (C, L), kept.

    ``affine`` adds the parameters ``weight`` and ``bias``; ``track_running_stats`` the buffers ``running_mean`` and
    ``running_var``, which are used in evaluation. Both are False by default, as in PyTorch. Raises ShapeError.

    >>> import gradflow as gf
    >>> gf.nn.InstanceNorm1d(2)(gf.tensor([[[1.0, 3.0], [10.0, 30.0]]])).tolist()
    [[[-0.999995, 0.999995], [-1.0, 1.0]]]
    """

    keeps_shape = True
    sizes: ClassVar[int] = 1
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
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
        if x.ndim not in (self.sizes + 1, self.sizes + 2) or x.shape[-self.sizes - 1] != self.num_features:
            shape = f"{self.num_features}{SIZES[self.sizes]}"
            raise ShapeError(f"{type(self).__name__}: the input must be (N, {shape}) or ({shape}), got {x.shape}")
        own = self.training or self.running_mean is None
        given = x if x.ndim == self.sizes + 2 else expand_dims(x, 0)
        out = instance_norm(
            given, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum, self.eps
        )
        return out if given is x else squeeze(out, 0)

    def extra_repr(self) -> str:
        return f"{self.num_features}{', affine=True' if self.weight is not None else ''}"


class InstanceNorm2d(InstanceNorm1d):
    """Each channel of each image with mean 0 and variance 1: (N, C, H, W) or (C, H, W); see ``InstanceNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.InstanceNorm2d(3)(gf.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    sizes = 2


class InstanceNorm3d(InstanceNorm1d):
    """Each channel of each volume with mean 0 and variance 1: (N, C, D, H, W), kept; see ``InstanceNorm1d``.

    >>> import gradflow as gf
    >>> gf.nn.InstanceNorm3d(3)(gf.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    sizes = 3


class RMSNorm(Module):
    """``rms_norm``: each sample, its last dimensions, of ``normalized_shape``, divided by its root mean square.

    ``elementwise_affine`` adds the parameter ``weight`` of that shape. Raises ShapeError for another shape.

    >>> import gradflow as gf
    >>> gf.nn.RMSNorm(2)(gf.tensor([[1.0, 1.0]])).detach()
    tensor([[0.99999994, 0.99999994]])
    """

    keeps_shape = True

    def __init__(
        self,
        normalized_shape: SupportsIndex | Iterable[SupportsIndex],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.weight = Parameter(ones(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.normalized_shape))
