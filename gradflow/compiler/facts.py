"""Facts beside the arguments that a plan depends on: Python's state, where tensors lie, who has a gradient."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.compiler.guards import Guards
from gradflow.tensor import Tensor


class Facts:
    """What was true when a step was traced. ``entry`` says of leaves whether they had a gradient when it began."""

    def __init__(self, guards: Guards, tensors: Iterable[Tensor], entry: dict[int, tuple[Tensor, bool]]) -> None:
        self.guards = guards
        self.tensors = [(x, x.data, x.requires_grad) for x in tensors]
        self.entry: list[tuple[Tensor, bool]] = list(entry.values())

    def changed(self) -> str | None:
        """What is no longer true, in words; None if all of it is."""
        for x, array, requires_grad in self.tensors:
            if x.data is not array:
                return f"a tensor of shape {x.shape} got new memory"
            if x.requires_grad is not requires_grad:
                return f"requires_grad of a tensor of shape {x.shape} is now {x.requires_grad}"
        for leaf, had in self.entry:
            if (leaf.grad is not None) is not had:
                return f"a leaf of shape {leaf.shape} {'has no gradient' if had else 'has a gradient'} at the start"
        watch = self.guards.changed()
        return None if watch is None else f"{watch.name} was {watch.was!r} and is {watch.get()!r}"
