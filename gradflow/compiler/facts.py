"""Facts beside the arguments that a plan depends on: Python's state, where tensors lie, who has a gradient."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.compiler.guards import Guards
from gradflow.tensor import Tensor

NONE, SETTLED, OWN = "no gradient", "a gradient", "a gradient of its own"
Entry = list[tuple[Tensor, str]]  # leaves, and where their gradients are


def standing(leaf: Tensor) -> str:
    """Where the gradient of ``leaf`` is, in words."""
    if leaf.grad is None:
        return NONE
    settled = leaf.grad_slot is not None and leaf.grad.data is leaf.grad_slot.tensor.data
    return SETTLED if settled else OWN


class Facts:
    """What was true when a step was traced. ``entry`` says of leaves where their gradients were when it began."""

    def __init__(self, guards: Guards, tensors: Iterable[Tensor], entry: Entry) -> None:
        self.guards = guards
        self.tensors = [(x, x.data, x.requires_grad) for x in tensors]
        self.entry = entry

    def changed(self) -> str | None:
        """What is no longer true, in words; None if all of it is."""
        for x, array, requires_grad in self.tensors:
            if x.data is not array:
                return f"a tensor of shape {x.shape} got new memory"
            if x.requires_grad is not requires_grad:
                return f"requires_grad of a tensor of shape {x.shape} is now {x.requires_grad}"
        for leaf, had in self.entry:
            if leaf.grad is not None if had is NONE else standing(leaf) is not had:
                return f"a leaf of shape {leaf.shape} has {standing(leaf)} at the start, and had {had}"
        watch = self.guards.changed()
        return None if watch is None else f"{watch.name} was {watch.was!r} and is {watch.get()!r}"
