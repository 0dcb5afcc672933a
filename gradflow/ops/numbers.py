"""Python numbers that say how an op is to be done."""

from __future__ import annotations

from typing import Any, SupportsIndex

from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.slicing import integer


def number(name: str, role: str, given: Any) -> float:
    """``given`` as a float; DTypeError, which says what ``role`` it has, if it is none."""
    try:
        if isinstance(given, str):
            raise TypeError
        return float(given)
    except TypeError:
        raise DTypeError(f"{name}: {role} is a number, not {given!r}") from None


def order(name: str, n: SupportsIndex) -> int:
    """``n`` as the order of a function; ArgumentError for a negative one."""
    order = integer(name, "n", n)
    if order < 0:
        raise ArgumentError(f"{name}: n is {order}; orders count from 0")
    return order
