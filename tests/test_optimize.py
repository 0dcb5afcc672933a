"""gf.optimize: minima and iterations beside SciPy's, containers, dtypes, devices, compiled functions, and mistakes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.optimize import least_squares, minimize
from minima import PROBLEMS, value_of

METHODS = ["BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg", "CG"]
STATIONARY = {("wood", "L-BFGS-B"): 7.876953, ("wood", "Newton-CG"): 7.876953}  # where SciPy may end, too


@pytest.fixture
def scipy():
    return pytest.importorskip("scipy.optimize")


def numpys(f):
    both = gf.value_and_grad(f)

    def value_and_gradient(x):
        value, gradient = both(gf.tensor(x))
        return value.item(), gradient.numpy()

    return value_and_gradient


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_minimum_is_scipys_after_as_many_iterations(name, method, scipy):
    f, (_, start, least) = value_of(name), PROBLEMS[name]
    ours = minimize(f, list(start), method=method)
    theirs = scipy.minimize(numpys(f), start, jac=True, method=method)
    allowed = {least, STATIONARY.get((name, method), least)}
    assert any(ours.fun == pytest.approx(each, rel=1e-4, abs=1e-6) for each in allowed)
    assert ours.nit <= 2 * theirs.nit + 10
    assert ours.nfev <= 3 * theirs.nfev + 10
    assert ours.success or (name, method) == ("brown_dennis", "CG")  # where SciPy loses precision, too


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_region_of_trust_is_that_of_scipy(name, scipy):
    f, (_, start, least) = value_of(name), PROBLEMS[name]
    ours = minimize(f, list(start), method="trust-ncg")

    def product(x, p):
        return gf.hvp(f, (gf.tensor(x),), (gf.tensor(p),)).numpy()

    theirs = scipy.minimize(numpys(f), start, jac=True, method="trust-ncg", hessp=product)
    assert ours.success
    assert ours.fun == pytest.approx(least, rel=1e-4, abs=1e-6)
    assert abs(ours.nit - theirs.nit) <= 1
    np.testing.assert_allclose(ours.x.numpy(), theirs.x, atol=1e-4 * max(1.0, abs(theirs.x).max()))


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "wood"])
def test_newtons_method_finds_the_minimum_by_products_with_the_hessian(name, scipy):
    f, (_, start, least) = value_of(name), PROBLEMS[name]
    ours = minimize(f, list(start), method="Newton-CG")

    def product(x, p):
        return gf.hvp(f, (gf.tensor(x),), (gf.tensor(p),)).numpy()

    theirs = scipy.minimize(numpys(f), start, jac=True, method="Newton-CG", hessp=product)
    assert ours.success
    assert ours.fun == pytest.approx(least, rel=1e-4, abs=1e-6)
    assert ours.nit <= 2 * theirs.nit + 5
    assert ours.nhev > 0


@pytest.mark.parametrize("name", PROBLEMS)
def test_least_squares_goes_the_way_of_minpack(name, scipy):
    residuals, start, least = PROBLEMS[name]
    jacobian = gf.jacfwd(residuals)
    ours = least_squares(residuals, list(start))
    theirs = scipy.least_squares(
        lambda x: residuals(gf.tensor(x)).numpy(),
        start,
        lambda x: jacobian(gf.tensor(x)).numpy(),
        method="lm",
        x_scale="jac",
    )
    assert ours.success
    assert 2 * ours.cost == pytest.approx(least, rel=1e-5, abs=1e-12)
    np.testing.assert_allclose(ours.x.numpy(), theirs.x, rtol=1e-3, atol=1e-5)
    assert ours.nfev <= 1.5 * theirs.nfev + 3
    np.testing.assert_allclose(ours.jac.numpy(), jacobian(ours.x).numpy())
    np.testing.assert_allclose(ours.grad.numpy(), ours.fun.numpy() @ ours.jac.numpy())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["rosenbrock", "himmelblau", "beale", "bard", "helical"])
def test_in_float32_the_minimum_is_as_near_as_the_dtype_allows(name, method):
    _, start, least = PROBLEMS[name]
    found = minimize(value_of(name), gf.tensor(list(start)), method=method)
    assert found.x.dtype == gf.float32
    assert found.fun == pytest.approx(least, abs=1e-5)
    fit = least_squares(PROBLEMS[name].residuals, gf.tensor(list(start)))
    assert fit.success
    assert 2 * fit.cost == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_on_a_device_tensors_stay_there(method, cuda):
    found = minimize(value_of("booth"), gf.zeros(2, dtype="float64", device="cuda"), method=method)
    assert found.success
    assert found.x.device.kind == found.jac.device.kind == "cuda"
    np.testing.assert_allclose(found.x.numpy(), [1, 3], atol=1e-5)


def test_least_squares_on_a_device(cuda):
    found = least_squares(PROBLEMS["rosenbrock"].residuals, gf.tensor([-1.2, 1.0], "float64", device="cuda"))
    assert found.success
    assert found.x.device.kind == "cuda"
    np.testing.assert_allclose(found.x.numpy(), [1, 1], rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_a_compiled_function_goes_the_same_way(method):
    f = value_of("rosenbrock")
    plain, compiled = (minimize(each, [-1.2, 1.0], method=method) for each in (f, gf.compile(f)))
    assert compiled.nit == pytest.approx(plain.nit, abs=3)
    np.testing.assert_allclose(compiled.x.numpy(), plain.x.numpy(), atol=1e-3)


def test_least_squares_of_a_compiled_function():
    fit = least_squares(gf.compile(PROBLEMS["bard"].residuals), [1.0, 1.0, 1.0])
    assert 2 * fit.cost == pytest.approx(8.21487e-3, rel=1e-5)


# ---- containers


@dataclasses.dataclass
class Line:
    slope: gf.Tensor
    rest: dict


def test_x0_may_be_a_nested_container_and_the_result_is_like_it():
    x0 = Line(gf.zeros(3, dtype="float64"), {"bias": [gf.tensor(0.0, "float64"), gf.zeros((2, 1), dtype="float64")]})

    def f(p):
        bias = p.rest["bias"]
        return ((p.slope - 1) ** 2).sum() + (bias[0] - 2) ** 2 + ((bias[1] - 3) ** 4).sum()

    for method in METHODS:
        found = minimize(f, x0, method=method, options={} if method == "Newton-CG" else {"gtol": 1e-9})
        assert isinstance(found.x, Line)
        assert found.x.rest["bias"][1].shape == (2, 1)
        assert found.jac.slope.shape == (3,)
        np.testing.assert_allclose(found.x.slope.numpy(), 1, atol=1e-4)
        np.testing.assert_allclose(found.x.rest["bias"][0].numpy(), 2, atol=1e-4)
        np.testing.assert_allclose(found.x.rest["bias"][1].numpy(), 3, atol=2e-2)
    fit = least_squares(lambda p: gf.concat([p.slope - 1, p.rest["bias"][1].ravel() - 3]), x0)
    assert fit.x.rest["bias"][0].item() == 0.0  # which no residual depends on
    np.testing.assert_allclose(fit.grad.slope.numpy(), 0, atol=1e-8)


@pytest.mark.parametrize("x0", [[1, 2], (1.0, 2.0), np.array([1, 2]), 1.5, np.float64(1.5)])
def test_lists_and_integers_are_float64(x0):
    found = minimize(lambda x: ((x - 3) ** 2).sum(), x0)
    assert found.x.dtype == gf.float64
    assert found.x.shape == np.shape(x0)
    np.testing.assert_allclose(found.x.numpy(), 3, atol=1e-6)


def test_args_are_passed_on_and_one_may_stand_alone():
    assert minimize(lambda x, a, b: (x - a) ** 2 + b, 0.0, args=(2.0, 1.0)).fun == pytest.approx(1.0)
    assert minimize(lambda x, a: (x - a) ** 2, 0.0, args=2.0).x.item() == pytest.approx(2.0)
    fit = least_squares(lambda x, a, b: x - a * b, [0.0], args=(2.0,), kwargs={"b": 4.0})
    assert fit.x.item() == pytest.approx(8.0)


def test_the_function_given_is_not_left_on_a_tape():
    x0 = gf.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    found = minimize(lambda x: (x * x).sum(), x0)
    assert not found.x.requires_grad
    assert x0.grad is None
    assert gf.ones(1, requires_grad=True).sum().requires_grad  # recording is as it was


# ---- bounds


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "wood", "bard"])
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_with_bounds_the_minimum_is_scipys(name, width, scipy):
    f, start = value_of(name), PROBLEMS[name].start
    bounds = [(each - width, each + width / 2) for each in start]
    bounds[0] = (None, bounds[0][1])
    ours = minimize(f, list(start), bounds=bounds, options={"maxiter": 2000})
    theirs = scipy.minimize(numpys(f), start, jac=True, method="L-BFGS-B", bounds=bounds)
    assert ours.success
    assert ours.fun == pytest.approx(theirs.fun, rel=1e-4, abs=1e-8)
    assert all((low is None or x >= low) and x <= high for x, (low, high) in zip(ours.x.tolist(), bounds, strict=True))
    assert minimize(f, list(start), bounds=scipy.Bounds(*_ends(bounds))).fun == ours.fun


def _ends(bounds):
    low, high = zip(*bounds, strict=True)
    return [-np.inf if x is None else x for x in low], high


def test_many_bounded_variables():
    target = np.linspace(-2, 2, 500)
    weights = gf.tensor(np.linspace(1, 100, 500))
    found = minimize(lambda x: (weights * (x - gf.tensor(target)) ** 2).sum(), np.zeros(500), bounds=[(-1, 1)] * 500)
    assert found.success
    np.testing.assert_allclose(found.x.numpy(), np.clip(target, -1, 1), atol=5e-4)


def test_x0_outside_of_the_bounds_is_moved_inside():
    seen = []
    minimize(lambda x: seen.append(x.tolist()) or ((x - 5) ** 2).sum(), [9.0, -9.0], bounds=[(0, 1), (0, 1)])
    assert seen[0] == [1.0, 0.0]


# ---- derivatives of one's own, callbacks, options


def test_derivatives_of_ones_own():
    target = np.array([1.0, -2.0])

    def f(x):
        return float(np.sum((x.numpy() - target) ** 4))

    def jac(x):
        return 4 * (x.numpy() - target) ** 3

    for method in ("BFGS", "L-BFGS-B", "CG"):
        np.testing.assert_allclose(minimize(f, [0.0, 0.0], method=method, jac=jac).x.numpy(), target, atol=0.05)
    both = minimize(lambda x: (f(x), jac(x)), [0.0, 0.0], jac=True)
    np.testing.assert_allclose(both.x.numpy(), target, atol=0.05)
    newton = minimize(
        f, [0.0, 0.0], jac=jac, method="Newton-CG", hessp=lambda x, p: 12 * (x.numpy() - target) ** 2 * p.numpy()
    )
    np.testing.assert_allclose(newton.x.numpy(), target, atol=0.05)
    fit = least_squares(lambda x: x**2 - gf.tensor([1.0, 4.0]), [2.0, 3.0], jac=lambda x: gf.diag(2 * x))
    np.testing.assert_allclose(fit.x.numpy(), [1, 2])


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_sees_every_iteration_and_may_stop(method):
    seen = []
    found = minimize(value_of("beale"), [1.0, 1.0], method=method, callback=lambda x: seen.append(x.tolist()))
    assert len(seen) == found.nit
    assert seen[-1] == found.x.tolist()

    def stopping(intermediate_result):
        if intermediate_result.fun < 1.0:
            raise StopIteration

    stopped = minimize(value_of("beale"), [1.0, 1.0], method=method, callback=stopping)
    assert (stopped.status, stopped.success) == (99, False)
    assert stopped.nit < found.nit


def test_limits_end_it_without_success():
    for method in METHODS:
        found = minimize(value_of("rosenbrock"), [-1.2, 1.0], method=method, options={"maxiter": 3})
        assert (found.nit, found.status, found.success) == (3, 1, False)
        assert "iterations" in found.message
    few = minimize(value_of("rosenbrock"), [-1.2, 1.0], method="L-BFGS-B", options={"maxfun": 5})
    assert (few.status, few.success) == (1, False)
    fit = least_squares(PROBLEMS["rosenbrock"].residuals, [-1.2, 1.0], max_nfev=4)
    assert (fit.nfev, fit.status, fit.success) == (4, 0, False)


def test_a_tolerance_ends_it_earlier():
    f = value_of("rosenbrock")
    for method in METHODS:
        assert minimize(f, [-1.2, 1.0], method=method, tol=0.1).nfev < minimize(f, [-1.2, 1.0], method=method).nfev


def test_a_start_at_the_minimum_is_the_end():
    for method in METHODS:
        found = minimize(lambda x: (x * x).sum(), np.zeros(2), method=method)
        assert (found.nit, found.success) == (0, True)
    assert least_squares(lambda x: x * 2, [0.0, 0.0]).nit == 0


def test_infinities_on_the_way_shorten_the_step():
    with np.errstate(invalid="ignore"):
        found = minimize(lambda x: (x - 2 * gf.log(x)).sum(), [0.01, 9.0])
    assert found.success
    np.testing.assert_allclose(found.x.numpy(), 2, atol=1e-4)


def test_the_result_is_a_dict_with_attributes():
    found = minimize(lambda x: x * x, 1.0)
    assert found["fun"] == found.fun
    assert set(dir(found)) == {"x", "fun", "jac", "nit", "nfev", "njev", "status", "success", "message"}
    assert "success: True" in repr(found)
    with pytest.raises(AttributeError, match="no 'cost'; it has x, fun"):
        found.cost  # noqa: B018


# ---- mistakes


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"method": "simplex"},
            ArgumentError,
            "no method 'simplex'; there are BFGS, CG, L-BFGS-B, Newton-CG, trust-ncg",
        ),
        ({"options": {"eps": 1}}, ArgumentError, "BFGS has no option eps; it has gtol, maxiter"),
        ({"options": {"gtol": -1}}, ArgumentError, "gtol is -1; it must be 0 or more"),
        ({"bounds": [(0, 1)]}, ShapeError, r"bounds are 1, each \(low, high\); x0 has 2 variables"),
        ({"bounds": [(0, 1), (3, 2)]}, ArgumentError, r"nothing is between the bounds of variable 1, \(3.0, 2.0\)"),
        ({"bounds": [(0, 1)] * 2, "method": "BFGS"}, ArgumentError, "BFGS takes no bounds; L-BFGS-B does"),
        ({"hessp": abs}, ArgumentError, "takes no hessp; Newton-CG and trust-ncg do"),
        ({"jac": "2-point"}, ArgumentError, "jac is '2-point'"),
        ({"jac": lambda x: x[:1]}, ShapeError, r"what jac returned is \(1,\); x0 has \(2,\)"),
        ({"jac": lambda x: x, "method": "Newton-CG"}, ArgumentError, "needs hessp"),
        ({"x0": []}, ArgumentError, "no elements"),
        ({"x0": gf.ones(2, dtype="complex64")}, DTypeError, "complex64; it must be float32 or float64"),
        ({"x0": [gf.ones(1), gf.ones(1, dtype="float64")]}, DTypeError, "must have one dtype"),
        ({"x0": [np.nan, 1.0]}, ArgumentError, "fun is nan at x0"),
        ({"fun": lambda x: gf.sqrt(x).sum(), "x0": [0.0, 1.0]}, ArgumentError, "gradient of fun is not finite at x0"),
        ({"fun": lambda x: x}, ShapeError, r"must return one number and returned \(2,\)"),
        ({"fun": 3}, DTypeError, "fun is a function, not int"),
    ],
)
def test_what_minimize_refuses(given, error, message):
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        minimize(**{"fun": lambda x: (x * x).sum(), "x0": [1.0, 2.0], **given})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"method": "dogbox"}, ArgumentError, "no method 'dogbox'; there are 'lm' and 'trf'"),
        ({"loss": "tukey"}, ArgumentError, "no loss 'tukey'; there are linear, soft_l1, huber, cauchy, arctan"),
        ({"loss": "huber", "f_scale": 0.0}, ArgumentError, "f_scale is 0.0"),
        ({"loss": lambda z: z.sum()}, ShapeError, r"loss returned \(\); it must return \(2,\) or \(3, 2\)"),
        ({"loss": "huber", "method": "lm"}, ArgumentError, "'lm' takes no loss but linear"),
        ({"bounds": ([0, 0], [9, 9]), "method": "lm"}, ArgumentError, "'lm' takes no bounds"),
        ({"bounds": [(0, 9)] * 3}, ArgumentError, r"bounds are \(low, high\), of all variables, not 3"),
        ({"bounds": None}, ArgumentError, r"bounds are \(low, high\), of all variables, not None"),
        ({"bounds": ([0, 0, 0], 9)}, ShapeError, r"a bound is \(3,\); x0 has \(2,\)"),
        ({"bounds": ([0, 3], [9, 3])}, ArgumentError, "nothing is between the bounds of variable 1, 3.0 and 3.0"),
        ({"bounds": (0, 1.5)}, ArgumentError, r"x0 is \[1. 2.\], which is not between the bounds"),
        ({"ftol": -1.0}, ArgumentError, "ftol is -1.0"),
        ({"max_nfev": 0}, ArgumentError, "max_nfev is 0"),
        ({"x_scale": "other"}, ArgumentError, "x_scale is 'other'"),
        ({"x_scale": [1.0, -1.0]}, ArgumentError, "must be positive"),
        ({"jac": lambda x: x}, ShapeError, r"jac returned \(2,\); it must return \(2, 2\)"),
        ({"jac": "3-point"}, ArgumentError, "jac is '3-point'"),
        ({"fun": lambda x: x[:, None]}, ShapeError, r"must return a vector of residuals and returned \(2, 1\)"),
        ({"x0": [np.nan, 1.0]}, ArgumentError, "residuals are not finite at x0"),
        ({"fun": gf.sqrt, "x0": [0.0, 1.0]}, ArgumentError, "the Jacobian is not finite at x0"),
        ({"fun": 3}, DTypeError, "fun is a function, not int"),
    ],
)
def test_what_least_squares_refuses(given, error, message):
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        least_squares(**{"fun": lambda x: x - 1, "x0": [1.0, 2.0], **given})


def test_infinite_bounds_are_none():
    assert least_squares(lambda x: x - 1, [3.0], bounds=(-np.inf, np.inf)).x.item() == pytest.approx(1.0)
    assert least_squares(lambda x: x - 1, [3.0], x_scale=10.0).x.item() == pytest.approx(1.0)
