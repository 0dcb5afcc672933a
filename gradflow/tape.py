"""The tape: numbered nodes linked backwards, and the sweep that runs the chain rule along them."""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gradflow.errors import GradflowError, GradientError
from gradflow.mode import mode, recording
from gradflow.mutations import mutations
from gradflow.op import Formula, Op, Saves, Spec
from gradflow.seed import seed_of
from gradflow.site import Site, caller, described
from gradflow.tensor import Tensor, TensorLike

READABLE = 16  # values of at most this many numbers stay with their node, so that gf.explain can show them
_numbers = itertools.count()


class Node:
    """One recorded operation: what its gradient formulas named, and the nodes or leaves its inputs came from."""

    __slots__ = (
        "__weakref__", "attrs", "epoch", "inputs", "number", "op", "out",
        "parents", "retained", "saves", "site", "specs",
    )  # fmt: skip

    op: Op
    parents: list[Node | Tensor | None]
    inputs: list[Any] | None  # what formulas read, and small values; None once the sweep has freed it
    out: Any  # the bare array, not the Tensor, which would make a reference cycle
    saves: Saves
    specs: tuple[Spec, ...]  # of the inputs
    attrs: dict[str, Any]
    number: int
    epoch: int
    retained: weakref.ref[Tensor] | None
    site: Site | None

    def retain(self, output: Tensor) -> None:
        """Leave a gradient on ``output``, the tensor this node made, when the sweep passes."""
        self.retained = weakref.ref(output)

    def output(self) -> Tensor:
        """The tensor this node made, again."""
        out = Tensor(self.out, True)
        out.node = self
        return out

    def pull(self, g: Tensor, slots: dict[int, Tensor]) -> Iterator[tuple[Node | Tensor, Tensor]]:
        """The gradient's part for each parent, given the gradient ``g`` of the output."""
        if self.epoch != mutations.epoch:
            mutations.check(self.op.name, self.epoch, self._read())
        for parent, formula, (shape, dtype) in zip(self.parents, self.saves.formulas, self.specs, strict=True):
            if parent is None or formula is None:
                continue
            part = formula.compute(g, *self._arguments(formula, slots.get(id(parent))))
            if part is None:
                continue
            if part.data.shape != shape:
                part = part.sum_to(shape)
            if part.data.dtype != dtype:
                from_complex = part.data.dtype.kind == "c" != getattr(dtype, "kind", "c")
                part = (part.real if from_complex else part).astype(dtype)
            yield parent, part

    def _read(self) -> list[Any]:
        """The arrays that formulas will read, among those that are kept."""
        assert self.inputs is not None
        kept = zip(self.inputs, self.saves.inputs, strict=True)
        arrays = [x.data for x, read in kept if read and isinstance(x, Tensor)]
        return [*arrays, self.out] if self.saves.output else arrays

    def _arguments(self, formula: Formula, slot: Tensor | None) -> list[Any]:
        inputs = self.inputs
        assert inputs is not None
        arguments: list[Any] = []
        for kind, key in formula.sources:
            if kind == "input":
                arguments.append(inputs[key] if key < len(inputs) else None)
            elif kind == "attribute":
                arguments.append(self.attrs[key])
            elif kind == "output":
                arguments.append(self.output())
            elif kind == "specs":
                arguments.append(self.specs)
            elif kind == "into":
                arguments.append(slot)
            else:
                arguments.append(key)
        return arguments

    def where(self) -> str:
        """The user's line that made this node."""
        return described(self.site)


Place = Node | Tensor  # where a gradient arrives: what a tensor was computed by, or a leaf


def record(
    op: Op, inputs: tuple[Any, ...], tracked: int, specs: tuple[Spec, ...], attrs: dict[str, Any], out: Tensor
) -> None:
    """Put the call that made ``out`` on the tape, if a gradient can flow to an input in the bit mask ``tracked``."""
    saves = op.saves(tracked, len(inputs))
    if not saves.formulas:
        return
    node = Node()
    node.op = op
    node.parents = [(x.node or x) if formula else None for x, formula in zip(inputs, saves.formulas, strict=True)]
    node.inputs = [
        x if read or not isinstance(x, Tensor) or x.data.size <= READABLE else None
        for x, read in zip(inputs, saves.inputs, strict=True)
    ]
    node.out = out.data if saves.output or out.data.size <= READABLE else None
    node.saves = saves
    node.specs = specs
    node.attrs = attrs
    node.number = next(_numbers)
    node.epoch = mutations.epoch
    node.retained = None
    node.site = caller(3)  # past record, apply and the function that called it
    out.node = node
    out.requires_grad = True


