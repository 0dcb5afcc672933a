"""The one door: every operation, forward, backward or update, on every device, goes through ``apply``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gradflow import tape
from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.errors import ArgumentError, DeviceError, GradientError
from gradflow.mode import PLAIN, mode
from gradflow.mutations import mutations
from gradflow.op import Op, Spec
from gradflow.rounded import has_bfloat16, rounding, spec_of
from gradflow.tensor import SCALARS, Tensor, TensorLike, operand, tensor
from gradflow.widening import noticed

CACHED_SPECS = 2048  # per op; a loop over ever-new shapes must not grow memory without bound


class Observer:
    """Something that is told of every call that passes the door."""

    def begins(self, op: Op, inputs: tuple[Any, ...], into: Tensor | None) -> None:
        """``op`` is about to run on ``inputs``; its result may land in ``into``. ``saw`` follows unless it fails."""

    def saw(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], out: Tensor | None) -> None:
        """``op`` was applied to ``inputs`` (tensors, Python numbers, None) and made ``out``."""

    def performs(self, action: Callable[[], None]) -> None:
        """``action``, a change of Python's state that is the same every time, is about to be done (see ``perform``)."""


class _Watch(threading.local):
    observer: Observer | None = None


_watch = _Watch()


class _Both(Observer):
    def __init__(self, outer: Observer, inner: Observer) -> None:
        self.outer = outer
        self.inner = inner

    def begins(self, op: Op, inputs: tuple[Any, ...], into: Tensor | None) -> None:
        self.outer.begins(op, inputs, into)
        self.inner.begins(op, inputs, into)

    def saw(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], out: Tensor | None) -> None:
        self.inner.saw(op, inputs, attrs, out)
        self.outer.saw(op, inputs, attrs, out)

    def performs(self, action: Callable[[], None]) -> None:
        self.inner.performs(action)
        self.outer.performs(action)


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Tell ``observer`` of every operation of this thread until the block ends; observers around it go on observing."""
    before = _watch.observer
    _watch.observer = observer if before is None else _Both(before, observer)
    try:
        yield
    finally:
        _watch.observer = before


def observed() -> bool:
    """Whether something observes the operations of this thread."""
    return _watch.observer is not None


def perform(action: Callable[[], None]) -> None:
    """Do ``action``, unobserved: a compiled step that saw it does it again, at the same place, in every replay.

    For changes of Python's state that a replay would leave out, like those of a learning-rate schedule.
    """
    before = _watch.observer
    if before is not None:
        before.performs(action)
    _watch.observer = None
    try:
        action()
    finally:
        _watch.observer = before


def apply(op: Op, *inputs: TensorLike, into: Tensor | None = None, **attrs: Any) -> Tensor:  # noqa: PLR0912
    """Check, run, record, report: in that order.

    ``into`` is a tensor whose memory the result may take, if it has the result's shape and dtype.
    """
    arrays: list[Any] = []
    key: list[Any] = []
    first: Any = None
    tracked = 0  # a bit for each input that requires grad
    bit = 1
    for x in inputs:
        if isinstance(x, Tensor):
            array = x.data
            arrays.append(array)
            key.append(array.shape)
            key.append(array.dtype)
            if x.requires_grad:
                tracked |= bit
            if first is None:
                first = array
            elif type(array) is not type(first):
                first = _traced_one(op, inputs, first, array)
        elif x is None or type(x) in SCALARS:
            arrays.append(x)
            key.append(type(x))
        else:
            return apply(op, *map(operand, inputs), into=into, **attrs)
        bit <<= 1
    if first is None:
        return apply(op, *_first_number_as_tensor(op, inputs), into=into, **attrs)
    if attrs:
        key += attrs.items()
    known = op.specs.get(tuple(key))
    if known is None:
        known = _check(op, inputs, attrs, tuple(key))
    spec, specs, work = known
    if isinstance(first, Traced):
        return _transformed(op, inputs, attrs, specs, spec)

    observer = _watch.observer
    if observer is not None:
        observer.begins(op, inputs, into)
    backend = backend_of(first)
    out: Tensor
    if spec is None:
        if tracked and mode.recording:
            raise _written_on_the_tape(op)
        backend.run(work, arrays, attrs, None, None)
        mutations.note(op, [arrays[position] for position in op.mutated(len(arrays))])
        out = inputs[op.mutates[0]]
    elif into is not None and into.data.shape == spec.shape and into.data.dtype == spec.dtype:
        backend.run(work, arrays, attrs, into.data, spec)
        out = into
    else:
        out = Tensor(backend.run(work, arrays, attrs, None, spec))
    if tracked and mode.recording and PLAIN not in mode.silent and spec is not None:
        tape.record(op, inputs, tracked, specs, attrs, out)
    if observer is not None:
        observer.saw(work, inputs, attrs, None if spec is None else out)
    return out


def _traced_one(op: Op, inputs: tuple[Any, ...], *arrays: Any) -> Any:
    """Which of ``arrays``, of different types, is inside a transform; the devices differ if none is."""
    found = [array for array in arrays if isinstance(array, Traced)]
    if not found:
        raise _mixed(op, inputs)
    return found[0]


def _transformed(
    op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], specs: tuple[Spec, ...], spec: Spec | None
) -> Tensor:
    """The call as the innermost transform among its inputs does it: by calls one level below, on a tape of its own."""
    data = [x.data if isinstance(x, Tensor) else None for x in inputs]
    top = max((each.level for each in data if isinstance(each, Traced)), key=lambda level: level.number)
    before, mode.level = mode.level, top.below
    try:
        out: Tensor = top.run(op, inputs, attrs, specs, spec)
    finally:
        mode.level = before
    tracked = 0
    for i, each in enumerate(data):
        if isinstance(each, Traced) and each.level is top and inputs[i].requires_grad:
            tracked |= 1 << i
    if tracked and mode.recording and top.number not in mode.silent and isinstance(out.data, Traced):
        tape.record(op, inputs, tracked, specs, attrs, out)
    return out


def _check(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], key: tuple[Any, ...]) -> Any:
    specs = tuple(x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs)
    work = op  # what runs
    if has_bfloat16(specs, attrs):
        spec, work = spec_of(op, specs, attrs), rounding(op)
    else:
        spec = op.spec(*specs, **attrs)
    if noticed(op, specs, spec):
        return spec, specs, work  # not kept, so that every such call is noticed
    if len(op.specs) >= CACHED_SPECS:
        op.specs.clear()
    op.specs[key] = spec, specs, work
    return op.specs[key]


def _first_number_as_tensor(op: Op, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    for i, x in enumerate(inputs):
        if x is not None:
            return (*inputs[:i], tensor(x), *inputs[i + 1 :])
    raise ArgumentError(f"{op.name}: needs at least one tensor, got {inputs}")


def _written_on_the_tape(op: Op) -> GradientError:
    return GradientError(
        f"{op.name}: writes in place, and a tensor given to it requires grad, whose gradient would be lost; use the "
        "functional form (x + y, x.at[i].set(v), x.at[i].add(v)), or write inside gf.no_grad() or on x.detach()"
    )


def _mixed(op: Op, inputs: tuple[Any, ...]) -> DeviceError:
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    given = ", ".join(f"{x.shape} on {x.device}" for x in tensors)
    return DeviceError(
        f"{op.name}: operands are on different devices ({given}); move one with .to('cpu') or .to('cuda')"
    )
