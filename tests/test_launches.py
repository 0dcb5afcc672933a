"""``python -m bench launches``: the bounds hold, PyTorch's counts are what its ops add up to, and a breach is told."""

from __future__ import annotations

import pytest

import gradflow as gf
from bench import __main__ as command
from bench import launches
from gradflow.testing import device


@pytest.fixture
def cuda(simulated, monkeypatch):
    """The device that the benchmark simulates, shared by all tests: its kernels are compiled once. No PyTorch."""
    monkeypatch.setattr("gradflow.testing.simulated_cuda", lambda: device.serving(simulated))
    monkeypatch.setattr(launches.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_step_stays_within_its_bound_and_below_pytorch_and_never_waits(cuda, layers):
    (steps, _), within = launches.compare([layers])
    ((_, ours, bound, waits, foreach, fused),) = steps.rows
    assert within, steps.notes
    assert int(ours) <= int(bound) == 6 * layers + 2 < int(fused) < int(foreach)
    assert waits == "0"


def test_adam_is_one_launch_for_a_thousand_tensors_at_28_bytes_a_parameter(simulated):
    with device.serving(simulated):
        adam = launches.of_adam(1000)
    assert adam.launches == 1
    assert 28 <= adam.bytes <= 28.1


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("fused", [True, False])
def test_the_formula_for_pytorch_is_what_its_ops_add_up_to(torch, layers, fused):
    assert launches.pytorch_counted(layers, fused) == launches.pytorch_formula(layers, fused)


def test_without_pytorch_the_formula_is_shown_and_said_to_be_one(cuda):
    (steps, _), _ = launches.compare([2])
    assert steps.rows[0][4:] == ["22", "17"]
    assert "6L+10 and 6L+5" in steps.notes[0]


def test_a_step_over_its_bound_fails_the_command_and_shows_its_ops(cuda, monkeypatch, capsys):
    monkeypatch.setattr(launches, "bound", lambda layers: 1)
    monkeypatch.setattr("sys.argv", ["bench", "launches", "--layers", "1"])
    assert command.main() == 1
    printed = capsys.readouterr().out
    assert "over the bound for 1 layers" in printed
    assert "cross_entropy_grad" in printed


def test_a_step_that_waits_breaks_its_bound(simulated):
    with device.serving(simulated):
        step = launches.step_on(launches.net(1), "cuda")
        assert not launches.breaks(gf.profile(step), 1)
        assert launches.breaks(gf.profile(lambda: step().item()), 1)


def test_adam_beyond_its_bytes_or_its_one_launch_fails():
    assert launches.Optimizer(1, 28.0).within
    assert not launches.Optimizer(2, 28.0).within
    assert not launches.Optimizer(1, 29.0).within
