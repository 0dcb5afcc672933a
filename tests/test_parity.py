"""Every op, layer and optimizer on the CPU and on a CUDA device: a GPU where there is one, simulated elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.device import CPU, Device
from gradflow.op import OPS
from gradflow.testing import layers, parity, training
from gradflow.testing.cases import operands

CUDA = Device("cuda")
EXAMPLES = [
    pytest.param(op, sample, dtype, id=f"{op.name}-{sample}-{dtype}")
    for op in parity.ops()
    for sample, dtype in parity.examples(op)
]


@pytest.mark.parametrize(("op", "sample", "dtype"), EXAMPLES)
def test_parity_of_an_op(op, sample, dtype, cuda):
    found = parity.compare(op, sample, dtype, CUDA)
    assert found.agrees, found


def test_parity_reports_how_far_results_are_apart_even_if_they_agree(cuda, monkeypatch):
    op, (sample, _) = OPS["sigmoid_grad"], parity.examples(OPS["sigmoid_grad"])[3]
    exact = parity.compare(op, sample, "float32", CUDA)
    results = iter([[np.float32([1.0, 8.0])], [np.float32([1.0, 8.0 + 2.0**-19])]])
    monkeypatch.setattr(parity, "_results", lambda *arguments: next(results))
    off = parity.compare(op, sample, "float32", CUDA)
    assert (exact.agrees, off.agrees, off.by) == (True, True, "sigmoid_grad")
    assert off.error == pytest.approx(2.0**-19 / (8 * 2.0**-23))


@pytest.mark.parametrize("name", layers.LAYERS)
def test_parity_of_a_layer_begun_and_run_on_each_device(name, cuda):
    for found, expected in zip(layers.layer(name, CUDA), layers.layer(name, CPU), strict=True):
        error, allowed = parity.distance(found, expected)
        assert error <= allowed


def test_parity_is_checked_of_every_layer():
    kinds = [x for x in vars(nn).values() if isinstance(x, type) and issubclass(x, nn.Module)]
    containers = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"}
    assert {kind.__name__ for kind in kinds} - set(layers.LAYERS) == containers


@pytest.mark.parametrize("name", training.OPTIMIZERS)
def test_parity_of_an_optimizer_step_by_step(name, cuda):
    for found, expected in zip(training.optimizer(name, CUDA), training.optimizer(name, CPU), strict=True):
        error, allowed = parity.distance(found, expected)
        assert error <= allowed


def test_parity_is_checked_of_every_optimizer():
    kinds = [x for x in vars(gf.optim).values() if isinstance(x, type) and issubclass(x, gf.optim.Optimizer)]
    checked = {name.partition(",")[0] for name in training.OPTIMIZERS}
    assert {kind.__name__ for kind in kinds} - checked == {"Optimizer"}


@pytest.mark.parametrize("op", [op for op in parity.ops() if op.cuda], ids=lambda op: op.name)
def test_parity_is_checked_of_every_kernel_and_not_of_the_reference_in_its_stead(op, cuda):
    drawn = [(sample, operands(sample, dtype)) for sample, dtype in parity.examples(op)]
    there = [(sample, [x.to(CUDA) if isinstance(x, gf.Tensor) else x for x in inputs]) for sample, inputs in drawn]
    assert any(parity.work_of(op, inputs, sample) for sample, inputs in there), "no sample of this op suits its kernel"


@pytest.mark.parametrize("function", [gf.floor_divide, gf.remainder])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_parity_of_divisions_rounded_down_where_cupys_differ_from_numpys(function, dtype, cuda):
    inf, nan = np.inf, np.nan
    pairs = [
        (1, 0.1),
        (5, inf),
        (-5, inf),
        (5, 0),
        (-1, 0.1),
        (0.0, -2),
        (-0.0, 2),
        (nan, 1),
        (inf, 2),
        (0, 0),
        (1, nan),
    ]
    a, b = (np.array(each, dtype) for each in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        expected = function(gf.tensor(a), gf.tensor(b)).numpy()
    found = function(gf.tensor(a, device="cuda"), gf.tensor(b, device="cuda")).numpy()
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)  # a NaN's sign means nothing
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("begin", [nn.init.kaiming_uniform_, nn.init.kaiming_normal_, nn.init.normal_])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_begin_with_the_same_bits_on_both_devices(begin, dtype, cuda):
    gf.manual_seed(7)
    here = begin(gf.zeros((33, 5), dtype=dtype)).numpy()
    gf.manual_seed(7)
    there = begin(gf.zeros((33, 5), dtype=dtype, device="cuda")).numpy()
    assert here.tobytes() == there.tobytes()


def test_dropout_drops_the_same_elements_on_both_devices(cuda):
    x = np.ones((64, 33), np.float32)
    gf.manual_seed(3)
    here = gf.random.dropout(gf.tensor(x), 0.3).numpy()
    gf.manual_seed(3)
    there = gf.random.dropout(gf.tensor(x, device="cuda"), 0.3).numpy()
    assert here.tobytes() == there.tobytes()


def test_parity_of_a_training_run_step_by_step(cuda):
    losses = [list(training.digits_losses(device, 25)) for device in (CPU, CUDA)]
    np.testing.assert_allclose(*losses, rtol=25 * gf.dtypes.tolerance(gf.float32))
