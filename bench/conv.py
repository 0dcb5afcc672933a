"""Typical convolution layers, forward and backward, side by side with PyTorch: each library in a process of its own.

``python -m bench.conv LIBRARY`` is such a process; requests are lines ``layer seconds`` on standard input.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.child import reply_of, replying, start, stop
from bench.floor import ONE_THREAD
from bench.table import Table, duration

PAUSE = 0.1  # seconds between libraries: their threads spin for a while after their work
LIBRARIES = ("gradflow", "torch")


class Layer(NamedTuple):
    """A convolution of ``batch`` images (inputs, size, size) with kernels of size ``kernel``."""

    name: str
    batch: int
    inputs: int
    outputs: int
    size: int
    kernel: int
    stride: int = 1
    groups: int = 1

    def arrays(self) -> tuple[Any, Any]:
        """New float32 arrays for the images and the kernels."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, self.inputs, self.size, self.size), np.float32)
        shape = (self.outputs, self.inputs // self.groups, self.kernel, self.kernel)
        return x, rng.standard_normal(shape, np.float32) * np.float32(np.prod(shape[1:]) ** -0.5)

    def settings(self) -> dict[str, int]:
        """How the kernels slide."""
        return {"stride": self.stride, "padding": self.kernel // 2, "groups": self.groups}


LAYERS = (
    Layer("28x28 digits, 1 to 8", 64, 1, 8, 28, 3, 2),
    Layer("first of ResNet, 7x7", 8, 3, 64, 112, 7, 2),
    Layer("ResNet, 64 at 56x56", 8, 64, 64, 56, 3),
    Layer("ResNet, 128 at 28x28", 8, 128, 128, 28, 3),
    Layer("ResNet, 256 at 14x14", 8, 256, 256, 14, 3),
    Layer("ResNet, 512 at 7x7", 8, 512, 512, 7, 3),
    Layer("bottleneck, 1x1", 8, 256, 64, 56, 1),
    Layer("depthwise, 96 at 28x28", 8, 96, 96, 28, 3, 1, 96),
)


def _gradflow(layer: Layer) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import gradflow as gf
    from gradflow.nn.functional import conv2d

    x, weight = (gf.tensor(each) for each in layer.arrays())
    tracked, kernels = x.detach(), weight.detach()
    tracked.requires_grad = kernels.requires_grad = True

    def both() -> Any:
        tracked.grad = kernels.grad = None
        out = conv2d(tracked, kernels, **layer.settings())
        out.backward(ones)
        return kernels.grad.numpy()

    ones = gf.ones(conv2d(x, weight, **layer.settings()).shape)
    return lambda: conv2d(x, weight, **layer.settings()).numpy(), both


def _torch(layer: Layer) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch
    from torch.nn.functional import conv2d

    x, weight = (torch.from_numpy(each) for each in layer.arrays())
    tracked, kernels = x.clone().requires_grad_(), weight.clone().requires_grad_()

    def both() -> Any:
        tracked.grad = kernels.grad = None
        out = conv2d(tracked, kernels, **layer.settings())
        out.backward(ones)
        return kernels.grad.numpy()

    ones = torch.ones_like(conv2d(x, weight, **layer.settings()))
    return lambda: conv2d(x, weight, **layer.settings()).numpy(), both


def _serve(library: str) -> None:
    """Answer requests: the median times of forward and of both, and a sum of each result, to compare."""
    build = {"gradflow": _gradflow, "torch": _torch}[library]
    with replying() as reply:
        reply(ready=True)
        for line in sys.stdin:
            number, seconds = line.split()
            forward, both = build(LAYERS[int(number)])
            sums = [float(np.abs(call()).sum(dtype=np.float64)) for call in (forward, both)]
            reply(seconds=[median(call, float(seconds) / 2) for call in (forward, both)], sums=sums)


def median(call: Callable[[], Any], seconds: float) -> float:
    """The median time of the calls that can be done in ``seconds``; at least one is."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def compare(rounds: int, seconds: float, one_thread: bool = False, layers: Sequence[Layer] = LAYERS) -> Table:
    """Every layer in both libraries, in turn, ``rounds`` times for ``seconds``: medians, and the median of ratios."""
    environment = ONE_THREAD if one_thread else {}
    running = [start("bench.conv", library, environment=environment) for library in LIBRARIES]
    try:
        for process in running:
            reply_of(process)
        rows = [_row(layer, running, rounds, seconds) for layer in layers]
    finally:
        for process in running:
            stop(process)
    header = ["layer", "gradflow, forward", "PyTorch", "ratio", "with backward", "PyTorch", "ratio"]
    threads = "one thread" if one_thread else "all cores"
    notes = [f"float32, {threads}; backward is of images and kernels; ratios are of times in the same round"]
    return Table("convolution layers", header, rows, notes)


def _row(layer: Layer, running: Sequence[Any], rounds: int, seconds: float) -> list[str]:
    found: list[list[list[float]]] = []
    for _ in range(rounds):
        replies = []
        for process in running:
            time.sleep(PAUSE)
            print(LAYERS.index(layer), seconds, file=process.stdin, flush=True)
            replies.append(reply_of(process))
        ours, theirs = (reply["sums"] for reply in replies)
        if not np.allclose(ours, theirs, rtol=1e-3):
            raise ValueError(f"{layer.name}: the libraries disagree, sums are {ours} and {theirs}")
        found.append([reply["seconds"] for reply in replies])
    cells = [layer.name]
    for part in range(2):
        ours, theirs = ([each[library][part] for each in found] for library in range(2))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        cells += [duration(statistics.median(ours)), duration(statistics.median(theirs)), f"{ratio:.2f}"]
    return cells


if __name__ == "__main__":
    _serve(sys.argv[1])
