"""Training: one step, which is all there is to it, and epochs of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradflow.data.dataset import Dataset
from gradflow.data.minibatch import batches
from gradflow.errors import ArgumentError, GradientError
from gradflow.nn.functional import cross_entropy
from gradflow.nn.module import Module
from gradflow.optim import Optimizer
from gradflow.tensor import Tensor, tensor
from gradflow.train.evaluation import Score, device_of, evaluate


@dataclass(frozen=True)
class Epoch:
    """One pass over the training examples: how it went, and how the model did on the test examples after it.

    ``train`` is measured as the steps are made: the model changes meanwhile, and dropout is at work.
    """

    number: int
    train: Score
    test: Score
    seconds: float


def train_step(model: Module, optimizer: Optimizer, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Move ``model`` one step towards ``labels`` on the examples ``x``; the loss and the logits before it.

    >>> import gradflow as gf
    >>> model = gf.nn.Linear(2, 2)
    >>> optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    >>> x, labels = gf.tensor([[1.0, 0.0], [0.0, 1.0]]), gf.tensor([0, 1])
    >>> first, _ = train_step(model, optimizer, x, labels)
    >>> second, _ = train_step(model, optimizer, x, labels)
    >>> bool(second < first)
    True
    """
    logits = model(x)
    loss = cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss, logits


def fit(
    model: Module, optimizer: Optimizer, data: Dataset, *, epochs: int = 40, batch: int = 32, seed: int = 0
) -> Iterator[Epoch]:
    """Train ``model`` on the training examples of ``data``, and yield an Epoch after each pass over them.

    The order of the examples depends on ``seed`` alone. The learning rates fall from what they are in the
    optimizer to 0, along half a cosine. Raises ArgumentError for ``epochs`` or ``batch`` below 1, GradientError
    when the loss is no longer finite. Source: Loshchilov & Hutter, SGDR, ICLR 2017 (without its restarts).

    >>> import gradflow as gf
    >>> from gradflow import data, train
    >>> model = train.MLP((64, 10))
    >>> optimizer = gf.optim.Adam(model.parameters(), lr=0.01)
    >>> for epoch in train.fit(model, optimizer, data.load("digits"), epochs=2):
    ...     print(epoch.number, epoch.test.accuracy > 0.8)
    1 True
    2 True
    """
    if epochs < 1 or batch < 1:
        raise ArgumentError(f"fit: epochs is {epochs} and batch {batch}; both must be at least 1")
    rates = [group["lr"] for group in optimizer.param_groups]
    return (_epoch(model, optimizer, data, rates, number, epochs, batch, seed) for number in range(epochs))


def _epoch(
    model: Module,
    optimizer: Optimizer,
    data: Dataset,
    rates: list[float],
    number: int,
    epochs: int,
    batch: int,
    seed: int,
) -> Epoch:
    start = time.perf_counter()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * number / epochs))
    model.train()
    device = device_of(model)
    loss, right = 0.0, 0
    for x, y in batches(data.x_train, data.y_train, batch, seed=seed, epoch=number):
        step_loss, logits = train_step(model, optimizer, tensor(x, device=device), tensor(y, device=device))
        loss += step_loss.item() * len(y)
        right += np.count_nonzero(logits.detach().cpu().numpy().argmax(axis=1) == y)
    count = len(data.y_train)
    if not math.isfinite(loss):
        raise GradientError(
            f"fit: the loss is {loss / count} in epoch {number + 1}; the steps are too long, so lower the "
            f"learning rate (it is {rates[0]:g})"
        )
    train = Score(loss / count, right, count)
    return Epoch(number + 1, train, evaluate(model, data.x_test, data.y_test), time.perf_counter() - start)
