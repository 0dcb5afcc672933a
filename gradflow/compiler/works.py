"""What a plan is made of: works, each of one or more calls of the step."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.compiler.program import Call, Value
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy, Loop, Update


class Reference(NamedTuple):
    """One call, done as it is without a compiler: by the backend."""

    call: Call


class Action(NamedTuple):
    """Python's own work: the step's change of state that is no tensor's."""

    call: Call


class Work(NamedTuple):
    """A unit of a plan: what is done, the calls it stands for, what it reads and what it writes."""

    does: Loop | Gemm | CrossEntropy | Update | Reference | Action
    calls: tuple[Call, ...]
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]


def reference(call: Call) -> Work:
    """``call`` as a work of its own."""
    does: Any = Action(call) if call.op is None else Reference(call)
    return Work(does, (call,), tuple(call.reads), tuple(call.writes))
