"""Initialisations: distributions against their closed forms, gains and fans against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.nn import Parameter, init
from gradflow.ops.generator import Generator

SIGMAS = 4
FILLS = {
    "uniform_": lambda x, g: init.uniform_(x, -1, 2, generator=g),
    "normal_": lambda x, g: init.normal_(x, 1, 2, generator=g),
    "trunc_normal_": lambda x, g: init.trunc_normal_(x, generator=g),
    "orthogonal_": lambda x, g: init.orthogonal_(x, generator=g),
    "xavier_uniform_": lambda x, g: init.xavier_uniform_(x, generator=g),
    "xavier_normal_": lambda x, g: init.xavier_normal_(x, generator=g),
    "kaiming_uniform_": lambda x, g: init.kaiming_uniform_(x, generator=g),
    "kaiming_normal_": lambda x, g: init.kaiming_normal_(x, generator=g),
}
fills = pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)


def drawn(fill, *shape: int) -> np.ndarray:
    return fill(gf.zeros(shape, dtype="float64"), Generator(0)).numpy()


def assert_uniform(values: np.ndarray, bound: float) -> None:
    assert 0.99 * bound < np.abs(values).max() <= bound
    assert_moments(values, 0, bound / math.sqrt(3), kurtosis=1.8)


def assert_moments(values: np.ndarray, mean: float, std: float, kurtosis: float = 3.0) -> None:
    """Mean and standard deviation are within sampling error of what they should be."""
    assert abs(values.mean() - mean) < SIGMAS * std / math.sqrt(values.size)
    assert abs(values.std() / std - 1) < SIGMAS * math.sqrt((kurtosis - 1) / 4 / values.size)


@fills
def test_values_are_written_in_place_and_depend_on_the_seed_alone(fill):
    parameter = Parameter(gf.zeros((6, 5)))
    array = parameter.data
    assert fill(parameter, Generator(1)) is parameter
    assert parameter.data is array and parameter.requires_grad and parameter.node is None
    assert len(np.unique(array)) == 30
    first, again, other = (fill(gf.zeros((6, 5)), Generator(seed)).tolist() for seed in (1, 1, 2))
    assert parameter.tolist() == first == again != other


@fills
def test_without_a_generator_the_seed_is_the_global_one(fill):
    filled = []
    for _ in range(2):
        gf.manual_seed(5)
        filled += [fill(gf.zeros((6, 5)), None).tolist(), fill(gf.zeros((6, 5)), None).tolist()]
    assert filled[:2] == filled[2:]
    assert filled[0] != filled[1]


@fills
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_is_kept_and_empty_tensors_are_left(fill, dtype):
    assert fill(gf.zeros((6, 5), dtype=dtype), None).dtype == dtype
    assert fill(gf.zeros((0, 5), dtype=dtype), None).shape == (0, 5)
    assert fill(gf.zeros((5, 0), dtype=dtype), None).shape == (5, 0)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="int64 is not a floating dtype"):
        init.normal_(gf.zeros(3, dtype="int64"))


def test_constants_are_written():
    x = gf.full((2, 3), 7.0)
    assert init.zeros_(x).tolist() == [[0] * 3] * 2
    assert init.ones_(x).tolist() == [[1] * 3] * 2
    assert init.constant_(x, 0.25).tolist() == [[0.25] * 3] * 2
    for shape in [(3, 3), (2, 4), (4, 2)]:
        np.testing.assert_array_equal(init.eye_(gf.ones(shape)).numpy(), np.eye(*shape))
    with pytest.raises(ShapeError, match=r"eye_: the identity is a matrix, and the tensor is \(2, 2, 2\)"):
        init.eye_(gf.zeros((2, 2, 2)))


def test_uniform_and_normal_have_their_moments():
    assert_uniform(drawn(lambda x, g: init.uniform_(x, -3, 3, generator=g), 100, 100), 3)
    assert_moments(drawn(lambda x, g: init.normal_(x, 2, 0.5, generator=g), 100, 100), 2, 0.5)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, 1, 3), (0, 1, 4, 9), (0, 1, -40, 40)]
)
def test_a_truncated_normal_has_its_distribution(mean, std, a, b):
    stats = pytest.importorskip("scipy.stats")
    values = drawn(lambda x, g: init.trunc_normal_(x, mean, std, a, b, generator=g), 50, 100)
    assert a <= values.min() and values.max() <= b
    expected = stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert stats.kstest(values.ravel(), expected.cdf).pvalue > 1e-3


def test_a_truncated_normal_needs_an_interval_that_has_something():
    x = gf.ones(3)
    for options in ({"a": 1, "b": 1}, {"std": 0}, {"std": -1}, {"a": float("nan")}):
        with pytest.raises(ArgumentError, match="needs std > 0 and a < b"):
            init.trunc_normal_(x, **options)
    with pytest.raises(ArgumentError, match=r"a normal of mean 0.0 and std 1.0 has nothing in \[50, 60\]"):
        init.trunc_normal_(x, a=50, b=60)
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 2, 3), (12, 2, 3)], ids=str)
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    matrix = drawn(lambda x, g: init.orthogonal_(x, 2.0, generator=g), *shape).reshape(shape[0], -1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(short @ short.T, 4 * np.eye(len(short)), atol=1e-12)


def test_orthogonal_signs_are_as_often_plus_as_minus():
    generator = Generator(0)
    corners = [init.orthogonal_(gf.zeros((2, 2)), generator=generator).tolist()[0][0] for _ in range(400)]
    assert abs(np.mean(np.array(corners) > 0) - 0.5) < SIGMAS * 0.5 / math.sqrt(400)


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), [((80, 120), 120, 80), ((40, 30, 3, 3), 270, 360)], ids=str)
def test_xavier_and_kaiming_have_the_sizes_of_their_papers(shape, fan_in, fan_out):
    xavier = math.sqrt(2 / (fan_in + fan_out))
    assert_uniform(drawn(lambda x, g: init.xavier_uniform_(x, 3, generator=g), *shape), 3 * math.sqrt(3) * xavier)
    assert_moments(drawn(lambda x, g: init.xavier_normal_(x, 3, generator=g), *shape), 0, 3 * xavier)
    for mode, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        options = {"a": 0.5, "mode": mode}
        leaky = math.sqrt(2 / 1.25 / fan)
        uniform = drawn(lambda x, g: init.kaiming_uniform_(x, **options, generator=g), *shape)  # noqa: B023
        normal = drawn(lambda x, g: init.kaiming_normal_(x, **options, generator=g), *shape)  # noqa: B023
        assert_uniform(uniform, math.sqrt(3) * leaky)
        assert_moments(normal, 0, leaky)
    relu = drawn(lambda x, g: init.kaiming_normal_(x, nonlinearity="relu", generator=g), *shape)
    assert_moments(relu, 0, math.sqrt(2 / fan_in))


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [(name, None) for name in ("linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu")] + [("leaky_relu", 0.3)],
)
def test_gains_are_pytorchs(nonlinearity, param):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(
        torch.nn.init.calculate_gain(nonlinearity, param), rel=1e-14
    )


def test_what_is_asked_for_must_exist():
    x = gf.ones((2, 2))
    with pytest.raises(ArgumentError, match="calculate_gain: 'gelu' is not a nonlinearity known here: linear, "):
        init.kaiming_uniform_(x, nonlinearity="gelu")
    with pytest.raises(ArgumentError, match="kaiming_normal_: mode is 'fan_avg'; use 'fan_in' or 'fan_out'"):
        init.kaiming_normal_(x, mode="fan_avg")
    assert x.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("name", ["orthogonal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_"])
def test_fans_need_two_dimensions(name):
    with pytest.raises(ShapeError, match=rf"{name}: needs a weight of at least 2 dimensions, .* got \(3,\)"):
        getattr(init, name)(gf.zeros(3))
