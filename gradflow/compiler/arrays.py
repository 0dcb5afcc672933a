"""Arrays in memory that is known by its address."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from gradflow.compiler.program import Value


def array_at(address: int, value: Value) -> Any:
    """The NumPy array of ``value`` in the storage that begins at ``address``; whoever made that must keep it alive."""
    if value.size == 0:
        return np.empty(value.shape, value.dtype)
    low, high = value.reach
    memory: Any = (ctypes.c_char * (high - low)).from_address(address + low)
    return np.ndarray(value.shape, value.dtype, memory, value.offset - low, value.strides)


def address_of(array: Any) -> int:
    """Where the first element of a NumPy array lies."""
    address: int = array.__array_interface__["data"][0]
    return address
