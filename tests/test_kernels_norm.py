"""The kernels of layer norm, batch norm and losses of numbers, each run by itself: every dtype and layout."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.op import OPS
from gradflow.testing import nvrtc
from kernel_results import assert_close, assert_thrifty, in_dtype, in_float64, outcome
from launching import ELEMENTS, loaded, run

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")

ROWS = [((1, 1), (1,)), ((3, 10), (1,)), ((64, 10), (1,)), ((7, 500), (1,)), ((2, 3000), (1,)), ((5, 3, 8), (1, 2))]
CHANNELS = [((5, 3), (0,)), ((128, 40), (0,)), ((33, 19), (0,)), ((2, 3, 4), (0, 2)), ((6, 5, 7, 7), (0, 2, 3)),
            ((3, 2, 16, 16), (0, 2, 3))]  # fmt: skip
LAYOUTS = [*ROWS, *CHANNELS]


def weight_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    if axes[0]:
        return tuple(shape[axis] for axis in axes)
    return (shape[1], *(1,) * (len(shape) - 2))


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("weighted", "shape", "axes"), [(i % 2 == 1, *layout) for i, layout in enumerate(LAYOUTS)])
def test_groups_are_standardized_as_by_the_reference(weighted, shape, axes, element, rng):
    x, weights = rng.normal(2, 3, shape), weight_shape(shape, axes)
    weight, bias = (rng.normal(size=weights), rng.normal(size=weights)) if weighted else (None, None)
    got = outcome("standardize", (x, weight, bias), element, axes=axes, eps=1e-5)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("weighted", "shape", "axes"), [(i % 2 == 0, *layout) for i, layout in enumerate(LAYOUTS)])
def test_the_gradient_of_standardizing_is_that_of_the_reference(shape, axes, weighted, element, rng):
    g, x = rng.normal(size=shape), rng.normal(2, 3, shape)
    weight = rng.normal(size=weight_shape(shape, axes)) if weighted else None
    got = outcome("standardize_grad", (g, x, weight), element, axes=axes, eps=1e-3)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("shape", "axes"), [*LAYOUTS, ((300, 40), (1,)), ((600, 8), (1,))])
def test_the_gradient_in_the_weights_is_that_of_the_reference(shape, axes, element, rng):
    weights, arrays = weight_shape(shape, axes), (rng.normal(size=shape), rng.normal(2, 3, shape))
    got = outcome("standardize_weight_grad", arrays, element, axes=axes, eps=1e-3, shape=weights)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ["float", "f16"])
@pytest.mark.parametrize(("shape", "axes"), [((9, 64), (1,)), ((9, 64), (0,)), ((3, 2, 8, 8), (0, 2, 3))])
def test_groups_that_are_not_aligned_agree_with_the_reference(shape, axes, element, rng):
    g, x, weight = rng.normal(size=shape), rng.normal(2, 3, shape), rng.normal(size=weight_shape(shape, axes))
    for name, arrays in (("standardize", (x, weight, None)), ("standardize_grad", (g, x, weight))):
        got = outcome(name, arrays, element, offset=1, axes=axes, eps=1e-5)
        assert_close(got.found, got.expected, element)


@pytest.mark.parametrize(("shape", "axes"), [((4, 1000), (1,)), ((500, 16), (0,)), ((4, 3, 16, 16), (0, 2, 3))])
def test_a_large_mean_does_not_hide_a_small_variance(shape, axes, rng):
    """Differences of single numbers from their mean are exact; only a mean that is rounded would spoil them."""
    x = rng.normal(1000, 0.01, shape)
    got = outcome("standardize", (x, None, None), "float", axes=axes, eps=1e-12)
    assert_close(got.found, got.expected, "float")
    got = outcome("standardize_grad", (rng.normal(size=shape) * 0.01, x, None), "float", axes=axes, eps=1e-12)
    assert_close(got.found, got.expected, "float")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("shape", "axes"), [((9, 64), (1,)), ((9, 5), (0,))])
def test_nan_and_infinity_spoil_their_group_alone(shape, axes, value, rng):
    x = rng.normal(size=shape)
    x[3, 2] = value
    found = outcome("standardize", (x, None, None), "float", axes=axes, eps=1e-5).found
    spoiled = np.zeros(shape, bool)
    spoiled[(3, slice(None)) if axes == (1,) else (slice(None), 2)] = True
    np.testing.assert_array_equal(np.isnan(found), spoiled)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (16, 64), (2, 3, 4), (3, 5, 7, 7)])
def test_given_statistics_rescale_as_in_the_reference(shape, weighted, element, rng):
    channels = weight_shape(shape, (0,))
    mean, var, weight, bias = rng.normal(size=channels), *(rng.uniform(0.2, 2, channels) for _ in range(3))
    weight, bias = (weight, bias) if weighted else (None, None)
    got = outcome("rescale", (rng.normal(size=shape), mean, var, weight, bias), element, eps=1e-5)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("momentum", [0.1, 0.0, None])
@pytest.mark.parametrize("shape", [(5, 3), (128, 40), (6, 5, 7, 7)])
def test_running_statistics_follow_those_of_the_batch(shape, momentum, element, rng):
    channels = shape[1]
    arrays = in_dtype((rng.normal(size=channels), rng.uniform(0.2, 2, channels), rng.normal(2, 3, shape)), element)
    mean, var, x = arrays
    batches = np.array(2, np.int64)
    exact = in_float64(arrays, element)
    OPS["track_statistics"].forward(np, exact[0], exact[1], batches.copy(), exact[2], momentum=momentum)
    run(OPS["track_statistics"].cuda(mean, var, batches, x, momentum=momentum, out=None), element)
    assert_close(loaded(mean, element), exact[0], element)
    assert_close(loaded(var, element), exact[1], element)
    assert batches == 3


def test_running_statistics_need_no_number_of_batches(rng):
    mean, var, x = in_dtype((np.zeros(3), np.ones(3), rng.normal(size=(8, 3))), "float")
    run(OPS["track_statistics"].cuda(mean, var, None, x, momentum=1.0, out=None))
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(var, x.var(axis=0, ddof=1), rtol=1e-5)


def test_layouts_that_no_kernel_has_are_left_to_the_reference():
    x, out = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 4), np.float32)
    standardize = OPS["standardize"].cuda
    assert standardize(x, None, None, axes=(1,), eps=1e-5, out=out) is None
    assert standardize(x, np.ones(4, np.float32), None, axes=(0, 2), eps=1e-5, out=out) is None
    assert standardize(x, np.ones((3, 4)), None, axes=(1, 2), eps=1e-5, out=out) is None
    assert standardize(x.transpose(0, 2, 1), None, None, axes=(2,), eps=1e-5, out=out) is None
    assert standardize(x[:0], None, None, axes=(2,), eps=1e-5, out=out[:0]) is None


@pytest.mark.parametrize(("shape", "axes"), [((300, 40), (1,)), ((300, 40), (0,))])
def test_two_runs_have_the_same_bits(shape, axes, rng):
    arrays, attrs = (rng.normal(size=shape), rng.normal(size=shape)), {"axes": axes, "eps": 1e-5, "shape": (40,)}
    first, second = (outcome("standardize_weight_grad", arrays, "float", **attrs).raw for _ in range(2))
    assert first == second


def test_rows_are_moved_once_and_in_vectors(rng):
    shape = (64, 1024)
    x, g, weight = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=1024)
    report = outcome("standardize", (x, None, None), "float", axes=(1,), eps=1e-5).report
    assert_thrifty(report, 8 * x.size)
    assert report.loads.sectors_per_request == 16
    assert report.stores.sectors_per_request == 16
    assert_thrifty(outcome("standardize_grad", (g, x, weight), "float", axes=(1,), eps=1e-5).report, 12 * x.size)


def test_channels_are_moved_once(rng):
    x = rng.normal(size=(128, 256))
    report = outcome("standardize", (x, None, None), "float", axes=(0,), eps=1e-5).report
    assert_thrifty(report, 8 * x.size)
    assert report.loads.sectors_per_request == 4  # 32 numbers of 4 bytes, none of them moved for nothing


LOSSES = ["mse_loss", "binary_cross_entropy_with_logits"]


def pairs(name: str, size: int, rng: np.random.Generator) -> tuple[np.ndarray | None, ...]:
    x = rng.normal(0, 3, size)
    return (x, rng.normal(0, 3, size)) if name == "mse_loss" else (x, rng.uniform(0, 1, size), None, None)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("size", [1, 7, 4099])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients_agree_with_the_reference(name, size, reduction, element, rng):
    arrays = pairs(name, size, rng)
    got = outcome(name, arrays, element, reduction=reduction)
    assert_close(got.found, got.expected, element)
    got = outcome(f"{name}_grad", (np.array(0.7), *arrays), element, reduction=reduction)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
def test_half_the_squared_error_has_the_error_as_gradient(element, rng):
    got = outcome("mse_loss", pairs("mse_loss", 33, rng), element, reduction="half")
    assert_close(got.found, got.expected, element)
    got = outcome("mse_loss_grad", (np.array(1.0), *pairs("mse_loss", 33, rng)), element, reduction="half")
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("name", LOSSES)
def test_nan_reaches_the_loss_and_large_numbers_do_not_spoil_it(name, rng):
    arrays = pairs(name, 300, rng)
    arrays[0][:4] = 100, -100, 1e4, -1e4
    got = outcome(name, arrays, "float", reduction="sum")
    assert_close(got.found, got.expected, "float")
    got = outcome(f"{name}_grad", (np.array(1.0), *arrays), "float", reduction="sum")
    assert_close(got.found, got.expected, "float")
    arrays[0][250] = np.nan
    assert np.isnan(outcome(name, arrays, "float", reduction="sum").found)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_many_elements_reads_them_once(name, rng):
    arrays = pairs(name, 1 << 16, rng)
    report = outcome(name, arrays, "float", reduction="mean").report
    assert_thrifty(report, 8 << 16)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_and_single_losses_are_left_to_the_reference(name, rng):
    x, t, *rest = in_dtype(pairs(name, 8, rng), "float")
    assert OPS[name].cuda(x, t, *rest, reduction="none", out=x) is None
    assert OPS[name].cuda(x, 0.5, *rest, reduction="mean", out=x[:1].reshape(())) is None
    g = np.ones(8, np.float32)
    assert OPS[f"{name}_grad"].cuda(g, x, t, *rest, reduction="none", out=x) is None
    if rest:
        assert OPS[name].cuda(x, t, x, None, reduction="mean", out=x[:1].reshape(())) is None
