"""The steps of a graph as data: what each computed, and what the chain rule makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradflow.explanation.graph import Graph, key_of
from gradflow.explanation.local import Array, has_partials, local_derivative, on_host
from gradflow.explanation.naming import Names
from gradflow.explanation.notation import array, product
from gradflow.explanation.wording import Wording, summed
from gradflow.ops.create import zeros
from gradflow.tape import Node, gradients
from gradflow.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Derivative:
    """How one step responds to one of its inputs, and what the chain rule makes of it.

    ``name`` is ``dy/dh`` for the step ``of`` y and its input ``by`` h; ``formula`` and ``numbers`` say what
    it is. ``value`` has the shape of y if the step is elementwise, the shape of h if y is one number, and is
    None for a step that mixes elements, such as a product of matrices. ``term`` is the part of this step in
    the gradient of h, and ``term_numbers`` the same with numbers.
    """

    of: str
    by: str
    name: str
    formula: str
    numbers: str
    value: Array | None
    term: str
    term_numbers: str


@dataclass(frozen=True, eq=False)
class Step:
    """One operation: ``name = formula = numbers = value``, and the loss's ``gradient`` for its result."""

    name: str
    op: str
    formula: str
    numbers: str
    value: Array
    gradient: Array
    derivatives: tuple[Derivative, ...]


class Reading:
    """One pass over a graph that turns its nodes into steps; ``gradients`` are those of the loss, by key."""

    def __init__(self, graph: Graph, names: Names) -> None:
        self.graph = graph
        self.names = names
        self.root = names[id(graph.root)]
        values = [*(node.output() for node in graph.nodes), *graph.leaves]
        found = gradients(graph.root.output(), values, retain_graph=True)
        self.gradients = {
            id(x.node or x): on_host(zeros(x.shape, dtype=x.dtype) if g is None else g)
            for x, g in zip(values, found, strict=True)
        }

    def steps(self) -> tuple[Step, ...]:
        """All steps, oldest first."""
        return tuple(map(self._step, self.graph.nodes))

    def _step(self, node: Node) -> Step:
        names, numbers = self._wordings(node)
        parents = {id(parent): parent for parent in node.parents if parent is not None}
        return Step(
            name=names.out,
            op=node.op.name,
            formula=names.call(),
            numbers=numbers.call(),
            value=on_host(node.output()),
            gradient=self.gradients[id(node)],
            derivatives=tuple(self._derivative(node, parent, names, numbers) for parent in parents.values()),
        )

    def _wordings(self, node: Node) -> tuple[Wording, Wording]:
        """The step with names, and with numbers; a constant without a name is its number in both."""
        inputs = node.inputs or ()
        numbers = [array(on_host(x)) if isinstance(x, Tensor) else str(x) if x is None else array(x) for x in inputs]
        names = [
            self.names.get(key_of(x), number) if isinstance(x, Tensor) else number
            for x, number in zip(inputs, numbers, strict=True)
        ]
        out = self.names[id(node)]
        return (
            Wording(node, tuple(names), out, f"d{self.root}/d{out}"),
            Wording(node, tuple(numbers), array(on_host(node.output())), array(self.gradients[id(node)])),
        )

    def _derivative(self, node: Node, parent: Node | Tensor, names: Wording, numbers: Wording) -> Derivative:
        positions = [i for i, each in enumerate(node.parents) if each is parent]
        by = self.names[id(parent)]
        name = f"d{names.out}/d{by}{self._held_fixed(node, parent)}"
        value = local_derivative(node, positions)
        declared = has_partials(node, positions)
        return Derivative(
            of=names.out,
            by=by,
            name=name,
            formula=names.partial(positions) if declared else names.derivative(by),
            numbers=numbers.partial(positions) if declared else "",
            value=value,
            term=self._term(names, positions, name, value),
            term_numbers=self._term(numbers, positions, "" if value is None else array(value), value),
        )

    def _held_fixed(self, node: Node, parent: Node | Tensor) -> str:
        """What tells a local derivative of the loss from the whole one, if an input acts in several ways."""
        users = [each for each in self.graph.nodes if any(p is parent for p in each.parents)]
        if node is not self.graph.root or len(users) == 1:
            return ""
        others = [self.names[id(each)] for each in node.parents if each is not None and each is not parent]
        return f" [{', '.join(dict.fromkeys(others))} fixed]"

    def _term(self, wording: Wording, positions: Sequence[int], local: str, value: Array | None) -> str:
        """The step's part in the gradient of its input: the gradient so far times the local derivative."""
        node = wording.node
        if node is self.graph.root:
            return local
        if value is None:
            return wording.passed_back(positions)
        text = product([wording.g, local])
        elementwise = has_partials(node, positions)
        return summed(text, value.shape, node.specs[positions[0]].shape) if elementwise else text
