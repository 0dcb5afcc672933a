"""Pooling layers that make what they are given as small as they are asked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gradflow.nn.module import Module
from gradflow.ops import adaptive_pools
from gradflow.ops.adaptive_pool import Target
from gradflow.tensor import Tensor


class _AdaptiveAvgPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Target) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return type(self).pool(x, self.output_size)

    def extra_repr(self) -> str:
        return f"{self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """``adaptive_avg_pool1d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool1d(2)(gf.ones((1, 1, 5))).shape
    (1, 1, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """``adaptive_avg_pool2d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool2d(2)(gf.ones((1, 1, 5, 5))).shape
    (1, 1, 2, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """``adaptive_avg_pool3d``, means of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveAvgPool3d(2)(gf.ones((1, 1, 5, 5, 5))).shape
    (1, 1, 2, 2, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Target, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        return type(self).pool(x, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"{self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """``adaptive_max_pool1d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool1d(2)(gf.ones((1, 1, 5))).shape
    (1, 1, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """``adaptive_max_pool2d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool2d(2)(gf.ones((1, 1, 5, 5))).shape
    (1, 1, 2, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """``adaptive_max_pool3d``, maxima of windows that cover the input, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AdaptiveMaxPool3d(2)(gf.ones((1, 1, 5, 5, 5))).shape
    (1, 1, 2, 2, 2)
    """

    pool = staticmethod(adaptive_pools.adaptive_max_pool3d)
