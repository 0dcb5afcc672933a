"""A whole training step, captured on the simulated device, does what it does eagerly."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn, optim
from gradflow.testing.ptx import KernelFault


def training(rng):
    """A step that returns its loss, from fixed seeds."""
    gf.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)).to("cuda")
    updating = optim.Adam(model.parameters(), lr=0.01)
    x = gf.tensor(rng.standard_normal((16, 12)).astype(np.float32), device="cuda")
    labels = gf.tensor(rng.integers(0, 4, 16), device="cuda")

    def step():
        updating.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        updating.step()
        return loss

    return step


def test_a_captured_training_step_replays_the_eager_one_on_the_simulated_device(cuda):
    if not hasattr(cuda, "machine"):
        pytest.skip("a GPU's own graphs are tested where the compiler is")
    stream = cuda.cuda.Stream(non_blocking=True)
    with stream:
        eager = training(np.random.default_rng(0))
        expected = [eager().item() for _ in range(5)]
        step = training(np.random.default_rng(0))
        assert [step().item() for _ in range(2)] == expected[:2]
        stream.begin_capture()
        loss = step()
        graph = stream.end_capture()
        found = []
        mark = len(cuda.records)
        for _ in range(3):
            graph.launch()
            found.append(loss.item())
        assert found == expected[2:]
        assert cuda.records.count("kernel", "gemm", "copy_h2d", "memset", since=mark) == 0
        assert cuda.records.count("graph", since=mark) == 3
        taken = gf.zeros((16, 8), device="cuda")  # the size of an activation, which the capture has freed
        with pytest.raises(KernelFault, match="given to another array since"):
            graph.launch()
        assert taken.shape == (16, 8)
