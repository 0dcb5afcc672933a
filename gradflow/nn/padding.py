"""Layers that put a border around signals, images and volumes."""

from __future__ import annotations

import sys
from typing import ClassVar

from gradflow.nn.module import Module
from gradflow.ops.borders import pad
from gradflow.ops.windows import Sizes, sizes_of
from gradflow.tensor import Tensor


class _Pad(Module):
    """``padding`` is a width for all sides, or (left, right, top, bottom, front, back), as many as there are."""

    rank: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float | None = None

    def __init_subclass__(cls, rank: int = 0) -> None:
        cls.rank = rank

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = sizes_of(type(self).__name__, "padding", padding, 2 * self.rank, -sys.maxsize)

    def forward(self, x: Tensor) -> Tensor:
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"{self.padding}, {self.value}"


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"


class ZeroPad1d(_Pad, rank=1):
    """Signals with a border of 0, ``padding`` or (left, right) wide.

    >>> import gradflow as gf
    >>> gf.nn.ZeroPad1d(1)(gf.tensor([[2.0, 3.0]]))
    tensor([[0., 2., 3., 0.]])
    """


class ZeroPad2d(_Pad, rank=2):
    """Images with a border of 0, ``padding`` or (left, right, top, bottom) wide.

    >>> import gradflow as gf
    >>> gf.nn.ZeroPad2d((1, 1, 2, 0))(gf.ones((3, 4, 5))).shape
    (3, 6, 7)
    """


class ZeroPad3d(_Pad, rank=3):
    """Volumes with a border of 0, ``padding`` or (left, right, top, bottom, front, back) wide.

    >>> import gradflow as gf
    >>> gf.nn.ZeroPad3d(1)(gf.ones((2, 4, 5, 6))).shape
    (2, 6, 7, 8)
    """


class ConstantPad1d(_ConstantPad, rank=1):
    """Signals with a border of ``value``, ``padding`` or (left, right) wide.

    >>> import gradflow as gf
    >>> gf.nn.ConstantPad1d((0, 2), 7.0)(gf.tensor([[2.0, 3.0]]))
    tensor([[2., 3., 7., 7.]])
    """


class ConstantPad2d(_ConstantPad, rank=2):
    """Images with a border of ``value``, ``padding`` or (left, right, top, bottom) wide.

    >>> import gradflow as gf
    >>> gf.nn.ConstantPad2d((1, 1, 2, 0), 7.0)(gf.ones((3, 4, 5))).shape
    (3, 6, 7)
    """


class ConstantPad3d(_ConstantPad, rank=3):
    """Volumes with a border of ``value``, ``padding`` or (left, right, top, bottom, front, back) wide.

    >>> import gradflow as gf
    >>> gf.nn.ConstantPad3d(1, 7.0)(gf.ones((2, 4, 5, 6))).shape
    (2, 6, 7, 8)
    """


class ReflectionPad1d(_ReflectionPad, rank=1):
    """Signals with a border of their mirror image, ``padding`` or (left, right) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReflectionPad1d(2)(gf.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """


class ReflectionPad2d(_ReflectionPad, rank=2):
    """Images with a border of their mirror image, ``padding`` or (left, right, top, bottom) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReflectionPad2d((1, 1, 2, 0))(gf.ones((3, 4, 5))).shape
    (3, 6, 7)
    """


class ReflectionPad3d(_ReflectionPad, rank=3):
    """Volumes with a border of their mirror image, ``padding`` or (left, right, top, bottom, front, back) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReflectionPad3d(1)(gf.ones((2, 4, 5, 6))).shape
    (2, 6, 7, 8)
    """


class ReplicationPad1d(_ReplicationPad, rank=1):
    """Signals with a border of their outermost elements, ``padding`` or (left, right) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReplicationPad1d(2)(gf.tensor([[1.0, 2.0]]))
    tensor([[1., 1., 1., 2., 2., 2.]])
    """


class ReplicationPad2d(_ReplicationPad, rank=2):
    """Images with a border of their outermost elements, ``padding`` or (left, right, top, bottom) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReplicationPad2d((1, 1, 2, 0))(gf.ones((3, 4, 5))).shape
    (3, 6, 7)
    """


class ReplicationPad3d(_ReplicationPad, rank=3):
    """Volumes with a border of their outermost elements, ``padding`` or (left, right, top, bottom, front, back) wide.

    >>> import gradflow as gf
    >>> gf.nn.ReplicationPad3d(1)(gf.ones((2, 4, 5, 6))).shape
    (2, 6, 7, 8)
    """


class CircularPad1d(_CircularPad, rank=1):
    """Signals with a border of what is at the other end, ``padding`` or (left, right) wide.

    >>> import gradflow as gf
    >>> gf.nn.CircularPad1d(1)(gf.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """


class CircularPad2d(_CircularPad, rank=2):
    """Images with a border of what is at the other end, ``padding`` or (left, right, top, bottom) wide.

    >>> import gradflow as gf
    >>> gf.nn.CircularPad2d((1, 1, 2, 0))(gf.ones((3, 4, 5))).shape
    (3, 6, 7)
    """


class CircularPad3d(_CircularPad, rank=3):
    """Volumes with a border of what is at the other end, ``padding`` or (left, right, top, bottom, front, back) wide.

    >>> import gradflow as gf
    >>> gf.nn.CircularPad3d(1)(gf.ones((2, 4, 5, 6))).shape
    (2, 6, 7, 8)
    """
