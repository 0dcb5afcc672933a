"""The rules of differentiation: of each operation of formulas, its derivative in terms of those of its operands."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from functools import cache

from gradflow.derivative.lines import ONE, ZERO, Lines


def slope_of(lines: Lines, atom: str) -> str:
    """The derivative of ``atom``; earlier lines are done first, so that long chains do not recurse."""
    for name in list(lines.parts):
        if name not in lines.slopes:
            lines.slopes[name] = _slope(lines, name)
        if name == atom:
            break
    return lines.slopes.get(atom, ZERO)


def _slope(lines: Lines, name: str) -> str:
    operation, atoms = lines.parts[name]
    inner = [lines.slopes.get(each, ZERO) for each in atoms]
    if all(each == ZERO for each in inner):
        return ZERO
    if operation in RULES:
        return RULES[operation](lines, name, atoms, inner)
    (x,), (dx,) = atoms, inner
    local = _expression(SLOPES[operation])
    return lines.multiply(lines.atom(local, {"x": x, "out": name}), dx)


@cache
def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


# of functions of one argument: the derivative, in their argument x and their result out
SLOPES = {
    "abs": "sign(x)", "sqrt": "0.5 / out", "exp": "out", "expm1": "exp(x)", "log2": f"1 / (x * {math.log(2)!r})",
    "log10": f"1 / (x * {math.log(10)!r})", "sin": "cos(x)", "cos": "-sin(x)", "tan": "1 + out * out",
    "arcsin": "1 / sqrt((1 - x) * (1 + x))", "arccos": "-1 / sqrt((1 - x) * (1 + x))", "arctan": "1 / (1 + x * x)",
    "sinh": "cosh(x)", "cosh": "sinh(x)", "tanh": "1 - out * out", "arcsinh": "1 / hypot(x, 1)",
    "arccosh": "1 / (sqrt(x - 1) * sqrt(x + 1))", "arctanh": "1 / ((1 - x) * (1 + x))",
    "erf": f"{2 / math.sqrt(math.pi)!r} * exp(-(x * x))", "sigmoid": "out * sigmoid(-x)",
    **dict.fromkeys(("sign", "floor", "ceil", "rint", "trunc", "isnan", "isinf", "isfinite", "~"), ZERO),
}  # fmt: skip

Rule = Callable[[Lines, str, tuple[str, ...], list[str]], str]


def _product(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    (a, b), (da, db) = atoms, slopes
    if a == b:
        return lines.multiply(lines.multiply("2", a), da)
    return lines.add(lines.multiply(da, b), lines.multiply(a, db))


def _quotient(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    (a, b), (da, db) = atoms, slopes
    u = lines.one_and_exponential(b)
    if u is not None and da == ZERO:  # a times the logistic function of -u: no infinity over an infinity
        rise = lines.multiply(lines.line("sigmoid", u), lines.line("sigmoid", lines.negative(u)))
        return lines.negative(lines.multiply(lines.multiply(a, rise), lines.slopes.get(u, ZERO)))
    return lines.add(lines.divide(da, b), lines.negative(lines.multiply(lines.divide(out, b), db)))


def _power(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    (a, b), (da, db) = atoms, slopes
    total = ZERO
    if da != ZERO:
        total = lines.multiply(_power_by_base(lines, a, b), da)
    if db != ZERO:
        at_zero = lines.line("where", lines.line(">=", b, "0"), "0", "-inf")
        rise = lines.line("where", lines.line("==", a, "0"), at_zero, lines.line("*", out, lines.line("log", a)))
        total = lines.add(total, lines.multiply(rise, db))
    return total


def _power_by_base(lines: Lines, a: str, b: str) -> str:
    number = _number(b)
    if number is None:  # the derivative of a**0 is 0, also where a**-1 is infinite
        fall = lines.line("*", b, lines.line("**", a, lines.line("-", b, "1")))
        return lines.line("where", lines.line("==", b, "0"), "0", fall)
    lower = ONE if number == 1 else a if number == 2 else lines.line("**", a, repr(number - 1))
    return lines.multiply(repr(number) if number != 1 else ONE, lower) if number else ZERO


def _number(atom: str) -> int | float | None:
    try:
        return int(atom)
    except ValueError:
        try:
            return float(atom) if atom not in ("inf", "nan") else None
        except ValueError:
            return None


def _logarithm(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    u = lines.one_and_exponential(atoms[0])
    if u is not None:  # exp(u) / (1 + exp(u)), but no infinity over an infinity
        return lines.multiply(lines.line("sigmoid", u), lines.slopes.get(u, ZERO))
    return lines.divide(slopes[0], atoms[0])


def _logarithm_of_more(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    u = lines.exponential(atoms[0])
    if u is not None:
        return lines.multiply(lines.line("sigmoid", u), lines.slopes.get(u, ZERO))
    return lines.divide(slopes[0], lines.line("+", "1", atoms[0]))


def _choice(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    return slopes[1] if slopes[1] == slopes[2] else lines.line("where", atoms[0], slopes[1], slopes[2])


def _extremum(better: str) -> Rule:
    def rule(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
        (a, b), (da, db) = atoms, slopes
        both = lines.multiply("0.5", lines.add(da, db))
        tie = lines.line("where", lines.line("==", a, b), both, db)
        return da if da == db else lines.line("where", lines.line(better, a, b), da, tie)

    return rule


def _hypot(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    size = lines.line("where", lines.line("==", out, "0"), "1", out)  # at (0, 0) not 0 / 0 but 0 / 1
    pairs = zip(atoms, slopes, strict=True)
    first, second = (lines.multiply(lines.line("/", each, size), d) if d != ZERO else ZERO for each, d in pairs)
    return lines.add(first, second)


def _arctan2(lines: Lines, out: str, atoms: tuple[str, ...], slopes: list[str]) -> str:
    (a, b), (da, db) = atoms, slopes
    size = lines.line("+", lines.line("*", a, a), lines.line("*", b, b))
    return lines.divide(lines.add(lines.multiply(b, da), lines.negative(lines.multiply(a, db))), size)


RULES: dict[str, Rule] = {
    "+": lambda lines, out, atoms, slopes: lines.add(*slopes),
    "-": lambda lines, out, atoms, slopes: lines.add(slopes[0], lines.negative(slopes[1])),
    "neg": lambda lines, out, atoms, slopes: lines.negative(slopes[0]),
    "*": _product, "/": _quotient, "**": _power, "log": _logarithm, "log1p": _logarithm_of_more, "where": _choice,
    "maximum": _extremum(">"), "minimum": _extremum("<"), "hypot": _hypot, "arctan2": _arctan2,
    **dict.fromkeys(("&", "|", "<", "<=", ">", ">=", "==", "!="), lambda lines, out, atoms, slopes: ZERO),
}  # fmt: skip
