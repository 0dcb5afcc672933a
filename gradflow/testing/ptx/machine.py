"""One launch: groups of threads at the same instruction, which part where their paths do and meet again."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow.testing.ptx.faults import Index, KernelFault
from gradflow.testing.ptx.group import Group, Region, Shape, joined, shape_of
from gradflow.testing.ptx.memory import Allocation, Memory
from gradflow.testing.ptx.races import Races
from gradflow.testing.ptx.report import Report
from gradflow.testing.ptx.translate import Unsupported
from gradflow.testing.ptx.waiting import ready

if TYPE_CHECKING:
    from gradflow.testing.ptx.program import Kernel

SLAB = 1 << 15  # threads that run at once: whole blocks, the registers of which stay in the processor's cache
STEPS = 300_000  # blocks of instructions that one slab may run before it counts as an endless loop
MAX_THREADS, MAX_SHARED = 1024, 227 << 10  # of a block, on any device
MAX_GRID = (2**31 - 1, 65535, 65535)


class Launch:
    """A kernel on its way through a grid."""

    def __init__(
        self,
        kernel: Kernel,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        arguments: Sequence[Any],
        memory: Memory,
        shared: int,
    ) -> None:
        self.kernel, self.memory = kernel, memory
        self.grid, self.block = tuple(map(int, grid)), tuple(map(int, block))
        self.dynamic = shared
        self.atomics = self.generic = 0
        self.parameters = self._arguments(arguments)
        self._check(-(-kernel.shared_size // 16) * 16 + shared if shared else kernel.shared_size)
        self.report = Report(kernel.name, self.grid, self.block, kernel.lines)
        self.races = Races(self)
        self._parameters_at: int | None = None
        self._incomplete: set[Allocation] = set()
        self.executed: dict[int, int] = {}

    def run(self) -> Report:
        """Run all blocks of the grid."""
        count = prod(self.grid)
        threads = prod(self.block)
        per_slab = max(1, SLAB // threads)
        try:
            with np.errstate(all="ignore", under="raise"):
                for first in range(0, count, per_slab):
                    self._slab(shape_of(self.block, min(per_slab, count - first)), first)
            self.races.finish()
        finally:
            for allocation in self._incomplete:
                end = allocation.start + allocation.size
                allocation.complete = bool(self.memory.written[allocation.start : end].all())
            if self._parameters_at is not None:
                self.memory.free(self._parameters_at)
        self.report.atomics, self.report.generic_accesses = self.atomics, self.generic
        self.report.executed = {number for at in self.executed for number, _ in self.kernel.blocks[at].instructions}
        return self.report

    def _arguments(self, arguments: Sequence[Any]) -> bytes:
        """The parameter buffer of the kernel."""
        kernel = self.kernel
        params = kernel.function.params
        if len(arguments) != len(params):
            raise self._refused(f"{len(params)} parameters, {len(arguments)} arguments")
        buffer = bytearray(kernel.params_size)
        for i, (param, argument) in enumerate(zip(params, arguments, strict=True)):
            raw = argument if isinstance(argument, bytes) else np.asarray(argument).tobytes()
            if len(raw) != param.size:
                kind = type(argument).__name__
                raise self._refused(
                    f"parameter {i} takes {param.size} bytes (.{param.type}), given {kind} of {len(raw)}"
                )
            at = kernel.params[param.name]
            buffer[at : at + len(raw)] = raw
        return bytes(buffer)

    def _refused(self, what: str) -> KernelFault:
        return KernelFault("launch", what, self.kernel.name)

    def _check(self, shared: int) -> None:
        """Refuse what no device would launch."""
        threads, most = prod(self.block), self.kernel.function.threads or MAX_THREADS
        if not 1 <= threads <= min(most, MAX_THREADS):
            why = "" if most >= MAX_THREADS else f"; __launch_bounds__ allows {most}"
            raise self._refused(f"{threads} threads per block, from 1 to {min(most, MAX_THREADS)} are possible{why}")
        if self.block[2] > 64:
            raise self._refused(f"a block {self.block}, whose third dimension is above 64")
        if any(not 1 <= size <= most for size, most in zip(self.grid, MAX_GRID, strict=True)):
            raise self._refused(f"a grid of {self.grid} blocks; dimensions go from 1 to {MAX_GRID}")
        if shared > MAX_SHARED or self.kernel.shared_size > 48 << 10:
            raise self._refused(
                f"{shared} bytes of shared memory per block, {MAX_SHARED} are the most (48 KiB if static)"
            )
        self.shared_size = shared

    def _slab(self, shape: Shape, first: int) -> None:
        """Run some whole blocks to their end, always those threads first that are the least far in the program."""
        self.shape, self.first = shape, first
        self.plans = shape.plans
        self.left = False
        self._regions: dict[str, Region] = {}
        self.alive = np.full(shape.blocks, shape.size) if shape.blocks else np.zeros(0, np.int64)
        self.steps = 0
        self.counts = np.zeros(shape.threads, np.int64)
        self.races.begin(shape)
        group = Group(self, shape.all, [None] * len(self.kernel.translator.registers), True)
        self.pending: dict[int, list[Group]] = {0: [group]}
        self.parked: dict[int, Group] = {}
        while self.pending or self._wake():
            at = min(self.pending)
            self._visit(at, self.pending.pop(at))
        self.report.instructions += int(self.counts.sum())
        self.report.most_instructions = max(self.report.most_instructions, int(self.counts.max()))

    def _visit(self, at: int, groups: list[Group]) -> None:
        """Let the groups that have come to a block go through it together."""
        kernel = self.kernel
        block = kernel.blocks[at]
        collective = block.collective
        if collective is not None and (waiting := self.parked.pop(at, None)) is not None:
            groups.append(waiting)
        group: Group | None = groups[0] if len(groups) == 1 else joined(groups, block.live)
        assert group is not None
        if collective is not None and not (group.full and self.shape.size % 32 == 0 and block.everyone):
            group, rest = ready(self, group, collective, at)
            if rest is not None:
                self.parked[at] = rest
            if group is None:
                return
        condition = self._execute(at, group)
        group.count(len(block.instructions))
        if not block.next:
            self._leave(group)
        elif len(block.next) == 1:
            self.pending.setdefault(block.next[0], []).append(group)
        elif len(block.next) == 2 and condition.dtype == bool:
            self._branch(group, condition, block.next)
        else:
            self._switch(group, condition, block.next, at)

    def _execute(self, at: int, group: Group) -> Any:
        """Run a block: quickly, or with care where there are subnormal numbers."""
        self.steps += 1
        if self.steps > STEPS:
            raise self.fault(
                "endless loop", f"still running after {STEPS} steps", self._number(at), int(group.threads[0])
            )
        self.executed[at] = self.executed.get(at, 0) + group.n
        before, generic = len(self.races.events), self.generic
        try:
            try:
                return self.kernel.code(at, False)(group)
            except FloatingPointError:  # nothing is written yet: stores and atomic operations end a block
                del self.races.events[before:]
                self.generic = generic
                with np.errstate(all="ignore"):
                    return self.kernel.code(at, True)(group)
        except Unsupported as error:
            raise self.kernel.unsupported(at, error) from error

    def _number(self, at: int) -> int:
        instructions = self.kernel.blocks[at].instructions
        return instructions[0][0] if instructions else 0

    def _branch(self, group: Group, condition: Any, targets: list[int]) -> None:
        taken = int(np.count_nonzero(condition)) if condition.ndim else (group.n if condition else 0)
        if taken in {0, group.n}:
            self.pending.setdefault(targets[0 if taken else 1], []).append(group)
            return
        for target, chosen in zip(targets, (condition, ~condition), strict=True):
            part = group.split(np.flatnonzero(chosen), self.kernel.blocks[target].live)
            self.pending.setdefault(target, []).append(part)

    def _switch(self, group: Group, index: Any, targets: list[int], at: int) -> None:
        index = np.broadcast_to(index, group.n)
        for i in np.unique(index):
            if i >= len(targets):
                self.fault(
                    "trap", f"a switch with index {i} of {len(targets)}", self._number(at), int(group.threads[0])
                )
            part = group.split(np.flatnonzero(index == i), self.kernel.blocks[targets[i]].live)
            self.pending.setdefault(targets[i], []).append(part)

    def _leave(self, group: Group) -> None:
        if self.pending or self.parked:
            self.alive -= np.bincount(group.block_of, minlength=self.shape.blocks)
            self.left = True

    def _wake(self) -> bool:
        """With nothing to run: look again at those who wait if threads have left since; else they wait forever."""
        if not self.parked:
            return False
        if self.left:
            self.left = False
            self.pending = {at: [group] for at, group in self.parked.items()}
            self.parked = {}
            return True
        at = min(self.parked)
        group = self.parked[at]
        collective = self.kernel.blocks[at].collective
        assert collective is not None
        barrier = collective.op[0] in {"bar", "barrier"} and "warp" not in collective.op
        others = [f"{g.n} at {self.line(self._number(i))}" for i, g in self.parked.items() if i != at]
        missing = f"; other threads wait: {', '.join(others)}" if others else "; the others have left the kernel"
        what = (
            f"{group.n} threads wait forever at a barrier"
            if barrier
            else (f"{group.n} threads wait forever at {'.'.join(collective.op)} for lanes that their mask names")
        )
        raise self.fault("barrier" if barrier else "shuffle", what + missing, self._number(at), int(group.threads[0]))

    # ---- what generated code asks for

    def line(self, number: int) -> str:
        """The source line of an instruction."""
        return self.kernel.lines.get(number) or f"instruction {number}"

    def verb(self, number: int) -> str:
        """What a memory instruction does, for messages."""
        return {"ld": "load of", "ldu": "load of", "st": "store of"}.get(
            self.kernel.instructions[number].op[0], "atomic operation on"
        )

    def region(self, space: str) -> Region:
        """Shared memory, local memory, or the arguments of calls ("private")."""
        if space not in self._regions:
            size, owners = self.kernel.local_size, self.shape.threads
            if space == "shared":
                size, owners = self.shared_size, self.shape.blocks
            self._regions[space] = Region(size, owners)
        return self._regions[space]

    def wrote(self, allocation: Allocation | None) -> None:
        """Remember an allocation that may be fully written after the launch."""
        if allocation is not None:
            self._incomplete.add(allocation)

    def symbol(self, name: str) -> Any:
        """The address of a variable of the program."""
        return np.uint64(self.kernel.program.address_of(name, self.memory))

    def parameters_at(self, offset: int) -> Any:
        """The address of a parameter, for kernels that index their parameters."""
        if self._parameters_at is None:
            self._parameters_at = self.memory.upload(np.frombuffer(self.parameters, np.uint8))
        return np.uint64(self._parameters_at + offset)

    def trap(self, g: Group, number: int) -> None:
        raise self.fault(
            "trap", "the kernel stopped itself: trap, or an assertion that failed", number, int(g.threads[0])
        )

    def fault(self, kind: str, what: str, number: int, thread: int, address: int | None = None) -> KernelFault:
        """A KernelFault for a thread of the slab."""
        block, inside = divmod(thread, self.shape.size)
        return KernelFault(
            kind,
            what,
            self.kernel.name,
            self.line(number),
            self.index(self.first + block, self.grid),
            self.index(inside, self.block),
            address,
        )

    @staticmethod
    def index(linear: int, sizes: tuple[int, ...]) -> Index:
        """A linear index as x, y, z."""
        x, y = linear % sizes[0], linear // sizes[0] % sizes[1]
        return x, y, linear // (sizes[0] * sizes[1])
