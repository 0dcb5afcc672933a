"""Facts beside the arguments that a plan depends on: Python's state, where tensors lie, who has a gradient."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.compiler.guards import Guards
from gradflow.tensor import Tensor


def standing(leaf: Tensor) -> str:
    """Where the gradient of ``leaf`` is, in words."""
    if leaf.grad is None:
        return "no gradient"
    settled = leaf.grad_slot is not None and leaf.grad.data is leaf.grad_slot.tensor.data
    return "a gradient" if settled else "a gradient of its own"


class Facts:
    """What was true when a step was traced. ``entry`` says of leaves where their gradients were when it began."""

    def __init__(self, guards: Guards, tensors: Iterable[Tensor], entry: dict[int, tuple[Tensor, str]]) -> None:
        self.guards = guards
        self.tensors = [(x, x.data, x.requires_grad) for x in tensors]
        self.entry: list[tuple[Tensor, str]] = list(entry.values())

    def changed(self) -> str | None:
        """What is no longer true, in words; None if all of it is."""
        for x, array, requires_grad in self.tensors:
            if x.data is not array:
                return f"a tensor of shape {x.shape} got new memory"
            if x.requires_grad is not requires_grad:
                return f"requires_grad of a tensor of shape {x.shape} is now {x.requires_grad}"
        for leaf, had in self.entry:
            if standing(leaf) != had:
                return f"a leaf of shape {leaf.shape} has {standing(leaf)} at the start, and had {had}"
        watch = self.guards.changed()
        return None if watch is None else f"{watch.name} was {watch.was!r} and is {watch.get()!r}"
