"""Pooling layers: without parameters, they make signals, images and volumes smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, SupportsIndex

from gradflow.nn.module import Module
from gradflow.ops import pool
from gradflow.ops.windows import Sizes
from gradflow.tensor import Tensor


class _MaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.how = kernel_size, stride, padding, dilation, ceil_mode, return_indices

    def forward(self, x: Tensor) -> Any:
        return type(self).pool(x, *self.how)

    def extra_repr(self) -> str:
        return f"{self.how[0]}"


class MaxPool1d(_MaxPool):
    """``max_pool1d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool1d(2)(gf.ones((1, 1, 4))).shape
    (1, 1, 2)
    """

    pool = staticmethod(pool.max_pool1d)


class MaxPool2d(_MaxPool):
    """``max_pool2d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool2d(2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """

    pool = staticmethod(pool.max_pool2d)


class MaxPool3d(_MaxPool):
    """``max_pool3d``, the maximum of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.MaxPool3d(2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """

    pool = staticmethod(pool.max_pool3d)


class AvgPool1d(Module):
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
        super().__init__()
        self.how = kernel_size, stride, padding, ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        return pool.avg_pool1d(x, *self.how)

    def extra_repr(self) -> str:
        return f"{self.how[0]}"


class _AvgPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: SupportsIndex | None = None,
    ) -> None:
        super().__init__()
        self.how = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override

    def forward(self, x: Tensor) -> Tensor:
        return type(self).pool(x, *self.how)

    def extra_repr(self) -> str:
        return f"{self.how[0]}"


class AvgPool2d(_AvgPool):
    """``avg_pool2d``, the mean of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AvgPool2d(2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """

    pool = staticmethod(pool.avg_pool2d)


class AvgPool3d(_AvgPool):
    """``avg_pool3d``, the mean of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.AvgPool3d(2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """

    pool = staticmethod(pool.avg_pool3d)


class _LPPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.how = norm_type, kernel_size, stride, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return type(self).pool(x, *self.how)

    def extra_repr(self) -> str:
        return f"{self.how[0]}, {self.how[1]}"


class LPPool1d(_LPPool):
    """``lp_pool1d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool1d(2, 2)(gf.ones((1, 1, 4))).shape
    (1, 1, 2)
    """

    pool = staticmethod(pool.lp_pool1d)


class LPPool2d(_LPPool):
    """``lp_pool2d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool2d(2, 2)(gf.ones((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """

    pool = staticmethod(pool.lp_pool2d)


class LPPool3d(_LPPool):
    """``lp_pool3d``, the p-norm of every window, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LPPool3d(2, 2)(gf.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """

    pool = staticmethod(pool.lp_pool3d)


class _MaxUnpool(Module):
    unpool: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.how = kernel_size, stride, padding

    def forward(self, x: Tensor, indices: Tensor, output_size: Sequence[SupportsIndex] | None = None) -> Tensor:
        return type(self).unpool(x, indices, *self.how, output_size)

    def extra_repr(self) -> str:
        return f"{self.how[0]}"


class MaxUnpool1d(_MaxUnpool):
    """``max_unpool1d``, the inverse of ``MaxPool1d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool1d(2, return_indices=True)(gf.ones((1, 1, 4)))
    >>> gf.nn.MaxUnpool1d(2)(maxima, places).shape
    (1, 1, 4)
    """

    unpool = staticmethod(pool.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """``max_unpool2d``, the inverse of ``MaxPool2d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool2d(2, return_indices=True)(gf.ones((1, 1, 4, 4)))
    >>> gf.nn.MaxUnpool2d(2)(maxima, places).shape
    (1, 1, 4, 4)
    """

    unpool = staticmethod(pool.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """``max_unpool3d``, the inverse of ``MaxPool3d``, as a layer of maxima and of the places they were at.

    >>> import gradflow as gf
    >>> maxima, places = gf.nn.MaxPool3d(2, return_indices=True)(gf.ones((1, 1, 4, 4, 4)))
    >>> gf.nn.MaxUnpool3d(2)(maxima, places).shape
    (1, 1, 4, 4, 4)
    """

    unpool = staticmethod(pool.max_unpool3d)
