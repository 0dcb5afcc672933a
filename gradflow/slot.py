"""Where the gradient of a leaf lands."""

from __future__ import annotations

import weakref

from gradflow.tensor import Tensor, copied


class GradientSlot:
    """Where the gradient of a leaf lands: a part of its optimizer's arena.

    After ``zero_grad`` the memory is used again; whoever still holds the old gradient gets a copy of their own first.
    """

    __slots__ = ("lent", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.lent: weakref.ref[Tensor] | None = None

    def claim(self) -> Tensor:
        """The memory, to be overwritten."""
        held = None if self.lent is None else self.lent()
        if held is not None:
            held.data = copied(held.data)
            self.lent = None
        return self.tensor

    def lend(self) -> Tensor:
        """The memory as a gradient to hand out."""
        grad = Tensor(self.tensor.data)
        self.lent = weakref.ref(grad)
        return grad
