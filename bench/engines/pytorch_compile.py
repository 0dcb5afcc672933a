"""PyTorch, the whole step in one graph of torch.compile, mode default.

Of the ways to compile a step this was the fastest on the CPU (PyTorch 2.13): gradients by torch.func, and Adam written
out, which Inductor fuses. Where ``loss.backward()`` and ``optimizer.step()`` are kept, the graph breaks in three, and
no graph can hold the fused Adam together with the gradients it needs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from itertools import cycle
from typing import Any

from bench.cases import Case
from bench.engines import Step, Unavailable

PACKAGE = "torch"
CACHE = "TORCHINDUCTOR_CACHE_DIR"


def build(case: Case) -> Step:
    return build_in_mode(case, "default")


def build_in_mode(case: Case, mode: str) -> Step:
    """The step, compiled in that mode of torch.compile."""
    import torch

    compilers = (os.environ.get("CXX", "g++"), "clang++", "cl")
    if not any(shutil.which(each) for each in compilers):
        raise Unavailable(f"torch.compile needs a C++ compiler, and finds none of {', '.join(compilers)}")
    train = _compiled(mode)
    parameters = [torch.tensor(each) for layer in (*case.kernels(), *case.weights()) for each in layer]
    m, v = ([torch.zeros_like(each) for each in parameters] for _ in range(2))
    steps = torch.zeros(())
    batches = cycle([(torch.from_numpy(x), torch.from_numpy(labels)) for x, labels in case.batches()])
    return lambda: float(train(parameters, m, v, steps, *next(batches)).item())


@cache
def _compiled(mode: str) -> Callable[..., Any]:
    import torch
    from torch.nn.functional import conv2d, cross_entropy, linear

    def loss_of(parameters: list[Any], x: Any, labels: Any) -> Any:
        *hidden, last = zip(parameters[::2], parameters[1::2], strict=True)
        for weight, bias in hidden:
            x = (conv2d(x, weight, bias, 2, 1) if weight.ndim == 4 else linear(x.flatten(1), weight, bias)).relu()
        return cross_entropy(linear(x.flatten(1), *last), labels)

    gradients_and_loss = torch.func.grad_and_value(loss_of)

    def train(parameters: list[Any], m: list[Any], v: list[Any], steps: Any, x: Any, labels: Any) -> Any:
        gradients, loss = gradients_and_loss(parameters, x, labels)
        steps.add_(1)
        root = torch.sqrt(1 - 0.999**steps)
        rate = 1e-3 * root / (1 - 0.9**steps)
        for p, g, mean, square in zip(parameters, gradients, m, v, strict=True):
            mean.lerp_(g, 0.1)
            square.mul_(0.999).addcmul_(g, g, value=0.001)
            p.sub_(rate * mean / (square.sqrt() + 1e-8 * root))
        return loss

    compiled: Callable[..., Any] = torch.compile(train, mode=mode, fullgraph=True, dynamic=False)
    return compiled
