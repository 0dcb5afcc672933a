"""``gradflow selftest``: what agrees, what does not, and what to report."""

from __future__ import annotations

import pytest

from gradflow.cli import main
from gradflow.op import OPS
from gradflow.testing import layers, nvrtc, parity, training

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed, which compiles the kernels")


@pytest.fixture
def short(monkeypatch):
    """A selftest of one op, one layer and one optimizer."""
    monkeypatch.setattr(parity, "ops", lambda: [OPS["sigmoid_grad"]])
    monkeypatch.setattr(layers, "LAYERS", {"Tanh": layers.LAYERS["Tanh"]})
    monkeypatch.setattr(training, "OPTIMIZERS", {"SGD": training.OPTIMIZERS["SGD"]})


def test_a_simulated_device_agrees_with_the_cpu(short, capsys):
    assert main(["selftest", "--simulated", "--steps", "3"]) == 0
    out = capsys.readouterr().out
    assert "cuda:0: simulated; kernels are compiled by NVRTC" in out
    for line in ("sigmoid_grad", "nn.Tanh", "optim.SGD", "training, 3 steps"):
        assert any(row.startswith(line) and row.endswith("agrees") for row in out.splitlines()), line
    assert "4 of 4 agree with the CPU" in out


def test_what_does_not_agree_is_named_and_to_be_reported(short, capsys, monkeypatch):
    wrong = parity.Parity("sigmoid_grad", "(7,)", parity.dtypes.float32, "sigmoid_grad", 99.0, 33.5)
    monkeypatch.setattr(parity, "compare", lambda *arguments: wrong)
    monkeypatch.setattr(layers, "layer", lambda name, device: 1 / 0)
    assert main(["selftest", "--simulated", "--steps", "1"]) == 1
    out = capsys.readouterr().out
    assert "(7,) float32: at most 34" in out
    assert "ZeroDivisionError: division by zero" in out
    assert "2 of 4 agree with the CPU\nPlease report this" in out


def test_only_a_gpu_that_is_there_can_be_checked(capsys):
    assert main(["selftest", "--device", "cuda:99"]) == 2
    assert "cuda" in capsys.readouterr().err
    assert main(["selftest", "--device", "cpu"]) == 2
    assert "the CPU is what a device is checked against" in capsys.readouterr().err
