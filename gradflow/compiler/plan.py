"""A plan: a traced step, what it depends on, and how it is run again."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from gradflow.backend import backend_of, native
from gradflow.compiler import lowering
from gradflow.compiler.clean import cleaned, kept
from gradflow.compiler.cost import Cost, cost
from gradflow.compiler.cuda_patterns import supported_on, with_epilogues
from gradflow.compiler.cuda_replay import CudaReplay
from gradflow.compiler.facts import NONE, Facts
from gradflow.compiler.fingerprint import fingerprint
from gradflow.compiler.fused_products import with_fused_products
from gradflow.compiler.gradients import Gradients
from gradflow.compiler.listing import listing
from gradflow.compiler.memory import layout
from gradflow.compiler.program import STATE, Argument, Program
from gradflow.compiler.pulling import CompiledNode
from gradflow.compiler.replay import Replay
from gradflow.compiler.results import Results
from gradflow.compiler.signature import rebuilt
from gradflow.compiler.works import Work, direct, phases, reference
from gradflow.device import CPU, Device
from gradflow.errors import CompileError
from gradflow.mutations import mutations
from gradflow.tensor import Tensor

Replays = Replay | CudaReplay


class Slot(NamedTuple):
    """Stands in a step's result for one of the tensors that it returned."""

    number: int


class _Token:
    """What the nodes of one run hold together."""


class Plan:
    """One traced run of a step, lowered: ``print`` shows it as a program.

    ``exact`` plans do what eager code does, call by call; others fuse, and their results agree within the tolerance of
    the dtype.
    """

    def __init__(self, program: Program, result: Any, facts: Facts, exact: bool) -> None:
        self.exact = exact
        self.facts = facts
        self.lines = [*fingerprint(program), ("what the step returns", repr(result))]
        self.verified = False
        self.device = _device_of(program)
        self.program = cleaned(program)
        self.works = self._works()
        self.layout = layout(self.works, kept(self.program))
        self._replay = self._spare()
        self._idle: list[Replays] = [self._replay]  # those whose buffers no graph needs
        self._state = self._read_by_pullbacks()
        self._effects = program.effects
        self._gradients = Gradients(program.effects)
        self._results = Results(self.program)
        self._written = self._places()
        self._result = result
        self._lock = threading.Lock()

    def _works(self) -> list[Work]:
        if self.exact:
            return [reference(call) for call in self.program.calls]
        if self.device == CPU and not native.available():
            return [direct(call) for call in lowering.with_cross_entropy(self.program).calls]
        works = lowering.lowered(self.program)
        if self.device == CPU:
            return with_fused_products(works)
        return with_epilogues(works, self.program, supported_on(self.device))

    def _places(self) -> list[tuple[int, int]]:
        """The memory from before the step that it writes to."""
        written = {value.storage: value for call in self.program.calls for value in call.writes}
        arrays = [storage.array for storage in written if storage.origin == STATE]
        return [backend_of(array).memory_of(array) for array in arrays]

    def cost(self) -> Cost:
        """Operations, bytes, works and memory of one replay."""
        return cost(self.works, self.layout.nbytes)

    def __str__(self) -> str:
        return listing(self.program, self.works, self.layout, self.cost(), self._how())

    @property
    def heading(self) -> str:
        """What it costs and how it is run, in a line."""
        return f"{self.cost()}; {self._how()}" + "; not compared yet" * (not self.verified)

    def _how(self) -> str:
        """What runs it, in words."""
        if self.exact:
            return "call by call, with the bits of eager code"
        if self.device != CPU:
            return f"fused, on {self.device}: {self._replay}"
        return "fused, by LLVM" if native.available() else f"call by call, since {native.failure()}"

    def confirm(self, facts: Facts) -> None:
        """A second run of the step did the same: what was different at its start does not matter."""
        if not self.verified:
            before = {id(leaf): had for leaf, had in self.facts.entry}
            facts.entry = [(leaf, had) for leaf, had in facts.entry if before.get(id(leaf)) == had]
            still = {id(leaf) for leaf, had in facts.entry if had is NONE}
            self._gradients = Gradients([x for x in self._effects if x.kind != "none" or id(x.leaf) not in still])
        self.verified = True
        self.facts = facts

    def _spare(self) -> Replays:
        if self.device == CPU:
            return Replay(self.program, self.works, self.layout)
        return CudaReplay(self.program, self.works, self.layout, self.device)

    def _read_by_pullbacks(self) -> list[Any]:
        """The arrays from before the step that its pullbacks read."""
        later = [work for phase in phases(self.works)[1:] for work in phase]
        storages = {x.storage for work in later for x in work.reads if x.storage.origin == STATE}
        return [storage.array for storage in storages]

    def run(self, arguments: Sequence[Tensor]) -> Any:
        """Do the step again, for other arguments of the same signature, and return what it returns."""
        with self._lock:
            replay = self._replay
            if self.program.pullbacks:
                replay = self._idle.pop() if self._idle else self._spare()
            self._gradients.prepare()
            try:
                replay.run([x.data for x in arguments])
            except BaseException:
                self._gradients.drop(arguments)
                raise
            finally:
                if self._written:
                    mutations.wrote("a compiled step", self._written)
            copy = self._results.copies(replay.array)
            self._gradients.leave(copy, arguments)
            outputs = self._results.of(copy, arguments)
            if self.program.pullbacks:
                self._attach(outputs, replay, arguments)
        return rebuilt(self._result, lambda slot: outputs[slot.number], lambda x: type(x) is Slot)

    def _attach(self, outputs: list[Any], replay: Replays, arguments: Sequence[Tensor]) -> None:
        """Put the results on the tape; ``replay`` is idle again when their nodes are gone."""
        token = _Token()
        weakref.finalize(token, self._idle.append, replay)
        for pullback in self.program.pullbacks:
            of = [arguments[x.number] if isinstance(x, Argument) else x for x in pullback.of]
            node = CompiledNode(pullback, replay, [x.node or x for x in of], self._state, token)
            outputs[pullback.output].node = node
            outputs[pullback.output].requires_grad = True


def _device_of(program: Program) -> Device:
    """The device on which everything is computed; arguments may come from the CPU. CompileError if there are two."""
    values = [x for call in program.calls for x in (*call.reads, *call.writes)]
    devices = {x.storage.device for x in values}
    if len(devices) > 1:
        given = " and ".join(sorted(map(str, devices)))
        raise CompileError(
            f"gf.compile: the step computes on {given}; a plan is of one device. Move tensors before or after the "
            "compiled step, or use fallback=True"
        )
    return next(iter(devices), CPU)
