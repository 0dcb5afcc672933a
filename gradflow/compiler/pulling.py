"""The result of a compiled function on the tape: one node, whose gradient is a phase of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradflow.backend.traced import Traced
from gradflow.compiler.program import Pullback, Value
from gradflow.errors import GradientError
from gradflow.mode import mode
from gradflow.mutations import mutations
from gradflow.op import OPS, Op, Spec, like_first
from gradflow.site import caller
from gradflow.tape import Node, _numbers
from gradflow.tensor import Tensor
from gradflow.transforms.level import NoRule


def _forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    raise AssertionError("a compiled function is run by its plan")


_compiled = Op(name="compiled", forward=_forward, spec=like_first)
del OPS[_compiled.name]  # what its nodes are called, not an op that can be applied


class CompiledNode(Node):
    """The node of one result of a compiled function."""

    __slots__ = ("pullback", "replay", "state", "token")

    def __init__(self, pullback: Pullback, replay: Any, parents: list[Any], state: list[Any], token: Any) -> None:
        self.pullback = pullback
        self.replay = replay
        self.token = token  # while it is there, the buffers of ``replay`` are not used for another run
        self.state = state  # the arrays from before the step that the gradient may read
        self.op = _compiled
        self.parents = parents
        self.inputs = []
        self.out = None
        self.specs = tuple(Spec(x.shape, x.dtype) for x in pullback.parts if x is not None)
        self.attrs = {}
        self.number = next(_numbers)
        self.epoch = mutations.epoch
        self.retained = None
        self.site = caller(3)

    def pull(self, g: Tensor, slots: dict[int, Tensor]) -> Iterator[tuple[Node | Tensor, Tensor]]:
        """The gradient's part for each argument and leaf, given the gradient ``g`` of the result."""
        if isinstance(g.data, Traced):
            raise NoRule("vmap: the gradient of a compiled function's result is compiled for one example; use a loop")
        if mode.recording:
            raise GradientError(
                "backward: the gradient of a compiled function's result is itself compiled, and cannot be "
                "differentiated again (create_graph); compile the function that takes both derivatives instead"
            )
        if self.epoch != mutations.epoch:
            mutations.check("a compiled function", self.epoch, (*self.state, *self.replay.held))
        self.replay.pull(self.pullback, g.data)
        for parent, value in zip(self.parents, self.pullback.parts, strict=True):
            if parent is not None and value is not None:
                yield parent, Tensor(self._copy(value))

    def _copy(self, value: Value) -> Any:
        return self.replay.array(value).copy()
