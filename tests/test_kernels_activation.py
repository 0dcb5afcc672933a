"""The kernels of activations and biases, each run by itself: every dtype, size, alignment and special value."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.dtypes import tolerance
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import Launch
from gradflow.op import OPS, Spec
from gradflow.ops import bias as _bias
from gradflow.testing import nvrtc
from launching import ELEMENTS, loaded, run, stored

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")

FORWARD = {
    "sigmoid": {},
    "silu": {},
    "softplus": {"beta": 2.0, "threshold": 5.0},
    "leaky_relu": {"negative_slope": 0.1},
    "elu": {"alpha": 1.5, "scale": 0.9},
    "gelu": {},
    "gelu_tanh": {},
}
BACKWARD = {
    **{f"{name}_grad": attrs for name, attrs in FORWARD.items()},
    "relu_grad": {},
    "tanh_grad": {},
    "hardtanh_grad": {"min_val": -1.0, "max_val": 0.5},
}
ALL = {**FORWARD, **BACKWARD}
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 0.5, 2.5, 20.0, -20.0, 80.0, -80.0, 1e4, -1e4, 6e4, -6e4]
PLACES = [(1, 0), (7, 0), (7, 1), (255, 1), (1023, 0), (1023, 1), (4099, 0)]  # size and misalignment, in elements
HALF_UNIT = {"f16": 2.0**-11, "bf16": 2.0**-8, "float": 0.0, "double": 0.0}  # by which storing rounds at most


def operands(name: str, size: int, element: str) -> list[np.ndarray]:
    rng = np.random.default_rng(size)
    return [stored(rng.uniform(-6, 6, size), element) for _ in OPS[name].input_names]


def reference(name: str, arrays: list[np.ndarray], element: str, dtype: type = np.float64) -> np.ndarray:
    with np.errstate(all="ignore"):
        return OPS[name].forward(np, *(loaded(x, element).astype(dtype) for x in arrays), **ALL[name])


def launched(name: str, arrays: list[np.ndarray]) -> tuple[Launch, np.ndarray]:
    out = np.empty_like(arrays[0])
    launch = OPS[name].cuda(*arrays, out=out, **ALL[name])
    assert isinstance(launch, Launch)
    return launch, out


def assert_close(found: np.ndarray, expected: np.ndarray, element: str, size: float = 1.0) -> None:
    """To the tolerance of what is computed in, for numbers of about ``size``, and the rounding of what is stored."""
    computed = np.dtype(np.float64 if element == "double" else np.float32)
    allowed = tolerance(computed) * max(1.0, size)
    np.testing.assert_allclose(loaded(found, element), expected, rtol=allowed + HALF_UNIT[element], atol=allowed)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", ALL)
def test_a_kernel_computes_the_reference_for_every_size_and_alignment(name, element):
    for size, offset in PLACES if element == "float" else PLACES[-3:]:
        arrays = operands(name, size, element)
        launch, out = launched(name, arrays)
        run(launch, element, offset)
        assert_close(out, reference(name, arrays, element), element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", ALL)
def test_a_kernel_treats_special_numbers_as_the_reference_does(name, element):
    count = len(OPS[name].input_names)
    pairs = np.meshgrid(*[SPECIAL] * count)
    arrays = [stored(each.reshape(-1), element) for each in pairs]
    launch, out = launched(name, arrays)
    run(launch, element)
    expected = reference(name, arrays, element, np.float64 if element == "double" else np.float32)
    rounded = loaded(stored(expected, element), element)
    special = ~np.isfinite(rounded)
    np.testing.assert_array_equal(loaded(out, element)[special], rounded[special])
    assert_close(out[~special], expected[~special], element)


@pytest.mark.parametrize("name", ALL)
def test_subnormal_float32_numbers_are_as_good_as_0(name):
    tiny = np.full(9, 1e-40, np.float32)
    launch, out = launched(name, [tiny] * len(OPS[name].input_names))
    run(launch)
    at_zero = reference(name, [np.zeros(9, np.float32)] * len(OPS[name].input_names), "float")
    np.testing.assert_allclose(out, at_zero, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("name", FORWARD)
def test_results_close_to_0_are_as_accurate_for_their_size(name):
    x = -np.geomspace(1e-6, 4, 400).astype(np.float32)
    launch, out = launched(name, [x])
    run(launch)
    np.testing.assert_allclose(out, reference(name, [x], "float"), rtol=tolerance(np.dtype(np.float32)))


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", ALL)
def test_a_kernel_moves_nothing_twice_and_whole_vectors(name, element):
    size = 8192
    arrays = operands(name, size, element)
    launch, out = launched(name, arrays)
    report = run(launch, element)
    assert report.bytes_read <= 1.02 * sum(x.nbytes for x in arrays)
    assert report.bytes_written <= 1.02 * out.nbytes
    assert report.loads.sectors_per_request == report.stores.sectors_per_request == 16
    assert report.local_accesses == report.generic_accesses == report.atomics == 0


def test_leaky_relu_that_is_relu_is_left_to_cupy():
    x = np.ones(4, np.float32)
    assert OPS["leaky_relu"].cuda(x, negative_slope=0.0, out=x) is None


# ---- bias and activation

BIASED = OPS["bias_activation"]
GRADIENT = OPS["activation_bias_grad"]


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("activation", _bias.NUMBERS)
def test_bias_and_activation_are_one_launch_for_every_shape_and_alignment(activation, element):
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (7, 3), (33, 64), (2, 3, 10)]:
        for offset in (0, 1):
            x, b = stored(rng.uniform(-4, 4, shape), element), stored(rng.uniform(-1, 1, shape[-1]), element)
            out = np.empty_like(x)
            run(BIASED.cuda(x, b, activation=activation, out=out), element, offset)
            expected = BIASED.forward(np, loaded(x, element), loaded(b, element), activation=activation)
            assert_close(out, expected, element)


def test_bias_and_activation_may_be_in_place():
    x, b = np.linspace(-2, 2, 60, dtype=np.float32).reshape(5, 12), np.ones(12, np.float32)
    expected = np.maximum(x + 1, 0)
    run(BIASED.cuda(x, b, activation="relu", out=x))
    np.testing.assert_array_equal(x, expected)


def test_bias_and_activation_move_the_matrix_once_in_whole_vectors():
    x, b = np.ones((256, 128), np.float32), np.ones(128, np.float32)
    out = np.empty_like(x)
    report = run(BIASED.cuda(x, b, activation="gelu", out=out))
    assert report.bytes_read + report.bytes_written <= 1.02 * (2 * x.nbytes + b.nbytes)
    assert report.loads.sectors_per_request == report.stores.sectors_per_request == 16


def test_a_bias_of_another_size_is_named():
    with pytest.raises(ShapeError, match=r"bias_activation: the bias is \(3,\), and x is \(2, 4\)"):
        BIASED.spec(Spec((2, 4), np.dtype("f4")), Spec((3,), np.dtype("f4")), activation="none")


def test_an_activation_that_is_not_known_is_named_with_those_that_are():
    with pytest.raises(ArgumentError, match=r"activation is 'mish'; it must be one of none, relu"):
        BIASED.spec(Spec((2, 4), np.dtype("f4")), Spec((4,), np.dtype("f4")), activation="mish")


# ---- the gradients of both

SHAPES = [(1, 1), (100, 10), (37, 33), (70, 260), (3000, 4), (5, 1100)]


def gradient(shape: tuple[int, int], element: str, activation: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(shape)
    g, saved = (stored(rng.uniform(-0.9, 0.9, shape), element) for _ in range(2))
    expected = [np.empty(shape), np.empty(shape[1])]
    GRADIENT.forward(np, *expected, loaded(g, element), loaded(saved, element), activation=activation)
    return [np.empty_like(g), np.empty_like(g[0]), g, saved], expected


def check_gradient(shape: tuple[int, int], element: str, activation: str, offset: int = 0) -> None:
    arrays, (dz, db) = gradient(shape, element, activation)
    run(GRADIENT.cuda(*arrays, activation=activation, out=None), element, offset)
    assert_close(arrays[0], dz, element)
    assert_close(arrays[1], db, element, float(np.abs(db).max()))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_sums_for_the_bias_are_right_for_every_shape(shape):
    check_gradient(shape, "float", "relu")
    check_gradient(shape, "f16", "relu", offset=1)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("activation", _bias.ACTIVATIONS)
def test_an_activation_goes_back_with_the_sums_of_the_bias_in_one_launch(activation, element):
    check_gradient((9, 24), element, activation)


def test_the_gradients_of_activation_and_bias_may_replace_what_they_are_computed_from():
    arrays, (dz, db) = gradient((300, 12), "float", "gelu")
    _, sums, g, saved = arrays
    run(GRADIENT.cuda(g, sums, g, saved, activation="gelu", out=None))
    assert_close(g, dz, "float")
    np.testing.assert_allclose(sums, db, rtol=0, atol=4e-6 * np.abs(db).max())


def test_the_bias_gradient_has_the_same_bits_in_every_run_and_reads_everything_once():
    results = []
    for _ in range(2):
        arrays, _ = gradient((2048, 128), "float", "relu")
        launch = GRADIENT.cuda(*arrays, activation="relu", out=None)
        report = run(launch)
        results.append(arrays[1].tobytes())
    assert results[0] == results[1]
    assert launch.blocks[1] > 1
    dz, db, g, saved = arrays
    partial = launch.arguments[5].bytes
    minimum = dz.nbytes + db.nbytes + g.nbytes + saved.nbytes
    assert report.bytes_read + report.bytes_written <= 1.02 * minimum + 2 * partial
    assert report.local_accesses == report.generic_accesses == 0
