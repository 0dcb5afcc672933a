"""Typical convolution layers, forward and backward, beside other libraries: each in a process of its own.

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
from bench.engines import Unavailable
from bench.floor import ONE_THREAD
from bench.table import Table, duration

PAUSE = 0.1  # seconds between libraries: their threads spin for a while after their work
Calls = tuple[
    Callable[[], Any], Callable[[], Any]
]  # of the layer, and of it with the gradients; the kernels' is returned


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

    def padded(self) -> tuple[Any, Any]:
        """The arrays, for libraries without padding or groups: with as many zeros around images as windows reach."""
        if self.groups > 1:
            raise Unavailable("it has no groups")
        x, weight = self.arrays()
        before = self.kernel // 2
        reach = (self.size + 2 * before - self.kernel) // self.stride * self.stride + self.kernel
        around = (before, reach - self.size - before)
        return np.pad(x, ((0, 0), (0, 0), around, around)), weight


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


def _gradflow(layer: Layer) -> Calls:
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


def _torch(layer: Layer) -> Calls:
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


def _jax(layer: Layer) -> Calls:
    import jax

    edge = (layer.kernel // 2,) * 2

    @jax.jit
    def convolve(x: Any, weight: Any) -> Any:
        how = {"window_strides": (layer.stride,) * 2, "feature_group_count": layer.groups}
        return jax.lax.conv_general_dilated(x, weight, padding=(edge, edge), **how)

    x, weight = (jax.numpy.array(each) for each in layer.arrays())
    ones = jax.numpy.ones_like(convolve(x, weight))
    gradients = jax.jit(lambda x, weight: jax.vjp(convolve, x, weight)[1](ones))
    return lambda: np.asarray(convolve(x, weight)), lambda: np.asarray(jax.block_until_ready(gradients(x, weight))[1])


def _autograd(layer: Layer) -> Calls:
    from autograd import make_vjp
    from autograd.scipy.signal import convolve as convolved

    def convolve(both: Any) -> Any:
        x, weight = both
        how = {"axes": ([2, 3], [2, 3]), "dot_axes": ([1], [1]), "mode": "valid"}
        return convolved(x, weight[:, :, ::-1, ::-1], **how)[:, :, :: layer.stride, :: layer.stride]

    arrays = layer.padded()
    ones = np.ones_like(convolve(arrays))
    return lambda: convolve(arrays), lambda: make_vjp(convolve)(arrays)[0](ones)[1]


def _mygrad(layer: Layer) -> Calls:
    import mygrad as mg
    from mygrad.nnet.layers import conv_nd

    x, weight = (mg.tensor(each) for each in layer.padded())

    def both() -> Any:
        conv_nd(x, weight, stride=layer.stride).backward(ones)
        return weight.grad

    def forward() -> Any:
        with mg.no_autodiff:
            return conv_nd(x, weight, stride=layer.stride).data

    ones = np.ones_like(forward())
    return forward, both


LIBRARIES = {"gradflow": _gradflow, "torch": _torch, "jax": _jax, "autograd": _autograd, "mygrad": _mygrad}


def _serve(library: str) -> None:
    """Answer requests: the median times of forward and of both, and a sum of each result, to compare."""
    with replying() as reply:
        reply(ready=True)
        for line in sys.stdin:
            number, seconds = line.split()
            try:
                calls = LIBRARIES[library](LAYERS[int(number)])
            except Unavailable:
                reply(seconds=None)
                continue
            timed = [median(call, float(seconds) / 2) for call in calls]
            sums = [float(np.abs(result).sum(dtype=np.float64)) for _, result in timed]
            reply(seconds=[taken for taken, _ in timed], sums=sums)


def median(call: Callable[[], Any], seconds: float) -> tuple[float, Any]:
    """The median time of the calls that can be done in ``seconds``, and what they give.

    The first is to warm up, and counts only if there is no time for another.
    """
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 2 or time.perf_counter() < end:
        begun = time.perf_counter()
        result = call()
        taken.append(time.perf_counter() - begun)
        if taken[0] > seconds:
            break
    return statistics.median(taken[1:] or taken), result


def compare(
    rounds: int,
    seconds: float,
    one_thread: bool = False,
    peers: Sequence[str] = ("torch",),
    layers: Sequence[Layer] = LAYERS,
) -> Table:
    """Every layer here and in peers, in turn, ``rounds`` times for ``seconds``: medians, and those of ratios."""
    environment = ONE_THREAD if one_thread else {}
    running = [start("bench.conv", library, environment=environment) for library in ("gradflow", *peers)]
    try:
        for process in running:
            reply_of(process)
        rows = [_row(layer, running, rounds, seconds) for layer in layers]
    finally:
        for process in running:
            stop(process)
    ratios = [f"/ {name}" for name in peers]
    threads = "one thread" if one_thread else "all cores"
    notes = [f"float32, {threads}; backward is of images and kernels; ratios are of times in the same round"]
    return Table("convolution layers", ["layer", "forward", *ratios, "with backward", *ratios], rows, notes)


def _row(layer: Layer, running: Sequence[Any], rounds: int, seconds: float) -> list[str]:
    found: list[list[Any]] = []  # in each round, of each library: the two times, or None
    for _ in range(rounds):
        replies = []
        for process in running:
            time.sleep(PAUSE)
            print(LAYERS.index(layer), seconds, file=process.stdin, flush=True)
            replies.append(reply_of(process))
        sums = [reply["sums"] for reply in replies if reply["seconds"]]
        if not np.allclose(sums, sums[0], rtol=1e-3):
            raise ValueError(f"{layer.name}: the libraries disagree, sums are {sums}")
        found.append([reply["seconds"] for reply in replies])
    cells = [layer.name]
    for part in range(2):
        cells.append(duration(statistics.median(ours[part] for ours, *_ in found)))
        for theirs in list(zip(*found, strict=True))[1:]:
            ratios = [ours[part] / their[part] for (ours, *_), their in zip(found, theirs, strict=True) if their]
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "")
    return cells


if __name__ == "__main__":
    _serve(sys.argv[1])
