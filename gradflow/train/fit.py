"""Training: one step, which is all there is to it, and epochs of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gradflow.data.dataset import Dataset, Features, Labels
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


def train_step(
    model: Module, optimizer: Optimizer, x: Tensor, labels: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
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
    loss = cross_entropy(logits, labels, label_smoothing=label_smoothing)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss, logits


def fit(
    model: Module,
    optimizer: Optimizer,
    data: Dataset,
    *,
    epochs: int = 40,
    batch: int = 32,
    label_smoothing: float = 0.0,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train ``model`` on the training examples of ``data``, and yield an Epoch after each pass over them.

    The order of the examples depends on ``seed`` alone. The learning rates fall from what they are in the
    optimizer to 0, along half a cosine. Raises ArgumentError for ``epochs`` or ``batch`` below 1 and for a
    ``label_smoothing`` outside [0, 1], GradientError when the loss is no longer finite. Sources: Loshchilov &
    Hutter, SGDR, ICLR 2017 (without its restarts); Szegedy et al., CVPR 2016 (label smoothing).

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
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"fit: label_smoothing is {label_smoothing}; it must be in [0, 1]")
    return _epochs(model, optimizer, data, epochs, batch, label_smoothing, seed)


def _epochs(
    model: Module,
    optimizer: Optimizer,
    data: Dataset,
    epochs: int,
    batch: int,
    label_smoothing: float,
    seed: int,
) -> Iterator[Epoch]:
    rates = [group["lr"] for group in optimizer.param_groups]
    for number in range(epochs):
        start = time.perf_counter()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * number / epochs))
        shuffled = batches(data.x_train, data.y_train, batch, seed=seed, epoch=number)
        trained = _train(model, optimizer, shuffled, label_smoothing)
        if not math.isfinite(trained.loss):
            raise GradientError(
                f"fit: the loss is {trained.loss} in epoch {number + 1}, so the steps are too long; lower the "
                f"learning rate, which began at {rates[0]:g}"
            )
        tested = evaluate(model, data.x_test, data.y_test)
        yield Epoch(number + 1, trained, tested, time.perf_counter() - start)


def _train(
    model: Module, optimizer: Optimizer, pairs: Iterable[tuple[Features, Labels]], label_smoothing: float
) -> Score:
    model.train()
    device = device_of(model)
    total, right, count = 0.0, 0, 0
    for x, y in pairs:
        labels = tensor(y, device=device)
        loss, logits = train_step(model, optimizer, tensor(x, device=device), labels, label_smoothing)
        total += float(loss) * len(y)
        right += int(np.count_nonzero(logits.detach().cpu().numpy().argmax(axis=1) == y))
        count += len(y)
    return Score(total / count, right, count)
