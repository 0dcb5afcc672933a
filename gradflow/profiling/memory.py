"""The memory behind arrays: whose it is, what an op reads and writes of it, how much of it is alive on the host."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from gradflow.op import Op
from gradflow.tensor import Tensor

Array = Any


def owner(array: Array) -> Array:
    """The array whose memory ``array`` is a view of; itself if it is none."""
    while (base := array.base) is not None and type(base) is type(array):
        array = base
    return array


class Touched(NamedTuple):
    """The arrays that a call read and wrote; ``view`` if it did neither, and only made a view."""

    read: list[Array]
    written: list[Array]
    view: bool

    @classmethod
    def by(cls, op: Op, inputs: tuple[Any, ...], out: Tensor | None) -> Touched:
        """What ``op`` touched when it was given ``inputs`` and returned ``out``."""
        read = [x.data for x in inputs if isinstance(x, Tensor)]
        if out is not None:
            return cls(read, [out.data], op.view and owner(out.data) is owner(read[0]))
        return cls(read, [inputs[i].data for i in op.mutated(len(inputs)) if inputs[i] is not None], False)

    @property
    def bytes(self) -> int:
        """The sizes of all inputs and outputs, were each read or written once."""
        return 0 if self.view else sum(int(x.nbytes) for x in (*self.read, *self.written))

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU took part."""
        return any(not isinstance(x, np.ndarray) for x in (*self.read, *self.written))

    @property
    def computed(self) -> bool:
        """Whether there was anything to write."""
        return not self.view and any(x.size for x in self.written)


class HostMemory:
    """Bytes of the arrays it was told of that are alive; tracemalloc would slow a step down several times."""

    def __init__(self) -> None:
        self.now = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def note(self, touched: Touched) -> None:
        """Count what a call made in new memory, until nothing refers to that memory any more."""
        inputs = {id(owner(x)) for x in touched.read}
        for array in touched.written:
            root = owner(array)
            if isinstance(root, np.ndarray) and id(root) not in inputs and id(root) not in self._alive:
                self._count(root)

    def _count(self, root: Array) -> None:
        key, nbytes = id(root), int(root.nbytes)

        def forget(_: object) -> None:
            del self._alive[key]
            self.now -= nbytes

        self._alive[key] = weakref.ref(root, forget)
        self.now += nbytes
