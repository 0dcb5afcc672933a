"""root: beside SciPy's, what is no root, containers, dtypes, devices, and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.optimize import root
from minima import PROBLEMS


def circle_and_line(x):
    return gf.stack([x[0] + x[1] - 3, x[0] * x[1] - 2])


@pytest.mark.parametrize("name", ["rosenbrock", "himmelblau", "booth", "powell", "helical"])
def test_roots_are_found_in_fewer_evaluations_than_scipys(name):
    scipy = pytest.importorskip("scipy.optimize")
    f, start, _ = PROBLEMS[name]
    jacobian = gf.jacfwd(f)
    ours = root(f, list(start))
    theirs = scipy.root(
        lambda x: f(gf.tensor(x)).numpy(), start, method="lm", jac=lambda x: jacobian(gf.tensor(x)).numpy()
    )
    assert ours.success
    assert abs(ours.fun.numpy()).max() < 1e-12
    np.testing.assert_allclose(ours.x.numpy(), theirs.x, atol=1e-8)
    assert ours.nfev <= 1.3 * theirs.nfev + 3
    np.testing.assert_allclose(ours.jac.numpy(), jacobian(ours.x).numpy())


@pytest.mark.parametrize(
    ("f", "start"),
    [
        (lambda x: x**2 + 1, [2.0]),
        (lambda x: gf.cos(x) + 2, [1.0]),
        (lambda x: gf.stack([x[0] ** 2 + x[1] ** 2 + 1, x[0] - x[1]]), [1.0, 0.5]),
        (lambda x: 1e-12 * (x**2 + 1), [2.0]),
        (gf.exp, [0.0]),
    ],
)
def test_a_minimum_that_is_no_root_is_no_success(f, start):
    found = root(f, start)
    assert (found.success, found.status in (-1, 0)) == (False, True)
    assert found.message


def test_roots_of_any_size_are_roots():
    for scale in (1e-12, 1.0, 1e12):
        found = root(lambda x, scale=scale: scale * (gf.exp(x) - 2), [3.0])
        assert found.success
        assert found.x.item() == pytest.approx(np.log(2))
        assert root(lambda x, scale=scale: gf.sin(x / scale), [0.4 * scale]).success
    assert root(lambda x: (x - 1) ** 3, [3.0]).x.item() == pytest.approx(1, abs=1e-6)


def test_containers_dtypes_arguments_and_callbacks():
    seen = []
    x0 = {"a": gf.tensor(3.0), "b": gf.tensor([0.5])}
    found = root(lambda p, k: gf.concat([p["a"] + p["b"] - k, p["a"] * p["b"] - 2]), x0, args=3.0, callback=seen.append)
    assert found.success
    assert found.x["a"].dtype == gf.float32
    np.testing.assert_allclose([found.x["a"].item(), found.x["b"].item()], [2, 1], rtol=1e-6)
    assert len(seen) in (found.nit, found.nit - 1)

    def stop(intermediate_result):
        raise StopIteration

    assert (stopped := root(circle_and_line, [3.0, 0.5], callback=stop)).status == -2
    assert (stopped.success, stopped.nit) == (False, 1)
    by_hand = root(lambda x: x**2 - 2, [1.0], jac=lambda x: gf.diag(2 * x), tol=1e-3)
    assert by_hand.x.item() == pytest.approx(2**0.5, rel=1e-3)
    assert by_hand.nfev < root(lambda x: x**2 - 2, [1.0]).nfev


def test_on_a_device(cuda):
    found = root(circle_and_line, gf.tensor([3.0, 0.5], "float64", device="cuda"))
    assert found.x.device.kind == "cuda"
    np.testing.assert_allclose(found.x.numpy(), [2, 1])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"method": "hybr"}, ArgumentError, "no method 'hybr'; there is 'lm'"),
        ({"options": {"eps": 1}}, ArgumentError, "no option eps; there are xtol, maxfev"),
        ({"tol": -1.0}, ArgumentError, "xtol is -1.0"),
        ({"options": {"maxfev": 0}}, ArgumentError, "max_nfev is 0; it must be 1 or more"),
        ({"fun": lambda x: x[:1]}, ShapeError, "root: fun returned 1 values of 2 variables"),
        ({"fun": lambda x: x * np.nan}, ArgumentError, "residuals are not finite at x0"),
        ({"jac": "2-point"}, ArgumentError, "jac is '2-point'"),
        ({"fun": 3}, DTypeError, "fun is a function, not int"),
    ],
)
def test_what_root_refuses(given, error, message):
    with pytest.raises(error, match=message):
        root(**{"fun": circle_and_line, "x0": [3.0, 0.5], **given})
