"""Where random numbers come from: generators, whose state is a tensor, and the one way to draw from them."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Mapping
from typing import Any, SupportsIndex

import numpy as np

from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, StateKeyError
from gradflow.mode import mode
from gradflow.op import Op, elementwise
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, tensor


class Generator:
    """A stream of random numbers, which are the same on every device for the same seed.

    ``state`` is a uint64 tensor of two elements, the seed and the number of draws made so far. It is written
    in place, so that a compiled step draws anew each time it runs. Without ``seed`` the operating system
    gives one.

    >>> import gradflow as gf
    >>> generator = Generator(seed=0)
    >>> gf.random.uniform(2, generator=generator)
    tensor([0.39904642, 0.88052016])
    >>> gf.random.uniform(2, generator=generator)
    tensor([0.5166791 , 0.93965805])
    >>> gf.random.uniform(2, generator=generator.manual_seed(0))
    tensor([0.39904642, 0.88052016])
    """

    __slots__ = ("state",)

    def __init__(self, seed: SupportsIndex | None = None, device: str | Device = CPU) -> None:
        chosen = int.from_bytes(os.urandom(8), "little") if seed is None else _word64("seed", seed)
        self.state = tensor(np.array([chosen, 0], np.uint64), device=device)

    def manual_seed(self, seed: SupportsIndex) -> Generator:
        """Begin the stream of ``seed``, an integer in [0, 2**64), and return the generator."""
        self.load_state_dict({"seed": seed, "counter": 0})
        return self

    def state_dict(self) -> dict[str, int]:
        """Where the stream is: its ``seed``, and the ``counter`` of draws made."""
        seed, counter = self.state.tolist()
        return {"seed": seed, "counter": counter}

    def load_state_dict(self, state: Mapping[str, SupportsIndex]) -> None:
        """Go on from where ``state`` was taken.

        Raises StateKeyError or ArgumentError if ``state`` is not the state of a generator.
        """
        if set(state) != {"seed", "counter"}:
            raise StateKeyError(f"Generator: a state has a seed and a counter, this one has {sorted(state)}")
        words = np.array([_word64(name, state[name]) for name in ("seed", "counter")], np.uint64)
        with _drawing:
            self.state.copy_(tensor(words, device=self.state.device))


def _word64(name: str, number: SupportsIndex) -> int:
    try:
        word = operator.index(number)
    except TypeError:
        raise DTypeError(f"Generator: the {name} is {number!r}; it must be an integer") from None
    if not 0 <= word < 1 << 64:
        raise ArgumentError(f"Generator: the {name} is {word}; it must be at least 0 and less than 2**64")
    return word


_drawing = threading.Lock()  # or two threads could make the same draw
defaults = {CPU: Generator()}  # by device


def default_generator(device: str | Device = CPU) -> Generator:
    """The generator that is drawn from on ``device`` where none is given; all threads share it."""
    where = as_device(device)
    with _drawing:
        if where not in defaults:
            # its memory is read as it is: the first draw on a device may be inside a step that is being compiled
            defaults[where] = Generator(int(defaults[CPU].state.data[0]), where)
        return defaults[where]


def manual_seed(seed: SupportsIndex) -> None:
    """Begin the stream of ``seed``, an integer in [0, 2**64), on the default generators of all devices.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.uniform(2)
    tensor([0.39904642, 0.88052016])
    """
    for generator in list(defaults.values()):
        generator.manual_seed(seed)


def draw(op: Op, generator: Generator, *inputs: Tensor, **attrs: Any) -> Tensor:
    """The result of ``op`` on ``inputs`` and the generator's state, which then moves on to the next draw.

    The op gets a snapshot of the state: a gradient may need it when the generator has long moved on. Inside ``vmap``
    there may be a draw for each example.
    """
    with _drawing:
        state, draws = apply(_snapshot, generator.state), 1
        if mode.level is not None:
            state, draws = mode.level.drawn(op.name, state)
        out = apply(op, *inputs, state, **attrs)
        apply(_advance, generator.state, draws=draws)
    return out


def _advance_forward(xp: Any, state: Any, *, draws: int) -> None:
    state[1:] += xp.uint64(draws)


STATE = Given((7, 3), np.uint64)  # for samples

_snapshot = Op(
    name="snapshot",
    forward=lambda xp, x, *, out=None: xp.positive(x, out=out),
    spec=elementwise("snapshot", np.positive),
    samples=unary(),
)
_advance = Op(
    name="advance",
    forward=_advance_forward,
    spec=lambda state, draws: None,
    mutates=(0,),
    samples=(sample(STATE, draws=1), sample(STATE, draws=5)),
)
