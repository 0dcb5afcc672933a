"""gradflow, eager: nn.Sequential, cross_entropy, optim.Adam."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

from bench.cases import Case
from bench.engines import Step

PACKAGE = "gradflow"


def build(case: Case) -> Step:
    return build_from(case, lambda train: train)


def build_from(case: Case, transform: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Step:
    """The step that does what ``transform`` makes of the function that trains on one batch."""
    import gradflow as gf
    from gradflow import nn

    model = nn.Sequential()
    for weight, bias in case.kernels():
        outputs, inputs = weight.shape[:2]
        kernels = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        kernels.load_state_dict({"weight": weight, "bias": bias})
        model.extend([kernels, nn.ReLU()])
    if case.channels:
        model.append(nn.Flatten())
    for weight, bias in case.weights():
        outputs, inputs = weight.shape
        layer = nn.Linear(inputs, outputs)
        layer.load_state_dict({"weight": weight, "bias": bias})
        model.extend([layer, nn.ReLU()])
    model = model[:-1]
    optimizer = gf.optim.Adam(model.parameters())
    batches = cycle([(gf.tensor(x), gf.tensor(labels)) for x, labels in case.batches()])

    def train(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    transformed = transform(train)
    return lambda: float(transformed(*next(batches)).item())
