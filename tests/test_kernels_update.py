"""Kernels of optimizers: every element, every dtype, by the formulas in float64; no byte and no launch too many."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.optim  # declares the ops
from gradflow.op import OPS
from gradflow.testing import tolerance
from launching import ELEMENTS, loaded, run, stored

PLACES = [(1, 0), (7, 1), (255, 0), (4099, 0), (4099, 1)]  # sizes, and elements past an aligned address
UNITS = {"f16": 2.0**-11, "bf16": 2.0**-8, "float": 2.0**-24, "double": 2.0**-53}  # of rounding what is stored


def sgd(p, g, velocity, t, lr, momentum, dampening, nesterov, weight_decay, maximize):
    d = (-g if maximize else g) + weight_decay * p
    if velocity is not None:
        velocity = d if t == 1 else momentum * velocity + (1 - dampening) * d
        d = d + momentum * velocity if nesterov else velocity
    return p - lr * d, velocity


def adam(p, g, m, v, v_max, t, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    d = -g if maximize else g
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        d = d + weight_decay * p
    m = beta1 * m + (1 - beta1) * d
    v = beta2 * v + (1 - beta2) * d * d
    if v_max is not None:
        v_max = np.maximum(v_max, v)
    second = (v if v_max is None else v_max) / (1 - beta2**t)
    return p - lr * (m / (1 - beta1**t)) / (np.sqrt(second) + eps), m, v, v_max


def lion(p, g, m, t, lr, beta1, beta2, weight_decay, maximize):
    d = -g if maximize else g
    way = beta1 * m + (1 - beta1) * d
    way = np.where(np.abs(way) < 1e-7, np.nan, np.sign(way))  # NaN where rounding decides which way it goes
    return p * (1 - lr * weight_decay) - lr * way, beta2 * m + (1 - beta2) * d


def rmsprop(p, g, square, velocity, mean, t, lr, alpha, eps, weight_decay, momentum, maximize):
    d = (-g if maximize else g) + weight_decay * p
    square = alpha * square + (1 - alpha) * d * d
    spread = square
    if mean is not None:
        mean = alpha * mean + (1 - alpha) * d
        spread = square - mean * mean
    d = d / (np.sqrt(spread) + eps)
    if velocity is not None:
        velocity = d = momentum * velocity + d
    return p - lr * d, square, velocity, mean


PLAIN_SGD = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0, "maximize": False}
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decoupled": False, "maximize": False}
LION = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0, "maximize": False}
RMSPROP = {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "maximize": False}
TINY = 2.0**-25  # half of the smallest float16
# the op, the formula, which of its states there are, the bytes that a float32 parameter takes, the options
CASES = {
    "sgd": ("sgd_update", sgd, "-", 12, PLAIN_SGD),
    "sgd decay": ("sgd_update", sgd, "-", 12, PLAIN_SGD | {"weight_decay": 0.1, "maximize": True}),
    "sgd momentum": ("sgd_update", sgd, "+", 20, PLAIN_SGD | {"momentum": 0.9, "dampening": 0.3}),
    "sgd nesterov": ("sgd_update", sgd, "+", 20, PLAIN_SGD | {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": ("adam_update", adam, "++-", 28, ADAM),
    "adam decay": ("adam_update", adam, "++-", 28, ADAM | {"weight_decay": 0.1, "maximize": True, "eps": 1e-3}),
    "adamw": ("adam_update", adam, "++-", 28, ADAM | {"weight_decay": 0.1, "decoupled": True}),
    "amsgrad": ("adam_update", adam, "+++", 36, ADAM | {"weight_decay": 0.1}),
    "lion": ("lion_update", lion, "+", 20, LION),
    "lion decay": ("lion_update", lion, "+", 20, LION | {"weight_decay": 0.1, "maximize": True}),
    "rmsprop": ("rmsprop_update", rmsprop, "+--", 20, RMSPROP),
    "rmsprop decay": (
        "rmsprop_update",
        rmsprop,
        "++-",
        28,
        RMSPROP | {"momentum": 0.9, "weight_decay": 0.1, "eps": 1e-3},
    ),
    "rmsprop centered": ("rmsprop_update", rmsprop, "+++", 36, RMSPROP | {"momentum": 0.9, "maximize": True}),
}


def fresh(name, size, element, seed=0):
    """Parameters, a gradient and empty state, and the step count and learning rate."""
    rng = np.random.default_rng(seed)
    p, g = (stored(rng.standard_normal(size), element) for _ in range(2))
    state = [np.zeros_like(p) if mark == "+" else None for mark in CASES[name][2]]
    return [p, g, *state, np.array(0.0), np.array(0.01), None]


def launch_of(name, arrays):
    op, _, _, _, options = CASES[name]
    return OPS[op].cuda(*arrays, out=None, **options)


def expected_of(name, arrays, element):
    """What a step makes of ``arrays``, in float64."""
    _, formula, _, _, options = CASES[name]
    *elements, step, lr, _ = (x if x is None else loaded(np.asarray(x), element) if np.ndim(x) else x for x in arrays)
    return formula(*elements, float(step) + 1, float(lr), **options)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", CASES)
def test_kernels_of_optimizers_follow_the_formulas_in_float64(name, element, rng):
    for size, offset in PLACES:
        arrays = fresh(name, size, element)
        for t in (1, 2, 3):
            arrays[1][...] = stored(rng.standard_normal(size), element)
            expected = expected_of(name, arrays, element)
            run(launch_of(name, arrays), element, offset)
            assert arrays[-3] == t
            for ours, exact in zip([arrays[0], *arrays[2:-3]], expected, strict=True):
                if exact is not None:
                    computed_in = np.dtype("float64" if element == "double" else "float32")
                    close = tolerance(computed_in, float(np.max(np.abs(exact)))) + UNITS[element] * np.abs(exact) + TINY
                    assert np.all((np.abs(loaded(ours, element) - exact) <= close) | np.isnan(exact))


def test_moments_of_the_first_step_have_all_digits_since_one_minus_beta_comes_from_the_host():
    arrays = fresh("adam", 255, "float")
    p, m, v, _ = expected_of("adam", arrays, "float")
    run(launch_of("adam", arrays))
    np.testing.assert_allclose(arrays[2], m, rtol=3e-7)
    np.testing.assert_allclose(arrays[3], v, rtol=3e-7)
    np.testing.assert_allclose(arrays[0], p, rtol=3e-7, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_kernels_of_optimizers_move_no_byte_too_many_and_sixteen_sectors_at_a_time(name):
    size = 100_003
    arrays = fresh(name, size, "float")
    expected = expected_of(name, arrays, "float")
    report = run(launch_of(name, arrays))
    np.testing.assert_allclose(arrays[0], expected[0], rtol=0, atol=tolerance(np.dtype("float32"), 5.0))
    assert (report.bytes_read + report.bytes_written) / (CASES[name][3] * size) <= 1.01
    assert report.stores.sectors_per_request == pytest.approx(16, abs=0.25)
    assert (report.generic_accesses, report.local_accesses) == (0, 0)
    assert report.atomics <= -(-size // 1024)  # a ticket for each block, if it reads the number of the step


@pytest.mark.parametrize("name", CASES)
def test_one_launch_updates_arrays_of_several_arenas_as_several_launches_do(name):
    sizes = [1, 4099, 7, 1024, 255]
    alone, together = ([fresh(name, n, "float", seed) for seed, n in enumerate(sizes)] for _ in range(2))
    for i, (one, other) in enumerate(zip(alone, together, strict=True)):
        one[-3][...] = other[-3][...] = i  # each has its own number of steps
        run(launch_of(name, one))
    op, _, _, _, options = CASES[name]
    report = run(OPS[op + "_all"].cuda(*(x for call in together for x in call), out=None, **options))
    assert report.generic_accesses == 0
    for one, other in zip(alone, together, strict=True):
        for ours, expected in zip(other, one, strict=True):
            np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("name", CASES)
def test_a_step_with_gradients_that_are_not_finite_is_skipped_by_the_kernel_itself(name):
    before, arrays = fresh(name, 4099, "float"), fresh(name, 4099, "float")
    arrays[-1] = np.array(1.0, np.float32)
    run(launch_of(name, arrays))
    for ours, expected in zip(arrays[:-1], before, strict=False):
        np.testing.assert_array_equal(ours, expected)
    arrays[-1][...] = 0
    run(launch_of(name, arrays))
    assert arrays[-3] == 1


def test_a_maximum_over_second_moments_keeps_nan():
    arrays = fresh("amsgrad", 9, "float")
    arrays[1][3] = arrays[4][5] = np.nan
    run(launch_of("amsgrad", arrays))
    assert np.isnan(arrays[4]).tolist() == np.isnan(arrays[0]).tolist() == [i in (3, 5) for i in range(9)]


@pytest.mark.parametrize("element", ELEMENTS)
def test_kernels_take_the_norm_of_several_arrays_together(element, rng):
    for sizes, offset in [([1], 0), ([100_003], 0), ([7, 20_000, 255], 1), ([40_000, 1], 0)]:
        arrays = [stored(rng.standard_normal(n), element) for n in sizes]
        exact = np.sqrt(sum(np.sum(loaded(x, element) ** 2) for x in arrays))
        found = [np.zeros((), ELEMENTS[element]) for _ in range(2)]
        for out in found:
            run(OPS["joint_norm"].cuda(*arrays, out=out), element, offset)
        np.testing.assert_allclose(loaded(found[0], element), exact, rtol=UNITS[element] + 3e-7 * (element != "double"))
        assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_norm_is_not_finite_if_an_element_is_not(bad, rng):
    x, out = rng.standard_normal(5000).astype(np.float32), np.zeros((), np.float32)
    x[4321] = bad
    run(OPS["joint_norm"].cuda(x, out=out))
    np.testing.assert_equal(out, np.float32(bad))


def test_a_norm_reads_every_byte_once(rng):
    x, out = rng.standard_normal(100_003).astype(np.float32), np.zeros((), np.float32)
    report = run(OPS["joint_norm"].cuda(x, out=out))
    assert report.bytes_read / x.nbytes <= 1.01
    assert report.loads.sectors_per_request >= 15.5


@pytest.mark.parametrize("element", ELEMENTS)
def test_kernels_scale_gradients_down_to_a_norm_and_never_up(element, rng):
    for size, offset in PLACES:
        for norm, factor in [(4.0, 0.5), (1.0, 1.0)]:
            x = stored(rng.standard_normal(size), element)
            expected = loaded(x, element) * factor
            given = stored(np.array(norm), element)
            run(OPS["clip_by_norm"].cuda(x, given, out=None, max_norm=2.0), element, offset)
            np.testing.assert_allclose(loaded(x, element), expected, rtol=UNITS[element] + 3e-7, atol=TINY)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("bad", [None, np.inf, np.nan])
def test_kernels_unscale_gradients_and_note_what_is_not_finite(element, bad, rng):
    for size, offset in PLACES:
        x = rng.standard_normal(size) * 1000
        if bad is not None:
            x[size // 2] = bad
        x = stored(x, element)
        expected, found = loaded(x, element) / 1024, np.zeros((), np.float32)
        run(OPS["unscale"].cuda(x, np.array(1024, np.float32), found, out=None), element, offset)
        np.testing.assert_allclose(loaded(x, element), expected, rtol=UNITS[element], atol=TINY)
        assert found == (bad is not None)


@pytest.mark.parametrize(
    ("scale", "tracker", "found", "after"),
    [(8, 0, 0, (8, 1)), (8, 2, 0, (16, 0)), (8, 2, 1, (4, 0)), (2.0**127, 2, 0, (2.0**127, 0))],
)
def test_the_kernel_of_the_loss_scale_grows_and_shrinks_as_the_cpu_does(scale, tracker, found, after):
    for backend in ("cpu", "kernel"):
        arrays = [np.array(scale, np.float32), np.array(tracker, np.int32), np.array(found, np.float32)]
        options = {"growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3}
        if backend == "cpu":
            with np.errstate(over="ignore"):
                OPS["update_scale"].forward(np, *arrays, **options)
        else:
            run(OPS["update_scale"].cuda(*arrays, out=None, **options))
        assert (arrays[0], arrays[1]) == after


@pytest.mark.parametrize("arenas", [1, 50])
def test_adam_is_one_launch_for_a_thousand_tensors_wherever_they_lie(arenas, cuda, launched):
    weights = [gf.ones(3, device="cuda", requires_grad=True) for _ in range(1000)]
    for chunk in range(0, 1000, 1000 // arenas):
        gf.optim.SGD(weights[chunk : chunk + 1000 // arenas])
    optimizer = gf.optim.Adam(weights, lr=0.25)
    for w in weights:
        w.grad_slot.claim().copy_(2.0)
        w.grad = w.grad_slot.lend()
    optimizer.step()
    assert launched == ["adam_update"]
    np.testing.assert_allclose([w.detach().cpu().numpy() for w in weights[::97]], 0.75, rtol=1e-6)
