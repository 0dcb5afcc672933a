"""Replay on the CPU: the works of a plan on buffers of its own, neighbouring native ones as one program."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from gradflow.backend import cpu, native
from gradflow.compiler.apart import Apart
from gradflow.compiler.arrays import address_of, array_at
from gradflow.compiler.memory import ALIGNMENT, Layout
from gradflow.compiler.numpy_calls import numpy_call
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, Call, Program, Pullback, Storage, Value
from gradflow.compiler.works import Action, Direct, Reference, Work, phases
from gradflow.op import Spec

Step = Callable[[], None]


class Replay:
    """A program's works, bound to memory; ``run`` does them for other arguments."""

    def __init__(self, program: Program, works: Sequence[Work], layout: Layout) -> None:
        self.program = program
        self.works = works
        self._memory = np.empty(layout.nbytes + ALIGNMENT, np.uint8)
        start = address_of(self._memory)
        start += -start % ALIGNMENT
        self._addresses: dict[Storage, int] = {}
        for storage in program.storages:
            if storage.origin not in (COMPUTED, INPUT):
                self._addresses[storage] = address_of(storage.array)
        for storage, place in layout.places.items():
            self._addresses[storage] = start + place
        self._apart = Apart(program)
        self._values = [*program.inputs, *(each.seed for each in program.pullbacks)]
        self._inputs = [value.storage for value in self._values]
        self.held: Sequence[Any] = ()  # the arguments' arrays, which pullbacks read again
        self._given: list[int] = [0] * len(self._inputs)
        self._starts = [value.offset for value in self._values]  # of the first element, which need not lie lowest
        self._rebound: list[list[tuple[Any, Value]]] = [[] for _ in self._inputs]  # native programs, and their values
        self._renewed: list[list[tuple[list[Any], int, Value]]] = [[] for _ in self._inputs]  # operands of calls
        self._views: dict[Value, Any] = {}  # arrays that stay where they are
        self._initials = [
            (storage.array, storage.initial)
            for storage in program.storages
            if storage.origin == CONSTANT and storage.initial is not None
        ]
        for storage in self._inputs:
            self._addresses.setdefault(storage, start)  # until the first call
        self._phases = [list(self._bound(each)) for each in phases(works)]

    def run(self, arrays: Sequence[Any]) -> None:
        """Do the works, given the arguments' arrays: of the shapes, dtypes and strides of the program's inputs."""
        given = self._given
        self.held = arrays
        moved = False
        for number, array in enumerate(arrays):
            address = address_of(array)
            if address != given[number]:
                self._move(number, array, address)
                moved = True
        if moved:
            self._apart.check_again(arrays, given[: len(arrays)])
        for array, initial in self._initials:
            array[...] = initial
        for step in self._phases[0]:
            step()

    def pull(self, pullback: Pullback, g: Any) -> None:
        """Do the works of ``pullback``, given the gradient ``g`` of its result."""
        g = np.ascontiguousarray(g, pullback.seed.dtype)
        number = self._values.index(pullback.seed)
        self._move(number, g, address_of(g))
        for step in self._phases[1 + self.program.pullbacks.index(pullback)]:
            step()

    def _move(self, number: int, array: Any, address: int) -> None:
        self._given[number] = address
        start = self._addresses[self._inputs[number]] = address - self._starts[number]
        for program, value in self._rebound[number]:
            program.rebind(value, start + value.offset)
        for operands, position, value in self._renewed[number]:
            operands[position] = array if value is self._values[number] else self.array(value)

    def address(self, value: Value) -> int:
        """Where the first element of ``value`` lies now."""
        return self._addresses[value.storage] + value.offset

    def array(self, value: Value) -> Any:
        """The array of ``value``, as it is now."""
        if value.storage.origin == INPUT:
            return array_at(self._addresses[value.storage], value)
        if value not in self._views:
            self._views[value] = array_at(self._addresses[value.storage], value)
        return self._views[value]

    # ---- binding

    def _bound(self, works: Sequence[Work]) -> Iterator[Step]:
        """The steps of a phase: native works that follow one another are one."""
        for is_native, group in groupby(works, _is_native):
            if is_native:
                yield self._native(tuple(group))
            else:
                yield from map(self._called, group)

    def _native(self, works: tuple[Work, ...]) -> Step:
        program = native.Program([work.does for work in works], self.address)
        arguments = {storage: number for number, storage in enumerate(self._inputs)}
        values = {id(value): value for work in works for value in (*work.reads, *work.writes)}
        for value in values.values():
            if value.storage in arguments:
                self._rebound[arguments[value.storage]].append((program, value))
        run, this = program.run, weakref.proxy(self)  # a reference would be a cycle: buffers are freed by counting

        def step() -> None:
            stopped = run()
            if stopped is not None:
                this._explain(works[stopped])

        return step

    def _explain(self, work: Work) -> None:
        """Raise what the call that stopped the program raises without a compiler."""
        for call in work.calls:
            self._reference(call)()
        raise AssertionError(f"a native work stopped at {[call.name for call in work.calls]}, and nothing was wrong")

    def _called(self, work: Work) -> Step:
        (call,) = work.calls
        if isinstance(work.does, Action):
            action: Step = call.action
            return action
        if any(value.storage.origin == INPUT for value in work.writes):
            this = weakref.proxy(self)
            return lambda: this._reference(call)()  # noqa: PLW0108 - bound anew in each call
        operands = self._operands(call)
        for position, x in enumerate(call.inputs):
            if isinstance(x, Value) and x.storage.origin == INPUT:
                self._renewed[self._inputs.index(x.storage)].append((operands, position, x))
        if isinstance(work.does, Direct):
            return numpy_call(call, operands, None if call.out is None else self.array(call.out))
        return self._reference(call, operands)

    def _operands(self, call: Call) -> list[Any]:
        return [self.array(x) if isinstance(x, Value) else x for x in call.inputs]

    def _reference(self, call: Call, operands: list[Any] | None = None) -> Step:
        """``call`` on ``operands``, or on the arrays of its values as they are now."""
        op, attrs, run = call.op, call.attrs, cpu.run
        assert op is not None
        arrays = self._operands(call) if operands is None else operands
        if call.out is None:
            return lambda: run(op, arrays, attrs, None, None)
        out, spec = self.array(call.out), Spec(call.out.shape, call.out.dtype)

        def step() -> None:
            result = run(op, arrays, attrs, out, spec)
            if result is not out:
                out[...] = result

        return step


def _is_native(work: Work) -> bool:
    return not isinstance(work.does, (Reference, Direct, Action))
