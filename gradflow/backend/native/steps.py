"""Large steps of optimizers, one by one, as native programs: what the CPU backend does without a compiled step."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

from gradflow.backend.native.engine import available
from gradflow.backend.native.program import Program
from gradflow.backend.native.updates import update_loops, updates
from gradflow.launch import Scratch
from gradflow.op import Op, Spec

KEPT = 64  # programs, for each thread


class Bound:
    """A program for arrays of some shapes, and where those of the last call were."""

    def __init__(self, op: Op, arrays: Sequence[Any], attrs: dict[str, Any]) -> None:
        self._stands = tuple(None if x is None else Spec(x.shape, x.dtype) for x in arrays)  # no array is kept alive
        loops = update_loops(op, self._stands, attrs, lambda dtype: Scratch(dtype.itemsize))
        self._program = Program(loops, lambda stand: 0)
        self._last: list[Any] = [_nothing] * len(arrays)

    def run(self, arrays: Sequence[Any]) -> None:
        """The update of ``arrays``; NumPy takes microseconds to tell an address, so it is asked for new ones alone."""
        for i, x in enumerate(arrays):
            if x is not None and self._last[i]() is not x:
                self._program.rebind(self._stands[i], x.__array_interface__["data"][0])
                self._last[i] = weakref.ref(x)
        self._program.run_alone()


def _nothing() -> None:
    """What a reference to an array that is no more answers."""


class _Programs(threading.local):  # one program must not run twice at once
    def __init__(self) -> None:
        self.known: dict[Any, Bound | None] = {}


_programs = _Programs()


def step(op: Op, arrays: Sequence[Any], attrs: dict[str, Any]) -> bool:
    """Do ``op``, an update in place, on flat arrays; False if it is not done, because no program can."""
    if not available():
        return False
    key = (op, *attrs.items(), *(None if x is None else (x.shape, x.strides, x.dtype) for x in arrays))
    known = _programs.known
    if key not in known:
        if len(known) >= KEPT:
            del known[next(iter(known))]
        known[key] = _bound(op, arrays, attrs)
    bound = known[key]
    if bound is not None:
        bound.run(arrays)
    return bound is not None


def _bound(op: Op, arrays: Sequence[Any], attrs: dict[str, Any]) -> Bound | None:
    """A program for arrays like these, None if there is none."""
    if not all(x is None or x.flags.c_contiguous for x in arrays) or not updates(op, arrays):
        return None
    try:
        return Bound(op, arrays, attrs)
    except (RuntimeError, NotImplementedError):  # of LLVM, and of loops that cannot be generated
        return None
