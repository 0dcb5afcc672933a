"""Native programs: loops and products that one call from Python runs to the end, without the interpreter's lock."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.backend.native import engine
from gradflow.backend.native.cross_entropies import checked
from gradflow.backend.native.function import Function
from gradflow.backend.native.fused_products import fused_product
from gradflow.backend.native.loops import functions_for
from gradflow.backend.native.products import product
from gradflow.backend.native.threads import pool, runtime
from gradflow.launch import Gemm, Scratch
from gradflow.loop import CrossEntropy, FusedProduct

WORTH_WAKING = 8  # chunks of a loop, each 20 to 50 us, for which it pays to wake workers, who come 50 us late
ALIGNMENT = 64  # bytes: a cache line, and the longest vector

Work = Any


class Program:
    """``works`` one after the other, compiled, on memory that ``address_of`` knows: arrays that stay where they are.

    Work is a Loop, a Gemm for which ``multiplies`` is true, a CrossEntropy, a FusedProduct or a Function. The program
    keeps ``works`` alive; the memory behind the addresses is the caller's.

    Raises ImportError without llvmlite, RuntimeError if LLVM fails, NotImplementedError for loops that are not made.
    """

    def __init__(self, works: Sequence[Work], address_of: Callable[[Any], int]) -> None:
        self.works = tuple(works)
        made = [(i, function) for i, work in enumerate(works) for function in _functions(work)]
        self._origins = [i for i, _ in made]
        functions = [function for _, function in made]
        self._code = engine.code(_module(functions))
        self._scratch = _Memory(functions)
        self._places: dict[int, list[int]] = {}
        words = self._words(functions, address_of)
        self._arguments = (ctypes.c_int64 * len(words))(*words)
        self._instructions = self._table(made)
        self._blas = any(isinstance(work, Gemm) for work in works)
        pool.prepare()
        if any(function.chunks > 1 for function in functions):
            pool.start()
        self._program = (ctypes.c_int64 * 4)(
            ctypes.addressof(self._instructions), len(functions), pool.address, self._blas
        )
        self._address = ctypes.addressof(self._program)
        self._run = runtime().run

    def run(self) -> int | None:
        """Do it all; the position of the work that stopped it (a label out of range), None if none did.

        In several Python threads at once, one program has the workers, and the others run on their own thread alone.
        One program must not run twice at once.
        """
        stopped: int = self._run(self._address)
        return None if stopped < 0 else self._origins[stopped]

    def run_alone(self) -> int | None:
        """The same on this thread alone: for what runs between calls of NumPy, whose BLAS has threads that spin."""
        stopped: int = runtime().run_alone(self._address)
        return None if stopped < 0 else self._origins[stopped]

    def rebind(self, array: Any, address: int) -> None:
        """Let ``array`` lie at ``address`` from the next run on; an array that no work has is no error."""
        for place in self._places.get(id(array), ()):
            self._arguments[place] = address

    def _words(self, functions: list[Function], address_of: Callable[[Any], int]) -> list[int]:
        words: list[int] = []
        for function in functions:
            for each in function.arrays:
                if isinstance(each, int):
                    words.append(each)
                elif isinstance(each, Scratch):
                    words.append(self._scratch.addresses[id(each)])
                else:
                    self._places.setdefault(id(each), []).append(len(words))
                    words.append(address_of(each))
        return words

    def _table(self, made: list[tuple[int, Function]]) -> Any:
        """For each function: its address, that of its arguments, its chunks, and how many workers to wake for them."""
        table: list[int] = []
        place = ctypes.addressof(self._arguments)
        for work, function in made:
            waking = isinstance(self.works[work], Gemm) or function.chunks >= WORTH_WAKING
            table += self._code.address(function.name), place, function.chunks, (function.chunks - 1) * waking
            place += len(function.arrays) * 8
        return (ctypes.c_int64 * len(table))(*table)


def _functions(work: Work) -> tuple[Function, ...]:
    if isinstance(work, Function):
        return (work,)
    if isinstance(work, Gemm):
        return product(work, pool.threads)
    if isinstance(work, FusedProduct):
        return fused_product(work)
    if isinstance(work, CrossEntropy):
        check, loop = checked(work)
        return check, *functions_for(loop)
    return functions_for(work)


def _module(functions: list[Function]) -> str:
    """The texts of all, each once; what several declare is declared once."""
    lines = "\n".join(dict.fromkeys(function.text for function in functions)).splitlines()
    declarations = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "\n".join([*declarations, *(line for line in lines if not line.startswith("declare "))])


class _Memory:
    """Memory for each Scratch of ``functions``, which they share if they have the same one."""

    def __init__(self, functions: list[Function]) -> None:
        self._kept = [x for function in functions for x in function.arrays if isinstance(x, Scratch)]  # with their ids
        places: dict[int, int] = {}
        used = 0
        for each in self._kept:
            if id(each) not in places:
                places[id(each)] = used
                used += -(-each.bytes // ALIGNMENT) * ALIGNMENT
        self._buffer = np.empty(used + ALIGNMENT, np.uint8)
        start = -(-self._buffer.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.addresses = {key: start + place for key, place in places.items()}
