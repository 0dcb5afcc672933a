"""Compiled steps on the simulated device: layers, optimizers, clipping and dtypes, each one graph, as on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.testing import device
from gradflow.testing.cases import tolerance

MODELS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], str]] = {
    "layer norm, GELU, Adam": (
        lambda: nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 6)),
        gf.optim.Adam,
        "float32",
    ),
    "batch norm, tanh, momentum": (
        lambda: nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 6)),
        lambda p: gf.optim.SGD(p, lr=0.1, momentum=0.9),
        "float32",
    ),
    "dropout, SiLU, RMSprop": (
        lambda: nn.Sequential(nn.Linear(12, 16), nn.SiLU(), nn.Dropout(0.4), nn.Linear(16, 6)),
        gf.optim.RMSprop,
        "float32",
    ),
    "softplus in float64": (
        lambda: nn.Sequential(nn.Linear(12, 16), nn.Softplus(), nn.Linear(16, 6)),
        gf.optim.Adam,
        "float64",
    ),
    "ReLU in float16": (
        lambda: nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 6)),
        lambda p: gf.optim.SGD(p, lr=0.1),
        "float16",
    ),
}


@pytest.fixture
def gpu(simulated: Any) -> Iterator[Any]:
    """The simulated backend, in use."""
    with device.serving(simulated):
        yield simulated


def losses(name: str, where: str, compiled: bool) -> tuple[list[float], Any]:
    """The losses of five steps, and the step."""
    make, optimizer_of, dtype = MODELS[name]
    gf.manual_seed(0)
    model = make().to(dtype).to(where)
    optimizer = optimizer_of(model.parameters())
    rng = np.random.default_rng(0)
    x = gf.tensor(rng.standard_normal((10, 12)).astype(dtype), device=where)
    labels = gf.tensor(rng.integers(0, 6, 10), device=where)

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        gf.optim.clip_grad_norm_(list(model.parameters()), 1.0)
        optimizer.step()
        return loss

    run = gf.compile(step) if compiled else step
    return [float(run(x, labels).item()) for _ in range(5)], run


@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_step_is_one_graph_and_what_the_step_is(gpu: Any, name: str) -> None:
    drawing = "dropout" in name  # each device has a stream of its own
    wanted, _ = losses(name, "cuda" if drawing else "cpu", compiled=False)
    found, step = losses(name, "cuda", compiled=True)
    ((plan,),) = step.plans.values()
    assert "1 CUDA graph" in str(plan._replay)
    assert len(set(found)) == len(found), "it learns"
    np.testing.assert_allclose(found, wanted, rtol=10 * tolerance(np.dtype(MODELS[name][2])))


def test_gradients_of_a_compiled_function_are_a_graph_of_their_own(gpu: Any) -> None:
    host = np.random.default_rng(0).standard_normal((6, 5)).astype("f4")

    @gf.compile
    def energy(x: Any) -> Any:
        return (gf.tanh(x) * x).sum()

    for _ in range(4):
        x = gf.tensor(host, device="cuda").requires_grad_()
        energy(x).backward()
    wide = host.astype("f8")
    np.testing.assert_allclose(x.grad.numpy(), np.tanh(wide) + wide * (1 - np.tanh(wide) ** 2), rtol=1e-5, atol=1e-6)
