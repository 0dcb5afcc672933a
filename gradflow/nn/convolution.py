"""Convolution layers: kernels that slide over signals, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, SupportsIndex

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops import conv
from gradflow.ops.borders import pad
from gradflow.ops.create import zeros
from gradflow.ops.slicing import integer
from gradflow.ops.windows import Sizes, padding_of, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor

PADDINGS = ("zeros", "reflect", "replicate", "circular")


class _Kernels(Module):
    """What all have: ``weight``, ``bias`` and the settings."""

    rank: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Shape,
        groups: SupportsIndex,
        bias: bool,
        device: str | Device | None,
        dtype: DTypeLike,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = shape[2:]
        self.groups = integer(type(self).__name__, "groups", groups)
        self.weight = Parameter(zeros(shape, dtype=dtype, device=device))
        self.bias = Parameter(zeros(out_channels, dtype=dtype, device=device)) if bias else None
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(1, math.prod(shape[1:])))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"


def _shared(name: str, channels: tuple[int, int], groups: SupportsIndex) -> int:
    count = integer(name, "groups", groups)
    if count < 1 or any(each % count for each in channels):
        raise ArgumentError(f"{name}: in_channels and out_channels, {channels}, must be multiples of groups, {groups}")
    return count


class _Conv(_Kernels):
    convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: SupportsIndex = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        name = type(self).__name__
        kernel = sizes_of(name, "kernel_size", kernel_size, self.rank, 1)
        share = _shared(name, (in_channels, out_channels), groups)
        super().__init__(
            in_channels, out_channels, (out_channels, in_channels // share, *kernel), share, bias, device, dtype
        )
        if padding_mode not in PADDINGS:
            raise ArgumentError(f"{name}: padding_mode is one of {', '.join(PADDINGS)}; got {padding_mode!r}")
        self.stride = sizes_of(name, "stride", stride, self.rank, 1)
        self.dilation = sizes_of(name, "dilation", dilation, self.rank, 1)
        self.around = padding_of(name, padding, kernel, self.stride, self.dilation)
        self.padding = padding if isinstance(padding, str) else tuple(size for size, _ in self.around)
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        padding: Sizes | str = self.padding
        if self.padding_mode != "zeros":
            x, padding = pad(x, [each for pair in self.around[::-1] for each in pair], self.padding_mode), 0
        return type(self).convolve(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """``conv1d`` with learned kernels: (N, in_channels, L) -> (N, out_channels, windows).

    ``weight`` is (out_channels, in_channels / groups, kernel_size), ``bias`` (out_channels,) or None. See ``Conv2d``.

    >>> import gradflow as gf
    >>> gf.nn.Conv1d(2, 4, 3, padding=1)(gf.ones((8, 2, 10))).shape
    (8, 4, 10)
    """

    rank = 1
    convolve = staticmethod(conv.conv1d)


class Conv2d(_Conv):
    """``conv2d`` with learned kernels: (N, in_channels, H, W) -> (N, out_channels, windows down, windows across).

    ``weight`` is (out_channels, in_channels / groups, *kernel_size), ``bias`` (out_channels,) or None; both begin
    uniform within 1 / sqrt(elements of a window), as in PyTorch. ``padding_mode`` says what is put around the input:
    "zeros", what is there mirrored ("reflect") or repeated ("replicate"), or what is at the other end ("circular").
    Raises ArgumentError for a setting out of range, ShapeError for an input that does not fit.

    >>> import gradflow as gf
    >>> gf.nn.Conv2d(3, 8, 3, stride=2, padding=1)(gf.ones((16, 3, 32, 32))).shape
    (16, 8, 16, 16)
    """

    rank = 2
    convolve = staticmethod(conv.conv2d)


class Conv3d(_Conv):
    """``conv3d`` with learned kernels: (N, in_channels, D, H, W) -> (N, out_channels, windows...). See ``Conv2d``.

    >>> import gradflow as gf
    >>> gf.nn.Conv3d(1, 2, 2)(gf.ones((1, 1, 3, 4, 5))).shape
    (1, 2, 2, 3, 4)
    """

    rank = 3
    convolve = staticmethod(conv.conv3d)


class _ConvTranspose(_Kernels):
    convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: SupportsIndex = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        name = type(self).__name__
        kernel = sizes_of(name, "kernel_size", kernel_size, self.rank, 1)
        share = _shared(name, (in_channels, out_channels), groups)
        super().__init__(
            in_channels, out_channels, (in_channels, out_channels // share, *kernel), share, bias, device, dtype
        )
        self.stride = sizes_of(name, "stride", stride, self.rank, 1)
        self.dilation = sizes_of(name, "dilation", dilation, self.rank, 1)
        self.padding = sizes_of(name, "padding", padding, self.rank)
        self.output_padding = sizes_of(name, "output_padding", output_padding, self.rank)

    def forward(self, x: Tensor) -> Tensor:
        how = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return type(self).convolve(x, self.weight, self.bias, *how)


class ConvTranspose1d(_ConvTranspose):
    """``conv_transpose1d`` with learned kernels: (N, in_channels, L) -> (N, out_channels, longer).

    ``weight`` is (in_channels, out_channels / groups, kernel_size). See ``ConvTranspose2d``.

    >>> import gradflow as gf
    >>> gf.nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1)(gf.ones((8, 4, 10))).shape
    (8, 2, 20)
    """

    rank = 1
    convolve = staticmethod(conv.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """``conv_transpose2d`` with learned kernels: (N, in_channels, H, W) -> (N, out_channels, higher, wider).

    ``weight`` is (in_channels, out_channels / groups, *kernel_size), ``bias`` (out_channels,) or None.
    Raises ArgumentError for a setting out of range, ShapeError for an input that does not fit.

    >>> import gradflow as gf
    >>> gf.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(gf.ones((2, 8, 16, 16))).shape
    (2, 3, 32, 32)
    """

    rank = 2
    convolve = staticmethod(conv.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """``conv_transpose3d`` with learned kernels: (N, in_channels, D, H, W) -> (N, out_channels, larger...).

    >>> import gradflow as gf
    >>> gf.nn.ConvTranspose3d(2, 1, 2, stride=2)(gf.ones((1, 2, 2, 3, 4))).shape
    (1, 1, 4, 6, 8)
    """

    rank = 3
    convolve = staticmethod(conv.conv_transpose3d)
