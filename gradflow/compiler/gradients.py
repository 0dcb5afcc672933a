"""What a replay leaves in the place of gradients: what the step itself would have left there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from gradflow.compiler.program import Argument, Effect, Value
from gradflow.tensor import Tensor

OWN = 4  # references to a gradient that nobody else holds: its leaf's, the list's, the loop's, the question's


class Gradients:
    """The gradients of a plan's leaves: none, in their slots, or with memory of their own."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self._dropped = [each.leaf for each in effects if each.kind == "none"]
        self._settled = [each.leaf for each in effects if each.kind == "slot"]
        self._fresh = [(each.leaf, each.value) for each in effects if each.kind == "value" and each.value is not None]
        self._lent: list[Any] = [None] * len(self._settled)

    def prepare(self) -> None:
        """Give whoever holds an old gradient a copy, before its memory is written again."""
        lent = self._lent
        for i, leaf in enumerate(self._settled):
            grad = lent[i]
            if grad is None or leaf.grad is not grad or sys.getrefcount(grad) > OWN:
                lent[i] = grad = None
                leaf.grad_slot.claim()

    def leave(self, copy: Callable[[Value], Any], arguments: Sequence[Tensor]) -> None:
        """Set what the step sets, after a run whose values ``copy`` gives."""
        lent = self._lent
        for i, leaf in enumerate(self._settled):
            if lent[i] is None:
                lent[i] = leaf.grad = leaf.grad_slot.lend()
        for leaf, value in self._fresh:
            _tensor(leaf, arguments).grad = Tensor(copy(value))
        for leaf in self._dropped:
            _tensor(leaf, arguments).grad = None

    def drop(self, arguments: Sequence[Tensor]) -> None:
        """Leave no gradient, after a run that stopped half-way."""
        for leaf in (*self._settled, *self._dropped, *(leaf for leaf, _ in self._fresh)):
            _tensor(leaf, arguments).grad = None


def _tensor(leaf: Tensor | Argument, arguments: Sequence[Tensor]) -> Tensor:
    return arguments[leaf.number] if isinstance(leaf, Argument) else leaf
