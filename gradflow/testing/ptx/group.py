"""Threads that are at the same instruction, with their registers; the blocks and warps they belong to."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np


class Plans(dict[Any, Any]):
    """Arrays worked out once, of which a few dozen are kept."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) > 100:
            self.clear()
        super().__setitem__(key, value)


class Shape:
    """Some blocks of threads: the index of each thread in x, y and z, its lane and its warp."""

    def __init__(self, block: tuple[int, ...], blocks: int) -> None:
        self.block, self.blocks = block, blocks
        self.size = prod(block)
        self.threads = self.size * blocks
        self.all = np.arange(self.threads)
        self.block_of, inside = np.divmod(self.all, self.size)
        self.linear = inside
        self.lane = inside % 32
        self.warps_per_block = -(-self.size // 32)
        self.warp = self.block_of * self.warps_per_block + inside // 32
        self.tid = {
            "x": (inside % block[0]).astype(np.uint32),
            "y": (inside // block[0] % block[1]).astype(np.uint32) if block[1] > 1 else np.uint32(0),
            "z": (inside // (block[0] * block[1])).astype(np.uint32) if block[2] > 1 else np.uint32(0),
        }
        self.plans: dict[Any, Any] = Plans()  # of shuffles, and indices of blocks
        self.scratch = np.empty(self.threads, np.float32)
        self._regions: dict[str, Any] = {}

    def base(self, blocks: bool, stride: int) -> Any:
        """Where each thread's part of shared (its block's) or local memory begins."""
        key = f"{blocks} {stride}"
        if key not in self._regions:
            self._regions[key] = (self.block_of if blocks else self.all) * stride
        return self._regions[key]


@lru_cache(maxsize=64)
def shape_of(block: tuple[int, ...], blocks: int) -> Shape:
    """The shape of some blocks, made once."""
    return Shape(block, blocks)


class Region:
    """Shared or local memory of a slab: ``size`` bytes for each of ``owners``."""

    def __init__(self, size: int, owners: int) -> None:
        self.size = size
        self.stride = -(-size // 16) * 16
        self.bytes = np.zeros(self.stride * owners, np.uint8)
        self.written = np.zeros(self.stride * owners, np.uint8)
        codes = ("u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8")
        self.views = {code: self.bytes.view(code) for code in codes}
        self.written_as = {size: self.written.view(f"u{size}") for size in (1, 2, 4, 8)}


class Group:
    """Threads of a slab (ascending indices) and a register file with one element a thread, or a scalar for all.

    Arrays in ``registers`` are never changed in place, so that groups and registers may share them.
    """

    __slots__ = ("_positions", "_warps", "full", "launch", "memory", "n", "registers", "scratch", "threads")

    def __init__(self, launch: Any, threads: Any, registers: list[Any], full: bool) -> None:
        self.launch, self.threads, self.registers, self.full = launch, threads, registers, full
        self.memory = launch.memory
        self.n = len(threads)
        self.scratch = launch.shape.scratch[: self.n]
        self._warps: Any = None
        self._positions: Any = None

    def split(self, at: Any, live: list[int]) -> Group:
        """The threads at some positions, with the registers that they still need."""
        registers: list[Any] = [None] * len(self.registers)
        for i in live:
            value = self.registers[i]
            registers[i] = value.take(at) if value is not None and value.ndim else value
        return Group(self.launch, self.threads.take(at), registers, False)

    def part(self, at: Any) -> Group:
        """The threads at some positions, without registers: for an access of some of them."""
        return Group(self.launch, self.threads.take(at), [], False)

    def count(self, instructions: int) -> None:
        """Let each thread have run some more instructions."""
        if self.full:
            self.launch.counts += instructions
        else:
            self.launch.counts[self.threads] += instructions

    def of(self, array: Any) -> Any:
        """What an array over all threads of the slab has for those of the group."""
        return array if self.full else array.take(self.threads)

    @property
    def lane(self) -> Any:
        return self.of(self.launch.shape.lane)

    @property
    def block_of(self) -> Any:
        return self.of(self.launch.shape.block_of)

    @property
    def shared_base(self) -> Any:
        return self.of(self.launch.shape.base(True, self.launch.region("shared").stride))

    @property
    def local_base(self) -> Any:
        return self.of(self.launch.shape.base(False, self.launch.region("local").stride))

    @property
    def warps(self) -> tuple[Any, Any]:
        """The warp of each thread, counted among those present, and the position where each warp begins."""
        if self._warps is None:
            warp = self.of(self.launch.shape.warp)
            new = np.empty(self.n, bool)
            new[0] = True
            np.not_equal(warp[1:], warp[:-1], out=new[1:])
            self._warps = np.cumsum(new) - 1, np.flatnonzero(new)
        return self._warps  # type: ignore[no-any-return]

    def positions(self, lanes: Any) -> Any:
        """Where in the group a lane of each thread's warp is; -1 if it is not in the group."""
        shape = self.launch.shape
        lane = self.lane
        thread = self.threads + (lanes - lane)
        there = (lanes >= 0) & (lanes < 32) & (self.of(shape.linear) + (lanes - lane) < shape.size)
        thread = np.where(there, thread, 0)
        if self.full:
            return np.where(there, thread, -1)
        if self._positions is None:
            self._positions = np.full(shape.threads, -1)
            self._positions[self.threads] = np.arange(self.n)
        return np.where(there, self._positions[thread], -1)

    def special(self, key: str) -> Any:
        """The value of a special register, ``tid_x``, as unsigned."""
        name, _, axis = key.partition("_")
        launch = self.launch
        if name == "tid":
            value = launch.shape.tid[axis]
            return self.of(value) if value.ndim else value
        if name == "ctaid":
            return self._block(axis)
        if name in {"ntid", "nctaid"}:
            return np.uint32((launch.block if name == "ntid" else launch.grid)["xyz".index(axis)])
        if name == "laneid":
            return self.lane.astype(np.uint32)
        if name == "warpid":
            return (self.of(launch.shape.linear) // 32).astype(np.uint32)
        if name == "lanemask":
            one = np.uint64(1) << self.lane.astype(np.uint64)
            masks = {"eq": one, "lt": one - 1, "le": 2 * one - 1, "gt": ~(2 * one - 1), "ge": ~(one - 1)}
            return masks[axis].astype(np.uint32)
        if name in {"clock", "globaltimer"}:
            return np.uint32(launch.steps)
        if name == "clock64":
            return np.uint64(launch.steps)
        sizes = {"dynamic": launch.dynamic, "total": launch.shared_size, "nwarpid": launch.shape.warps_per_block}
        return np.uint32(sizes.get(name, 1 if name == "nsmid" else 0))

    def _block(self, axis: str) -> Any:
        launch = self.launch
        at = "xyz".index(axis)
        if launch.grid[at] == 1:
            return np.uint32(0)
        if launch.shape.blocks == 1:
            return np.uint32(launch.index(launch.first, launch.grid)[at])
        key = (launch.grid, launch.first, at)
        plans = launch.shape.plans
        if key not in plans:
            linear = launch.shape.block_of + launch.first
            plans[key] = np.asarray(launch.index(linear, launch.grid)[at]).astype(np.uint32)
        return self.of(plans[key])

    def parameter(self, offset: int, code: str) -> Any:
        """A number in the parameters of the kernel."""
        return np.frombuffer(self.launch.parameters, code, 1, offset)[0]

    def block_reduce(self, mode: str, predicate: Any) -> Any:
        """``bar.red``: over the threads of each block."""
        predicate = np.broadcast_to(predicate, self.n)
        count = np.bincount(self.block_of, predicate, self.launch.shape.blocks).astype(np.uint32)
        here = np.bincount(self.block_of, minlength=self.launch.shape.blocks)
        result = count if mode == "popc" else (count == here if mode == "and" else count > 0)
        return result[self.block_of]

    def record(self, kind: str, space: str, number: int, where: Any, width: int, values: Any = None) -> None:
        """Note an access for the report and the search for races."""
        self.launch.races.record(self, kind, space, number, where, width, values)


def joined(groups: list[Group], live: list[int]) -> Group:
    """Groups that have met, as one; ``live`` registers are kept."""
    first = groups[0]
    threads = np.concatenate([group.threads for group in groups])
    order: Any = np.argsort(threads, kind="stable")
    if (order[1:] > order[:-1]).all():
        order = None
    registers: list[Any] = [None] * len(first.registers)
    for i in live:
        values = [group.registers[i] for group in groups]
        registers[i] = _merged(values, groups, order)
    full = len(threads) == first.launch.shape.threads
    return Group(first.launch, threads if order is None else threads.take(order), registers, full)


def _merged(values: list[Any], groups: list[Group], order: Any) -> Any:
    """One register of several groups: still a scalar where all have the same, None where none has set it."""
    given = next((value for value in values if value is not None), None)
    if given is None or all(value is given for value in values):
        if given is None or not given.ndim:
            return given
    elif not any(value is None or value.ndim for value in values) and len({v.tobytes() for v in values}) == 1:
        return given
    nothing = given.dtype.type(0)  # for those who have not set the register, and do not care
    parts = []
    for value, group in zip(values, groups, strict=True):
        scalar = value is None or not value.ndim
        parts.append(np.full(group.n, nothing if value is None else value) if scalar else value)
    whole = np.concatenate(parts)
    return whole if order is None else whole.take(order)
