"""What a step must not leave behind when it is traced, since a replay would not."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import Any

from gradflow.compiler.program import Call
from gradflow.errors import CompileError
from gradflow.site import described
from gradflow.tape import Node
from gradflow.tensor import Tensor


def forbid_escapes(made: Sequence[tuple[Any, Call]], outputs: Sequence[Tensor], gradients: Iterable[Any]) -> None:
    """Raise CompileError if a tensor that was ``made`` lives on, and is neither a result nor a gradient."""
    kept = {id(x) for x in (*outputs, *gradients)}
    if any(x.node is not None and x.node.inputs is not None for x in outputs):
        return  # the graph of a result holds what its gradient needs
    for attempt in (lambda: None, gc.collect):
        attempt()
        escaped = [(x, call) for ref, call in made if (x := ref()) is not None and id(x) not in kept]
        if not escaped:
            return
    x, call = escaped[0]
    raise CompileError(
        f"gf.compile: a tensor of shape {x.shape}, made by {call.name} at {described(call.site)}, is still held "
        "when the compiled step has returned, by an attribute, a list or a closure; a replay would not renew it. "
        "Return it, or keep a buffer and write to it in place with buffer.copy_(x)"
    )


def forbid_sweeps(nodes: Iterable[Node]) -> None:
    """Raise CompileError if a backward pass went through one of ``nodes``, which were there before the step."""
    for node in nodes:
        if node.inputs is None:
            raise CompileError(
                "gf.compile: a backward pass inside the compiled step went on into what was computed before it, by "
                f"{node.op.name} at {node.where()}; a replay could not. Pass x.detach(), or return the result and "
                "call backward outside"
            )
