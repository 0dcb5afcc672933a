"""Flat arenas: parameters and gradients side by side in memory, so that one update covers them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gradflow.dtypes import real_of
from gradflow.errors import ArgumentError, DTypeError, GradientError
from gradflow.mode import recording
from gradflow.ops.create import zeros, zeros_like
from gradflow.slot import GradientSlot
from gradflow.tensor import Tensor

ALIGNMENT = 64  # bytes: a cache line, and four times what a vector load on CUDA needs


class Slot(GradientSlot):
    """One parameter's place in an arena: elements ``start`` to ``stop``, of which the last few may be padding."""

    __slots__ = ("arena", "start", "stop", "values")

    def __init__(self, arena: Arena, values: Tensor, gradient: Tensor, start: int, stop: int) -> None:
        super().__init__(gradient)
        self.arena = arena
        self.values = values
        self.start = start
        self.stop = stop


class Arena:
    """The memory of several parameters and of their gradients, as two flat tensors.

    Making one moves the parameters: their ``data`` become views of it.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        first = parameters[0]
        step = max(1, ALIGNMENT // first.dtype.itemsize)
        stops = [0]
        for p in parameters:
            stops.append(stops[-1] + -(-p.data.size // step) * step)
        self.values = zeros(stops[-1], dtype=first.dtype, device=first.device)
        self.gradients = zeros_like(self.values)
        for p, start, stop in zip(parameters, stops, stops[1:], strict=False):
            shape, end = p.data.shape, start + p.data.size
            home = Tensor(self.values.data[start:end].reshape(shape))
            with recording(False):
                home.copy_(p)
            p.data = home.data
            gradient = Tensor(self.gradients.data[start:end].reshape(shape))
            p.grad_slot = Slot(self, home, gradient, start, stop)


class Run(NamedTuple):
    """Parameters that lie one after the other in one arena, and the flat tensors that cover them."""

    arena: Arena
    parameters: list[Tensor]
    values: Tensor
    gradients: Tensor


def settle(parameters: Sequence[Tensor]) -> None:
    """Give a place in a new arena to every parameter that has none, one arena for each dtype and device."""
    homeless: dict[object, list[Tensor]] = {}
    for p in parameters:
        if p.grad_slot is None:
            homeless.setdefault((p.dtype, p.device), []).append(p)
    for each in homeless.values():
        Arena(each)


def slot_of(p: Tensor) -> Slot:
    """The place of ``p``; GradientError if ``p`` has been moved out of it."""
    slot = p.grad_slot
    if not isinstance(slot, Slot) or p.data is not slot.values.data:
        raise GradientError(
            f"a parameter of shape {p.shape} got new memory after its optimizer was made (by .to() or by setting "
            ".data); make the optimizer afterwards, and write values with p.copy_(...)"
        )
    return slot


def check_place(run: Run) -> None:
    """Raise GradientError if a parameter of ``run`` has moved, to another arena perhaps."""
    for p in run.parameters:
        slot = p.grad_slot
        if not isinstance(slot, Slot) or p.data is not slot.values.data or slot.arena is not run.arena:
            slot_of(p)  # raises if it has no place
            raise GradientError(
                f"a parameter of shape {p.shape} moved to the arena of another optimizer, which was made after .to(); "
                "step that one, and make no use of this optimizer any more"
            )


def runs(parameters: Iterable[Tensor]) -> list[Run]:
    """``parameters``, in order, as runs of neighbours."""
    found: list[list[Tensor]] = []
    last: Slot | None = None
    for p in parameters:
        slot = slot_of(p)
        if last is not None and last.arena is slot.arena and last.stop == slot.start:
            found[-1].append(p)
        else:
            found.append([p])
        last = slot
    return [_run(neighbours) for neighbours in found]


def _run(neighbours: list[Tensor]) -> Run:
    first, last = slot_of(neighbours[0]), slot_of(neighbours[-1])
    part = slice(first.start, last.stop)
    values, gradients = (each.data[part] for each in (first.arena.values, first.arena.gradients))
    reals = real_of(values.dtype)  # complex numbers are updated as pairs of real ones, as in PyTorch
    return Run(first.arena, neighbours, Tensor(values.view(reals)), Tensor(gradients.view(reals)))


def gather(p: Tensor) -> None:
    """Bring the gradient of ``p`` to its place, if it was put elsewhere (by the user, or with a graph of its own)."""
    slot, grad = p.grad_slot, p.grad
    assert slot is not None
    if grad is not None and grad.data is not slot.tensor.data:
        if grad.shape != p.shape or grad.dtype != p.dtype:
            raise GradientError(
                f"a gradient of shape {grad.shape} and {grad.dtype} was set on a parameter of {p.shape} and {p.dtype}"
            )
        with recording(False):
            slot.claim().copy_(grad)
        p.grad = slot.lend()


def flat_gradients(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    """All gradients, real numbers: neighbours in an arena as one tensor, the others one by one, or by their parts."""
    given = [parameters] if isinstance(parameters, Tensor) else listed(parameters)
    present = [p for p in given if p.grad is not None]
    settled = [p for p in present if isinstance(p.grad_slot, Slot)]
    for p in settled:
        slot_of(p)  # raises if it has been moved
        gather(p)
    elsewhere = [p.grad.data for p in present if p.grad is not None and not isinstance(p.grad_slot, Slot)]
    parts = [part for x in elsewhere for part in ((x.real, x.imag) if x.dtype.kind == "c" else (x,))]
    return [*(run.gradients for run in runs(settled)), *map(Tensor, parts)]


def listed(parameters: Iterable[Any]) -> list[Any]:
    """The parameters, or groups of them, as a list. Raises DTypeError for a module, which is not its parameters."""
    if hasattr(parameters, "parameters"):
        raise DTypeError(
            f"parameters are given as a list, not as a {type(parameters).__name__}; write model.parameters()"
        )
    return list(parameters)


def check_parameters(parameters: Iterable[Tensor]) -> list[Tensor]:
    """A list of distinct leaves that require grad, or an error that says what else was given."""
    if isinstance(parameters, Tensor):
        raise DTypeError("an optimizer takes a list of parameters, not one tensor; write [parameter]")
    given = list(parameters)
    for i, p in enumerate(given):
        if not isinstance(p, Tensor):
            raise DTypeError(f"an optimizer takes tensors; parameter {i} is a {type(p).__name__}")
        if p.node is not None or not p.requires_grad:
            raise ArgumentError(
                f"parameter {i}, of shape {p.shape}, cannot be optimized: it "
                + ("was computed; pass the leaf it came from" if p.node is not None else "does not require grad")
            )
    if not given:
        raise ArgumentError(
            "an optimizer needs at least one parameter; the list is empty: a module has those of layers that are its "
            "attributes, and not in a list or dict of Python's: use nn.ModuleList or nn.ModuleDict"
        )
    if len({id(p) for p in given}) < len(given):
        raise ArgumentError("a parameter was given twice; each may be in one group only")
    return given
