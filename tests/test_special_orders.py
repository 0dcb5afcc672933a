"""Special functions of several arguments, of whole orders and on branches, against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

import gradflow as gf
from gradflow import special
from gradflow.errors import ArgumentError, GradientError
from gradflow.testing import gradcheck, tolerance

ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-300, 0.5]
ALL_ENDS = np.meshgrid(ENDS, ENDS)


def drawn(*ranges):
    rng = np.random.default_rng(0)
    return [
        np.concatenate([rng.uniform(*each, 400), ends.ravel()]) for each, ends in zip(ranges, ALL_ENDS, strict=True)
    ]


PAIRS = {  # the ranges of the arguments, and the largest error relative to the result, or to 1 if that is larger
    "boxcox": (drawn((0, 5), (-2, 2)), 1e-14),
    "boxcox1p": (drawn((-1, 5), (-2, 2)), 1e-14),
    "inv_boxcox": (drawn((-1, 1), (-1, 1)), 1e-14),
    "inv_boxcox1p": (drawn((-1, 1), (-1, 1)), 1e-14),
    "rel_entr": (drawn((0, 5), (0, 5)), 1e-14),
    "kl_div": (drawn((0, 5), (0, 5)), 1e-14),
    "huber": (drawn((0, 5), (-9, 9)), 1e-14),
    "gammainc": (drawn((0, 9), (0, 20)), 1e-13),
    "gammaincc": (drawn((0, 9), (0, 20)), 1e-13),
}


def compared(found, expected, bound):
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    assert np.all(np.abs(found[finite] - expected[finite]) <= bound * np.maximum(1, np.abs(expected[finite])))


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_are_scipys_and_so_are_those_at_the_ends(name):
    (a, b), bound = PAIRS[name]
    with np.errstate(all="ignore"):
        expected = getattr(scipy.special, name)(a, b)
        tiny = (abs(b) == 1e-300) & ("boxcox" in name)  # SciPy rounds that to 0
        compared(getattr(special, name)(gf.tensor(a), gf.tensor(b)).data[~tiny], expected[~tiny], bound)


def test_the_smooth_huber_function_is_scipys_where_that_is_a_number():
    delta, r = drawn((0, 5), (-9, 9))
    with np.errstate(all="ignore"):
        expected = scipy.special.pseudo_huber(delta, r)
        found = special.pseudo_huber(gf.tensor(delta), gf.tensor(r)).data
    there = ~np.isnan(expected) & ~np.isnan(delta)
    compared(found[there], expected[there], 1e-14)


@pytest.mark.parametrize("a", [120.0, 1e3, 1e5])
def test_incomplete_gamma_functions_of_large_parameters_are_scipys(a):
    x = a + np.sqrt(a) * np.linspace(-9, 9, 60)
    for name in ("gammainc", "gammaincc"):
        found = getattr(special, name)(a, gf.tensor(x)).data
        np.testing.assert_allclose(found, getattr(scipy.special, name)(a, x), rtol=0, atol=1e-13)


def test_the_incomplete_beta_function_is_scipys():
    rng = np.random.default_rng(0)
    a, b, x = rng.uniform(0, 100, 500), rng.uniform(0, 100, 500), rng.uniform(0, 1, 500)
    a[:5], b[:5], x[:5] = [1, -1, 2, 2, np.nan], [2, 2, np.nan, 2, 2], [0, 0.5, 0.5, 1, 0.5]
    found = special.betainc(gf.tensor(a), gf.tensor(b), gf.tensor(x)).data
    expected = scipy.special.betainc(a, b, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_gradient_that_there_is_not_is_refused_by_its_name():
    a = gf.tensor([2.0, 3.0], requires_grad=True)
    for out in (special.gammainc(a, 1.0), special.gammaincc(a, 1.0), special.betainc(a, 2.0, 0.5)):
        with pytest.raises(GradientError, match="there is no gradient in a"):
            out.sum().backward()


def test_the_gradient_of_an_incomplete_gamma_function_is_that_of_a_real_parameter_too():
    gradcheck(
        lambda x: special.gammainc(2.5, x) + special.betainc(1.5, 2.5, x / 9), gf.tensor(np.array([0.5, 2.0, 8.0]))
    )


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 25])
def test_exponential_integrals_of_every_order_are_scipys(n):
    x = np.concatenate([np.random.default_rng(0).uniform(0, 30, 400), [0.0, 1.0, 2.0, 6.0, np.inf, np.nan, 1e-300]])
    expected = scipy.special.expn(n, x)
    np.testing.assert_allclose(special.expn(n, gf.tensor(x)).data, expected, rtol=1e-14)
    assert np.isnan(special.expn(n, gf.tensor([-1.0])).data)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("name", ["spherical_jn", "spherical_yn"])
def test_spherical_bessel_functions_are_scipys(name, n):
    x = np.random.default_rng(0).uniform(0.3, 60, 400)
    found = getattr(special, name)(n, gf.tensor(x)).data
    expected = getattr(scipy.special, name)(n, x)
    np.testing.assert_allclose(found, expected, rtol=1e-13 if name == "spherical_yn" else 0, atol=1e-14)


def test_spherical_bessel_functions_at_zero_and_infinity_have_their_limits():
    x = gf.tensor([0.0, np.inf, np.nan])
    np.testing.assert_array_equal(special.spherical_jn(0, x).data, [1, 0, np.nan])
    np.testing.assert_array_equal(special.spherical_jn(2, x).data, [0, 0, np.nan])
    np.testing.assert_array_equal(special.spherical_yn(2, x).data, [-np.inf, 0, np.nan])


def test_the_branches_of_lamberts_function_solve_its_equation():
    w = np.concatenate([np.linspace(-0.9999, 5, 300), [50.0, 500.0, 1e-200]])
    found = special.lambertw(gf.tensor(w * np.exp(w))).data
    np.testing.assert_allclose(found, w, rtol=2e-12)
    w = np.linspace(-1.0001, -600, 300)
    np.testing.assert_allclose(special.lambertw(gf.tensor(w * np.exp(w)), -1).data, w, rtol=2e-12)
    ends = gf.tensor(np.array([0.0, np.inf, -0.37, np.nan, -np.exp(-1)]))
    np.testing.assert_allclose(special.lambertw(ends).data, [0, np.inf, np.nan, np.nan, -1], rtol=1e-7)
    np.testing.assert_allclose(special.lambertw(ends, -1).data, [-np.inf, np.nan, np.nan, np.nan, -1], rtol=1e-7)


def test_lamberts_function_is_scipys():
    x = np.concatenate([np.linspace(-0.36, 3, 300), 10.0 ** np.arange(-300, 300, 7)])
    np.testing.assert_allclose(special.lambertw(gf.tensor(x)).data, scipy.special.lambertw(x).real, rtol=1e-14)
    x = -np.concatenate([np.linspace(0.36, 0.01, 300), 10.0 ** np.arange(-300, -2, 7)])
    np.testing.assert_allclose(special.lambertw(gf.tensor(x), -1).data, scipy.special.lambertw(x, -1).real, rtol=1e-14)


def test_hurwitz_zeta_function_is_scipys():
    rng = np.random.default_rng(0)
    x, q = rng.uniform(1.001, 50, 400), rng.uniform(0.01, 50, 400)
    x[:5], q[:5] = [1, 0.5, 2, np.nan, 2000], [1, 1, 0, 1, 2]
    np.testing.assert_allclose(special.zeta(gf.tensor(x), gf.tensor(q)).data, scipy.special.zeta(x, q), rtol=1e-13)
    x = np.array([2.0, 3.0, 30.0])
    np.testing.assert_allclose(special.zeta(gf.tensor(x)).data, scipy.special.zeta(x), rtol=1e-14)


def test_the_derivative_of_riemanns_zeta_function_at_two_is_glaishers():
    """zeta'(2) = pi**2 / 6 * (euler + log(2 pi) - 12 log(A)), A being Glaisher's constant."""
    x = gf.tensor(np.array([2.0]), requires_grad=True)
    special.zeta(x).sum().backward()
    expected = np.pi**2 / 6 * (np.euler_gamma + np.log(2 * np.pi) - 12 * np.log(1.2824271291006226))
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["ellipk", "ellipe"])
def test_elliptic_integrals_have_derivatives_of_every_order_and_at_zero(name):
    """At 0 they are pi / 2 times the coefficients of the hypergeometric series times factorials."""
    gradcheck(getattr(special, name), gf.tensor(np.array([-3.0, -0.2, 0.0, 0.24, 0.26, 0.7])), order=3)
    x = gf.tensor(np.zeros(1), requires_grad=True)
    (first,) = gf.tape.gradients(getattr(special, name)(x), [x], gf.ones(1, dtype="float64"), create_graph=True)
    (second,) = gf.tape.gradients(first, [x], gf.ones(1, dtype="float64"))
    expected = np.pi / 2 * np.array([1 / 4, 9 / 32] if name == "ellipk" else [-1 / 4, -3 / 32])
    np.testing.assert_allclose([first.item(), second.item()], expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["boxcox", "boxcox1p", "inv_boxcox", "inv_boxcox1p"])
def test_box_cox_has_a_gradient_in_its_power_at_zero(name):
    x = gf.tensor(np.array([0.5, 2.0, 1.0]))
    gradcheck(getattr(special, name), x, gf.tensor(np.array([0.0, 0.0, -0.3])), order=3)


def test_the_derivatives_of_exprel_at_zero_are_one_over_whole_numbers():
    x = gf.tensor(np.zeros(1), requires_grad=True)
    f = special.exprel(x)
    for k in (2, 3, 4):
        (f,) = gf.tape.gradients(f, [x], gf.ones(1, dtype="float64"), create_graph=True)
        np.testing.assert_allclose(f.data, 1 / k, rtol=1e-15)


def test_the_multivariate_gamma_function_is_scipys():
    a = np.array([2.6, 4.0, 30.0])
    for d in (1, 2, 5):
        np.testing.assert_allclose(
            special.multigammaln(gf.tensor(a), d).data, scipy.special.multigammaln(a, d), rtol=1e-13
        )


def test_a_modified_bessel_function_of_infinity_is_infinite_with_its_sign():
    x = gf.tensor([np.inf, -np.inf])
    np.testing.assert_array_equal(special.i0(x).data, [np.inf, np.inf])
    np.testing.assert_array_equal(special.i1(x).data, [np.inf, -np.inf])


def test_one_less_an_exponential_has_an_exact_logarithm():
    x = np.array([1e-20, 0.1, 0.6931, 0.6932, 5.0, 40.0, 0.0, np.inf])
    with np.errstate(divide="ignore"):
        expected = np.where(x < 1, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))
    np.testing.assert_allclose(special.log1mexp(gf.tensor(x)).data, expected, rtol=1e-15)


@pytest.mark.parametrize("n", [-1, 61, 1000])
@pytest.mark.parametrize("call", ["expn", "polygamma", "spherical_jn", "spherical_yn"])
def test_an_order_that_there_is_not_is_refused(call, n):
    with pytest.raises(ArgumentError, match=f"{call}: n is {n}; orders go from 0 to 60"):
        getattr(special, call)(n, gf.tensor([1.0]))


SLOPES = {
    "expn": lambda x: -scipy.special.expn(59, x),
    "polygamma": lambda x: scipy.special.polygamma(61, x),
    "spherical_jn": lambda x: scipy.special.spherical_jn(60, x, derivative=True),
    "spherical_yn": lambda x: scipy.special.spherical_yn(60, x, derivative=True),
}


@pytest.mark.parametrize("call", SLOPES)
def test_the_largest_order_has_slopes(call):
    x = gf.tensor([2.0, 55.0], dtype="float64")
    value, slope = gf.value_and_grad(lambda x: getattr(special, call)(60, x).sum())(x)
    np.testing.assert_allclose(value.item(), getattr(scipy.special, call)(60, x.data).sum(), rtol=tolerance(x.dtype))
    np.testing.assert_allclose(slope.data, SLOPES[call](x.data), rtol=tolerance(x.dtype))


def test_what_a_normal_distribution_misses_has_slopes_of_two_orders_in_both_tails():
    x = gf.tensor([-30.0, -2.0, 0.0, 2.0, 60.0, 1e9], dtype="float64")
    slope = gf.grad(lambda x: special.log_ndtr(x).sum())
    curve = gf.grad(lambda x: slope(x).sum())(x)
    hazard = np.exp(scipy.stats.norm.logpdf(x.data) - scipy.stats.norm.logcdf(x.data))
    np.testing.assert_allclose(slope(x).data, hazard, rtol=tolerance(x.dtype))
    near = tolerance(x.dtype, 30.0**2)  # of the two that nearly cancel on the left
    np.testing.assert_allclose(curve.data, -hazard * (x.data + hazard), atol=near)


def test_other_mistakes_are_explained():
    with pytest.raises(ArgumentError, match="lambertw: k is 1; the branches that are real are 0 and -1"):
        special.lambertw(gf.tensor([1.0]), 1)
    with pytest.raises(ArgumentError, match="multigammaln: d is 0; dimensions count from 1"):
        special.multigammaln(gf.tensor([1.0]), 0)
