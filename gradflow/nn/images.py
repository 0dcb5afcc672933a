"""Layers without parameters that rearrange images, change their size, or compare their channels."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.nn.applied import Applied
from gradflow.ops.channels import channel_shuffle, local_response_norm
from gradflow.ops.fold import fold, unfold
from gradflow.ops.interpolate import interpolate
from gradflow.ops.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from gradflow.ops.windows import Sizes


class Unfold(Applied, of=unfold):
    """``unfold``, every window as a column, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Unfold(2)(gf.ones((1, 3, 4, 5))).shape
    (1, 12, 12)
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)


class Fold(Applied, of=fold):
    """``fold``, columns added up to an image, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Fold((4, 5), 2)(gf.ones((1, 12, 12))).shape
    (1, 3, 4, 5)
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__(
            output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
        )


class PixelShuffle(Applied, of=pixel_shuffle):
    """``pixel_shuffle``, channels as pixels, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.PixelShuffle(2)(gf.ones((1, 8, 2, 3))).shape
    (1, 2, 4, 6)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__(upscale_factor=upscale_factor)


class PixelUnshuffle(Applied, of=pixel_unshuffle):
    """``pixel_unshuffle``, pixels as channels, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.PixelUnshuffle(2)(gf.ones((1, 2, 4, 6))).shape
    (1, 8, 2, 3)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__(downscale_factor=downscale_factor)


class ChannelShuffle(Applied, of=channel_shuffle):
    """``channel_shuffle``, channels dealt out from ``groups`` in turn, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ChannelShuffle(2)(gf.ones((1, 4, 3, 3))).shape
    (1, 4, 3, 3)
    """

    keeps_shape = True

    def __init__(self, groups: int) -> None:
        super().__init__(groups=groups)


class LocalResponseNorm(Applied, of=local_response_norm):
    """``local_response_norm``, channels divided by the size of those around them, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LocalResponseNorm(2)(gf.ones((1, 4, 3, 3))).shape
    (1, 4, 3, 3)
    """

    keeps_shape = True

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__(size=size, alpha=alpha, beta=beta, k=k)


class Upsample(Applied, of=interpolate):
    """``interpolate``, the input in another size, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Upsample(scale_factor=2, mode="bilinear")(gf.ones((1, 3, 4, 5))).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__(
            size=size,
            scale_factor=scale_factor,
            mode=mode,
            align_corners=align_corners,
            recompute_scale_factor=recompute_scale_factor,
        )
