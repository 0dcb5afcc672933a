"""The part of the tape that a loss was computed on, checked to be small enough to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gradflow.errors import ArgumentError, DTypeError, GradientError, ShapeError
from gradflow.shapes import size_of
from gradflow.tape import READABLE, Node, reachable
from gradflow.tensor import Tensor

STEPS = 64  # more than anyone reads


Key = int


def key_of(value: Any) -> Key:
    """What tells a value of a graph apart: its node, the leaf itself, or the array of a constant.

    A variable of the user's may hold it as another tensor of the same node, or as a bare array.
    """
    if not isinstance(value, Tensor):
        return id(value)
    return id(value.node or value) if value.requires_grad else id(value.data)


@dataclass(frozen=True, eq=False)
class Graph:
    """What a loss was computed from: its steps, oldest first, and the tensors they began with."""

    nodes: tuple[Node, ...]
    leaves: tuple[Tensor, ...]  # those that get a gradient
    constants: tuple[Tensor, ...]

    @property
    def root(self) -> Node:
        """The last step, which made the loss."""
        return self.nodes[-1]

    @property
    def keys(self) -> set[Key]:
        """The key of every value."""
        return {*map(id, self.nodes), *map(id, self.leaves), *map(key_of, self.constants)}


def graph_of(loss: Any) -> Graph:
    """The graph of ``loss``, or an error that says why it cannot be explained."""
    root = _root(loss)
    nodes = tuple(reversed(reachable([root])))
    if len(nodes) > STEPS:
        raise ArgumentError(
            f"explain: this graph has {len(nodes)} steps, and at most {STEPS} are explained; explain one "
            "sample or one layer"
        )
    for node in nodes:
        _check_readable(node)
    inputs = [x for node in nodes for x in node.inputs or ()]
    leaves = _distinct(parent for node in nodes for parent in node.parents)
    constants = _distinct(x for x in inputs if isinstance(x, Tensor) and not x.requires_grad)
    return Graph(nodes, leaves, constants)


def _root(loss: Any) -> Node:
    if not isinstance(loss, Tensor):
        raise DTypeError(f"explain: takes the tensor that a computation ended in, not {type(loss).__name__}")
    if not loss.requires_grad:
        raise GradientError(
            "explain: this tensor does not depend on anything that requires grad; create the parameters with "
            "requires_grad=True, and compute it outside no_grad()"
        )
    if loss.node is None:
        raise GradientError("explain: this tensor was not computed from anything; explain the loss instead")
    if loss.size != 1:
        raise ShapeError(
            f"explain: a tensor of shape {loss.shape} has no single gradient; reduce it with .sum() or .mean()"
        )
    return loss.node


def _check_readable(node: Node) -> None:
    for shape, _ in node.specs:
        if size_of(shape) > READABLE:
            raise ArgumentError(
                f"explain: {node.op.name} takes an array of shape {shape}, {size_of(shape)} numbers, and at "
                f"most {READABLE} are shown; use fewer samples or units ({node.where()})"
            )


def _distinct(values: Iterable[Any]) -> tuple[Tensor, ...]:
    """The tensors among ``values``, each once."""
    return tuple({key_of(x): x for x in values if isinstance(x, Tensor)}.values())
