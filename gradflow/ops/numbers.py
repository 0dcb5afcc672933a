"""Python numbers that say how an op is to be done."""

from __future__ import annotations

from typing import Any

from gradflow.errors import DTypeError


def number(name: str, role: str, given: Any) -> float:
    """``given`` as a float; DTypeError, which says what ``role`` it has, if it is none."""
    try:
        if isinstance(given, str):
            raise TypeError
        return float(given)
    except TypeError:
        raise DTypeError(f"{name}: {role} is a number, not {given!r}") from None
