"""What the steps of optimizers share: ops that write into parameters and state, one arena or many in a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError
from gradflow.launch import THREADS, Array, Launch, Table, Tickets, flat
from gradflow.op import Op, Spec
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor

CHUNK = 32768  # elements updated at a time, so that the passes over them find them in the L2 cache
LANES = 4  # elements that a thread of kernels/update.cu moves at a time, of 16 bytes at most

Arguments = tuple[Tensor | None, ...]  # of one call


def update(op: Op, together: Op, calls: Sequence[Arguments], **attrs: Any) -> None:
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
            raise DTypeError(f"{op.name}_all: the arrays updated in one call must have one dtype")

    return Op(
        name=f"{op.name}_all",
        forward=forward,
        spec=spec,
        cuda=op.cuda,
        mutates=op.mutates,
        period=period,
        samples=tuple(sample(*each.inputs, *each.inputs, **each.attrs) for each in op.samples),
    )


def in_pieces(kernel: str, arrays: int, numbers: Callable[..., tuple[Any, ...]], period: int) -> Callable[..., Any]:
    """The ``cuda`` of an update and of several: ``kernel(inputs..., numbers..., table, rows, tickets, n)``.

    The first ``arrays`` of a call's ``period`` inputs are updated element by element, or None; the rest are 0-d.
    One call passes its arrays, several pass a table of theirs.
    """

    def cuda(*inputs: Array, out: None, **attrs: Any) -> Launch | None:
        calls = _calls(inputs, period)
        if not all(flat(*(x for x in call[:arrays] if x is not None)) for call in calls):
            return None
        first = calls[0][0]
        lanes = THREADS * min(LANES, 16 // first.dtype.itemsize)
        rows, blocks = [], 0
        for call in calls:
            rows.append((*call, call[0].size, blocks))
            blocks += -(-call[0].size // lanes)
        given, table, size = (
            (inputs, None, first.size) if len(calls) == 1 else ((None,) * period, Table(tuple(rows)), 0)
        )
        arguments = (*given, *numbers(**attrs), table, len(calls), Tickets(len(calls)), size)
        return Launch(kernel, first.dtype, blocks, THREADS, arguments)

    return cuda


def _calls(inputs: Sequence[Any], period: int) -> list[Sequence[Any]]:
    return [inputs[start : start + period] for start in range(0, len(inputs), period)]


def alike(p: Spec, g: Spec, *others: Spec, **attrs: Any) -> None:
    """The spec rule of updates: a gradient is like its parameter."""
    if p != g:
        raise ShapeError(f"update: the parameters are {p.shape} of {p.dtype}, their gradient {g.shape} of {g.dtype}")


def chunks(xp: Any, p: Array, g: Array, *state: Array | None) -> Iterator[tuple[Any, ...]]:
    """Chunks of flat arrays, each with a scratch array of its length; the whole at once if they are not flat.

    float16 comes as float32 and is rounded after the update: ``eps`` and squares of gradients are too small for it.
    """
    size = CHUNK if p.ndim == 1 else max(p.size, 1)
    scratch = xp.empty(CHUNK, p.dtype) if p.ndim == 1 else xp.empty_like(p)
    for start in range(0, p.size, size):
        part = slice(start, start + size) if p.ndim == 1 else ...
        given = [None if x is None else x[part] for x in (p, g, *state)]
        if p.dtype != dtypes.float16:
            yield (*given, scratch[: len(p) - start] if p.ndim == 1 else scratch)
            continue
        wide = [None if x is None else x.astype(dtypes.float32) for x in given]
        yield (*wide, xp.empty_like(wide[0]))
        for i, (x, updated) in enumerate(zip(given, wide, strict=True)):
            if x is not None and i != 1:
                x[...] = updated


def descent(xp: Any, p: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient of what is minimised: ``g``, or minus that, and of weight decay's penalty."""
    if maximize:
        g = xp.negative(g)
    return xp.add(xp.multiply(p, weight_decay), g) if weight_decay else g


def skipped(found_inf: Array | None) -> bool:
    """Whether loss scaling found gradients that are not finite, so that there is no step."""
    return found_inf is not None and float(found_inf) != 0


def counter(value: float) -> Given:
    """An example of a step count, or of a learning rate."""
    return Given(value, "float64")


FINITE = Given(0.0, "float32")  # an example of a flag that asks for no step to be skipped
