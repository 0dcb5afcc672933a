"""New arrays: of nothing, of one number, of a range, and from what is in host memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gradflow.testing.simulated.array import check_dtype
from gradflow.testing.simulated.log import Record
from gradflow.testing.simulated.machine import SCALARS
from gradflow.testing.simulated.status import CAPTURING


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(map(int, shape)) if isinstance(shape, tuple | list) else (int(shape),)


def empty(xp: Any, shape: Any, dtype: Any = float, order: Any = "C") -> Any:
    """Memory as it is: reading it before it is written is an error here."""
    return xp.ndarray(shape, dtype, order=order)


def zeros(xp: Any, shape: Any, dtype: Any = float, order: Any = "C") -> Any:
    """Zeros, by one memset."""
    new = xp.ndarray(shape, dtype, order=order)
    _memset(xp, new)
    return new


def _memset(xp: Any, x: Any) -> None:
    machine = xp.machine
    if x.size:
        write = partial(machine.contents.write, x._a, x._block._allocation, np.zeros((), x.dtype))
        machine.enqueue("memset", "zeros", x.nbytes, write, touches=(x._address(),))


def ones(xp: Any, shape: Any, dtype: Any = float, order: Any = "C") -> Any:
    return full(xp, shape, 1, dtype, order)


def full(xp: Any, shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C") -> Any:
    """One number, again and again."""
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, xp.ndarray) else np.array(fill_value).dtype
    new = xp.ndarray(shape, dtype, order=order)
    fill(xp, new, fill_value)
    return new


def fill(xp: Any, x: Any, value: Any) -> None:
    """Write ``value``, a number or a 0-d array, to every element of ``x``: one kernel, or a memset for zero."""
    if isinstance(value, np.ndarray | list | tuple):
        if np.ndim(value):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = np.asarray(value)[()]
    if type(value) is not xp.ndarray and type(value) not in SCALARS:
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) is not xp.ndarray and not value and x._a.flags.forc and not np.signbit(value):
        _memset(xp, x)
        return
    dtype, shape = x.dtype, x.shape
    assign(xp, x, value, "fill", lambda v: np.broadcast_to(np.asarray(v, dtype if v is value else None), shape))


def assign(xp: Any, x: Any, value: Any, name: str, function: Callable[..., Any]) -> None:
    """Write what ``function`` makes of ``value`` into ``x``."""
    xp.machine.compute(name, function, (value,), x)


def empty_like(
    xp: Any, prototype: Any, dtype: Any = None, order: Any = "K", subok: None = None, shape: Any = None
) -> Any:
    _refuse_subok(subok)
    like = np.empty_like(prototype._a, dtype, order, True, shape)
    return xp.ndarray._laid_out_as(like)


def zeros_like(xp: Any, a: Any, dtype: Any = None, order: Any = "K", subok: None = None, shape: Any = None) -> Any:
    new = empty_like(xp, a, dtype, order, subok, shape)
    _memset(xp, new)
    return new


def ones_like(xp: Any, a: Any, dtype: Any = None, order: Any = "K", subok: None = None, shape: Any = None) -> Any:
    return full_like(xp, a, 1, dtype, order, subok, shape)


def full_like(
    xp: Any, a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: None = None, shape: Any = None
) -> Any:
    new = empty_like(xp, a, dtype, order, subok, shape)
    fill(xp, new, fill_value)
    return new


def _refuse_subok(subok: Any) -> None:
    if subok is not None:
        raise TypeError("subok is not supported yet")


def _made(xp: Any, name: str, make: Callable[..., Any], *args: Any) -> Any:
    """What a kernel without inputs computes."""
    made = make(*args)
    check_dtype(made.dtype)
    return xp.machine.compute(name, lambda: made, ())


def arange(xp: Any, start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Numbers at equal distances."""
    if stop is None:
        start, stop = 0, start
    return _made(xp, "arange", np.arange, start, stop, step, dtype)


def linspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    new = _made(xp, "linspace", np.linspace, start, stop, num, endpoint, False, dtype, axis)
    return (new, (stop - start) / (num - endpoint)) if retstep else new


def eye(xp: Any, N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: Any = "C") -> Any:
    return _made(xp, "eye", np.eye, N, M, k, dtype)


