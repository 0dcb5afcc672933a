"""Python numbers that say how an op is to be done."""

from __future__ import annotations

from typing import Any, SupportsIndex

from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.slicing import integer

ORDERS = 60  # Python reads no formula that is nested much deeper


def number(name: str, role: str, given: Any) -> float:
    """``given`` as a float; DTypeError, which says what ``role`` it has, if it is none."""
    try:
        if isinstance(given, str):
            raise TypeError
        return float(given)
    except TypeError:
        raise DTypeError(f"{name}: {role} is a number, not {given!r}") from None


def order(name: str, n: SupportsIndex) -> int:
    """``n`` as the order of a function, whose formula grows with it; ArgumentError for one out of range."""
    order = integer(name, "n", n)
    if not 0 <= order <= ORDERS:
        raise ArgumentError(f"{name}: n is {order}; orders go from 0 to {ORDERS}")
    return order
