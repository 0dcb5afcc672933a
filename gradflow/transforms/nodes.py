"""Nodes of the tape that are no ops: where differentiation begins, where it ends, and calls with a pullback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from gradflow.backend.traced import Traced
from gradflow.mode import PLAIN, mode
from gradflow.mutations import mutations
from gradflow.op import Op, Saves
from gradflow.site import caller
from gradflow.tape import Node, Place, Sweep, _numbers, reachable
from gradflow.tensor import Tensor

NOTHING_SAVED = Saves((), (), False)


class _Name(NamedTuple):
    name: str


class Passage(Node):
    """A node that is no op's: gradients pass it in a way of its own."""

    __slots__ = ()

    def __init__(self, name: str, parents: Sequence[Place | None]) -> None:
        self.op = cast(Op, _Name(name))
        self.parents = list(parents)
        self.inputs = []
        self.out = None
        self.saves = NOTHING_SAVED
        self.specs = ()
        self.attrs = {}
        self.number = next(_numbers)
        self.epoch = mutations.epoch
        self.retained = None
        self.site = caller(4)


class Variable(Passage):
    """Where differentiation begins: what ``x`` is to the function that is differentiated, and to nothing else."""

    __slots__ = ()

    def pull(self, g: Tensor, slots: dict[int, Tensor]) -> Iterator[tuple[Place, Tensor]]:
        for parent in self.parents:
            if parent is not None:
                yield parent, g


def variable(x: Tensor, connected: bool) -> Tensor:
    """``x`` as a place where differentiation begins, on the tape of the innermost level.

    If ``connected``, gradients of higher order go on from there into what ``x`` was computed by.
    """
    level = mode.level
    if level is None or level.holds(x):
        parents = [x.node or x] if x.requires_grad and connected else []
        place = Tensor(x.data, True)
    else:
        parents = []
        place = Tensor(level.lifted(x), True)
    place.node = Variable("variable", parents)
    return place


def here() -> int:
    """The number of the innermost level."""
    return PLAIN if mode.level is None else mode.level.number


def recorded() -> bool:
    """Whether operations on the innermost level are recorded."""
    return mode.recording and here() not in mode.silent


class differentiating:
    """Record operations on the tapes of all levels until the block ends."""

    def __enter__(self) -> None:
        self.before = mode.recording, mode.silent
        mode.recording, mode.silent = True, frozenset()

    def __exit__(self, *error: object) -> None:
        mode.recording, mode.silent = self.before


@contextmanager
def outside() -> Iterator[None]:
    """Be outside of all levels until the block ends."""
    before, mode.level = mode.level, None
    try:
        yield
    finally:
        mode.level = before


def wanted(x: Tensor) -> bool:
    """Whether ``x``, or what it stands for on a level below, requires grad."""
    return x.requires_grad or (isinstance(x.data, Traced) and wanted(x.data.value))


def place_of(x: Tensor) -> int:
    """What the gradient of ``x`` is known by."""
    return id(x.node or x)


def others_reached(outs: Sequence[Any], ends: frozenset[int], began: int) -> bool:
    """Whether tensors in ``outs`` were computed from what requires grad, besides what is known by ``ends``.

    Places of derivatives that were taken since ``began``, inside this one, are not meant.
    """
    places: list[Place | None] = [x.node or x for x in outs if isinstance(x, Tensor) and x.requires_grad]
    for node in reachable(places, ends):
        if isinstance(node, Variable) and node.number < began:
            return True
        places += node.parents
    return any(isinstance(place, Tensor) and id(place) not in ends for place in places)


def swept(
    outs: Sequence[Tensor], seeds: Sequence[Tensor], ends: frozenset[int], level: int, needed: bool, retain_graph: bool
) -> dict[int, Tensor]:
    """The gradients at ``ends``, by what they are known by, of ``outs`` on the tape of ``level``.

    ``seeds`` are those of ``outs``. The sweep is recorded on the tape of ``level`` only if that is ``needed``; on the
    levels below it is in any case, for derivatives that are taken there.
    """
    pairs = [(out.node or out, seed) for out, seed in zip(outs, seeds, strict=True) if out.requires_grad]
    alone = mode.level is None and not any(isinstance(seed.data, Traced) for seed in seeds)
    create_graph = mode.recording and (needed or not alone)
    before = mode.silent
    if not needed:
        mode.silent = before | {level}
    try:
        return Sweep(pairs, create_graph, create_graph or retain_graph, keep=ends, end=ends).grads
    finally:
        mode.silent = before


class Called(Passage):
    """A call of a function with several results: ``pullback(kept, parts)`` are the gradients of ``parents``."""

    __slots__ = ("pullback",)

    def __init__(
        self,
        name: str,
        parents: Sequence[Place | None],
        pullback: Callable[[Any, dict[int, Tensor]], Sequence[Tensor | None]],
        kept: list[Any],
    ) -> None:
        super().__init__(name, parents)
        self.pullback = pullback
        self.inputs = kept  # freed by the sweep

    def pull(self, g: Any, slots: dict[int, Tensor]) -> Iterator[tuple[Place, Tensor]]:
        if self.epoch != mutations.epoch:
            kept = [x for x in self.inputs or () if isinstance(x, Tensor)]
            mutations.check(self.op.name, self.epoch, [x.data for x in kept])
        for parent, part in zip(self.parents, self.pullback(self.inputs, g.parts), strict=True):
            if parent is not None and part is not None:
                yield parent, part


class Parts(NamedTuple):
    """The gradients of some results of one call, by their number."""

    parts: dict[int, Tensor]

    def __add__(self, other: Any) -> Parts:
        total = dict(self.parts)
        for number, part in other.parts.items():
            total[number] = total[number] + part if number in total else part
        return Parts(total)


class Result(Passage):
    """The result of a call with that number."""

    __slots__ = ("which",)

    def __init__(self, call: Called, number: int) -> None:
        super().__init__(call.op.name, [call])
        self.which = number

    def pull(self, g: Tensor, slots: dict[int, Tensor]) -> Iterator[tuple[Place, Any]]:
        (call,) = self.parents
        if call is not None:
            yield call, Parts({self.which: g})


def attached(call: Called, outs: Sequence[Tensor]) -> list[Tensor]:
    """``outs`` on the tape as the results of ``call``, those of them that can have a gradient."""
    results = []
    for number, out in enumerate(outs):
        result = Tensor(out.data, out.dtype.kind in "fc")
        if result.requires_grad:
            result.node = Result(call, number)
        results.append(result)
    return results
