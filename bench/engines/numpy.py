"""No library: the step differentiated by hand, in NumPy. In float64 it is what every engine is checked against."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.adam import Adam
from bench.cases import Array, Case
from bench.engines import Step

PACKAGE = "numpy"


def build(case: Case, dtype: Any = np.float32) -> Step:
    optimizer = Adam([each.astype(dtype) for layer in (*case.kernels(), *case.weights()) for each in layer])
    both = list(zip(optimizer.parameters[::2], optimizer.parameters[1::2], strict=True))
    kernels, layers = both[: len(case.kernels())], both[len(case.kernels()) :]
    batches = cycle([(x.astype(dtype), labels) for x, labels in case.batches()])
    rows = np.arange(case.batch)

    def step() -> float:
        x, labels = next(batches)
        seen = []  # by each convolution: the windows of its input, and its output
        for weight, bias in kernels:
            seen.append(convolved(x, weight, bias))
            x = seen[-1][1]
        x = x.reshape(case.batch, -1)
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
            if below is not inputs[0] or seen:
                x = x @ weight
                x *= below > 0
        for i, (weight, _) in reversed(list(enumerate(kernels))):
            columns, out = seen[i]
            x = x.reshape(out.shape).transpose(0, 2, 3, 1).reshape(len(columns), -1)
            gradients += [x.sum(axis=0), x.T @ columns]
            if i:
                x = spread(x @ weight.reshape(len(weight), -1), seen[i - 1][1].shape) * (seen[i - 1][1] > 0)
        optimizer.step(gradients[::-1])
        return loss

    return step


def convolved(x: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
    """The windows of images (N, C, H, W) as rows, 3x3 with stride 2 and padding 1, and the ReLU of their products."""
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(around, (3, 3), axis=(2, 3))[:, :, ::2, ::2].transpose(0, 2, 3, 1, 4, 5)
    columns = windows.reshape(math.prod(windows.shape[:3]), -1)
    out = np.maximum(columns @ weight.reshape(len(weight), -1).T + bias, 0)
    return columns, out.reshape(*windows.shape[:3], -1).transpose(0, 3, 1, 2)


def spread(columns: Array, shape: tuple[int, ...]) -> Array:
    """Windows, as rows, added up to images of ``shape``."""
    samples, channels, height, width = shape
    parts = columns.reshape(samples, (height + 1) // 2, (width + 1) // 2, channels, 3, 3)
    around = np.zeros((samples, channels, height + 3, width + 3), columns.dtype)
    for i, j in np.ndindex(3, 3):
        there = around[:, :, i : i + 2 * parts.shape[1] : 2, j : j + 2 * parts.shape[2] : 2]
        there += parts[..., i, j].transpose(0, 3, 1, 2)
    return around[:, :, 1 : 1 + height, 1 : 1 + width]
