"""Replay on a GPU: the works of a plan on buffers of its own, each phase a CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from gradflow.backend import backend_for, backend_of, cuda_loops
from gradflow.backend.cuda import CudaBackend
from gradflow.compiler.apart import Apart
from gradflow.compiler.cuda_plan import CudaPlan
from gradflow.compiler.cuda_steps import OpCall, Python
from gradflow.compiler.cuda_steps import Work as Queued
from gradflow.compiler.memory import Layout
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, Call, Program, Pullback, Storage, Value
from gradflow.compiler.works import Action, Reference, Work, phases
from gradflow.device import Device
from gradflow.launch import Gemm
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, CrossEntropy, Loop, Operand


class CudaReplay:
    """A program's works, bound to memory of one device; ``run`` does them for other arguments.

    Arguments are copied to where the graph reads them: one copy each, an upload if they are on the host. The first run
    of a phase is by single launches, and then it is captured; the later ones launch its graphs.
    """

    def __init__(self, program: Program, works: Sequence[Work], layout: Layout, device: Device) -> None:
        self.program = program
        self.works = works
        self.device = device
        self.held: Sequence[Any] = ()  # nothing: arguments are copied
        self._backend = cast(CudaBackend, backend_for(device))
        self._xp = self._backend.xp
        self._views: dict[Value, Any] = {}
        self._memory: dict[Storage, Any] = {}
        with self._backend.on(device):
            arena = self._xp.empty(layout.nbytes, "uint8")
            for storage in program.storages:
                if storage.origin == INPUT:
                    self._memory[storage] = self._xp.empty(storage.nbytes, "uint8").data
                elif storage.origin != COMPUTED:
                    self._memory[storage] = storage.array.data
            for storage, place in layout.places.items():
                self._memory[storage] = arena.data + place
            self._inputs = [self.array(value) for value in program.inputs]
            written = {value.storage for work in works for value in work.writes}
            self._changed = [i for i, value in enumerate(program.inputs) if value.storage in written]
            self._apart = Apart(program)
            self._seeds = [self.array(each.seed) for each in program.pullbacks]
            self._initials = [
                (storage.array, storage.initial)
                for storage in program.storages
                if storage.origin == CONSTANT and storage.initial is not None
            ]
            self._phases = [CudaPlan(self._backend, self._queued(each), device) for each in phases(works)]

    def __str__(self) -> str:
        """How its phases are run, in words."""
        return ", then ".join(map(str, self._phases))

    def run(self, arrays: Sequence[Any]) -> None:
        """Queue the works, given the arguments' arrays: of the shapes, dtypes and strides of the program's inputs."""
        if not self._apart.free:
            self._apart.check_again(arrays, [backend_of(array).memory_of(array)[0] for array in arrays])
        with self._backend.on(self.device):
            for here, array in zip(self._inputs, arrays, strict=True):
                self._put(here, array)
            for array, initial in self._initials:
                array[...] = initial
            self._phases[0].replay()
            for number in self._changed:
                self._put(arrays[number], self._inputs[number])

    def pull(self, pullback: Pullback, g: Any) -> None:
        """Queue the works of ``pullback``, given the gradient ``g`` of its result."""
        number = self.program.pullbacks.index(pullback)
        with self._backend.on(self.device):
            self._put(self._seeds[number], g)
            self._phases[1 + number].replay()

    def _put(self, here: Any, array: Any) -> None:
        if isinstance(array, self._xp.ndarray):
            if array.data.ptr == here.data.ptr:
                return
            if here.flags.c_contiguous and array.flags.c_contiguous and array.dtype == here.dtype:
                here.data.copy_from_device_async(array.data, here.nbytes)  # a third of the host's time for here[...]
            else:
                here[...] = array
        else:
            here.set(array)

    def array(self, value: Value) -> Any:
        """The array of ``value``."""
        if value not in self._views:
            if value.storage not in self._memory:  # it was to be left out of a loop that there is no kernel for
                self._memory[value.storage] = self._xp.empty(value.storage.nbytes, "uint8").data
            memory = self._memory[value.storage] + value.offset
            self._views[value] = self._xp.ndarray(value.shape, value.dtype, memory, value.strides)
        return self._views[value]

    # ---- binding

    def _queued(self, works: Sequence[Work]) -> list[Queued]:
        return [each for work in works for each in self._bound(work)]

    def _bound(self, work: Work) -> list[Queued]:
        """``work`` on arrays; a loop that there is no kernel for as the calls that it stands for."""
        does = work.does
        if isinstance(does, Loop):
            loop = self._loop(does)
            return [loop] if cuda_loops.suits(loop) else [self._called(call) for call in work.calls]
        if isinstance(does, Gemm):
            arrays = {name: self.array(x) for name, x in does._asdict().items() if isinstance(x, Value)}
            return [does._replace(**arrays)]
        if isinstance(does, Action):
            return [Python(does.call.action)]
        assert isinstance(does, (Reference, CrossEntropy))
        return [self._called(call) for call in work.calls]

    def _loop(self, loop: Loop) -> Loop:
        operands = tuple(each._replace(array=self._operand(each, loop)) for each in loop.operands)
        results = tuple(each._replace(array=self.array(each.array)) for each in loop.results)
        return loop._replace(operands=operands, results=results)

    def _operand(self, operand: Operand, loop: Loop) -> Any:
        """The array of ``operand``; of one that is repeated in a broadcast view, what is repeated."""
        value = operand.array
        if value.strides is None:
            return self.array(value)
        counts = {ELEMENT: loop.rows * loop.columns, ROW: operand.period or loop.rows, COLUMN: loop.columns, SCALAR: 1}
        return self.array(Value(value.storage, (counts[operand.kind],), value.dtype, value.offset))

    def _called(self, call: Call) -> OpCall:
        assert call.op is not None
        arrays = tuple(self.array(x) if isinstance(x, Value) else x for x in call.inputs)
        return OpCall(call.op, arrays, call.attrs, None if call.out is None else self.array(call.out))
