"""Large steps of optimizers, one by one, as native programs: what the CPU backend does without a compiled step."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from gradflow.backend.native.engine import available
from gradflow.backend.native.program import Program
from gradflow.backend.native.updates import updates
from gradflow.loop import Update
from gradflow.op import Op, Spec

WORTH = 1 << 17  # elements below which a few passes by NumPy cost less than loading LLVM
KEPT = 64  # programs, for each thread

Bound = tuple[Program, tuple[Spec | None, ...]]  # a program, and what stands for each input in it


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
    if bound is None:
        return False
    program, stands = bound
    for stand, x in zip(stands, arrays, strict=True):
        if x is not None:
            program.rebind(stand, x.__array_interface__["data"][0])
    program.run()
    return True


def _bound(op: Op, arrays: Sequence[Any], attrs: dict[str, Any]) -> Bound | None:
    """A program that keeps no array alive; None for what programs cannot do."""
    if not all(x is None or x.flags.c_contiguous for x in arrays) or not updates(op, arrays):
        return None
    stands = tuple(None if x is None else Spec(x.shape, x.dtype) for x in arrays)
    try:
        return Program([Update(op, stands, attrs)], lambda stand: 0), stands
    except (RuntimeError, NotImplementedError):  # of LLVM, and of loops that cannot be generated
        return None
