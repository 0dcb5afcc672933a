"""Early stopping: examples held out of training say when to stop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from gradflow.data.dataset import Dataset
from gradflow.data.minibatch import SHUFFLES
from gradflow.errors import ArgumentError, DataError
from gradflow.nn.module import Module
from gradflow.ops.philox import permutation
from gradflow.train.fit import Epoch


def hold_out(data: Dataset, seed: int) -> Dataset:
    """The training examples of ``data`` alone, every tenth of them for testing, as drawn by ``seed``.

    Raises DataError for fewer than two training examples.

    >>> from gradflow import data
    >>> hold_out(data.load("digits"), seed=0)
    Dataset(digits: 1294 train, 143 test, x (64,) float32, 10 classes)
    """
    count = len(data.y_train)
    if count < 2:
        raise DataError(f"{data.name}: one training example cannot be split in two; train without early stopping")
    order = permutation(count, seed, SHUFFLES - 1)  # a draw that neither tensors nor batches make
    held, kept = order[: max(1, count // 10)], order[max(1, count // 10) :]
    x, y = data.x_train, data.y_train
    return Dataset(data.name, x[kept], y[kept], x[held], y[held], data.classes)


def stop_early(epochs: Iterable[Epoch], model: Module, patience: int) -> Iterator[Epoch]:
    """Pass ``epochs`` on until the test loss has not fallen for ``patience`` of them, then restore the best weights.

    They are restored too when the epochs end before that. Raises ArgumentError for a ``patience`` below 1.
    Source: Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998.
    """
    if patience < 1:
        raise ArgumentError(f"stop_early: patience is {patience}; it must be at least 1")
    return _stopping(epochs, model, patience)


def _stopping(epochs: Iterable[Epoch], model: Module, patience: int) -> Iterator[Epoch]:
    best, waited = math.inf, 0
    state = model.state_dict()
    for epoch in epochs:
        waited += 1
        if epoch.test.loss < best:
            best, waited = epoch.test.loss, 0
            state = model.state_dict()
        yield epoch
        if waited == patience:
            break
    model.load_state_dict(state)
