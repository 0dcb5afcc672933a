"""Least squares with bounds, robust losses and callbacks, and curve_fit: beside SciPy's, and by closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, ConvergenceError, DTypeError, ShapeError
from gradflow.optimize import OptimizeWarning, curve_fit, least_squares
from minima import PROBLEMS

LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]


@pytest.fixture
def scipy():
    return pytest.importorskip("scipy.optimize")


def theirs_of(scipy, residuals, start, **options):
    jacobian = gf.jacfwd(residuals)
    return scipy.least_squares(
        lambda x: residuals(gf.tensor(x)).numpy(), start, lambda x: jacobian(gf.tensor(x)).numpy(), **options
    )


def assert_same(ours, theirs):
    """The same minimum, by about as many evaluations, with the same fields."""
    assert ours.success
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-6, abs=1e-12)
    np.testing.assert_array_equal(ours.active_mask.numpy(), theirs.active_mask)
    assert ours.nfev <= 1.2 * theirs.nfev + 3
    assert ours.njev <= 1.2 * theirs.njev + 3
    scale = max(1.0, float(abs(theirs.fun).max()))
    np.testing.assert_allclose(ours.fun.numpy(), theirs.fun, atol=1e-4 * scale)
    assert set(theirs) <= set(ours)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize(("down", "up"), [(np.inf, np.inf), (0.3, 0.15), (0.1, np.inf), (np.inf, 0.2)])
def test_within_bounds_the_minimum_and_the_way_there_are_scipys(name, down, up, scipy):
    residuals, start, _ = PROBLEMS[name]
    start = np.array(start)
    bounds = start - down, start + up
    ours = least_squares(residuals, start, bounds=bounds, method="trf")
    assert_same(ours, theirs_of(scipy, residuals, start, bounds=bounds))
    assert ((bounds[0] <= ours.x.numpy()) & (ours.x.numpy() <= bounds[1])).all()


@pytest.mark.parametrize("name", ["rosenbrock", "powell", "kowalik_osborne", "helical"])
@pytest.mark.parametrize("x_scale", ["jac", 0.5, "each"])
def test_variables_have_a_scale(name, x_scale, scipy):
    residuals, start, _ = PROBLEMS[name]
    start = np.array(start)
    options = {"x_scale": np.linspace(0.5, 2, len(start)) if x_scale == "each" else x_scale}
    options["bounds"] = start - 1, start + 0.5
    assert_same(least_squares(residuals, start, **options), theirs_of(scipy, residuals, start, **options))


@pytest.mark.parametrize("name", ["rosenbrock", "powell", "bard", "kowalik_osborne", "booth"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_minimum_of_a_loss_is_scipys(name, loss, scipy):
    residuals, start, _ = PROBLEMS[name]
    options = {"loss": loss, "f_scale": 0.1 if name == "kowalik_osborne" else 3.0}
    ours, theirs = least_squares(residuals, start, **options), theirs_of(scipy, residuals, start, **options)
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-6, abs=1e-11)
    assert ours.nfev <= 1.3 * theirs.nfev + 5


def decay(x, p):
    return p[0] * gf.exp(-p[1] * x) + p[2]


@pytest.fixture
def outliers(rng):
    x = np.linspace(0, 4, 40)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * rng.standard_normal(40)
    y[::9] += 5
    return gf.tensor(x), gf.tensor(y)


@pytest.mark.parametrize("loss", LOSSES)
def test_outliers_pull_less_than_at_a_sum_of_squares(loss, outliers, scipy):
    x, y = outliers

    def residuals(p):
        return decay(x, p) - y

    robust = least_squares(residuals, [1.0, 1.0, 0.0], loss=loss, f_scale=0.05)
    theirs = theirs_of(scipy, residuals, [1.0, 1.0, 0.0], loss=loss, f_scale=0.05)
    np.testing.assert_allclose(robust.x.numpy(), theirs.x, rtol=1e-4)
    for name in ("jac", "grad"):
        np.testing.assert_allclose(getattr(robust, name).numpy(), getattr(theirs, name), atol=1e-3)
    wrong = [abs(fit.x.numpy() - [2.5, 1.3, 0.5]).max() for fit in (robust, least_squares(residuals, [1.0, 1.0, 0.0]))]
    assert wrong[0] < 0.12
    assert wrong[1] > 0.5


def by_hand(z):
    return gf.stack([2 * (gf.sqrt(1 + z) - 1), (1 + z) ** -0.5, -0.5 * (1 + z) ** -1.5])


@pytest.mark.parametrize("loss", [by_hand, lambda z: by_hand(z).numpy(), lambda z: 2 * ((1 + z) ** 0.5 - 1)])
def test_a_loss_of_ones_own_with_derivatives_or_without(loss, outliers):
    x, y = outliers
    ours, named = (
        least_squares(lambda p: decay(x, p) - y, [1.0, 1.0, 0.0], loss=each, f_scale=0.1) for each in (loss, "soft_l1")
    )
    assert ours.nfev == named.nfev
    np.testing.assert_allclose(ours.x.numpy(), named.x.numpy(), rtol=1e-7)


def test_a_linear_fit_within_bounds_is_the_projection():
    target = np.array([-2.0, 0.25, 3.0])
    found = least_squares(lambda p: p - gf.tensor(target), np.full(3, 0.5), bounds=(0, [1, 1, np.inf]))
    np.testing.assert_allclose(found.x.numpy(), [0.0, 0.25, 3.0], atol=1e-7)
    assert found.active_mask.tolist() == [-1, 0, 0]
    assert found.optimality < 1e-8
    np.testing.assert_allclose(found.grad.numpy(), [2.0, 0, 0], atol=1e-6)


def test_more_variables_than_residuals():
    found = least_squares(lambda p: gf.stack([p.sum() - 3, p[0] - p[1]]), np.ones(4), bounds=(0, 2))
    assert found.success
    assert found.cost < 1e-16


def test_bounds_may_be_containers_or_scipys(scipy):
    x0 = {"a": gf.tensor([0.5, 0.5], "float64"), "b": gf.tensor(0.5, "float64")}
    low = {"a": gf.zeros(2), "b": gf.tensor(-1.0)}
    found = least_squares(lambda p: gf.concat([p["a"] - 3, p["b"].reshape(1) + 5]), x0, bounds=(low, 1))
    np.testing.assert_allclose(found.x["a"].numpy(), [1, 1])
    assert found.x["b"].item() == pytest.approx(-1)
    assert found.active_mask["a"].tolist() == [1, 1]
    assert found.active_mask["b"].item() == -1
    again = least_squares(lambda p: p - 3, [0.5], bounds=scipy.Bounds([0], [1]))
    assert again.x.item() == pytest.approx(1)


@pytest.mark.parametrize("name", ["rosenbrock", "bard", "kowalik_osborne"])
def test_in_float32_bounds_are_as_near_as_the_dtype_allows(name):
    residuals, start, _ = PROBLEMS[name]
    start = np.array(start, np.float32)
    options = {"bounds": (start - np.float32(0.3), start + np.float32(0.15)), "loss": "soft_l1"}
    ours = least_squares(residuals, start, **options)
    wide = least_squares(
        residuals, start.astype(float), bounds=[each.astype(float) for each in options["bounds"]], loss="soft_l1"
    )
    assert ours.x.dtype == gf.float32
    assert ours.success
    assert ours.cost == pytest.approx(wide.cost, rel=1e-4, abs=1e-7)


def test_on_a_device_tensors_stay_there(cuda):
    x0 = gf.tensor([0.5, 0.5], "float64", device="cuda")
    found = least_squares(
        lambda p: p - gf.tensor([2.0, 0.25], "float64", device="cuda"), x0, bounds=(0, 1), loss="huber"
    )
    assert {each.device.kind for each in (found.x, found.fun, found.jac, found.grad, found.active_mask)} == {"cuda"}
    np.testing.assert_allclose(found.x.numpy(), [1, 0.25], atol=1e-6)
    y = gf.tensor([1.0, 3.0, 5.0], device="cuda")
    popt, pcov = curve_fit(lambda x, a, b: a * x + b, [0, 1, 2], y, sigma=[1, 2, 1])
    assert (popt.device.kind, pcov.device.kind, popt.dtype) == ("cuda", "cuda", gf.float32)
    np.testing.assert_allclose(popt.numpy(), [2, 1], rtol=1e-5)


@pytest.mark.parametrize("method", ["lm", "trf"])
def test_a_callback_sees_every_iteration_and_may_stop(method):
    seen = []
    residuals, start, _ = PROBLEMS["rosenbrock"]
    found = least_squares(residuals, list(start), method=method, callback=lambda x: seen.append(x.tolist()))
    assert len(seen) in (found.nit, found.nit - 1)  # the last step may be the end

    def stopping(intermediate_result):
        assert {"cost", "fun", "nit", "nfev"} <= set(intermediate_result)
        if intermediate_result.nit == 2:
            raise StopIteration

    stopped = least_squares(residuals, list(start), method=method, callback=stopping)
    assert (stopped.status, stopped.success, stopped.nit) == (-2, False, 2)
    assert stopped.x.tolist() == seen[1]


def test_limits_end_it_without_success():
    residuals, start, _ = PROBLEMS["rosenbrock"]
    found = least_squares(residuals, list(start), method="trf", max_nfev=4)
    assert (found.nfev, found.status, found.success) == (4, 0, False)


def test_infinities_on_the_way_shorten_the_step():
    with np.errstate(all="ignore"):
        found = least_squares(lambda p: gf.log(p) - 1, [20.0], method="trf")
    assert found.x.item() == pytest.approx(np.e)


# ---- curve_fit


def line(x, a, b):
    return a * x + b


def test_the_covariance_of_a_line_is_the_closed_form(rng):
    x = np.linspace(0, 3, 12)
    y = 2 * x + 1 + 0.1 * rng.standard_normal(12)
    popt, pcov = curve_fit(line, x, y)
    design = np.stack([x, np.ones(12)], 1)
    expected, squares, *_ = np.linalg.lstsq(design, y)
    np.testing.assert_allclose(popt.numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(pcov.numpy(), np.linalg.inv(design.T @ design) * squares / 10, rtol=1e-9)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("form", ["none", "each", "matrix"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0, 0, 0], [10, 5, 1])])
def test_parameters_and_covariance_are_scipys(absolute, form, bounds, rng, scipy):
    x = np.linspace(0, 4, 30)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * rng.standard_normal(30)
    each = np.linspace(0.02, 0.2, 30)
    mixed = np.eye(30) * 0.02 + 0.01
    sigma = {"none": None, "each": each, "matrix": mixed}[form]
    ours = curve_fit(
        lambda x, a, b, c: a * gf.exp(-b * x) + c, x, y, sigma=sigma, absolute_sigma=absolute, bounds=bounds
    )
    theirs = scipy.curve_fit(
        lambda x, a, b, c: a * np.exp(-b * x) + c, x, y, sigma=sigma, absolute_sigma=absolute, bounds=bounds
    )
    np.testing.assert_allclose(ours[0].numpy(), theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1].numpy(), theirs[1], rtol=1e-3, atol=1e-9)


def test_curve_fit_takes_a_jacobian_options_and_gives_all_that_it_knows():
    x = np.arange(5.0)
    jac = lambda x, a, b: gf.stack([x, gf.ones_like(x)], axis=1)  # noqa: E731
    popt, _, information, message, why = curve_fit(
        line, x, 2 * x + 1, p0=[0.5, 0.5], sigma=np.arange(1.0, 6.0), jac=jac, full_output=True, loss="huber"
    )
    np.testing.assert_allclose(popt.numpy(), [2, 1], rtol=1e-7)
    np.testing.assert_allclose(information["fvec"].numpy(), 0, atol=1e-6)
    assert information["nfev"] > 1
    assert (why, "satisfied" in message) in {(1, True), (2, True), (3, True), (4, True)}


def test_without_p0_it_begins_between_the_bounds():
    seen = []

    def f(x, a, b, c, d):
        seen.append([each.item() for each in (a, b, c, d)])
        return a * x + b + c + d

    with pytest.warns(OptimizeWarning, match="covariance of the parameters is not known"):
        curve_fit(f, np.arange(6.0), np.arange(6.0), bounds=([0, 3, -np.inf, -np.inf], [4, np.inf, -1, np.inf]))
    np.testing.assert_allclose(seen[0], [2, 4, -2, 1])


def test_parameters_that_the_data_do_not_determine_have_an_infinite_covariance():
    with pytest.warns(OptimizeWarning):
        _, pcov = curve_fit(lambda x, a, b: (a + b) * x, np.arange(4.0), np.arange(4.0))
    assert np.isinf(pcov.numpy()).all()


def test_what_curve_fit_refuses():
    x = np.arange(4.0)
    with pytest.raises(ConvergenceError, match="number of function evaluations is exceeded"):
        curve_fit(lambda x, a, b: gf.exp(a * x) + b, x, x**2, p0=[3.0, 1.0], max_nfev=2)
    with pytest.raises(ArgumentError, match="the signature of f does not say"):
        curve_fit(lambda x, *p: p[0] * x, x, x)
    with pytest.raises(ShapeError, match=r"sigma is \(3,\); it must be \(4,\) or \(4, 4\)"):
        curve_fit(line, x, x, sigma=[1, 2, 3])
    with pytest.raises(DTypeError, match="f is a function, not int"):
        curve_fit(3, x, x)
    with pytest.raises(ShapeError, match=r"a bound is \(3,\); f has 2 parameters"):
        curve_fit(line, x, x, bounds=([0, 0, 0], np.inf))
    with pytest.raises(ArgumentError, match="not 3 of them"):
        curve_fit(line, x, x, bounds=(0, 1, 2))
    with pytest.raises(ShapeError, match="f returned 3 values; there are 4 in ydata"):
        curve_fit(lambda x, a: a * x[:3], x, x)
