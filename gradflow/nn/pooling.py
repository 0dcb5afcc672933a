"""Pooling layers: without parameters, they make signals, images and volumes smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

from gradflow.nn.applied import Applied
from gradflow.ops import adaptive_pool, pool
from gradflow.ops.adaptive_pool import Target
from gradflow.ops.windows import Sizes
from gradflow.tensor import Tensor


class _MaxPool(Applied):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            return_indices=return_indices,
        )


class MaxPool1d(_MaxPool, of=pool.max_pool1d):
    """``max_pool1d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool1d(2)(gf.ones((1, 1, 4))).shape
    (1, 1, 2)
    """


class MaxPool2d(_MaxPool, of=pool.max_pool2d):
    """``max_pool2d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool2d(2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """


class MaxPool3d(_MaxPool, of=pool.max_pool3d):
    """``max_pool3d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool3d(2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """


class AvgPool1d(Applied, of=pool.avg_pool1d):
    """``avg_pool1d``, the mean of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AvgPool1d(2)(gf.ones((1, 1, 4))).shape
    (1, 1, 2)
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
        )


class _AvgPool(Applied):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: SupportsIndex | None = None,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor_override=divisor_override,
        )


class AvgPool2d(_AvgPool, of=pool.avg_pool2d):
    """``avg_pool2d``, the mean of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AvgPool2d(2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """


class AvgPool3d(_AvgPool, of=pool.avg_pool3d):
    """``avg_pool3d``, the mean of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AvgPool3d(2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """


class _LPPool(Applied):
    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__(norm_type=norm_type, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)


class LPPool1d(_LPPool, of=pool.lp_pool1d):
    """``lp_pool1d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool1d(2, 2)(gf.ones((1, 1, 4))).shape
    (1, 1, 2)
    """


class LPPool2d(_LPPool, of=pool.lp_pool2d):
    """``lp_pool2d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool2d(2, 2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """


class LPPool3d(_LPPool, of=pool.lp_pool3d):
    """``lp_pool3d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool3d(2, 2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """


class _MaxUnpool(Applied):
    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding)

    def forward(self, x: Tensor, indices: Tensor, output_size: Sequence[SupportsIndex] | None = None) -> Any:
        return type(self).function(x, indices, *self.values(), output_size)


class MaxUnpool1d(_MaxUnpool, of=pool.max_unpool1d):
    """``max_unpool1d``, the inverse of ``MaxPool1d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool1d(2, return_indices=True)(gf.ones((1, 1, 4)))
    >>> gf.nn.MaxUnpool1d(2)(maxima, places).shape
    (1, 1, 4)
    """


class MaxUnpool2d(_MaxUnpool, of=pool.max_unpool2d):
    """``max_unpool2d``, the inverse of ``MaxPool2d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool2d(2, return_indices=True)(gf.ones((1, 1, 4, 4)))
    >>> gf.nn.MaxUnpool2d(2)(maxima, places).shape
    (1, 1, 4, 4)
    """


class MaxUnpool3d(_MaxUnpool, of=pool.max_unpool3d):
    """``max_unpool3d``, the inverse of ``MaxPool3d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool3d(2, return_indices=True)(gf.ones((1, 1, 4, 4, 4)))
    >>> gf.nn.MaxUnpool3d(2)(maxima, places).shape
    (1, 1, 4, 4, 4)
    """


class _AdaptiveAvgPool(Applied):
    def __init__(self, output_size: Target) -> None:
        super().__init__(output_size=output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool, of=adaptive_pool.adaptive_avg_pool1d):
    """``adaptive_avg_pool1d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool1d(2)(gf.ones((1, 1, 5))).shape
    (1, 1, 2)
    """


class AdaptiveAvgPool2d(_AdaptiveAvgPool, of=adaptive_pool.adaptive_avg_pool2d):
    """``adaptive_avg_pool2d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool2d(2)(gf.ones((1, 1, 5, 5))).shape
    (1, 1, 2, 2)
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPool, of=adaptive_pool.adaptive_avg_pool3d):
    """``adaptive_avg_pool3d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool3d(2)(gf.ones((1, 1, 5, 5, 5))).shape
    (1, 1, 2, 2, 2)
    """


class _AdaptiveMaxPool(Applied):
    def __init__(self, output_size: Target, return_indices: bool = False) -> None:
        super().__init__(output_size=output_size, return_indices=return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool, of=adaptive_pool.adaptive_max_pool1d):
    """``adaptive_max_pool1d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool1d(2)(gf.ones((1, 1, 5))).shape
    (1, 1, 2)
    """


class AdaptiveMaxPool2d(_AdaptiveMaxPool, of=adaptive_pool.adaptive_max_pool2d):
    """``adaptive_max_pool2d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool2d(2)(gf.ones((1, 1, 5, 5))).shape
    (1, 1, 2, 2)
    """


class AdaptiveMaxPool3d(_AdaptiveMaxPool, of=adaptive_pool.adaptive_max_pool3d):
    """``adaptive_max_pool3d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool3d(2)(gf.ones((1, 1, 5, 5, 5))).shape
    (1, 1, 2, 2, 2)
    """
