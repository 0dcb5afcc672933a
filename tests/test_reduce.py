"""Reductions and running sums against NumPy, SciPy and PyTorch: accuracy, dtypes, ties, zeros, infinities, nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, IndexOutOfRange, ShapeError
from gradflow.op import OPS
from gradflow.tape import gradients
from gradflow.testing.gradcheck import gradcheck

NAN, INF = math.nan, math.inf
AXES = [None, 0, -1, (0, 2), (2, 1), (0, 1, 2), ()]


def gradient(f, x, dtype="float64"):
    """The gradient of the sum of ``f(x)``."""
    x = gf.tensor(np.array(x, dtype), requires_grad=True)
    return gradients(gf.sum(f(x)), [x])[0].numpy()


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "var", "std", "all", "any"])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_results_are_numpys(name, axis, keepdims, rng):
    x = rng.normal(1, 1, (3, 4, 5))
    result = getattr(gf, name)(gf.tensor(x), axis, keepdims=keepdims).numpy()
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    assert result.shape == expected.shape and result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "max", "count_nonzero"])
@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int32", "uint32", "int64", "float16", "float32", "float64"]
)
def test_dtypes_are_numpys(name, dtype):
    x = np.array([[1, 0], [1, 1]], dtype)
    result, expected = getattr(gf, name)(gf.tensor(x), 1).numpy(), getattr(np, name)(x, axis=1)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", ["mean", "var", "std", "norm", "logsumexp"])
def test_real_functions_of_integers_are_float64_and_of_float16_stay(name):
    x = np.array([0, 200, 100], "uint8")
    result = getattr(gf, name)(gf.tensor(x))
    assert result.dtype == gf.float64
    np.testing.assert_allclose(result.numpy(), getattr(gf, name)(gf.tensor(x, "float64")).numpy())
    assert getattr(gf, name)(gf.tensor(x, "float16")).dtype == gf.float16


def test_functions_are_methods_too():
    x = gf.tensor([[0.25, 0.5], [2.0, 3.0]])
    for name in (
        *("sum", "prod", "mean", "max", "min", "var", "std", "all", "any", "count_nonzero"),
        *("argmax", "argmin", "cumsum", "logsumexp", "softmax", "log_softmax"),
    ):
        np.testing.assert_array_equal(getattr(x, name)(axis=1).numpy(), getattr(gf, name)(x, axis=1).numpy())
    assert x.norm(1).item() == 5.75


def test_a_wrong_axis_is_named():
    for f in (gf.max, gf.argmin, gf.cumsum, gf.var, gf.logsumexp):
        with pytest.raises(IndexOutOfRange, match=f"{f.__name__}: axis 2 is out of range for 2 dimensions"):
            f(gf.zeros((2, 2)), 2)


# accuracy


def test_float16_accumulates_in_float32():
    x = gf.ones(5000, dtype="float16")  # in float16, 2048 + 1 is 2048
    assert gf.sum(x).item() == 5000
    rows = gf.full((400, 2), 11.0, dtype="float16")
    assert gf.sum(rows, 0).tolist() == rows.sum_to((2,)).tolist() == [4400, 4400]
    assert gf.cumsum(x)[-1].item() == 5000
    assert gf.mean(x * 60000).item() == 60000
    assert gf.var(gf.tensor([-300.0, 300.0], "float16") / 2).item() == 22496  # 22500 rounded to float16
    assert gf.norm(x * 4).item() == pytest.approx(4 * math.sqrt(5000), rel=1e-3)
    assert gf.prod(gf.tensor([300.0, 300.0, 0.01], "float16")).item() == pytest.approx(900, rel=1e-3)


def test_a_float16_sum_fills_a_given_buffer():
    buffer = gf.tensor(np.full(2, -7, "float16"))
    memory = buffer.data
    result = gf.dispatch.apply(OPS["sum"], gf.ones((3, 2), dtype="float16"), into=buffer, axes=(0,), keepdims=False)
    assert result.data is memory and memory.tolist() == [3, 3]


@pytest.mark.parametrize(("shape", "axis"), [((400_000, 3), 0), ((300, 500, 4), (0, 1)), ((9000, 130), 0)])
def test_float32_sums_over_leading_axes_do_not_drift(shape, axis):
    x = np.full(shape, 0.1, "float32")
    count = x.size // shape[-1]
    for f, expected in ((gf.sum, count * 0.1), (gf.mean, 0.1), (gf.norm, math.sqrt(count) * 0.1)):
        kwargs = {"ord": 2} if f is gf.norm else {}
        np.testing.assert_allclose(f(gf.tensor(x), axis=axis, **kwargs).numpy(), expected, rtol=4e-6)


@pytest.mark.parametrize(("rows", "width"), [(511, 1), (512, 3), (513, 5000), (1500, 7), (70_001, 1), (70_001, 3)])
def test_sums_of_many_rows_are_exact_in_integers(rows, width):
    x = np.arange(rows * width).reshape(rows, width)
    np.testing.assert_array_equal(gf.sum(gf.tensor(x), 0).numpy(), x.sum(0))
    np.testing.assert_array_equal(gf.sum(gf.tensor(x), 0, keepdims=True).numpy(), x.sum(0, keepdims=True))
    np.testing.assert_array_equal(gf.sum(gf.tensor(x.T), 1).numpy(), x.sum(0))
    g = gf.tensor(x.astype("float64"))
    np.testing.assert_array_equal(g.sum_to((1, width)).numpy(), x.sum(0, keepdims=True))


# nothing


def test_reductions_of_nothing():
    nothing = gf.zeros((0, 2))
    assert gf.sum(nothing, 0).tolist() == [0, 0]
    assert gf.prod(nothing, 0).tolist() == [1, 1]
    assert gf.all(nothing).item() and not gf.any(nothing).item()
    assert gf.count_nonzero(nothing).item() == 0
    assert gf.norm(nothing).item() == 0
    assert gf.logsumexp(nothing, 0).tolist() == [-INF, -INF]
    assert gf.cumsum(nothing, 0).shape == (0, 2)
    assert gf.max(nothing, 1).shape == gf.argmax(nothing, 1).shape == (0,)


def test_the_mean_and_variance_of_nothing_are_nan_without_a_warning():
    for f in (gf.mean, gf.var, gf.std):
        assert np.isnan(f(gf.zeros((0, 2)), 0).numpy()).all()
    assert math.isnan(gf.var(gf.tensor([3.0]), correction=1).item())
    assert gradient(gf.mean, np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_there_is_no_extremum_of_nothing(name):
    with pytest.raises(ShapeError, match=rf"{name}: axis 1 of \(2, 0\) has size 0, and there is no {name} of nothing"):
        getattr(gf, name)(gf.zeros((2, 0)), 1)


# extrema


def test_ties_share_the_gradient_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x = [[3.0, 1.0, 3.0, 3.0], [2.0, 2.0, 0.0, 1.0]]
    for ours, theirs in ((gf.max, torch.amax), (gf.min, torch.amin)):
        for axis in (0, 1, (0, 1)):
            y = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            theirs(y, axis).sum().backward()
            np.testing.assert_allclose(gradient(lambda x, f=ours, a=axis: f(x, a), x), y.grad.numpy())


def test_nan_is_the_extremum_and_gets_the_gradient():
    x = [[1.0, NAN, 3.0], [1.0, 2.0, 3.0]]
    np.testing.assert_array_equal(gf.max(gf.tensor(x), 1).numpy(), [NAN, 3])
    np.testing.assert_array_equal(gradient(lambda x: gf.max(x, 1), x), [[0, 1, 0], [0, 0, 1]])
    assert gf.argmin(gf.tensor(x), 1).tolist() == [1, 0]


def test_argmax_is_the_first_of_several_and_int64():
    x = gf.tensor([[1, 7, 7], [9, 0, 9]])
    assert gf.argmax(x, 1).tolist() == [1, 0]
    assert gf.argmax(x).item() == 3
    assert gf.argmin(x, 0, keepdims=True).tolist() == [[0, 1, 0]]
    assert gf.argmax(x).dtype == gf.int64
    assert gf.argmax(x, keepdims=True).shape == (1, 1)


# products


@pytest.mark.parametrize("x", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [5.0], []])
def test_gradients_of_a_product_are_right_with_zeros(x):
    others = [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]
    np.testing.assert_allclose(gradient(gf.prod, x), others)
    leaf = gf.tensor(np.array(x), requires_grad=True)
    (g,) = gradients(gf.prod(leaf), [leaf], create_graph=True)
    for i in range(len(x)):
        row = gradients(g[i], [leaf], retain_graph=True)[0] if g.requires_grad and len(x) > 1 else gf.zeros(len(x))
        pairs = [0.0 if i == j else math.prod(v for k, v in enumerate(x) if k not in (i, j)) for j in range(len(x))]
        np.testing.assert_allclose(row.numpy(), pairs)


def test_gradients_of_a_product_of_third_order_and_over_several_axes():
    x = gf.tensor(np.array([[0.5, 0.0, 2.0, 1.5, 0.0], [1.0, 2.0, 0.5, 3.0, 0.7]]))
    gradcheck(lambda x: gf.prod(x, 1), x, order=3)
    gradcheck(gf.prod, x + 0.3, order=3)
    gradcheck(lambda x: gf.prod(x.reshape((1, 5, 2, 1)), (2, 0)), x, order=3)


def test_the_gradient_of_a_long_product_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x = rng.uniform(0.9, 1.1, (3, 201))
    x[1, 5] = 0
    y = torch.tensor(x, requires_grad=True)
    y.prod(1).sum().backward()
    np.testing.assert_allclose(gradient(lambda x: gf.prod(x, 1), x), y.grad.numpy(), rtol=1e-12)


# variance, norm


@pytest.mark.parametrize("correction", [0, 1, 0.5])
def test_variance_and_its_gradients_are_pytorchs(correction, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(1000, 1, (4, 9))
    for name in ("var", "std"):
        y = torch.tensor(x, requires_grad=True)
        expected = getattr(torch, name)(y, 1, correction=correction)
        expected.sum().backward()
        f = getattr(gf, name)
        result = f(gf.tensor(x), 1, correction=correction).numpy()
        np.testing.assert_allclose(result, expected.detach().numpy(), rtol=1e-12)
        slope = gradient(lambda x, f=f: f(x, 1, correction=correction), x)
        np.testing.assert_allclose(slope, y.grad.numpy(), rtol=1e-9)


def test_the_gradient_of_a_standard_deviation_of_zero_is_zero():
    np.testing.assert_array_equal(gradient(gf.std, [2.0, 2.0, 2.0]), [0, 0, 0])


@pytest.mark.parametrize("ord", [2, 1, 0, INF, -INF, 3, 0.5, 2.5, -1])
def test_norms_are_those_of_numpy(ord, rng):
    x = rng.normal(0, 1, (3, 4, 5))
    for axis in (0, 2):
        expected = np.linalg.norm(x, ord, axis)
        np.testing.assert_allclose(gf.norm(gf.tensor(x), ord, axis).numpy(), expected, rtol=1e-13)
    expected = np.linalg.norm(x.ravel(), ord)
    np.testing.assert_allclose(gf.norm(gf.tensor(x), ord).numpy(), expected, rtol=1e-13)
    if ord != 0:
        gradcheck(lambda x: gf.norm(x, ord, 1), gf.tensor(x))


def test_the_frobenius_norm_is_that_of_all_elements(rng):
    x = rng.normal(0, 1, (3, 4))
    np.testing.assert_allclose(gf.norm(gf.tensor(x), "fro").numpy(), np.linalg.norm(x, "fro"))
    with pytest.raises(ArgumentError, match="norm: ord is 'nuc'; it must be a number or 'fro'"):
        gf.norm(gf.tensor(x), "nuc")


@pytest.mark.parametrize("ord", [2, 1, 3, 1.5, 0.5])
def test_gradients_of_norms_are_finite_where_elements_are_zero(ord):
    np.testing.assert_array_equal(gradient(lambda x: gf.norm(x, ord), [0.0, 0.0]), [0, 0])
    np.testing.assert_allclose(gradient(lambda x: gf.norm(x, ord), [0.0, -3.0]), [0, -1])


# logsumexp


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logsumexp_is_scipys_also_with_infinities(dtype):
    special = pytest.importorskip("scipy.special")
    most = float(np.finfo(dtype).max)
    x = np.array(
        [
            [1.0, 2.0, 3.0],
            [1000.0, 1000.0, -1000.0],
            [-INF, 0.0, -INF],
            [-INF, -INF, -INF],
            [INF, 1.0, -INF],
            [INF, most, -most],
            [most, -most, 0.0],
            [NAN, 1000.0, -INF],
        ],
        dtype,
    )
    with np.errstate(all="ignore"):
        expected = special.logsumexp(x, axis=1)
    np.testing.assert_allclose(gf.logsumexp(gf.tensor(x), 1).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(gf.logsumexp(gf.tensor(x.T), 0, keepdims=True).numpy(), expected[None], rtol=1e-6)


def test_the_gradient_of_logsumexp_is_softmax_and_zero_where_all_is_minus_infinity():
    x = np.array([[1.0, 2.0, 1003.0], [-INF, 0.0, 0.0], [-INF, -INF, -INF]])
    expected = [*gf.softmax(gf.tensor(x[:2])).tolist(), [0, 0, 0]]
    np.testing.assert_allclose(gradient(lambda x: gf.logsumexp(x, 1), x), expected, rtol=1e-12)


def test_logsumexp_in_float16_does_not_overflow():
    assert gf.logsumexp(gf.full(60000, 11.0, dtype="float16")).item() == 22  # 11 + log(60000) is 22.0021


# running sums


def test_running_sums_and_their_gradients(rng):
    x = rng.normal(0, 1, (3, 4))
    for axis in (0, 1, -1, None):
        np.testing.assert_allclose(gf.cumsum(gf.tensor(x), axis).numpy(), np.cumsum(x, axis), rtol=1e-14)
    np.testing.assert_array_equal(gradient(gf.cumsum, np.ones(4)), [4, 3, 2, 1])
    assert gf.cumsum(2.0).tolist() == [2.0]


# truth


def test_questions_about_many_elements():
    x = gf.tensor([[0.0, NAN], [0.0, 0.0]])
    assert gf.any(x, 1).tolist() == [True, False]
    assert gf.all(x + 1).item()
    assert gf.count_nonzero(x, 0).tolist() == [0, 1]
    assert gf.all(x, 0, keepdims=True).shape == (1, 2)
