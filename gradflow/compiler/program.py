"""What a traced step is: values, and the calls between them, in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gradflow.device import Device
from gradflow.dtypes import DType
from gradflow.op import Op
from gradflow.shapes import Shape, size_of
from gradflow.site import Site

INPUT, STATE, CONSTANT, COMPUTED = "input", "state", "constant", "computed"


@dataclass(eq=False, slots=True)
class Storage:
    """A piece of memory.

    An ``INPUT`` is an argument of the step, elsewhere in each call; ``STATE`` was there before the step and stays where
    it is: parameters, moments, running statistics; a ``CONSTANT`` was made in the step, the same each time; what is
    ``COMPUTED`` has memory while it is needed.
    """

    origin: str
    number: int  # among the storages of a program, in the order in which they were met
    nbytes: int
    device: Device
    array: Any = None  # of a state or a constant: the array itself
    initial: Any = None  # of a constant that is written to: what it holds when the step begins


@dataclass(eq=False, slots=True)
class Value:
    """An array: a part of a storage, seen in some shape."""

    storage: Storage
    shape: Shape
    dtype: DType
    offset: int = 0  # bytes from the beginning of the storage
    strides: tuple[int, ...] | None = None  # in bytes; None if C-contiguous

    @property
    def size(self) -> int:
        """The number of elements."""
        return size_of(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def reach(self) -> tuple[int, int]:
        """The first and one past the last byte of the storage that the elements may touch."""
        if self.strides is None:
            return self.offset, self.offset + self.nbytes
        far = [stride * (size - 1) for stride, size in zip(self.strides, self.shape, strict=True) if size]
        low, high = sum(min(each, 0) for each in far), sum(max(each, 0) for each in far)
        return self.offset + low, self.offset + high + self.dtype.itemsize

    @property
    def whole(self) -> bool:
        """Whether this is all of its storage, in order."""
        return self.strides is None and self.offset == 0 and self.nbytes == self.storage.nbytes

    def overlaps(self, other: Value) -> bool:
        """Whether the two may share an element."""
        if self.storage is not other.storage:
            return False
        (low, high), (start, end) = self.reach, other.reach
        return low < end and start < high


@dataclass(eq=False, slots=True)
class Call:
    """One call at the door, ``op`` of ``inputs`` (values, numbers, None).

    Without an op it is an action of Python's or, without that either, the end of a phase: what follows is run later.
    """

    op: Op | None
    inputs: tuple[Any, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    out: Value | None = None  # None if the op writes in place
    site: Site | None = None
    action: Any = None

    @property
    def reads(self) -> list[Value]:
        """The values that are read."""
        return [x for x in self.inputs if isinstance(x, Value)]

    @property
    def writes(self) -> list[Value]:
        """The values that are written: the result, or those that the op writes in place."""
        if self.op is None:
            return []
        if self.out is not None:
            return [self.out]
        return [self.inputs[i] for i in self.op.mutated(len(self.inputs)) if self.inputs[i] is not None]

    @property
    def name(self) -> str:
        """The op's name."""
        if self.op is None:
            return "the end of a phase" if self.action is None else "action"
        return self.op.name


class Argument(NamedTuple):
    """Stands for the tensor that is argument ``number`` of a call, whichever that is."""

    number: int


class Effect(NamedTuple):
    """What the step leaves as the gradient of a leaf: ``kind`` is "none", "slot" or "value"."""

    leaf: Any  # a Tensor, or an Argument
    kind: str
    value: Value | None = None


class LeftOn(NamedTuple):
    """Stands for the gradient that the step leaves on a leaf, where that is a result, too."""

    leaf: Any  # a Tensor, or an Argument


class Pullback(NamedTuple):
    """The phase that makes the gradients of leaves and arguments, given the gradient ``seed`` of one result.

    ``of`` are those, tensors or Arguments; ``parts`` their gradients, None where none flows.
    """

    output: int  # among the program's outputs
    seed: Value
    of: list[Any]
    parts: list[Value | None]


@dataclass(eq=False, slots=True)
class Program:
    """The calls of a step, the tensors that it returns, and the gradients that it leaves."""

    inputs: list[Value]
    calls: list[Call]
    outputs: list[Any]  # values, Arguments, gradients LeftOn leaves, or tensors that were there before
    effects: list[Effect]
    storages: list[Storage]
    pullbacks: list[Pullback] = field(default_factory=list)

    def with_calls(self, calls: list[Call], storages: list[Storage] | None = None) -> Program:
        """The same program of other calls."""
        return replace(self, calls=calls, storages=self.storages if storages is None else storages)
