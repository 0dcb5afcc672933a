"""The tape: numbered nodes linked backwards, and the sweep that runs the chain rule along them."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

from gradflow.backend import backend_of
from gradflow.errors import DeviceError, GradientError, GradflowError, ShapeError
from gradflow.op import Formula, Op, Spec
from gradflow.tensor import Tensor, TensorLike, tensor

READABLE = 16  # values of at most this many numbers stay with their node, so that gf.explain can show them
_PACKAGE = os.path.dirname(__file__) + os.sep
_numbers = itertools.count()


class _Mode(threading.local):
    recording = True


mode = _Mode()


@contextmanager
def recording(enabled: bool) -> Iterator[None]:
    """Record operations on the tape, or not, in this thread, until the block ends."""
    before, mode.recording = mode.recording, enabled
    try:
        yield
    finally:
        mode.recording = before


def no_grad() -> Any:
    """A context manager (or decorator) in which nothing is recorded: faster, and no memory is kept for gradients.

    >>> import gradflow as gf
    >>> w = gf.tensor(2.0, requires_grad=True)
    >>> with gf.no_grad():
    ...     y = w * w
    >>> y.requires_grad
    False
    """
    return recording(False)


def enable_grad() -> Any:
    """A context manager (or decorator) that records again inside ``no_grad``."""
    return recording(True)


class Node:
    """One recorded operation: what its gradient formulas named, and the nodes or leaves its inputs came from."""

    __slots__ = ("attrs", "epoch", "inputs", "number", "op", "out", "parents", "retained", "site", "specs")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Any, ...] | None,
        parents: tuple[Node | Tensor | None, ...],
        specs: tuple[Spec, ...],
        attrs: dict[str, Any],
        out: Any,
    ) -> None:
        self.op = op
        self.inputs = inputs  # None once the sweep has freed it
        self.parents = parents
        self.specs = specs
        self.attrs = attrs
        self.out = out  # the bare array, not the Tensor, which would make a reference cycle
        self.number = next(_numbers)
        self.epoch = mutations.epoch
        self.retained: weakref.ref[Tensor] | None = None
        self.site = _caller()

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
            mutations.check(self)
        for position, parent in enumerate(self.parents):
            if parent is None:
                continue
            formula = self.op.formula(position)
            assert formula is not None
            part = formula.compute(g, *self._arguments(formula, slots.get(id(parent))))
            if part is None:
                continue
            shape, dtype = self.specs[position]
            if part.data.shape != shape:
                part = part.sum_to(shape)
            if part.data.dtype != dtype:
                part = part.astype(dtype)
            yield parent, part

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
        if self.site is None:
            return "an unknown line"
        code, instruction = self.site
        lines = [line for start, end, line in code.co_lines() if start <= instruction < end]
        return (
            f'File "{code.co_filename}", line {lines[0] if lines else code.co_firstlineno}, in {code.co_name}'
        )


def record(
    op: Op, inputs: Sequence[Any], specs: tuple[Spec, ...], attrs: dict[str, Any], out: Tensor
) -> None:
    """Put the call that made ``out`` on the tape, if a gradient can flow through it."""
    parents: list[Node | Tensor | None] = []
    reads: set[int] = set()
    reads_output = False
    for position, x in enumerate(inputs):
        formula = op.formula(position) if isinstance(x, Tensor) and x.requires_grad else None
        if formula is None:
            parents.append(None)
            continue
        parents.append(x.node or x)
        reads |= formula.reads_inputs
        reads_output |= formula.reads_output
    if not any(parent is not None for parent in parents):
        return
    saved = tuple(
        x if i in reads or not isinstance(x, Tensor) or x.data.size <= READABLE else None
        for i, x in enumerate(inputs)
    )
    keep = reads_output or out.data.size <= READABLE
    out.node = Node(op, saved, tuple(parents), specs, attrs, out.data if keep else None)
    out.requires_grad = True


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
        held = self.lent and self.lent()
        if held is not None:
            held.data = held.data.copy()
            self.lent = None
        return self.tensor

    def lend(self) -> Tensor:
        """The memory as a gradient to hand out."""
        grad = Tensor(self.tensor.data)
        self.lent = weakref.ref(grad)
        return grad


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

    Method: reverse accumulation (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986).

    >>> import gradflow as gf
    >>> x = gf.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    seed = _seed(self, grad)
    if self.node is None:
        _deposit(self, seed, create_graph)
        return
    retain = create_graph if retain_graph is None else retain_graph
    sweep = Sweep(self.node, seed, create_graph, retain, into_slots=not create_graph)
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
) -> list[Tensor | None]:
    """The gradients of ``of`` with respect to each of ``wrt``, returned and not accumulated; None where none flows."""
    seed = _seed(of, grad)
    keys = [x.node or x for x in wrt]
    if of.node is None:
        return [seed if key is of else None for key in keys]
    sweep = Sweep(of.node, seed, create_graph, create_graph or retain_graph, keep={id(key) for key in keys})
    return [sweep.grads.get(id(key)) for key in keys]


class Sweep:
    """One walk along the tape from a node to the leaves, newest node first."""

    def __init__(
        self,
        root: Node,
        seed: Tensor,
        create_graph: bool,
        retain_graph: bool,
        into_slots: bool = False,
        keep: set[int] | frozenset[int] = frozenset(),
    ) -> None:
        self.grads: dict[int, Tensor] = {id(root): seed}
        self.leaves: dict[int, Tensor] = {}
        self.retained: list[tuple[Tensor, Tensor]] = []
        self.slots: dict[int, Tensor] = {}  # memory for the gradients of leaves that have none yet
        nodes = reachable(root)
        if into_slots:
            self._claim_slots(nodes)
        with recording(create_graph):
            for node in nodes:
                self._visit(node, keep)
                if not retain_graph:
                    node.inputs = node.out = None

    def _claim_slots(self, nodes: list[Node]) -> None:
        for node in nodes:
            for parent in node.parents:
                if isinstance(parent, Tensor) and parent.grad_slot is not None and parent.grad is None:
                    self.slots[id(parent)] = parent.grad_slot.claim()

    def _visit(self, node: Node, keep: set[int] | frozenset[int]) -> None:
        key = id(node)
        g = self.grads.get(key) if key in keep else self.grads.pop(key, None)
        if g is None:
            return
        if node.retained is not None and (output := node.retained()) is not None:
            self.retained.append((output, g))
        try:
            for parent, part in node.pull(g, self.slots):
                key = id(parent)
                held = self.grads.get(key)
                self.grads[key] = part if held is None else held + part
                if isinstance(parent, Tensor):
                    self.leaves[key] = parent
                    self.slots.pop(key, None)  # a second part must not overwrite the first
        except GradflowError as error:
            error.add_note(f"while differentiating {node.op.name}, made at {node.where()}")
            raise


def reachable(root: Node) -> list[Node]:
    """The nodes that ``root`` was computed from and itself, newest first."""
    seen = {root}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.inputs is None:
            raise GradientError(
                f"backward: {node.op.name} (made at {node.where()}) was swept before, and what it kept was freed; "
                "run the forward pass again, or call backward(retain_graph=True) the first time"
            )
        for parent in node.parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.number, reverse=True)


def _seed(of: Tensor, grad: TensorLike) -> Tensor:
    if not of.requires_grad:
        raise GradientError(
            "backward: this tensor does not depend on anything that requires grad; "
            "create its inputs with requires_grad=True, and compute it outside no_grad()"
        )
    if grad is None:
        if of.data.size != 1:
            raise GradientError(
                f"backward: a tensor of shape {of.shape} has no single gradient; reduce it with .sum() or .mean(), "
                f"or pass grad, the gradient of the final result, of the same shape"
            )
        data = of.data
        return Tensor(backend_of(data).xp.ones_like(data))
    seed = grad if isinstance(grad, Tensor) else tensor(grad, of.dtype)
    if seed.shape != of.shape:
        raise ShapeError(f"backward: grad has shape {seed.shape}, the tensor {of.shape}; they must be equal")
    if seed.device != of.device:
        raise DeviceError(
            f"backward: grad is on {seed.device}, the tensor on {of.device}; use grad.to('{of.device}')"
        )
    return seed if seed.dtype == of.dtype else seed.astype(of.dtype)


def _deposit(leaf: Tensor, g: Tensor, create_graph: bool) -> None:
    """Add ``g`` to the gradient of ``leaf``, in its slot if it has one."""
    slot = leaf.grad_slot
    if slot is None or create_graph or g.requires_grad:
        leaf.grad = g if leaf.grad is None else leaf.grad + g
        return
    with recording(False):
        if leaf.grad is None:
            if g.data is not slot.tensor.data:
                slot.claim().copy_(g)
            leaf.grad = slot.lend()
        elif leaf.grad.data is slot.tensor.data:
            slot.tensor.add_(g)
        else:
            leaf.grad = leaf.grad + g


class Mutations:
    """Which memory was written in place, and when: what lets a stale gradient be refused.

    A node remembers the epoch it was made in. If no op has written in place since, there is nothing to check; if
    one has, the node's saved arrays must not overlap what was written.
    """

    LIMIT = 4096  # distinct buffers remembered; optimizers and running statistics write the same few again and again

    def __init__(self) -> None:
        self.epoch = 0
        self.log: dict[tuple[int, int], tuple[int, str]] = {}

    def note(self, op: Op, array: Any) -> None:
        """``op`` wrote to ``array``."""
        self.epoch += 1
        key = backend_of(array).memory_of(array)
        self.log.pop(key, None)
        self.log[key] = (self.epoch, op.name)
        if len(self.log) > self.LIMIT:
            del self.log[next(iter(self.log))]

    def check(self, node: Node) -> None:
        """Raise GradientError if an array that ``node`` kept was written to after it was recorded."""
        inputs = [x.data for x in node.inputs or () if isinstance(x, Tensor)]
        for array in [*inputs, node.out] if node.out is not None else inputs:
            low, high = backend_of(array).memory_of(array)
            for (start, end), (epoch, writer) in reversed(self.log.items()):
                if epoch <= node.epoch:
                    break
                if low < end and start < high:
                    raise GradientError(
                        f"backward: {node.op.name} kept an array of shape {array.shape} for its gradient, and "
                        f"{writer} has overwritten it since; do that after backward, or on a copy"
                    )


mutations = Mutations()


def _caller() -> tuple[CodeType, int] | None:
    """The innermost line outside gradflow: its code object, not its frame, which would keep the locals alive."""
    frame = sys._getframe(3)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else (frame.f_code, frame.f_lasti)
