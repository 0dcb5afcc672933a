"""Epilogues of products in compiled steps: how many launches are left, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.backend.cublaslt import Epilogue
from gradflow.testing import device

BATCH, WIDTHS = 24, (20, 32, 16, 12, 8)


@pytest.fixture
def gpu(simulated: Any) -> Iterator[Any]:
    """The simulated backend, in use, and whatever is made unsupported supported again."""
    library = simulated._products.library
    with device.serving(simulated):
        yield simulated
    library.unsupported.clear()


def stepping(where: str, layers: int, activation: type[Any] = nn.ReLU) -> tuple[Callable[..., Any], Any, Any]:
    """A training step on ``where``, not compiled, and a batch."""
    gf.manual_seed(0)
    model = nn.Sequential()
    for inputs, outputs in pairwise(WIDTHS[: layers + 1]):
        model.extend([nn.Linear(inputs, outputs), activation()])
    model = model[:-1].to(where)
    optimizer = gf.optim.Adam(model.parameters())
    rng = np.random.default_rng(0)
    x = gf.tensor(rng.standard_normal((BATCH, WIDTHS[0])).astype("f4"), device=where)
    labels = gf.tensor(rng.integers(0, WIDTHS[layers], BATCH), device=where)

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, x, labels


def trained(layers: int, **how: Any) -> tuple[Any, list[float], list[float]]:
    """The plan of a step on the simulated device, its losses, and those of the step itself on the CPU."""
    step, x, labels = stepping("cpu", layers, **how)
    wanted = [float(step(x, labels).item()) for _ in range(5)]
    step, x, labels = stepping("cuda", layers, **how)
    compiled = gf.compile(step)
    losses = [float(compiled(x, labels).item()) for _ in range(5)]
    (plans,) = compiled.plans.values()
    return plans[0], losses, wanted


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_a_step_of_l_layers_is_3l_and_1_launches_and_the_same_losses(gpu: Any, layers: int) -> None:
    plan, losses, wanted = trained(layers)
    assert plan._replay._phases[0].launches == 3 * layers + 1
    assert plan._replay._phases[0].hosted == []
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)


def test_without_epilogues_of_a_backward_pass_it_is_5l_launches(gpu: Any) -> None:
    gpu._products.library.unsupported |= {Epilogue.RELU_AUX_BIAS, Epilogue.DRELU_BGRAD, Epilogue.BGRADB}
    gpu._products.library.unsupported |= {Epilogue.RELU_BIAS}
    plan, losses, wanted = trained(3)
    assert plan._replay._phases[0].launches <= 5 * 3
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)


@pytest.mark.parametrize("missing", [Epilogue.DRELU_BGRAD, Epilogue.RELU_AUX_BIAS])
def test_a_mask_is_written_only_for_a_product_that_can_read_it(gpu: Any, missing: Epilogue) -> None:
    gpu._products.library.unsupported.add(missing)
    plan, losses, wanted = trained(2)
    epilogues = {getattr(work.does, "epilogue", "none") for work in plan.works}
    assert not epilogues & {"relu_aux", "drelu_bgrad"}
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)


def test_other_activations_keep_their_loops(gpu: Any) -> None:
    plan, losses, wanted = trained(2, activation=nn.Tanh)
    epilogues = [getattr(work.does, "epilogue", "none") for work in plan.works]
    assert epilogues.count("bgrad_a") == 1
    assert not {"relu", "relu_aux", "drelu_bgrad"} & set(epilogues)
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)


def test_what_is_read_elsewhere_is_still_made(gpu: Any) -> None:
    rng = np.random.default_rng(0)
    x, w, b = (gf.tensor(rng.standard_normal(s).astype("f4"), device="cuda") for s in ((6, 5), (4, 5), (4,)))

    @gf.compile
    def both(x: Any) -> Any:
        z = gf.linear(x, w, b)
        return z, gf.relu(z)

    for _ in range(4):
        z, y = both(x)
    exact = x.numpy().astype("f8") @ w.numpy().T + b.numpy()
    np.testing.assert_allclose(z.numpy(), exact, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.numpy(), np.maximum(exact, 0), rtol=1e-5, atol=1e-6)


def test_an_inference_is_a_product_a_layer(gpu: Any) -> None:
    gf.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 10)).to("cuda")
    x = gf.tensor(np.random.default_rng(0).standard_normal((6, 20)).astype("f4"), device="cuda")
    compiled = gf.compile(model.__call__)
    with gf.no_grad():
        wanted = model(x).numpy()
        for _ in range(4):
            found = compiled(x).numpy()
    (plans,) = compiled.plans.values()
    assert [getattr(work.does, "epilogue", "") for work in plans[0].works] == ["relu", "none"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
