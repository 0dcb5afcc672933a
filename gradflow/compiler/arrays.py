"""Arrays in memory that is known by its address."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from gradflow.compiler.program import Value


def array_at(address: int, value: Value) -> Any:
    """The NumPy array of ``value`` in the storage that begins at ``address``; whoever made that must keep it alive."""
    if value.size == 0:
        return np.empty(value.shape, value.dtype)
    low, high = value.reach
    memory: Any = (ctypes.c_char * (high - low)).from_address(address + low)
    return np.ndarray(value.shape, value.dtype, memory, value.offset - low, value.strides)


# A NumPy array begins with what every object has, and then the address of its first element (PyArrayObject in NumPy's
# ABI). Read there it costs a sixth of the time of array.ctypes.data, which matters once for each argument of each call.
_HEADER = object.__basicsize__
_word = ctypes.c_void_p.from_address
_probe = np.empty(1)
_in_header = sys.implementation.name == "cpython" and _word(id(_probe) + _HEADER).value == _probe.ctypes.data


def part(array: Any, value: Value, offset: int) -> Any:
    """The array of ``value``, which begins ``offset`` bytes above the lowest of ``array``'s: a view of it."""
    if value.size == 0:
        return np.empty(value.shape, value.dtype)
    if not isinstance(array, np.ndarray):  # of CuPy
        return type(array)(value.shape, value.dtype, array.data + offset, value.strides)
    owner = array
    while not owner.flags.forc and isinstance(owner.base, np.ndarray):
        owner = owner.base
    whole = owner.T if owner.flags.f_contiguous and not owner.flags.c_contiguous else owner
    above = byte_bounds(array)[0] - byte_bounds(owner)[0]
    return np.ndarray(value.shape, value.dtype, whole, above + offset, value.strides)


def address_of(array: Any) -> int:
    """Where the first element of a NumPy array lies."""
    return (_word(id(array) + _HEADER).value or 0) if _in_header else int(array.ctypes.data)
