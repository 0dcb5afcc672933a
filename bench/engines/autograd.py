"""HIPS/autograd: ``value_and_grad`` of a function written in its NumPy, and Adam written in NumPy."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np

from bench.adam import Adam
from bench.cases import Case
from bench.engines import Step

PACKAGE = "autograd"


def build(case: Case) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.signal import convolve

    def cross_entropy(parameters: Any, x: Any, one_hot: Any) -> Any:
        *both, last = zip(parameters[::2], parameters[1::2], strict=True)
        convolutions, hidden = both[: len(case.kernels())], both[len(case.kernels()) :]
        for weight, bias in convolutions:  # its convolution has no stride, and mirrors the kernels
            x = anp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
            x = convolve(x, weight[:, :, ::-1, ::-1], axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")
            x = x[:, :, ::2, ::2] + bias
            x = x * (x > 0)
        x = x.reshape(case.batch, -1)
        for weight, bias in hidden:
            x = x @ weight + bias
            x = x * (x > 0)  # the gradients of maximum and where go through float64
        weight, bias = last
        z = x @ weight + bias
        z = z - anp.max(z, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - anp.sum(z * one_hot, axis=1))

    kernels = [each for weight, bias in case.kernels() for each in (weight, bias.reshape(-1, 1, 1))]
    optimizer = Adam([*kernels, *(each for weight, bias in case.weights() for each in (weight.T, bias))])
    one_hot = np.eye(case.sizes[-1], dtype=np.float32)  # the gradient of indexing is slower
    batches = cycle([(x, one_hot[labels]) for x, labels in case.batches()])
    loss_and_gradients = value_and_grad(cross_entropy)

    def step() -> float:
        loss, gradients = loss_and_gradients(optimizer.parameters, *next(batches))
        optimizer.step(gradients)
        return float(loss)

    return step
