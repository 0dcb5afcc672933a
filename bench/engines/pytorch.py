"""PyTorch, eager: nn.Sequential, cross_entropy, optim.Adam(fused=True)."""

from __future__ import annotations

from itertools import cycle

from bench.cases import Case
from bench.engines import Step

PACKAGE = "torch"


def build(case: Case) -> Step:
    import torch
    from torch import nn

    model = nn.Sequential()
    for weight, bias in case.kernels():
        kernels = nn.Conv2d(*weight.shape[1::-1], 3, stride=2, padding=1)
        kernels.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        model.extend([kernels, nn.ReLU()])
    if case.channels:
        model.append(nn.Flatten())
    for weight, bias in case.weights():
        outputs, inputs = weight.shape
        layer = nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
        model.extend([layer, nn.ReLU()])
    model = model[:-1]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    batches = cycle([(torch.from_numpy(x), torch.from_numpy(labels)) for x, labels in case.batches()])

    def step() -> float:
        x, labels = next(batches)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step