def backward(
    self: Tensor,
    grad: TensorLike = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> None:
    """Add the gradient of this tensor, with respect to every leaf that requires grad, to the leaf's ``grad``.

    ``grad`` is the gradient of the final result with respect to this tensor; it may be left out for a tensor of one
    element, where it is 1. With ``create_graph`` the gradients can be differentiated again. What the tape kept is
    freed on the way unless ``retain_graph`` (by default: ``create_graph``).

    Raises GradientError without a graph, twice without ``retain_graph``, for a tensor that is not a scalar without
    ``grad``, or if an input was changed in place since; ShapeError if ``grad`` has another shape. No ``grad`` is
    changed then.

    The gradient of a real result in a complex tensor ``x + iy`` is ``dL/dx + i dL/dy``, as in PyTorch: subtracting a
    small multiple of it makes the result smaller. (It is the conjugate of JAX's, twice the Wirtinger derivative in the
    conjugate of the tensor.) So a formula of the gradient multiplies by the conjugate of the derivative.

    Method: reverse accumulation (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986).

    >>> import gradflow as gf
    >>> x = gf.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    seeds = [(self.node or self, seed_of(self, grad))]
    retain = create_graph if retain_graph is None else retain_graph
    sweep = Sweep(seeds, create_graph, retain, into_slots=not create_graph)
    for leaf in sweep.leaves.values():
        _deposit(leaf, sweep.grads[id(leaf)], create_graph)
    for tensor_, g in sweep.retained:
        tensor_.grad = g if tensor_.grad is None else tensor_.grad + g


def gradients(
    of: Tensor,
    wrt: Sequence[Tensor],
    grad: TensorLike = None,
    *,
    create_graph: bool = False,
    retain_graph: bool = False,
    beyond: bool = True,
) -> list[Tensor | None]:
    """The gradients of ``of`` with respect to each of ``wrt``, returned and not accumulated; None where none flows.

    Without ``beyond``, the graph that ``wrt`` were computed by is let alone.
    """
    seeds = [(of.node or of, seed_of(of, grad))]
    keys = [id(x.node or x) for x in wrt]
    keep = frozenset(keys)
    end = frozenset() if beyond else keep
    sweep = Sweep(seeds, create_graph, create_graph or retain_graph, keep=keep, end=end)
    return [sweep.grads.get(key) for key in keys]


class Sweep:
    """One walk along the tape from several places, each with its gradient, to the leaves, newest node first."""

    def __init__(
        self,
        seeds: Sequence[tuple[Place, Tensor]],
        create_graph: bool,
        retain_graph: bool,
        into_slots: bool = False,
        keep: frozenset[int] = frozenset(),
        end: frozenset[int] = frozenset(),
    ) -> None:
        self.grads: dict[int, Tensor] = {}
        self.leaves: dict[int, Tensor] = {}
        self.retained: list[tuple[Tensor, Tensor]] = []
        self.slots: dict[int, Tensor] = {}  # memory for the gradients of leaves that have none yet
        nodes = reachable([place for place, _ in seeds], end)
        if into_slots:
            self._claim_slots(nodes)
        before, mode.recording = mode.recording, create_graph
        try:
            self._add(seeds)
            for node in nodes:
                self._visit(node, keep)
                if not retain_graph:
                    node.inputs = node.out = None
        finally:
            mode.recording = before

    def _claim_slots(self, nodes: list[Node]) -> None:
        for node in nodes:
            for parent in node.parents:
                if isinstance(parent, Tensor) and parent.grad_slot is not None and parent.grad is None:
                    self.slots[id(parent)] = parent.grad_slot.claim()

    def _add(self, parts: Iterable[tuple[Place, Tensor]]) -> None:
        for place, part in parts:
            key = id(place)
            held = self.grads.get(key)
            self.grads[key] = part if held is None else held + part
            if isinstance(place, Tensor):
                self.leaves[key] = place
                self.slots.pop(key, None)  # a second part must not overwrite the first

    def _visit(self, node: Node, keep: frozenset[int]) -> None:
        key = id(node)
        g = self.grads.get(key) if key in keep else self.grads.pop(key, None)
        if g is None:
            return
        if node.retained is not None and (output := node.retained()) is not None:
            self.retained.append((output, g))
        try:
            self._add(node.pull(g, self.slots))
        except GradflowError as error:
            error.add_note(f"while differentiating {node.op.name}, made at {node.where()}")
            raise


def reachable(places: Iterable[Place | None], end: frozenset[int] = frozenset()) -> list[Node]:
    """The nodes at ``places`` and before them, newest first, without those whose ids are in ``end`` and before them."""
    seen: set[Node] = set()
    stack = [*places]
    while stack:
        node = stack.pop()
        if not isinstance(node, Node) or node in seen or id(node) in end:
            continue
        if node.inputs is None:
            raise GradientError(
                f"backward: {node.op.name} (made at {node.where()}) was swept before, and what it kept was freed; "
                "run the forward pass again, or call backward(retain_graph=True) the first time"
            )
        seen.add(node)
        stack += node.parents
    return sorted(seen, key=operator.attrgetter("number"), reverse=True)


def _deposit(leaf: Tensor, g: Tensor, create_graph: bool) -> None:
    """Add ``g`` to the gradient of ``leaf``, in its slot if it has one."""
    slot = leaf.grad_slot
    if slot is None or create_graph or g.requires_grad:
        leaf.grad = g if leaf.grad is None else leaf.grad + g
        return
    if leaf.grad is None and g.data is slot.tensor.data:  # a formula has written it there already
        leaf.grad = slot.lend()
        return
    with recording(False):
        if leaf.grad is None:
            slot.claim().copy_(g)
            leaf.grad = slot.lend()
        elif leaf.grad.data is slot.tensor.data:
            slot.tensor.add_(g)
        else:
            leaf.grad = leaf.grad + g
