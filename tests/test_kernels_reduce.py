"""The kernels of sums, means and maxima, each run by itself: every way axes can lie, long sums, NaN, traffic."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.dtypes import tolerance
from gradflow.launch import Launch, Scratch
from gradflow.op import OPS
from gradflow.ops.reduction import MANY_ROWS
from gradflow.testing import nvrtc
from launching import loaded, run, stored

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")

ROUNDING = {"f16": 2.0**-11, "bf16": 2.0**-8, "float": 0.0, "double": 0.0}
# shape, axes, kernel, whether blocks share a result
LAYOUTS = [
    ((100, 10), (0,), "reduce_columns", False),
    ((600, 33), (0,), "reduce_columns", True),
    ((40, 3, 260), (0, 1), "reduce_columns", True),
    ((4, 50, 12), (1,), "reduce_columns", False),
    ((3, 700, 4), (1,), "reduce_columns", True),
    ((37, 3), (1,), "reduce_rows", False),
    ((5, 1, 64), (2,), "reduce_rows", False),
    ((9, 10), (0, 1), "reduce_rows", False),
    ((3, 40, 50), (1, 2), "reduce_columns", False),
    ((7001,), (0,), "reduce_columns", True),
    ((2, 3001), (1,), "reduce_columns", True),
]
EXTREMES = [np.nan, np.inf, -np.inf]


def launched(name: str, x: np.ndarray, axes: tuple[int, ...], keepdims: bool = False) -> tuple[Launch, np.ndarray]:
    kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
    out = np.empty(kept if keepdims else tuple(s for i, s in enumerate(x.shape) if i not in axes), x.dtype)
    launch = OPS[name].cuda(x, axes=axes, keepdims=keepdims, out=out)
    assert isinstance(launch, Launch)
    return launch, out


def assert_close(found: np.ndarray, expected: np.ndarray, element: str, terms: float) -> None:
    """To the tolerance of what is added in, for numbers of about the sum of all ``terms``, and the final rounding."""
    allowed = tolerance(np.dtype(np.float64 if element == "double" else np.float32)) * max(1.0, terms)
    np.testing.assert_allclose(loaded(found, element), expected, rtol=ROUNDING[element], atol=allowed)


def shares(launch: Launch) -> bool:
    return any(isinstance(x, Scratch) for x in launch.arguments)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(("shape", "axes", "kernel", "shared"), LAYOUTS)
def test_sums_means_and_maxima_are_one_launch_however_axes_lie(shape, axes, kernel, shared, offset, rng):
    x = rng.uniform(-1, 2, shape).astype(np.float32)
    for name, reference in (("sum", np.sum), ("mean", np.mean), ("max", np.max)):
        launch, out = launched(name, x, axes)
        run(launch, "float", offset)
        assert (launch.kernel, shares(launch)) == (kernel, shared)
        expected = reference(x.astype(np.float64), axis=axes)
        assert_close(out, expected, "float", 1.0 if name == "max" else float(np.abs(expected).max()))


@pytest.mark.parametrize("element", ["f16", "bf16", "double"])
@pytest.mark.parametrize(("shape", "axes"), [((300, 12), (0,)), ((20, 40), (1,)), ((5001,), (0,))])
@pytest.mark.parametrize("name", ["sum", "max"])
def test_reductions_of_every_dtype(name, shape, axes, element, rng):
    x = stored(rng.uniform(0, 2, shape), element)
    launch, out = launched(name, x, axes)
    run(launch, element)
    expected = getattr(np, name)(loaded(x, element), axis=axes)
    assert_close(out, expected, element, float(np.abs(expected).max()))


@pytest.mark.parametrize(("shape", "axes"), [((40, 7), (0,)), ((40, 7), (1,)), ((3001,), (0,)), ((1100, 3), (0,))])
@pytest.mark.parametrize("extreme", EXTREMES)
def test_nan_and_infinities_reach_the_result_from_any_place(extreme, shape, axes, rng):
    for place in (0, -1, int(np.prod(shape)) // 2):
        x = rng.uniform(-1, 1, shape).astype(np.float32)
        x.reshape(-1)[place] = extreme
        for name in ("sum", "max"):
            launch, out = launched(name, x, axes)
            run(launch)
            expected = getattr(np, name)(x.astype(np.float64), axis=axes)
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_the_largest_of_numbers_below_0_is_not_the_0_that_fills_vectors(rng):
    for shape, axes in [((5, 3), (0,)), ((5, 3), (1,)), ((1201,), (0,))]:
        x = -1 - rng.uniform(0, 1, shape).astype(np.float32)
        launch, out = launched("max", x, axes)
        run(launch)
        np.testing.assert_array_equal(out, x.max(axis=axes))


@pytest.mark.parametrize(("shape", "axes"), [((100_000, 4), (0,)), ((400_000,), (0,)), ((2, 200_000), (1,))])
def test_a_long_float32_sum_of_equal_numbers_keeps_the_accuracy_of_its_terms(shape, axes):
    x = np.full(shape, 0.1, np.float32)
    launch, out = launched("sum", x, axes)
    run(launch)
    np.testing.assert_allclose(out, x.astype(np.float64).sum(axis=axes), rtol=tolerance(np.dtype(np.float32)))


def test_one_thread_that_adds_many_rows_adds_them_in_runs():
    launch, out = launched("sum", np.full((1 << 16, 2), 0.1, np.float32), (0,))
    *arguments, lanes, _, across, rest = launch.arguments
    alone = launch._replace(blocks=(1, 1, 1), arguments=(*arguments, lanes, 1 << 16, across, rest))
    run(alone)
    np.testing.assert_allclose(out, 0.1 * (1 << 16), rtol=1e-6)


def test_many_rows_have_a_part_of_a_warp_each(rng):
    x = rng.uniform(0, 1, (MANY_ROWS, 150)).astype(np.float32)
    launch, out = launched("sum", x, (1,))
    assert (launch.kernel, launch.blocks) == ("reduce_rows", MANY_ROWS // 8)
    run(launch)
    assert_close(out, x.astype(np.float64).sum(axis=1), "float", 150.0)


@pytest.mark.parametrize(
    ("shape", "axes"), [((2048, 128), (0,)), ((280, 1024), (0,)), ((2048, 128), (1,)), ((280_000,), (0,))]
)
def test_a_reduction_reads_everything_once_in_whole_vectors_with_enough_blocks(shape, axes):
    x = np.ones(shape, np.float32)
    launch, out = launched("sum", x, axes)
    report = run(launch)
    partial = sum(each.bytes for each in launch.arguments if isinstance(each, Scratch))
    assert report.bytes_read + report.bytes_written <= 1.02 * (x.nbytes + out.nbytes) + 2 * partial + 4096
    assert partial <= x.nbytes / 8
    assert report.local_accesses == report.generic_accesses == 0
    assert np.prod(launch.blocks) >= min(264, x.size // 1024)
    np.testing.assert_array_equal(out, x.size // out.size)


def test_a_sum_has_the_same_bits_in_every_run(rng):
    x = rng.uniform(-1, 1, (5000, 8)).astype(np.float32)
    first, second = (launched("sum", x, (0,)) for _ in range(2))
    run(first[0])
    run(second[0])
    assert first[1].tobytes() == second[1].tobytes()


def test_sum_to_is_the_same_launch(rng):
    x = rng.uniform(-1, 1, (60, 9)).astype(np.float32)
    for shape, axis in (((9,), 0), ((60, 1), 1), ((1, 9), 0), ((), None)):
        out = np.empty(shape, np.float32)
        run(OPS["sum_to"].cuda(x, shape=shape, out=out))
        np.testing.assert_allclose(out, x.astype(np.float64).sum(axis=axis).reshape(shape), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "axes"),
    [
        (np.ones((2, 3, 4), np.float32), (0, 2)),
        (np.ones((4, 4), np.float32).T[::2], (0,)),
        (np.ones((3, 4), np.int64), (0,)),
        (np.ones((0, 4), np.float32), (0,)),
        (np.ones((5, 1), np.float32), (1,)),
        (np.ones((900, 3, 4), np.float32), (1,)),
    ],
    ids=["axes apart", "strides", "integers", "empty", "nothing to add", "tiny matrices"],
)
def test_what_the_kernels_do_not_suit_is_left_to_cupy(x, axes):
    out = np.empty(tuple(s for i, s in enumerate(x.shape) if i not in axes), x.dtype)
    assert OPS["sum"].cuda(x, axes=axes, keepdims=False, out=out) is None
