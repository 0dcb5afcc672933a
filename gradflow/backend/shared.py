"""Parts of one op that threads take from each other, where NumPy alone would use one thread."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gradflow.backend.native.blas import Blas

Part = TypeVar("Part")
WORTH = 1 << 24  # multiplications of a product: half a millisecond's


def shared(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """Call ``work`` with each of ``parts``, which do not depend on each other, on as many threads as there are.

    BLAS meanwhile has one thread for each part. If NumPy's cannot be told so, or another op has the helpers, this
    thread does it all: what is done does not depend on how many do it.
    """
    from gradflow.backend.native.blas import blas
    from gradflow.backend.native.threads import get_num_threads

    waiting, threads, library = list(parts), get_num_threads(), blas()
    if len(waiting) < 2 or threads < 2 or library is None or not _team.turn.acquire(blocking=False):
        for part in waiting:
            work(part)
        return
    try:
        with _one_thread(library):
            _together(work, waiting, _team.of(threads - 1), min(threads, len(waiting)) - 1)
    finally:
        _team.turn.release()


@contextmanager
def calm(multiplications: int) -> Iterator[None]:
    """BLAS with one thread, if there are so few ``multiplications`` that to wait for others would take longer."""
    from gradflow.backend.native.blas import blas

    library = blas() if multiplications < WORTH else None
    with nullcontext() if library is None else _one_thread(library):
        yield


class _Team:
    """The threads that help the one that calls: one op at a time has its turn."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Have none: a process that was forked off has not got them."""
        self.turn = threading.Lock()
        self.size = 0
        self.members: Executor | None = None

    def of(self, size: int) -> Executor:
        """``size`` threads, which start when they are needed."""
        from concurrent.futures import ThreadPoolExecutor

        if self.members is None or self.size != size:
            if self.members is not None:
                self.members.shutdown()
            self.size, self.members = size, ThreadPoolExecutor(size, "gradflow helper")
        return self.members


def _together(work: Callable[[Part], None], parts: list[Part], members: Executor, helpers: int) -> None:
    untaken = iter(parts)  # as the interpreter has a lock, each is taken once

    def serve() -> None:
        for part in untaken:
            work(part)

    helping = [members.submit(copy_context().run, serve) for _ in range(helpers)]  # NumPy's errstate is in the context
    try:
        serve()
    finally:
        for each in helping:
            if not each.cancel():
                each.result()


@contextmanager
def _one_thread(library: Blas) -> Iterator[None]:
    before: int = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_threads)()
    limit = ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_threads)
    limit(1)
    try:
        yield
    finally:
        if before != 1:
            limit(before)


_team = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.forget)
