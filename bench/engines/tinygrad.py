"""tinygrad on its CPU device: TinyJit of the whole step, with its own Adam, fused over the parameters."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np

from bench.cases import Case
from bench.engines import Step, Unavailable

PACKAGE = "tinygrad"
CACHE = "XDG_CACHE_HOME"
ENVIRONMENT = {"DEV": "CPU"}
COMPILERS = ("clang", *(f"clang-{version}" for version in range(22, 13, -1)))


def build(case: Case) -> Step:
    train, tensors = _compiled(case)
    from tinygrad import Tensor

    initial = [each for layer in (*case.kernels(), *case.weights()) for each in layer]
    zeros = [np.zeros(each.shape, np.float32) for each in tensors[len(initial) : -2]]
    ones = [np.ones(1, np.float32)] * 2  # the powers of the betas
    for tensor, values in zip(tensors, [*initial, *zeros, *ones], strict=True):
        tensor.assign(Tensor(values)).realize()
    batches = cycle([(Tensor(x).realize(), Tensor(y.astype(np.int32)).realize()) for x, y in case.batches()])
    return lambda: float(train(*next(batches)).item())


@cache
def _compiled(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """What trains on one batch, and the tensors that it changes: parameters, moments, the powers of Adam's betas."""
    compiler = next(filter(shutil.which, COMPILERS), None)
    if "CC" not in os.environ and compiler is None:
        raise Unavailable("tinygrad's CPU device needs the program clang; apt install clang")
    os.environ.setdefault("CC", compiler or "")
    from tinygrad import Tensor, TinyJit, nn
    from tinygrad.helpers import TRAINING

    TRAINING.value = 1
    layers = (*case.kernels(), *case.weights())
    parameters = [Tensor(each).realize().is_param_(True) for layer in layers for each in layer]
    optimizer = nn.optim.Adam(parameters, fused=True)
    *both, last = zip(parameters[::2], parameters[1::2], strict=True)
    kernels, hidden = both[: len(case.kernels())], both[len(case.kernels()) :]

    @TinyJit
    def train(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        for weight, bias in kernels:
            x = x.conv2d(weight, bias, stride=2, padding=1).relu()
        x = x.flatten(1)
        for weight, bias in hidden:
            x = x.linear(weight.T, bias).relu()
        loss = x.linear(last[0].T, last[1]).sparse_categorical_crossentropy(labels).backward()
        return loss.realize(*optimizer.schedule_step())

    return train, [*parameters, *optimizer.m, *optimizer.v, optimizer.b1_t, optimizer.b2_t]
