"""The networks that are timed: ReLU layers of some sizes, with the same weights and batches for every engine.

One begins with convolutions, of 3x3 kernels with stride 2 and padding 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BATCHES = 8
ADAM_BYTES = 28  # that its update moves for each parameter: p, g, m, v read, p, m, v written, in float32


@dataclass(frozen=True)
class Case:
    """A network from ``sizes[0]`` inputs to ``sizes[-1]`` classes, trained on batches of ``batch`` rows.

    With ``channels`` there are convolutions before it, from ``channels[0]`` to ``channels[-1]`` channels, of images
    with sides of ``side``; what they give is what ``sizes[0]`` counts.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    channels: tuple[int, ...] = ()
    side: int = 0

    @property
    def input(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (self.channels[0], self.side, self.side) if self.channels else self.sizes[:1]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        kernels = sum((9 * inputs + 1) * outputs for inputs, outputs in pairwise(self.channels))
        return kernels + sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def bytes(self) -> int:
        """What a step must hold: parameters, gradients, Adam's moments, the batches, and one batch's activations."""
        held = BATCHES * (4 * self.batch * math.prod(self.input) + 8 * self.batch)
        sides = [self.side >> i + 1 for i in range(len(self.channels) - 1)]
        images = sum(count * side * side for count, side in zip(self.channels[1:], sides, strict=True))
        return 16 * self.parameters + held + 4 * self.batch * (images + sum(self.sizes[1:]))

    def weights(self) -> list[tuple[Array, Array]]:
        """New float32 arrays for each layer: weight (outputs, inputs) and bias (outputs,).

        Drawn as in He et al., ICCV 2015, so that gradients reach the first layer of deep networks too.
        """
        rng = np.random.default_rng(0)
        return [
            (
                rng.standard_normal((outputs, inputs), np.float32) * np.float32((2 / inputs) ** 0.5),
                rng.standard_normal(outputs, np.float32) * np.float32(0.1),
            )
            for inputs, outputs in pairwise(self.sizes)
        ]

    def kernels(self) -> list[tuple[Array, Array]]:
        """New float32 arrays for each convolution, drawn as ``weights``: weight (outputs, inputs, 3, 3) and bias."""
        rng = np.random.default_rng(2)
        return [
            (
                rng.standard_normal((outputs, inputs, 3, 3), np.float32) * np.float32((2 / (9 * inputs)) ** 0.5),
                rng.standard_normal(outputs, np.float32) * np.float32(0.1),
            )
            for inputs, outputs in pairwise(self.channels)
        ]

    def batches(self) -> list[tuple[Array, Array]]:
        """New arrays for each batch: float32 (batch, *input), and int64 labels (batch,)."""
        rng = np.random.default_rng(1)
        return [
            (
                rng.standard_normal((self.batch, *self.input), np.float32),
                rng.integers(0, self.sizes[-1], self.batch),
            )
            for _ in range(BATCHES)
        ]


CASES = {
    case.name: case
    for case in (
        Case("64-32-10", (64, 32, 10), 32),
        Case("784-256-128-10", (784, 256, 128, 10), 128),
        Case("17x128", (*[128] * 17, 10), 64),
        Case("1024x3-10", (1024, 1024, 1024, 10), 256),
        Case("2048x2-10", (2048, 2048, 10), 16),
        Case("28x28-8-16-10", (784, 10), 64, (1, 8, 16), 28),
    )
}
HOST = Case("1-1-1-1@1", (1, 1, 1, 1), 1)  # three layers with nothing to compute: what is left is the host's time


def parse(text: str) -> Case:
    """The case of that name, or one written as sizes and batch: ``784-300-10@64``.

    Raises ValueError for anything else.

    >>> parse("784-300-10@64")
    Case(name='784-300-10@64', sizes=(784, 300, 10), batch=64, channels=(), side=0)
    """
    if text in CASES:
        return CASES[text]
    sizes, _, batch = text.partition("@")
    numbers = [int(each) if each.isdecimal() else 0 for each in (*sizes.split("-"), batch)]
    if len(numbers) < 3 or 0 in numbers:
        raise ValueError(f"{text!r} is not one of {', '.join(CASES)}, nor sizes and batch like 784-300-10@64")
    return Case(text, tuple(numbers[:-1]), numbers[-1])
