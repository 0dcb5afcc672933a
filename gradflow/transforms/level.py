"""Levels: the transforms that run, each with tensors of its own, which are made of tensors one level below."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradflow.backend.traced import Traced
from gradflow.errors import TransformError
from gradflow.mode import mode
from gradflow.op import Op, Spec
from gradflow.tensor import Tensor

_numbers = itertools.count()


class NoRule(TransformError):
    """An op that vmap does not know how to do for a batch."""


class Level:
    """A ``vmap`` or ``jvp`` that runs.

    The door gives ``run`` the calls whose innermost tensors are of this level, and records what comes out on a tape
    that belongs to the level, so that no derivative is taken for that of another level. Calls that ``run`` makes are
    on the level below, with tapes and transforms of their own.
    """

    name = ""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.below: Level | None = mode.level
        self.open = True

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be the innermost level until the block ends."""
        before, mode.level = mode.level, self
        try:
            yield
        finally:
            mode.level = before
            self.open = False

    def holds(self, x: Any) -> bool:
        """Whether ``x`` is a tensor of this level."""
        return isinstance(x, Tensor) and isinstance(x.data, Traced) and x.data.level is self

    def lifted(self, x: Tensor) -> Traced:
        """The data of a constant of this level that is ``x`` below."""
        raise NotImplementedError

    def drawn(self, name: str, state: Tensor, draws: int = 1) -> tuple[Tensor, int]:
        """The random state that the op ``name`` draws from inside this level, and how many draws that makes.

        Levels above make ``draws`` of each draw of this one.
        """
        return (state, draws) if self.below is None else self.below.drawn(name, state, draws)

    def run(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], specs: tuple[Spec, ...], spec: Any) -> Tensor:
        """The result of ``op`` on ``inputs``, some of them of this level; ``spec`` is what the function sees of it."""
        if not self.open:
            raise TransformError(
                f"{op.name}: was given a tensor that belongs to a call of {self.name} that has returned; "
                "return it from the function instead of keeping it"
            )
        if spec is None:
            raise TransformError(
                f"{op.name}: writes in place, to or from a tensor inside {self.name}; "
                "use the functional form (x + y, x.at[i].set(v), x.at[i].add(v))"
            )
        return self.compute(op, inputs, attrs, specs, spec)

    def compute(
        self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], specs: tuple[Spec, ...], spec: Spec
    ) -> Tensor:
        """What ``run`` answers, once it is allowed."""
        raise NotImplementedError
