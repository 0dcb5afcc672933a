"""Derivatives of formulas, as formulas."""

from __future__ import annotations

from functools import cache

from gradflow.derivative.lines import ZERO, Lines
from gradflow.derivative.rules import slope_of
from gradflow.formula import names, parse


@cache
def derivative(text: str, by: str) -> str | None:
    """The formula of the derivative, in the input ``by``, of the elementwise formula ``text``; None where it is 0.

    Where there is none, it is what NumPy-like libraries agree on: half of each side where ``maximum`` and ``minimum``
    have two, 0 for ``abs``, ``sign`` and ``hypot`` at 0, 0 for ``floor``, ``ceil``, ``rint`` and ``trunc`` everywhere;
    ``where`` has the derivative of what it takes, and of that alone. Terms that are 0 are left out.

    Raises SyntaxError for reductions and for what is no formula.

    Method: forward accumulation on the formula with its common parts named (Griewank & Walther, "Evaluating
    Derivatives", 2008, 3.1), so that the derivative is longer by a constant factor only.

    >>> derivative("x * tanh(y)", "x")
    'tanh(y)'
    >>> derivative("floor(x)", "x") is None
    True
    """
    formula = parse(text)
    if formula.result is None:
        raise SyntaxError(f"{text!r} has no result: its last line is an assignment")
    expressions = (*(each for _, each in formula.assignments), formula.result)
    lines = Lines(by, {name for each in expressions for name in names(each)})
    known: dict[str, str] = {}
    for name, expression in formula.assignments:
        known[name] = lines.atom(expression, known)
    slope = slope_of(lines, lines.atom(formula.result, known))
    return None if slope == ZERO else lines.text(slope)
