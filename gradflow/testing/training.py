"""Whole models on two devices: every optimizer, and a training run, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gradflow import data, nn, optim
from gradflow.device import Device
from gradflow.nn.functional import cross_entropy
from gradflow.ops.generator import manual_seed
from gradflow.tensor import Tensor, tensor
from gradflow.testing.layers import copied, labels, real
from gradflow.train import MLP
from gradflow.train.fit import train_step

OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "Adadelta": lambda p: optim.Adadelta(p, lr=0.5),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam, amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.5, max_iter=2, line_search_fn="strong_wolfe"),
    "Lion": lambda p: optim.Lion(p, lr=0.001, weight_decay=0.1),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.001, momentum=0.9, centered=True),
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD, nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
}


def optimizer(name: str, device: Device, steps: int = 5) -> list[Any]:
    """The parameters of a small model after each of ``steps`` steps of the optimizer ``name`` on ``device``."""
    manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6)).to(device)
    updating = OPTIMIZERS[name](model.parameters())
    x, targets = real(device).detach(), labels(device)
    found = []

    def loss() -> Tensor:
        updating.zero_grad()
        value = cross_entropy(model(x), targets)
        value.backward()
        return value

    for _ in range(steps):
        updating.step(loss)
        found += [copied(p) for p in model.parameters()]
    return found


def digits_losses(device: Device, steps: int = 100) -> Iterator[float]:
    """The loss of each of the first ``steps`` steps of training on the handwritten digits, from fixed seeds."""
    digits = data.load("digits")
    manual_seed(0)
    model = MLP((64, 32, 10))
    model.learn_range(tensor(digits.x_train))
    model.to(device)
    updating = optim.Adam(model.parameters(), lr=0.005)
    done = 0
    while done < steps:
        for x, y in data.batches(digits.x_train, digits.y_train, 32, seed=0, epoch=done):
            loss, _ = train_step(model, updating, tensor(x, device=device), tensor(y, device=device))
            yield loss.item()
            done += 1
            if done == steps:
                return
