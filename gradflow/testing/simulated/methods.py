"""The methods and operators of device arrays, all of them calls of the namespace's functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def _operator(name: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        if _defers(other):
            return NotImplemented
        return getattr(self._xp, name)(self, other)

    return method


def _reflected(name: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return getattr(self._xp, name)(other, self)

    return method


def _in_place(name: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return getattr(self._xp, name)(self, other, out=self)

    return method


def _defers(other: Any) -> bool:
    """Whether ``other`` is to have its way, as NumPy's NEP 13 says."""
    return getattr(other, "__array_ufunc__", False) is None


class Methods:
    """What can be called on a device array."""

    __slots__ = ()
    _xp: Any
    _a: Any

    __hash__ = None  # type: ignore[assignment]

    __add__, __radd__, __iadd__ = _operator("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__, __isub__ = _operator("subtract"), _reflected("subtract"), _in_place("subtract")
    __mul__, __rmul__, __imul__ = _operator("multiply"), _reflected("multiply"), _in_place("multiply")
    __truediv__, __rtruediv__ = _operator("true_divide"), _reflected("true_divide")
    __itruediv__ = _in_place("true_divide")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __ifloordiv__ = _in_place("floor_divide")
    __mod__, __rmod__, __imod__ = _operator("remainder"), _reflected("remainder"), _in_place("remainder")
    __pow__, __rpow__, __ipow__ = _operator("power"), _reflected("power"), _in_place("power")
    __lshift__, __rlshift__ = _operator("left_shift"), _reflected("left_shift")
    __ilshift__ = _in_place("left_shift")
    __rshift__, __rrshift__ = _operator("right_shift"), _reflected("right_shift")
    __irshift__ = _in_place("right_shift")
    __and__, __rand__, __iand__ = _operator("bitwise_and"), _reflected("bitwise_and"), _in_place("bitwise_and")
    __or__, __ror__, __ior__ = _operator("bitwise_or"), _reflected("bitwise_or"), _in_place("bitwise_or")
    __xor__, __rxor__, __ixor__ = _operator("bitwise_xor"), _reflected("bitwise_xor"), _in_place("bitwise_xor")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __divmod__, __rdivmod__ = _operator("divmod"), _reflected("divmod")
    __lt__, __le__, __gt__ = _operator("less"), _operator("less_equal"), _operator("greater")
    __ge__ = _operator("greater_equal")
    __eq__, __ne__ = _operator("equal"), _operator("not_equal")

    def __neg__(self) -> Any:
        return self._xp.negative(self)

    def __pos__(self) -> Any:
        return self._xp.positive(self)

    def __abs__(self) -> Any:
        return self._xp.absolute(self)

    def __invert__(self) -> Any:
        return self._xp.invert(self)

    def __len__(self) -> int:
        if not self._a.shape:
            raise TypeError("len() of unsized object")
        return int(self._a.shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self._a.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self._a.shape[0]))

    def __getitem__(self, index: Any) -> Any:
        return self._xp._getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._xp._setitem(self, index, value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or not hasattr(self._xp, ufunc.__name__):
            return NotImplemented
        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        return getattr(self._xp, ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(kind, Methods | np.ndarray) for kind in types):
            return NotImplemented
        found = getattr(self._xp, function.__name__, None)
        return NotImplemented if found is None else found(*args, **kwargs)

    # ---- views and copies

    @property
    def T(self) -> Any:
        return self if self._a.ndim < 2 else self._like(self._a.T)

    @property
    def mT(self) -> Any:
        return self.swapaxes(-1, -2)

    @property
    def real(self) -> Any:
        return self if self._a.dtype.kind != "c" else self._like(self._a.real)

    @real.setter
    def real(self, value: Any) -> None:
        (self if self._a.dtype.kind != "c" else self._like(self._a.real))[...] = value

    @property
    def imag(self) -> Any:
        return self._like(self._a.imag) if self._a.dtype.kind == "c" else self._xp.zeros_like(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self._a.dtype.kind != "c":
            raise TypeError("cupy.ndarray does not have imaginary part to set")
        self._like(self._a.imag)[...] = value

    @property
    def flat(self) -> Any:
        return iter(self.ravel())

    def _like(self, a: Any) -> Any:
        raise NotImplementedError

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        return self._like(self._a.view() if dtype is None else self._a.view(dtype))

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        return self._xp._reshape(self, shape[0] if len(shape) == 1 else shape, order, copy)

    def ravel(self, order: Any = "C") -> Any:
        return self._xp._reshape(self, -1, order, None)

    def flatten(self, order: Any = "C") -> Any:
        return self._xp._reshape(self, -1, order, True)

    def transpose(self, *axes: Any) -> Any:
        single = len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list))
        return self._like(self._a.transpose((axes[0] if single else axes) or None))

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        return self._like(self._a.swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> Any:
        return self._like(self._a.squeeze(axis))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return self._like(self._a.diagonal(offset, axis1, axis2))

    def copy(self, order: Any = "C") -> Any:
        return self._xp._copy(self, order)

    __copy__ = copy

    def astype(self, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> Any:
        return self._xp._astype(self, dtype, order, casting, subok, copy)

    def fill(self, value: Any) -> None:
        self._xp._fill(self, value)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        return self._xp.repeat(self, repeats, axis)

    # ---- computations

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.sum(self, axis, dtype, out, keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.prod(self, axis, dtype, out, keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.mean(self, axis, dtype, out, keepdims)

    def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return self._xp.var(self, axis, dtype, out, ddof, keepdims)

    def std(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return self._xp.std(self, axis, dtype, out, ddof, keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.max(self, axis, out, keepdims)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.min(self, axis, out, keepdims)

    def ptp(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.ptp(self, axis, out, keepdims)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.all(self, axis, out, keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._xp.any(self, axis, out, keepdims)

    def argmax(self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return self._xp.argmax(self, axis, dtype, out, keepdims)

    def argmin(self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return self._xp.argmin(self, axis, dtype, out, keepdims)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        return self._xp.cumsum(self, axis, dtype, out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        return self._xp.cumprod(self, axis, dtype, out)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        return self._xp.clip(self, min, max, out)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        return self._xp.round(self, decimals, out)

    def conj(self) -> Any:
        return self if self._a.dtype.kind != "c" else self._xp.conj(self)

    conjugate = conj

    def dot(self, b: Any, out: Any = None) -> Any:
        return self._xp.dot(self, b, out)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
        return self._xp.trace(self, offset, axis1, axis2, dtype, out)

    def take(self, indices: Any, axis: Any = None, out: Any = None) -> Any:
        return self._xp.take(self, indices, axis, out)

    def nonzero(self) -> Any:
        return self._xp.nonzero(self)

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        self[...] = self._xp.sort(self, axis, kind)

    def argsort(self, axis: int = -1, kind: Any = None) -> Any:
        return self._xp.argsort(self, axis, kind)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        return self._xp.searchsorted(self, v, side, sorter)

    def scatter_add(self, slices: Any, value: Any) -> None:
        self._xp.add.at(self, slices, value)
