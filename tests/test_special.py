"""Special functions against SciPy, over all the line and at its ends, and their gradients against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import gradflow as gf
from gradflow import special
from gradflow.errors import ArgumentError, DTypeError
from gradflow.formula import parse
from gradflow.op import OPS, Spec
from gradflow.testing import gradcheck
from gradflow.testing.cases import tolerance
from gradflow.testing.formula import evaluate

ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan]


def points(low, high, *more):
    return np.concatenate([np.random.default_rng(0).uniform(low, high, 400), np.array(more, float)])


LINE = points(-12, 12, *ENDS, 1e-5, -1e-5)
HALF = points(0, 60, 0.0, np.inf, np.nan, -1.0, 1e-6, 8.0)
CASES = {  # the points, and the largest error relative to the result, or to 1 if that is larger
    "erfc": (points(-6, 26, *ENDS), 1e-13),
    "erfcx": (points(-20, 60, *ENDS, 1e8), 1e-13),
    "erfinv": (points(-1, 1, 1.0, -1.0, 0.0, 2.0, np.nan, 1e-300, 1 - 1e-15), 1e-14),
    "gammaln": (points(-12, 200, 0.0, -1.0, -2.0, 1e-9, 1e5, 1e300, np.inf, np.nan), 1e-14),
    "gamma": (points(-12, 171, 0.0, -0.0, -1.0, 180.0, -200.5, 1e-9, np.inf, -np.inf, np.nan), 1e-14),
    "digamma": (points(-12, 30, -1.0, 0.0, -0.0, 1e9, 1e-9, np.inf, np.nan), 1e-13),
    "i0": (points(-700, 700, *ENDS[:2], np.nan), 1e-14),
    "i0e": (points(-700, 700, *ENDS), 1e-14),
    "i1": (points(-700, 700, *ENDS[:2], np.nan), 1e-14),
    "i1e": (points(-700, 700, *ENDS), 1e-14),
    "j0": (points(-60, 60, 0.0, np.nan, 8.0, -8.0), 1e-14),
    "j1": (points(-60, 60, 0.0, np.nan, 8.0, -8.0), 1e-14),
    "y0": (HALF[np.inf != HALF], 1e-14),
    "y1": (HALF[np.inf != HALF], 1e-14),
    "k0": (points(0, 700, 0.0, -1.0, 1e-300, 2.0, np.inf, np.nan), 1e-14),
    "k0e": (points(0, 700, 0.0, -1.0, 1e-300, 2.0, np.inf, np.nan), 1e-14),
    "k1": (points(0, 700, 0.0, -1.0, 1e-300, 2.0, np.inf, np.nan), 1e-14),
    "k1e": (points(0, 700, 0.0, -1.0, 1e-300, 2.0, np.inf, np.nan), 1e-14),
    "dawsn": (points(-30, 30, *ENDS, 1e-300, 1e300, -1e9), 1e-14),
    "erfi": (points(-26, 26, *ENDS, 1e-300, 30.0, -30.0), 1e-13),
    "erfcinv": (points(0, 2, 0.0, 2.0, 1.0, 3.0, -1.0, np.nan, 1e-300, 1e-12, 2 - 1e-15), 1e-14),
    "ndtr": (points(-37, 10, *ENDS), 1e-13),
    "ndtri": (points(0, 1, 0.0, 1.0, 0.5, 2.0, -1.0, np.nan, 1e-300, 1e-12, 1 - 1e-15), 1e-14),
    "log_ndtr": (points(-60, 30, *ENDS, -1e150), 1e-13),
    "exp1": (points(0, 700, 0.0, 0.3, 0.9, 1.0, 2.0, 4.0, 1e-300, np.inf, np.nan), 1e-14),
    "expi": (points(-700, 700, *ENDS, *np.linspace(-5, 45, 200)), 1e-13),
    "ellipk": (points(-9, 1, 0.0, 1.0, 1.5, -np.inf, np.nan, 1 - 1e-15, -1e200), 1e-14),
    "ellipe": (points(-9, 1, 0.0, 1.0, 1.5, -np.inf, np.nan, 1 - 1e-15, -1e10), 1e-14),
    "ellipkm1": (points(0, 9, 0.0, 1.0, -0.5, np.inf, np.nan, 1e-300, 1e200), 1e-14),
    "spence": (points(0, 9, 0.0, 1.0, -0.5, np.inf, np.nan, 1 + 1e-9, 1e-300, 1e200), 1e-14),
    "exprel": (points(-40, 700, *ENDS, 1e-300, -0.5, 0.99), 1e-15),
    "cosm1": (points(-3, 3, 0.0, np.nan, 1e-9, -1e-100), 1e-14),
    "exp10": (points(-300, 300, *ENDS), 1e-14),
    "log_expit": (points(-800, 800, *ENDS), 1e-15),
    "entr": (points(-1, 3, *ENDS), 1e-15),
    "logit": (points(0, 1, 0.0, 1.0, 2.0, np.nan), 1e-14),
    "expit": (LINE, 1e-15),
    "cbrt": (LINE, 1e-15),
    "exp2": (LINE, 1e-15),
}
WITHIN = {"erfinv", "erfcinv", "ndtri", "ellipk", "ellipe"}  # of numbers up to 1
PLAIN = {"exp2", "cbrt", "entr", "logit", "expit", "exprel", "cosm1", "exp10", "log_expit"}  # in the dtype itself
ABSOLUTE = {"gammaln", "digamma", "j0", "j1", "y0", "y1", "expi", "entr", "logit"}  # where they are below 1


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value) encountered in log:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow) encountered:RuntimeWarning")
@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys_and_so_are_those_at_the_ends(name):
    x, bound = CASES[name]
    with np.errstate(all="ignore"):
        found, expected = getattr(special, name)(gf.tensor(x)).data, getattr(scipy.special, name)(x)
    size = np.maximum(1, np.abs(expected)) if name in ABSOLUTE else np.abs(expected)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    assert np.all(np.abs(found[finite] - expected[finite]) <= bound * size[finite])


@pytest.mark.parametrize("name", sorted(set(CASES) - PLAIN))
@pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
def test_other_dtypes_are_those_of_float64_rounded_once(name, dtype):
    x = np.array([1, 2, 3] if dtype == "int64" and name not in WITHIN else [0, 0.25, 0.5], dtype)
    found = getattr(special, name)(gf.tensor(x)).data
    expected = getattr(special, name)(gf.tensor(x.astype("float64"))).data
    assert found.dtype == (np.float64 if dtype == "int64" else np.dtype(dtype))
    np.testing.assert_array_equal(found, expected.astype(found.dtype))


@pytest.mark.parametrize("name", sorted(OPS.keys() & CASES.keys()))
def test_a_formula_in_float32_neither_over_nor_underflows_before_its_result(name):
    op, (x, _) = OPS[name], CASES[name]
    x = np.concatenate([x, *(sign * 10.0 ** np.arange(-37, 5) for sign in (1, -1))])
    attrs = {"n": 0} if op.attribute_names else {}
    with np.errstate(all="ignore"):
        x = x.astype("float32")
        expected = op.forward(np, x.astype("float64"), **attrs)
        text = op.scalar_for((Spec(x.shape, x.dtype),), attrs)
        found = evaluate(parse(text), {"x": x}, x.dtype).astype("float64")
    within = ~(np.abs(expected) > 1e37)
    np.testing.assert_array_equal(np.isnan(found[within]), np.isnan(expected[within]))
    finite = within & np.isfinite(expected)
    bound = 8 * tolerance(gf.float32) * np.maximum(1, np.abs(expected[finite]))
    assert np.all(np.abs(found[finite] - expected[finite]) <= bound)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_derivatives_of_digamma_are_scipys(n):
    x = points(0.01, 30, 1e6)
    np.testing.assert_allclose(special.polygamma(n, gf.tensor(x)).data, scipy.special.polygamma(n, x), rtol=1e-14)


def test_the_trigamma_function_has_a_gradient_below_zero_from_digamma():
    x = gf.tensor(np.array([-0.5, -1.25]), requires_grad=True)
    special.digamma(x).sum().backward()
    expected = np.pi**2 / np.sin(np.pi * x.data) ** 2 - scipy.special.polygamma(1, 1 - x.data)
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["beta", "betaln"])
def test_beta_functions_are_scipys(name, rng):
    a, b = rng.uniform(0.1, 8, (3, 1)), rng.uniform(0.1, 8, 4)
    found = getattr(special, name)(gf.tensor(a), gf.tensor(b))
    np.testing.assert_allclose(found.data, getattr(scipy.special, name)(a, b), rtol=1e-12)
    gradcheck(getattr(special, name), gf.tensor(a), gf.tensor(b))


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
def test_products_with_logarithms_are_scipys(name):
    x, y = np.meshgrid([0.0, -1.0, 2.0, np.nan, np.inf], [0.0, 0.5, 1.0, -0.5, np.nan, np.inf])
    with np.errstate(all="ignore"):
        found = getattr(special, name)(gf.tensor(x), gf.tensor(y)).data
        np.testing.assert_allclose(found, getattr(scipy.special, name)(x, y), rtol=1e-15)


def test_the_gradient_of_xlogy_where_x_is_zero_is_zero_in_y():
    y = gf.tensor([0.0, 0.5], requires_grad=True)
    special.xlogy(gf.tensor([0.0, 0.0]), y).sum().backward()
    np.testing.assert_array_equal(y.grad.data, 0)


@pytest.mark.parametrize("function", [special.xlogy, special.xlog1py])
def test_a_python_number_leaves_the_dtype_of_a_product_with_a_logarithm(function):
    x = gf.tensor(np.array([0.5, 2.0], "float16"))
    assert function(x, 2.0).dtype == function(2.0, x).dtype == gf.float16


def test_gradients_at_zero_are_those_of_the_power_series():
    """j1(x) = x/2 - x**3/16 + ..., i1(x) = x/2 + x**3/16 + ..., sinc(x) = 1 - (pi x)**2/6 + (pi x)**4/120."""
    for function, third in ((special.j1, -6 / 16), (special.i1, 6 / 16)):
        x = gf.tensor(np.zeros(1), requires_grad=True)
        function(x).sum().backward(create_graph=True)
        np.testing.assert_allclose(x.grad.data, 0.5, rtol=1e-15)
        h = 1e-3
        slopes = []
        for at in (-h, 0.0, h):
            y = gf.tensor(np.array([at]), requires_grad=True)
            function(y).sum().backward()
            slopes.append(y.grad.data[0])
        np.testing.assert_allclose((slopes[0] - 2 * slopes[1] + slopes[2]) / h**2, third, rtol=1e-4)
    gradcheck(gf.sinc, gf.tensor(np.array([0.0, 0.029, 0.031, -0.5])), order=3)
    x = gf.tensor(np.array([1e-6]), requires_grad=True)
    gf.sinc(x).sum().backward()
    np.testing.assert_allclose(x.grad.data, -(np.pi**2) * 1e-6 / 3, rtol=1e-11)


def test_a_logarithm_of_a_sum_of_exponentials_of_minus_infinities_has_a_gradient():
    a = gf.tensor([-np.inf, 1.0, np.inf], requires_grad=True)
    b = gf.tensor([-np.inf, -np.inf, 1.0], requires_grad=True)
    gf.logaddexp(a, b).backward(np.ones(3, np.float32))
    np.testing.assert_array_equal(a.grad.data, [1, 1, 1])
    np.testing.assert_array_equal(b.grad.data, [1, 0, 0])


NUMPYS = ["arcsinh", "arctanh", "deg2rad", "rad2deg", "sinc", "exp2", "cbrt", "rint", "trunc", "positive", "signbit"]


@pytest.mark.parametrize("name", NUMPYS)
def test_elementwise_functions_are_numpys(name):
    x = points(-0.99, 0.99, 0.0, -0.0)
    np.testing.assert_allclose(getattr(gf, name)(gf.tensor(x)).data, getattr(np, name)(x), rtol=1e-15, atol=1e-15)


PAIRED = ["logaddexp", "logaddexp2", "copysign", "nextafter", "heaviside", "fmod", "fmax", "fmin", "float_power"]


@pytest.mark.parametrize("name", PAIRED)
def test_functions_of_two_are_numpys_and_so_are_those_of_nan_and_infinity(name):
    a, b = np.meshgrid([1.5, -2.5, *ENDS], [0.5, 2.0, -1.0, *ENDS])
    with np.errstate(all="ignore"):
        found, expected = getattr(gf, name)(gf.tensor(a), gf.tensor(b)).data, getattr(np, name)(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[expected == 0]))


def test_the_gradient_of_fmax_flows_past_nan():
    a = gf.tensor([1.0, np.nan, 2.0], requires_grad=True)
    b = gf.tensor([np.nan, 1.0, 2.0], requires_grad=True)
    gf.fmax(a, b).sum().backward()
    np.testing.assert_array_equal(a.grad.data, [1, 0, 0.5])
    np.testing.assert_array_equal(b.grad.data, [0, 1, 0.5])


def test_numbers_are_put_for_nan_and_infinities_as_numpy_does():
    x = np.array([np.nan, np.inf, -np.inf, 2.0], "float32")
    for options in ({}, {"nan": 1.0, "posinf": 7.0, "neginf": -8.0}):
        np.testing.assert_array_equal(gf.nan_to_num(gf.tensor(x), **options).data, np.nan_to_num(x, **options))
    leaf = gf.tensor(x, requires_grad=True)
    gf.nan_to_num(leaf).sum().backward()
    np.testing.assert_array_equal(leaf.grad.data, [0, 0, 0, 1])


HOLES = np.array([[1.0, np.nan, 3.0, -2.0], [np.nan, 0.5, 2.0, 4.0], [5.0, 1.0, np.nan, np.nan]])


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("name", ["nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"])
def test_reductions_past_nan_are_numpys_and_have_gradients(name, axis):
    ours, theirs = getattr(gf, name), getattr(np, name)
    for keepdims in (False, True):
        found = ours(gf.tensor(HOLES), axis, keepdims=keepdims).data
        np.testing.assert_allclose(found, theirs(HOLES, axis=axis, keepdims=keepdims), rtol=1e-14)
    there = ~np.isnan(HOLES)

    def of_numbers(x):
        whole = gf.tensor(np.full(HOLES.shape, np.nan)).at[np.nonzero(there)].set(x)
        return ours(whole, axis)

    gradcheck(of_numbers, gf.tensor(HOLES[there] + np.arange(there.sum()) / 100))


@pytest.mark.parametrize("name", ["nanmean", "nanmax", "nanmin", "nanvar"])
def test_where_all_is_nan_there_is_no_number(name):
    assert np.isnan(getattr(gf, name)(gf.tensor([np.nan, np.nan])).data)
    assert gf.nansum(gf.tensor([np.nan])).item() == 0


def test_mistakes_are_explained():
    with pytest.raises(ArgumentError, match="polygamma: n is -1"):
        special.polygamma(-1, gf.tensor([1.0]))
    with pytest.raises(DTypeError, match="nan_to_num: nan is a number, not None"):
        gf.nan_to_num(gf.tensor([1.0]), None)
    with pytest.raises(DTypeError, match="ldexp: the exponent has integers, not float32"):
        gf.ldexp(gf.tensor([1.0]), gf.tensor([1.0]))


def test_powers_of_two_are_multiplied_exactly():
    x, e = np.array([1.5, -0.1, 3.0]), np.array([10, -1060, 0])
    np.testing.assert_array_equal(gf.ldexp(gf.tensor(x), gf.tensor(e)).data, np.ldexp(x, e))
