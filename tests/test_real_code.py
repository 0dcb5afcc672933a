"""Code written for NumPy has the right gradient once its import is gradflow.numpy: docs/real_code."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import gradflow as gf
import gradflow.numpy as gnp
from process import CHECKOUT

FOLDER = CHECKOUT / "docs" / "real_code"
NAMES = ("pendulum", "lens", "gaussian_process", "deblurring")


def problem(name):
    """The function, the point and the data of a script, which is imported as it is."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.problem()


def slopes(f, x, directions, step=1e-5):
    """Central differences of ``f`` along ``directions``, with one step of extrapolation."""

    def central(d, h):
        return (f(x + h * d) - f(x - h * d)) / (2 * h)

    return [(4 * central(d, step / 2) - central(d, step)) / 3 for d in directions]


def directions(x):
    """Every coordinate of a few, some at random of many."""
    if x.size <= 4:
        return list(np.eye(x.size))
    return list(np.random.default_rng(1).normal(size=(4, *x.shape)))


def test_every_script_is_here():
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(NAMES)
    assert all("gradflow" not in path.read_text() for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_numpys_and_the_gradient_that_of_finite_differences(name):
    f, x, data = problem(name)
    value, gradient = gf.value_and_grad(lambda t: f(gnp, t, *map(gnp.asarray, data)))(gnp.array(x))
    np.testing.assert_allclose(value.item(), f(np, x, *data), rtol=1e-12)
    expected = slopes(lambda at: f(np, at, *data), x, directions(x))
    found = [float((gradient * d).sum()) for d in directions(x)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_downhill_lowers_the_value(name):
    f, x, data = problem(name)
    gradient = gf.grad(lambda t: f(gnp, t, *map(gnp.asarray, data)))(gnp.array(x)).numpy()
    scale = 1e-3 * np.abs(x).max() / np.abs(gradient).max()
    assert f(np, x - scale * gradient, *data) < f(np, x, *data)


def test_numpy_itself_asks_the_tensors_where_there_are_no_arrays_to_make():
    f, x, data = problem("deblurring")
    t = gf.tensor(x, requires_grad=True)
    f(np, t, *map(gf.tensor, data)).backward()
    expected = gf.grad(lambda at: f(gnp, at, *map(gnp.asarray, data)))(gnp.array(x))
    np.testing.assert_allclose(t.grad.numpy(), expected.numpy(), rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_compiled_to_the_same_values(name):
    f, x, data = problem(name)
    tensors = [gnp.asarray(each) for each in data]
    step = gf.compile(gf.value_and_grad(lambda at: f(gnp, at, *tensors)))
    expected_value, expected = gf.value_and_grad(lambda at: f(gnp, at, *tensors))(gnp.array(x))
    for _ in range(3):
        value, gradient = step(gnp.array(x))
    np.testing.assert_allclose(value.item(), expected_value.item(), rtol=1e-9)
    np.testing.assert_allclose(gradient.numpy(), expected.numpy(), rtol=1e-8, atol=1e-12)


def test_an_image_is_reconstructed_on_the_gpu(cuda):
    f, seen, data = problem("deblurring")
    on_gpu = [gf.tensor(each, device="cuda") for each in data]
    assert isinstance(on_gpu[0].data, cuda.ndarray)
    image, before = gf.tensor(seen, device="cuda"), f(np, seen, *data)
    for _ in range(3):
        value, gradient = gf.value_and_grad(lambda t: f(gnp, t, *on_gpu))(image)
        image = image - 0.2 * gradient
    assert gradient.device == image.device == on_gpu[0].device
    expected = gf.grad(lambda t: f(gnp, t, *map(gnp.asarray, data)))(gnp.array(seen))
    first = gf.grad(lambda t: f(gnp, t, *on_gpu))(gf.tensor(seen, device="cuda"))
    np.testing.assert_allclose(first.cpu().numpy(), expected.numpy(), rtol=1e-8, atol=1e-10)
    assert value.item() < before
