"""Poisoned buffers: a replay that spoils memory the moment its plan calls it free."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gradflow.compiler.memory import Layout
from gradflow.compiler.program import Program, Storage, Value
from gradflow.compiler.replay import Replay, Step
from gradflow.compiler.works import Work
from gradflow.dtypes import is_differentiable


class PoisonedReplay(Replay):
    """A replay for tests, in the place of ``gradflow.compiler.plan.Replay``.

    Every work is done alone, and what it was the last to need is filled with NaN, or the lowest integer, as is all that
    is computed before a run: whoever reads what is free, or not made yet, is found out by the numbers.
    """

    def __init__(self, program: Program, works: Sequence[Work], layout: Layout) -> None:
        self._layout = layout
        self._first: dict[Storage, Value] = {}
        for value in (value for work in works for value in (*work.reads, *work.writes)):
            self._first.setdefault(value.storage, value)
        super().__init__(program, works, layout)

    def run(self, arrays: Sequence[Any]) -> None:
        """Spoil all buffers, then do the works."""
        self.spoil(self._layout.places)
        super().run(arrays)

    def spoil(self, storages: Iterable[Storage]) -> None:
        """Fill ``storages`` with what no result should be made of."""
        for storage in storages:
            dtype = self._first[storage].dtype
            whole = Value(storage, (storage.nbytes // dtype.itemsize,), dtype)
            self.array(whole)[...] = poison(dtype)

    def _bound(self, works: Sequence[Work]) -> Iterator[Step]:
        numbers = {id(work): number for number, work in enumerate(self.works)}
        this = weakref.proxy(self)
        for work in works:
            yield from super()._bound([work])
            yield functools.partial(_spoil, this, self._layout.dead_after[numbers[id(work)]])


def _spoil(replay: PoisonedReplay, storages: Iterable[Storage]) -> None:
    replay.spoil(storages)


def poison(dtype: Any) -> Any:
    """What memory of ``dtype`` is filled with: NaN, the lowest integer, or True."""
    if is_differentiable(dtype):
        return np.nan
    return True if dtype.kind == "b" else np.iinfo(dtype).min