def identity(xp: Any, n: int, dtype: Any = float) -> Any:
    return eye(xp, n, dtype=dtype)


def tri(xp: Any, N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Any:
    return _made(xp, "tri", np.tri, N, M, k, dtype)


def indices(xp: Any, dimensions: Any, dtype: Any = int) -> Any:
    return _made(xp, "indices", np.indices, dimensions, dtype)


def array(
    xp: Any, obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: bool = False, ndmin: int = 0,
    *, blocking: bool = False,
) -> Any:  # fmt: skip
    """A device array of what ``obj`` has: a copy, unless it is one already and ``copy`` is None or False."""
    if subok:
        raise NotImplementedError
    if isinstance(obj, xp.ndarray):
        if obj.device.id != xp.machine.device.number:
            return array(xp, _from_another_device(xp, obj), dtype, False, order, subok, ndmin)
        wanted = obj.dtype if dtype is None else check_dtype(dtype)
        new = xp._astype(obj, wanted, order or "K", None, None, bool(copy))
        return new if new.ndim >= ndmin else new.reshape((1,) * (ndmin - new.ndim) + new.shape)
    if isinstance(obj, list | tuple) and (parts := _device_parts(xp, obj)):
        return xp._astype(xp.stack(parts), dtype or parts[0].dtype, "K", None, None, False)
    if hasattr(obj, "__cuda_array_interface__"):
        return array(xp, xp._adopt(obj), dtype, copy, order, subok, ndmin)
    host = np.array(obj, check_dtype(dtype) if dtype is not None else None, order=order, ndmin=ndmin)
    return _uploaded(xp, host)


def _device_parts(xp: Any, obj: Any) -> list[Any]:
    """The device arrays of a list that has some; numbers between them become arrays too."""
    if not any(isinstance(each, xp.ndarray) for each in obj):
        return []
    return [each if isinstance(each, xp.ndarray) else array(xp, each) for each in obj]


def _from_another_device(xp: Any, x: Any) -> Any:
    """A copy of ``x`` on the current device, made by a copy engine."""
    machine = xp.machine
    with x.device:
        source = machine.readable(x)
    new = xp.ndarray._empty(x.shape, x.dtype)
    machine.enqueue("copy_d2d", "peer", source.nbytes, lambda: machine.store(new, source))
    return new


def _uploaded(xp: Any, host: Any) -> Any:
    check_dtype(host.dtype)
    machine = xp.machine
    queue = machine.begin()
    if machine.capture(queue) is not None:
        raise RuntimeError(CAPTURING)
    new = xp.ndarray._laid_out_as(np.empty_like(host))
    machine.log.add(Record("copy_h2d", "array", host.nbytes, queue.ptr, machine.device.number))
    machine.store(new, host)
    return new


def asarray(xp: Any, a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> Any:
    """``a`` as a device array: itself if it is one of that dtype, a copy otherwise."""
    if copy is False and not isinstance(a, xp.ndarray):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return array(xp, a, dtype, bool(copy), order or "K", blocking=blocking)


def ascontiguousarray(xp: Any, a: Any, dtype: Any = None) -> Any:
    a = asarray(xp, a, dtype)
    return a if a._a.flags.c_contiguous else xp._copy(a, "C")


def asfortranarray(xp: Any, a: Any, dtype: Any = None) -> Any:
    a = asarray(xp, a, dtype)
    return a if a._a.flags.f_contiguous else xp._copy(a, "F")


def asnumpy(xp: Any, a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: bool = True) -> Any:
    """``a`` in host memory."""
    if isinstance(a, xp.ndarray):
        return a.get(stream, order, out, blocking)
    return np.asarray(a, order=order)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "empty": empty, "zeros": zeros, "ones": ones, "full": full, "empty_like": empty_like, "zeros_like": zeros_like,
    "ones_like": ones_like, "full_like": full_like, "arange": arange, "linspace": linspace, "eye": eye,
    "identity": identity, "tri": tri, "indices": indices, "array": array, "asarray": asarray, "asanyarray": asarray,
    "ascontiguousarray": ascontiguousarray, "asfortranarray": asfortranarray, "asnumpy": asnumpy, "_fill": fill,
}  # fmt: skip
