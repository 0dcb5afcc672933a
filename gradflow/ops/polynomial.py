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


def horner_text(x: str, coefficients: Polynomial) -> str:
    """The same of the name ``x``, as an expression of formulas.

    >>> horner_text("x", (2.0, 0.5, 1.0))
    '(2.0 * x + 0.5) * x + 1.0'
    """
    first, *others, last = coefficients
    text = str(first)
    for coefficient in others:
        text = f"({text} * {x} + {coefficient})"
    return f"{text} * {x} + {last}"
