"""What a plan is made of: works, each of one or more calls of the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gradflow.compiler.program import Call, Value
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy, FusedProduct, Loop


class Reference(NamedTuple):
    """One call, done as it is without a compiler: by the backend."""

    call: Call


class Direct(NamedTuple):
    """One call, done by NumPy's functions on the plan's buffers."""

    call: Call


class Action(NamedTuple):
    """Python's own work: the step's change of state that is no tensor's."""

    call: Call


class Boundary(NamedTuple):
    """The end of a phase."""


class Work(NamedTuple):
    """A unit of a plan: what is done, the calls it stands for, what it reads and what it writes."""

    does: Loop | Gemm | FusedProduct | CrossEntropy | Reference | Direct | Action | Boundary
    calls: tuple[Call, ...]
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]


def work_of(loop: Loop, calls: tuple[Call, ...]) -> Work:
    """``loop``, which does ``calls`` or a part of them."""
    return Work(loop, calls, tuple(each.array for each in loop.operands), tuple(each.array for each in loop.results))


def reference(call: Call) -> Work:
    """``call`` as a work of its own."""
    does: Any = Reference(call)
    if call.op is None:
        does = Boundary() if call.action is None else Action(call)
    return Work(does, (call,), tuple(call.reads), tuple(call.writes))


def direct(call: Call) -> Work:
    """``call`` as a work that needs no backend."""
    work = reference(call)
    return work._replace(does=Direct(call)) if isinstance(work.does, Reference) else work


def phases(works: Sequence[Work]) -> list[list[Work]]:
    """``works`` in their phases: the first is the step itself, others its pullbacks."""
    found: list[list[Work]] = [[]]
    for work in works:
        if isinstance(work.does, Boundary):
            found.append([])
        else:
            found[-1].append(work)
    return found
