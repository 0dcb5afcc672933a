"""Elementwise functions against independent oracles: Python's math, SciPy, PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.blockwise import BLOCK
from gradflow.tape import gradients

NAN, INF = math.nan, math.inf
IN_MATH = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "fabs", "arctan2": "atan2"}
DOMAINS = {
    **dict.fromkeys(["exp", "expm1", "sinh", "cosh"], (-30, 30)),
    **dict.fromkeys(["log", "log2", "log10", "sqrt"], (1e-9, 1e9)),
    **dict.fromkeys(["sin", "cos", "tan", "arctan", "tanh", "erf", "abs"], (-9, 9)),
    **dict.fromkeys(["arcsin", "arccos"], (-1, 1)),
    "log1p": (-0.999, 1e3),
}


def gradient(f, *values, dtype="float64"):
    """The gradients of the sum of ``f(*values)``, as NumPy arrays; None where none flows."""
    xs = [gf.tensor(np.array(v, dtype), requires_grad=True) for v in values]
    found = gradients(gf.sum(f(*xs)), xs)
    answers = [None if g is None else g.numpy() for g in found]
    return answers if len(answers) > 1 else answers[0]


@pytest.mark.parametrize("name", DOMAINS)
def test_values_are_those_of_python_math(name):
    x = np.linspace(*DOMAINS[name], 501)
    expected = [getattr(math, IN_MATH.get(name, name))(v) for v in x]
    result = getattr(gf, name)(gf.tensor(x))
    np.testing.assert_allclose(result.numpy(), expected, rtol=2e-15, atol=1e-300)


@pytest.mark.parametrize("name", DOMAINS)
def test_derivatives_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    low, high = DOMAINS[name]
    x = np.linspace(low, high, 302)[1:-1]
    y = torch.tensor(x, requires_grad=True)
    getattr(torch, name)(y).sum().backward()
    np.testing.assert_allclose(gradient(getattr(gf, name), x), y.grad.numpy(), rtol=1e-12, atol=4e-16)


@pytest.mark.parametrize("name", [*DOMAINS, "square", "sign", "reciprocal", "floor", "ceil", "round"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_keep_their_dtype(name, dtype):
    assert getattr(gf, name)(gf.tensor([0.5], dtype)).dtype == dtype


def test_integers_give_float64_or_stay_integers():
    x = gf.tensor([4, 1])
    for name in ("exp", "sqrt", "sin", "tanh", "erf", "reciprocal"):
        assert getattr(gf, name)(x).dtype == gf.float64
    for name in ("abs", "sign", "square", "floor", "ceil", "round"):
        assert getattr(gf, name)(x).dtype == gf.int64
    assert gf.reciprocal(x).tolist() == [0.25, 1.0]


def test_a_python_number_is_taken_as_a_tensor():
    assert gf.sqrt(9.0).item() == 3.0
    assert gf.erf(0).item() == 0.0


def test_functions_are_methods_too():
    x = gf.tensor([0.25, 0.5])
    for name in [*DOMAINS, "square", "sign", "reciprocal", "floor", "ceil", "round", "isnan"]:
        np.testing.assert_array_equal(getattr(x, name)().numpy(), getattr(gf, name)(x).numpy())
    assert abs(gf.tensor(-2)).item() == 2
    assert x.clip(0.3, 0.4).tolist() == gf.clip(x, 0.3, 0.4).tolist()


# erf


@pytest.mark.parametrize(("dtype", "ulps"), [("float64", 4), ("float32", 4), ("float16", 1)])
def test_erf_is_within_a_few_ulp_of_scipy(dtype, ulps):
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    near = 10.0 ** rng.uniform(-30 if dtype != "float16" else -4, 0.8, 20_000)
    x = np.concatenate([rng.uniform(-7, 7, 20_000), near, -near, np.linspace(0.4, 1.4, 20_000)]).astype(dtype)
    expected = special.erf(x.astype("float64"))
    error = np.abs(gf.erf(gf.tensor(x)).numpy().astype("float64") - expected)
    spacing = np.spacing(np.abs(expected).astype(dtype)).astype("float64")
    assert np.max(error / spacing) <= ulps


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_erf_at_the_ends_and_at_zero(dtype):
    ends = gf.erf(gf.tensor([-INF, -30.0, -0.0, 0.0, 30.0, INF, NAN], dtype)).numpy()
    np.testing.assert_array_equal(ends, [-1, -1, 0, 0, 1, 1, NAN])
    assert np.signbit(ends[2]) and not np.signbit(ends[3])


def test_erf_of_the_smallest_floats_is_proportional_to_them():
    x = np.array([5e-324, 1e-310, 2.3e-308, 1e-100])
    np.testing.assert_allclose(gf.erf(gf.tensor(x)).numpy(), x * 2 / math.sqrt(math.pi), rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_arrays_longer_than_a_block_are_computed_whole(size, dtype):
    x = np.linspace(-3, 3, size).astype(dtype)
    result = gf.erf(gf.tensor(x)).numpy()
    assert result.shape == (size,) and result.dtype == dtype
    parts = [gf.erf(gf.tensor(part)).numpy() for part in np.array_split(x, 5)]
    np.testing.assert_array_equal(result, np.concatenate(parts))


def test_a_long_array_that_is_not_contiguous_is_computed_whole():
    x = np.linspace(-3, 3, 2 * BLOCK, dtype="float32").reshape(256, -1)
    expected = gf.erf(gf.tensor(x.T.copy())).numpy()
    np.testing.assert_array_equal(gf.erf(gf.tensor(x.T)).numpy(), expected)
    np.testing.assert_array_equal(gf.erf(gf.tensor(x[::-1, ::2])).numpy(), expected.T[::-1, ::2])


# gradients at the edges


def test_gradients_at_kinks():
    np.testing.assert_array_equal(gradient(gf.abs, [-2.0, 0.0, 3.0]), [-1, 0, 1])
    np.testing.assert_array_equal(gradient(gf.square, [-2.0, 0.0, 3.0]), [-4, 0, 6])
    with np.errstate(divide="ignore"):
        assert gradient(gf.sqrt, [0.0])[0] == INF


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "sign", "isnan", "logical_not"])
def test_no_gradient_flows_through_what_is_piecewise_constant(name):
    assert not getattr(gf, name)(gf.tensor([1.2], requires_grad=True)).requires_grad


def test_arctan2_and_hypot_agree_with_python_math_in_all_quadrants():
    a, b = np.meshgrid([-3.0, -1e-3, 0.0, 2.0], [-2.0, -1e-3, 0.0, 5.0])
    for name in ("arctan2", "hypot"):
        result = getattr(gf, name)(gf.tensor(a), gf.tensor(b)).numpy()
        oracle = np.vectorize(getattr(math, IN_MATH.get(name, name)))
        np.testing.assert_allclose(result, oracle(a, b), rtol=1e-15)


def test_gradients_of_arctan2_and_hypot():
    by_a, by_b = gradient(gf.arctan2, [3.0], [4.0])
    np.testing.assert_allclose([by_a, by_b], [[4 / 25], [-3 / 25]])
    by_a, by_b = gradient(gf.hypot, [3.0, 0.0], [4.0, 0.0])
    np.testing.assert_allclose([by_a, by_b], [[3 / 5, 0], [4 / 5, 0]])


# clip


def test_clip_takes_numbers_tensors_and_one_bound():
    x = gf.tensor([-3.0, 0.5, 9.0, NAN])
    np.testing.assert_array_equal(gf.clip(x, -1, 1).numpy(), [-1, 0.5, 1, NAN])
    np.testing.assert_array_equal(gf.clip(x, min=0).numpy(), [0, 0.5, 9, NAN])
    np.testing.assert_array_equal(gf.clip(x, max=0).numpy(), [-3, 0, 0, NAN])
    np.testing.assert_array_equal(gf.clip(x, gf.tensor([[1.0], [2.0]])).numpy()[:, 1], [1, 2])
    assert gf.clip(gf.tensor([1, 5, 9]), 2, 6).tolist() == [2, 5, 6]
    assert gf.clip(gf.tensor([1, 5]), 2.5, None).dtype == gf.float64


def test_clip_without_bounds_is_refused():
    with pytest.raises(ArgumentError, match="give min, max or both"):
        gf.clip(gf.tensor([1.0]))


def test_the_gradient_of_clip_goes_to_what_holds_and_to_x_on_a_bound():
    by_x, by_low, by_high = gradient(gf.clip, [-3.0, -1.0, 0.5, 1.0, 9.0], [-1.0] * 5, [1.0] * 5)
    np.testing.assert_array_equal(by_x, [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(by_low, [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(by_high, [0, 0, 0, 0, 1])


# rounding


def test_rounding_is_pythons():
    x = [-2.5, -1.5, -0.4, 0.5, 1.5, 2.6]
    assert gf.round(gf.tensor(x)).tolist() == [float(round(v)) for v in x]
    assert gf.floor(gf.tensor(x)).tolist() == [math.floor(v) for v in x]
    assert gf.ceil(gf.tensor(x)).tolist() == [math.ceil(v) for v in x]
    assert gf.round(gf.tensor([1.26, -7.84], "float64"), 1).tolist() == [1.3, -7.8]
    assert gf.round(gf.tensor([126, -784]), -1).tolist() == [130, -780]


def test_rounding_a_bool_is_refused():
    with pytest.raises(DTypeError, match="floor: not defined for bool"):
        gf.floor(gf.tensor([True]))


# logic and bits

TWO_BITS = [0, 1, 2, 3]


@pytest.mark.parametrize("sign", ["&", "|", "^", "<<", ">>"])
def test_operators_on_integers_are_pythons(sign):
    expected = [[eval(f"{a} {sign} {b}") for b in TWO_BITS] for a in TWO_BITS]
    names = {"a": gf.tensor(TWO_BITS).reshape(4, 1), "b": gf.tensor(TWO_BITS), "s": TWO_BITS}
    assert eval(f"a {sign} b", names).tolist() == expected
    assert eval(f"a {sign} 2", names).ravel().tolist() == [row[2] for row in expected]
    assert eval(f"2 {sign} b", names).tolist() == expected[2]
    assert eval(f"s {sign} b", names).tolist() == [row[i] for i, row in enumerate(expected)]


def test_operators_on_bools_are_logic():
    a, b = gf.tensor([True, True, False, False]), gf.tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False]
    assert (~a).tolist() == [False, False, True, True]
    assert (~gf.tensor([0, 5])).tolist() == [-1, -6]
    assert (a & True).dtype == gf.tensor(True).dtype


def test_bits_of_floats_are_refused_with_a_way_out():
    x = gf.tensor([1.0])
    for attempt in (lambda: x & x, lambda: ~x, lambda: 2 << x, lambda: gf.tensor([1]) | 0.5):
        with pytest.raises(DTypeError, match=r"floats are not bits; compare first \(x > 0\)"):
            attempt()


def test_logical_functions_take_any_dtype():
    a, b = gf.tensor([0.0, 2.0, NAN]), gf.tensor([1, 0, 1])
    assert gf.logical_and(a, b).tolist() == [False, False, True]
    assert gf.logical_or(a, b).tolist() == [True, True, True]
    assert gf.logical_xor(a, b).tolist() == [True, True, False]
    assert gf.logical_not(a).tolist() == [True, False, False]


def test_questions_about_floats():
    x = gf.tensor([1.0, INF, -INF, NAN])
    assert gf.isnan(x).tolist() == [False, False, False, True]
    assert gf.isinf(x).tolist() == [False, True, True, False]
    assert gf.isfinite(x).tolist() == [True, False, False, False]
    assert gf.isfinite(gf.tensor([1])).tolist() == [True]


def test_divmod_is_pythons():
    x = gf.tensor([7, -7])
    assert [part.tolist() for part in divmod(x, 3)] == [[2, -3], [1, 2]]
    assert [part.tolist() for part in divmod(20, x)] == [[2, -3], [6, -1]]
