"""No library: the step differentiated by hand, in NumPy. In float64 it is what every engine is checked against."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np

from bench.adam import Adam
from bench.cases import Case
from bench.engines import Step

PACKAGE = "numpy"


def build(case: Case, dtype: Any = np.float32) -> Step:
    optimizer = Adam([each.astype(dtype) for layer in case.weights() for each in layer])
    layers = list(zip(optimizer.parameters[::2], optimizer.parameters[1::2], strict=True))
    batches = cycle([(x.astype(dtype), labels) for x, labels in case.batches()])
    rows = np.arange(case.batch)

    def step() -> float:
        x, labels = next(batches)
        inputs = [x]
        for weight, bias in layers:
            x = x @ weight.T
            x += bias
            if len(inputs) < len(layers):
                np.maximum(x, 0, out=x)
                inputs.append(x)
        x -= x.max(axis=1, keepdims=True)
        right = x[rows, labels]
        np.exp(x, out=x)
        total = x.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - right))

        x /= total
        x[rows, labels] -= 1
        x /= case.batch
        gradients = []
        for (weight, _), below in zip(layers[::-1], inputs[::-1], strict=True):
            gradients += [x.sum(axis=0), x.T @ below]
            if below is not inputs[0]:
                x = x @ weight
                x *= below > 0
        optimizer.step(gradients[::-1])
        return loss

    return step
