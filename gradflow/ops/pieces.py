"""Several calls of one op that writes in place, as one call, and on a GPU as one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from gradflow.dispatch import apply
from gradflow.errors import DTypeError
from gradflow.launch import THREADS, Array, Launch, Table, Tickets, flat
from gradflow.op import Op, Spec
from gradflow.samples import sample
from gradflow.tensor import Tensor

LANES = 4  # elements that a thread of kernels/arena.cu moves at a time, of 16 bytes at most

Arguments = tuple[Tensor | None, ...]  # of one call


def apply_all(op: Op, together: Op, calls: Sequence[Arguments], **attrs: Any) -> None:
    """Do all ``calls`` of ``op``; on a GPU those of one device and dtype are one call of ``together``, one launch."""
    alike: dict[object, list[Arguments]] = {}
    for call in calls:
        assert call[0] is not None
        alike.setdefault((call[0].device, call[0].dtype), []).append(call)
    for group in alike.values():
        first = group[0][0]
        if first is not None and first.device.kind == "cuda" and len(group) > 1:
            apply(together, *chain.from_iterable(group), **attrs)
        else:
            for call in group:
                apply(op, *call, **attrs)


def joined(op: Op) -> Op:
    """Declare ``op`` for several calls at once: their inputs one after the other, a period of ``op``'s inputs each."""
    period = len(op.input_names)

    def forward(xp: Any, *arrays: Any, **attrs: Any) -> None:
        for call in _calls(arrays, period):
            op.forward(xp, *call, **attrs)

    def spec(*specs: Spec, **attrs: Any) -> None:
        calls = _calls(specs, period)
        for call in calls:
            op.spec(*call, **attrs)
        if len({call[0].dtype for call in calls}) > 1:
            raise DTypeError(f"{op.name}_all: the arrays written in one call must have one dtype")

    return Op(
        name=f"{op.name}_all",
        forward=forward,
        spec=spec,
        cuda=op.cuda,
        mutates=op.mutates,
        period=period,
        samples=tuple(sample(*each.inputs, *each.inputs, **each.attrs) for each in op.samples),
        workloads=tuple(sample(*each.inputs, *each.inputs, **each.attrs) for each in op.workloads[:1]),
    )


def in_pieces(
    kernel: str, arrays: int, period: int, numbers: Callable[..., tuple[Any, ...]], *, counted: bool = False
) -> Callable[..., Launch | None]:
    """The ``cuda`` of an op and of several calls of it: ``kernel(inputs..., numbers..., table, rows, n)``.

    The first ``arrays`` of a call's ``period`` inputs are of one shape, or None, and visited element by element; the
    rest are 0-d. One call passes its arrays, several pass a table of theirs. Where blocks are ``counted``, the kernel
    has an argument ``tickets`` before ``n``, a counter for each call.
    """

    def cuda(*inputs: Array, out: None, **attrs: Any) -> Launch | None:
        calls = _calls(inputs, period)
        if not all(flat(*(x for x in call[:arrays] if x is not None)) for call in calls):
            return None
        dtype = calls[0][0].dtype
        lanes = THREADS * min(LANES, 16 // dtype.itemsize)
        rows, blocks = [], 0
        for call in calls:
            needed = -(-call[0].size // lanes)
            rows.append((*call, call[0].size, needed, blocks))
            blocks += needed
        given, table, size = (inputs, None, calls[0][0].size)
        if len(calls) > 1:
            given, table, size = (None,) * period, Table(tuple(rows)), 0
        tickets = (Tickets(len(calls)),) if counted else ()
        return Launch(kernel, dtype, blocks, THREADS, (*given, *numbers(**attrs), table, len(calls), *tickets, size))

    return cuda


def _calls(inputs: Sequence[Any], period: int) -> list[Sequence[Any]]:
    return [inputs[start : start + period] for start in range(0, len(inputs), period)]
