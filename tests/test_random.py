"""Generators, what is drawn from them, and dropout."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradflow as gf
from gradflow.dispatch import Observer, observed_by
from gradflow.errors import ArgumentError, DeviceError, DTypeError, ShapeError, StateKeyError
from gradflow.ops import philox, quantile
from gradflow.ops.generator import Generator, default_generator, manual_seed
from gradflow.ops.random import dropout, normal, permutation, randint, uniform
from gradflow.tape import READABLE, gradients

SIGMAS = 4
DRAWS = {
    "uniform": lambda generator: uniform(20, generator=generator),
    "normal": lambda generator: normal(20, generator=generator),
    "randint": lambda generator: randint(0, 2**31, 20, generator=generator),
    "permutation": lambda generator: permutation(20, generator=generator),
    "dropout": lambda generator: dropout(gf.ones(200), generator=generator),
}
drawn_from = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@drawn_from
def test_a_seed_gives_the_same_numbers_again_and_every_draw_gives_others(draw):
    generator = Generator(3)
    first, second = draw(generator).numpy(), draw(generator).numpy()
    assert not np.array_equal(first, second)
    generator.manual_seed(3)
    np.testing.assert_array_equal(draw(generator).numpy(), first)
    np.testing.assert_array_equal(draw(generator).numpy(), second)
    assert not np.array_equal(draw(Generator(4)).numpy(), first)


@drawn_from
def test_a_draw_uses_one_value_of_the_counter_whatever_its_size(draw):
    generator = Generator(3)
    draw(generator)
    assert generator.state_dict() == {"seed": 3, "counter": 1}


@drawn_from
def test_the_default_generator_is_drawn_from_where_none_is_given(draw):
    manual_seed(5)
    expected = draw(Generator(5)).numpy()
    np.testing.assert_array_equal(draw(None).numpy(), expected)
    assert default_generator().state_dict() == {"seed": 5, "counter": 1}


def test_numbers_are_the_pure_functions_of_seed_and_counter():
    generator = Generator(2**64 - 1)
    uniform(generator=generator)
    single, double = philox.random_bits(2**64 - 1, 1, 12), philox.random_bits(2**64 - 1, 2, 12, 64)
    x = normal((3, 4), generator=generator)
    np.testing.assert_array_equal(x.numpy(), quantile.normal(single).reshape(3, 4))
    x = uniform((3, 4), dtype="float64", generator=generator)
    np.testing.assert_array_equal(x.numpy(), philox.uniform(double, "float64").reshape(3, 4))
    x = permutation(12, generator=generator)
    np.testing.assert_array_equal(x.numpy(), philox.permutation(12, 2**64 - 1, 3))


def test_generators_without_a_seed_differ():
    assert Generator().state_dict()["seed"] != Generator().state_dict()["seed"]


def test_a_state_dict_continues_the_stream():
    generator = Generator(3)
    uniform(5, generator=generator)
    state = generator.state_dict()
    expected = uniform(5, generator=generator).numpy()
    other = Generator(9)
    other.load_state_dict(state)
    np.testing.assert_array_equal(uniform(5, generator=other).numpy(), expected)


def test_a_new_state_is_written_into_the_tensor_that_a_compiled_step_reads():
    generator = Generator(3)
    array = generator.state.data
    generator.manual_seed(2**64 - 1)
    assert generator.state.data is array
    assert array.tolist() == [2**64 - 1, 0]


def test_the_counter_moves_on_through_the_door():
    class Seen(list, Observer):
        def saw(self, op, inputs, attrs, out):
            self.append((op.name, inputs[-1].data is generator.state.data))

    generator, seen = Generator(3), Seen()
    with observed_by(seen):
        uniform(5, generator=generator)
    assert seen == [("snapshot", True), ("uniform", False), ("advance", True)]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"seed": 1}, StateKeyError),
        ({"seed": 1, "counter": 2, "more": 3}, StateKeyError),
        ({"seed": -1, "counter": 2}, ArgumentError),
        ({"seed": 1, "counter": 2**64}, ArgumentError),
        ({"seed": 1.5, "counter": 2}, DTypeError),
    ],
)
def test_what_is_not_a_state_is_refused_and_changes_nothing(state, error):
    generator = Generator(3)
    with pytest.raises(error, match="Generator"):
        generator.load_state_dict(state)
    assert generator.state_dict() == {"seed": 3, "counter": 0}


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_that_is_not_64_bits_is_refused_and_changes_nothing(seed):
    manual_seed(7)
    with pytest.raises(ArgumentError, match=f"the seed is {seed}"):
        manual_seed(seed)
    with pytest.raises(ArgumentError, match=f"the seed is {seed}"):
        Generator(seed)
    assert default_generator().state_dict() == {"seed": 7, "counter": 0}


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda g: uniform(3, 2.0, 1.0, generator=g), ArgumentError, "low is 2.0 and high is 1.0"),
        (lambda g: uniform(3, 0, math.nan, generator=g), ArgumentError, "high is nan"),
        (lambda g: uniform(3, dtype="int64", generator=g), DTypeError, "uniform: int64 is not a floating"),
        (lambda g: uniform((3, -1), generator=g), ShapeError, "uniform: a shape cannot have a negative size"),
        (lambda g: normal(3, 0.0, -1.0, generator=g), ArgumentError, "std is -1.0"),
        (lambda g: normal(3, dtype="bool", generator=g), DTypeError, "normal: bool is not a floating"),
        (lambda g: randint(3, 3, 2, generator=g), ArgumentError, r"randint: \[3, 3\) must have 1 to 2\*\*32"),
        (lambda g: permutation(-1, generator=g), ArgumentError, "permutation: n is -1"),
        (lambda g: dropout(gf.ones(3), 1.5, generator=g), ArgumentError, "dropout: p is 1.5"),
        (lambda g: dropout([1, 2], generator=g), DTypeError, "dropout: int64 is not a floating"),
        (lambda g: uniform(3, device="cuda", generator=g), DeviceError, "the generator is on cpu"),
    ],
)
def test_a_draw_that_is_refused_leaves_the_generator_as_it_was(draw, error, message):
    generator = Generator(3)
    with pytest.raises(error, match=message):
        draw(generator)
    assert generator.state_dict() == {"seed": 3, "counter": 0}


def test_threads_never_make_the_same_draw():
    generator = Generator(3)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            draws = list(threads.map(lambda _: uniform(generator=generator).item(), range(400)))
    finally:
        sys.setswitchinterval(interval)
    generator.manual_seed(3)
    assert sorted(draws) == sorted(uniform(generator=generator).item() for _ in range(400))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform_numbers_stay_in_the_unit_interval_in_every_dtype(dtype):
    x = uniform(100_000, dtype=dtype, generator=Generator(0)).numpy()
    assert x.dtype == dtype
    assert x.min() >= 0
    assert x.max() < 1
    assert abs(x.mean(dtype=np.float64) - 1 / 2) < SIGMAS * math.sqrt(1 / 12 / 100_000) + 2.0**-12


def test_scaling_rounds_the_product_and_then_the_sum():
    low, high = 0.1, 0.9
    x = uniform(1000, low, high, generator=Generator(1)).numpy()
    unit = uniform(1000, generator=Generator(1)).numpy()
    np.testing.assert_array_equal(x, unit * np.float32(high - low) + np.float32(low))
    z = normal(1000, 3.1, 0.2, generator=Generator(1)).numpy()
    unit = normal(1000, generator=Generator(1)).numpy()
    np.testing.assert_array_equal(z, unit * np.float32(0.2) + np.float32(3.1))


def test_float16_uniform_numbers_are_the_float32_ones_cut_to_11_bits():
    half = uniform(1001, dtype="float16", generator=Generator(1)).numpy()
    single = uniform(1001, generator=Generator(1)).numpy()
    np.testing.assert_array_equal(half, np.floor(single * 2**11) / 2**11)


def test_float16_normal_numbers_are_the_float32_ones_rounded():
    half = normal(1000, 1.0, 2.0, dtype="float16", generator=Generator(1)).numpy()
    single = normal(1000, 1.0, 2.0, generator=Generator(1)).numpy()
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, single.astype(np.float16))


def test_the_dtype_is_the_default_one_unless_it_is_given():
    gf.set_default_dtype("float64")
    try:
        assert uniform(2).dtype == normal(2).dtype == np.float64
        assert uniform(2, dtype="float32").dtype == np.float32
    finally:
        gf.set_default_dtype("float32")
    assert uniform(2).dtype == normal(2).dtype == np.float32


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_any_shape_can_be_drawn(shape):
    for x in (uniform(shape), normal(shape), randint(0, 5, shape)):
        assert x.shape == shape


def test_a_random_leaf_can_require_grad():
    assert uniform(2, requires_grad=True).is_leaf
    assert uniform(2, requires_grad=True).requires_grad
    assert normal(2, requires_grad=True).requires_grad
    assert not normal(2).requires_grad


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.99])
def test_dropout_keeps_its_share_and_the_mean(p):
    n = 100_000
    y = dropout(gf.ones(n, dtype="float64"), p, generator=Generator(0)).numpy()
    assert set(np.unique(y)) <= {0.0, 1 / (1 - p)}
    assert abs(np.count_nonzero(y) - n * (1 - p)) <= SIGMAS * math.sqrt(n * p * (1 - p))


def test_dropout_with_probability_1_drops_everything_and_its_gradient():
    x = gf.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 0.0]
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_what_is_dropped_is_zero_whatever_it_was():
    x = gf.tensor(np.array([np.inf, -np.inf, np.nan, -1.0] * 50, np.float32))
    y = dropout(x, 0.5, generator=Generator(0)).numpy()
    kept = dropout(gf.ones(200), 0.5, generator=Generator(0)).numpy() > 0
    assert not np.signbit(y[~kept]).any()
    assert not y[~kept].any()
    np.testing.assert_array_equal(y[kept], 2 * x.numpy()[kept])


def test_the_mask_depends_on_neither_dtype_nor_memory_layout():
    x = np.arange(1.0, 13.0).reshape(3, 4)
    expected = dropout(x, generator=Generator(0)).numpy()
    for other in (x.astype(np.float32), x.astype(np.float16), np.asfortranarray(x), x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(dropout(other, generator=Generator(0)).numpy(), expected)


def test_the_gradient_of_dropout_draws_the_mask_of_its_forward_again():
    generator = Generator(0)
    x = gf.tensor(np.ones(100), requires_grad=True)
    first, second = dropout(x, 0.4, generator=generator), dropout(x, 0.4, generator=generator)
    normal(10, generator=generator)
    generator.manual_seed(8)
    weights = np.arange(100.0)
    (g,) = gradients(first, [x], gf.tensor(weights), retain_graph=True)
    np.testing.assert_array_equal(g.numpy(), weights * first.detach().numpy())
    (g,) = gradients(second, [x], gf.tensor(weights))
    np.testing.assert_array_equal(g.numpy(), weights * second.detach().numpy())
    assert not np.array_equal(first.detach().numpy(), second.detach().numpy())
    assert generator.state_dict() == {"seed": 8, "counter": 0}


def test_the_second_derivative_through_dropout_has_the_same_mask():
    x = gf.tensor(np.arange(1.0, 101.0), requires_grad=True)
    y = dropout(x * x * x, 0.4, generator=Generator(0))
    (g,) = gradients(y.sum(), [x], create_graph=True)
    (gg,) = gradients(g.sum(), [x])
    kept = y.detach().numpy() > 0
    np.testing.assert_allclose(gg.numpy(), np.where(kept, 6 * x.detach().numpy() / 0.6, 0), rtol=1e-12)


def test_dropout_keeps_no_mask_for_its_gradient():
    x = gf.tensor(np.ones(1000), requires_grad=True)
    node = dropout(x).node
    assert node.out is None
    assert all(kept is None or kept.size <= READABLE for kept in node.inputs)


def test_the_first_draws_of_seed_0_stay_what_they_are():
    manual_seed(0)
    bits = [uniform(2).numpy(), normal(2, dtype="float64").numpy()]
    assert [array.tobytes().hex() for array in bits] == [
        "d04fcc3ec569613f",
        "bae2dc469fd4f83fcdb1bf0610e9a33f",
    ]
    assert randint(0, 1000, 5).tolist() == [712, 465, 135, 425, 815]
    assert permutation(8).tolist() == [4, 5, 0, 6, 1, 3, 2, 7]
    assert dropout(gf.ones(8), 0.5).tolist() == [2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]
