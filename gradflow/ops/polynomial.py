"""Polynomials, evaluated in an order that every device can repeat bit for bit."""

from __future__ import annotations

from typing import Any

Polynomial = tuple[float, ...]  # the coefficients, that of the highest power first


def horner(x: Any, coefficients: Polynomial) -> Any:
    """The polynomial at each element of the array ``x``: a product and a sum for each coefficient, each rounded."""
    out = x * coefficients[0]
    out += coefficients[1]
    for coefficient in coefficients[2:]:
        out *= x
        out += coefficient
    return out
