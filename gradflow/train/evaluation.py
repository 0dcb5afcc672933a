"""What a trained classifier says: its logits, its probabilities, its accuracy, its mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradflow.data.dataset import Features, Labels
from gradflow.device import CPU, Device
from gradflow.mode import no_grad
from gradflow.nn.functional import cross_entropy
from gradflow.nn.module import Module
from gradflow.tensor import tensor

ROWS = 1024  # at a time, so that activations of a large data set fit in memory


@dataclass(frozen=True)
class Score:
    """The mean loss over ``count`` examples, and how many of them were classified right."""

    loss: float
    right: int
    count: int

    @property
    def accuracy(self) -> float:
        """The share that was classified right, in [0, 1]."""
        return self.right / self.count


def logits(model: Module, x: Features) -> Features:
    """What ``model`` gives for the examples ``x`` in evaluation mode: an array (examples, classes)."""
    device = device_of(model)
    with _evaluating(model), no_grad():
        parts = [model(tensor(x[i : i + ROWS], device=device)).cpu().numpy() for i in range(0, len(x), ROWS)]
    return np.concatenate(parts)


def probabilities(model: Module, x: Features) -> Features:
    """The probability that ``model`` gives each class for the examples ``x``: an array (examples, classes).

    >>> from gradflow import data, train
    >>> p = probabilities(train.MLP((64, 10)), data.load("digits").x_test)
    >>> p.shape, np.allclose(p.sum(axis=1), 1)
    ((360, 10), True)
    """
    z = logits(model, x).astype(np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))  # a softmax, in float64 so that rows of float32 sum to 1
    return np.asarray(e / e.sum(axis=1, keepdims=True), np.float32)


def evaluate(model: Module, x: Features, y: Labels) -> Score:
    """The cross-entropy of ``model`` on the examples ``x`` with labels ``y``, and how many it classifies right."""
    z = logits(model, x)
    loss = float(cross_entropy(tensor(z), tensor(y)).item())
    return Score(loss, int(np.count_nonzero(z.argmax(axis=1) == y)), len(y))


def confusions(labels: NDArray[Any], predicted: NDArray[Any]) -> list[tuple[int, int, int]]:
    """Every mistake as (label, prediction, how often), the most frequent first.

    >>> confusions(np.array([8, 8, 3, 5]), np.array([1, 1, 3, 6]))
    [(8, 1, 2), (5, 6, 1)]
    """
    wrong = labels != predicted
    pairs = Counter(zip(labels[wrong].tolist(), predicted[wrong].tolist(), strict=True))
    return [(label, taken, count) for (label, taken), count in sorted(pairs.items(), key=_by_count)]


def _by_count(item: tuple[tuple[int, int], int]) -> tuple[int, tuple[int, int]]:
    pair, count = item
    return -count, pair


def device_of(model: Module) -> Device:
    """Where the parameters of ``model`` are; the CPU if it has none."""
    first = next(model.parameters(), None)
    return CPU if first is None else first.device


@contextmanager
def _evaluating(model: Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
