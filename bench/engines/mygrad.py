"""MyGrad: matmul, conv_nd, relu and softmax_crossentropy of its nnet, and Adam written in NumPy."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from bench.adam import Adam
from bench.cases import Case
from bench.engines import Step

PACKAGE = "mygrad"


def build(case: Case) -> Step:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.layers import conv_nd
    from mygrad.nnet.losses import softmax_crossentropy

    kernels = [each for weight, bias in case.kernels() for each in (weight, bias.reshape(-1, 1, 1))]
    optimizer = Adam([*kernels, *(each for weight, bias in case.weights() for each in (weight.T, bias))])
    parameters = [mg.tensor(each, copy=False) for each in optimizer.parameters]
    *both, last = zip(parameters[::2], parameters[1::2], strict=True)
    convolutions, hidden = both[: len(case.kernels())], both[len(case.kernels()) :]
    batches = cycle([(mg.tensor(x, constant=True), labels) for x, labels in case.batches()])

    def step() -> float:
        x, labels = next(batches)
        for weight, bias in convolutions:
            around = mg.zeros((*x.shape[:2], x.shape[2] + 1, x.shape[3] + 1), np.float32)  # it wants windows to fill it
            around[:, :, 1:, 1:] = x
            x = relu(conv_nd(around, weight, stride=2) + bias)
        x = x.reshape(case.batch, -1)
        for weight, bias in hidden:
            x = relu(mg.matmul(x, weight) + bias)
        loss = softmax_crossentropy(mg.matmul(x, last[0]) + last[1], labels)
        loss.backward()
        gradients = [p.grad for p in parameters]
        for p in parameters:
            p.null_grad()
        optimizer.step(gradients)
        return float(loss.item())

    return step
