"""Derivatives of formulas: against finite differences, by hand at kinks, and what they leave out."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.derivative import derivative
from gradflow.derivative.rules import RULES, SLOPES
from gradflow.formula import FUNCTIONS, parse
from gradflow.testing.formula import evaluate

STEP = 1e-5
RANGES = {"arccosh": (1.2, 3.0), "log": (0.2, 3), "log2": (0.2, 3), "log10": (0.2, 3), "sqrt": (0.2, 3)}
INSIDE = ("arcsin", "arccos", "arctanh", "log1p")
FORMULAS = [
    "x * tanh(log1p(exp(x)))",
    "1 / (1 + exp(-x)) + x / (1 + exp(2 * x))",
    "log(1 + exp(x)) * log1p(exp(-x))",
    "a = x * x\nb = exp(-a)\na * b + b / (1 + a)",
    "(x + 3) ** 2.5 + (x + 3) ** -1 + x ** 3 + x ** 2 + x ** 1 + x ** 0",
    "(x + 3) ** (0.5 * x)",
    "where((x > 0) & ~(x > 1), sin(x), maximum(x, -1) * minimum(x * x, 2))",
    "arctan2(x, 2 + x) + hypot(x, 2 * x) - abs(x)",
    "-x - (-(2 * x)) + floor(x) * x + 3 - 2 / x",
    "t0 = x\nt1 = t0 * t0\nt1 / (t0 + 5)",
]


def value(text, x):
    found = evaluate(parse(text), {"x": np.asarray(x, np.float64)}, np.dtype("float64"))
    return np.broadcast_to(found, np.shape(x))


def check(text, x, order=2):
    slope = derivative(text, "x")
    found = value(slope or "0", x)
    expected = (value(text, x + STEP) - value(text, x - STEP)) / (2 * STEP)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    if order > 1 and slope:
        check(slope, x, order - 1)


@pytest.mark.parametrize("name", [name for name, count in FUNCTIONS.items() if count == 1])
def test_the_derivative_of_a_function_is_its_slope_to_third_order(name, rng):
    low, high = RANGES.get(name, (-0.9, 0.9) if name in INSIDE else (-1.4, 1.4))
    check(f"{name}(x)" if not name.startswith("is") else f"where({name}(x), 1, x)", rng.uniform(low, high, 50), 3)


@pytest.mark.parametrize("text", FORMULAS)
def test_the_derivative_of_a_formula_is_its_slope(text, rng):
    check(text, rng.uniform(-1.9, 1.9, 50))


def test_every_function_of_formulas_has_a_rule():
    assert set(FUNCTIONS) <= set(SLOPES) | set(RULES)


@pytest.mark.parametrize(
    ("text", "x", "slope"),
    [
        ("abs(x)", 0, 0),
        ("sign(x)", 0, 0),
        ("maximum(x, 0)", 0, 0.5),
        ("minimum(1, x)", 1, 0.5),
        ("maximum(x, x)", 3, 1),
        ("hypot(x, 0)", 0, 0),
        ("x ** 0", 0, 0),
        ("where(x > 0, log(x), 0)", -1, 0),
        ("where(x > 0, x * x, 0)", 0, 0),
        ("floor(x)", 1, 0),
    ],
)
def test_where_there_is_none_the_derivative_is_the_documented_one(text, x, slope):
    assert value(derivative(text, "x") or "0", x) == slope


@pytest.mark.parametrize("x", [-1e4, -100.0, 100.0, 1e4])
def test_softplus_and_the_logistic_function_have_no_infinity_over_an_infinity(x):
    for text in ("log1p(exp(x))", "log(1 + exp(x))"):
        assert value(derivative(text, "x"), x) == pytest.approx(float(x > 0))
    for text in ("1 / (1 + exp(-x))", "3 / (exp(x) + 1)", "sigmoid(x)"):
        slope = derivative(text, "x")
        assert value(slope, x) == pytest.approx(0.0)
        assert value(derivative(slope, "x"), x) == pytest.approx(0.0)


def test_terms_that_are_zero_or_one_are_left_out():
    assert derivative("x * y + 2 * z", "x") == "y"
    assert derivative("x * y + 2 * z", "z") == "2"
    assert derivative("x * y", "z") is None
    assert derivative("floor(x) + (x > 0)", "x") is None
    assert derivative("x ** 2", "x") == "2 * x"
    assert derivative("-x", "x") == "-1"
    assert derivative("sin(-x)", "x") == "-cos(-x)"


def test_a_derivative_grows_no_faster_than_the_formula():
    """Every layer doubles what would be written out."""
    text = "x"
    for _ in range(4):
        text = f"tanh({text}) * sin({text})"
    lines = "\n".join(
        [*(f"a{i} = tanh({f'a{i - 1}' if i else 'x'}) * {f'a{i - 1}' if i else 'x'}" for i in range(30)), "a29"]
    )
    assert len(derivative(lines, "x")) < 8 * len(lines)
    check(text, np.linspace(-1, 1, 5), 1)


def test_names_of_the_formula_are_not_taken_for_parts_of_it():
    assert value(derivative("sin(x) * x + cos(x) * x", "x"), 1.0) == pytest.approx(2 * np.cos(1.0))
    slope = parse(derivative("exp(x) * t0 + exp(x) * t1", "x"))
    values = {name: np.asarray(v) for name, v in {"x": 0.5, "t0": 2.0, "t1": 3.0}.items()}
    assert evaluate(slope, values, np.dtype("float64")) == pytest.approx(5 * np.exp(0.5))


@pytest.mark.parametrize("text", ["row_sum(x)", "y = x", "x if x else y", "x."])
def test_what_has_no_derivative_is_a_syntax_error(text):
    with pytest.raises(SyntaxError):
        derivative(text, "x")
