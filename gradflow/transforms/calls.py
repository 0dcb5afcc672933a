"""Calls with a pullback of their own, through all levels: on each tape, with a tangent, for a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradflow.backend.traced import Traced
from gradflow.mode import mode
from gradflow.ops.create import ones_like, zeros_like
from gradflow.tensor import Tensor
from gradflow.transforms import tree
from gradflow.transforms.forward import Dual, Forward
from gradflow.transforms.nodes import Called, attached, differentiating, here, place_of, swept, variable, wanted
from gradflow.transforms.vectorized import Examples, Vectorization

Run = Callable[..., tuple[list[Tensor], Any]]  # (*inputs) -> (results, what the pullback needs)
Pullback = Callable[[Any, list[Tensor]], list[Tensor | None]]  # (that, gradients of results) -> those of the inputs


def differentiable(x: Any) -> bool:
    """Whether ``x`` is a tensor that can have a gradient."""
    return isinstance(x, Tensor) and x.dtype.kind in "fc"


def called(name: str, run: Run, pullback: Pullback, inputs: Sequence[Any]) -> list[Tensor]:
    """The results of ``run`` on ``inputs``, whose gradients are those of ``pullback`` on every level."""
    traced = [x.data.level for x in inputs if isinstance(x, Tensor) and isinstance(x.data, Traced)]
    top = max(traced, key=lambda level: level.number, default=None)
    outs, kept = run(*inputs)
    if isinstance(top, Forward):
        outs = _with_tangents(name, run, pullback, inputs, top)
    elif isinstance(top, Vectorization):
        outs = _for_examples(name, run, pullback, inputs, top)
    tracked = [differentiable(x) and x.requires_grad and (top is None or top.holds(x)) for x in inputs]
    bare = [Tensor(x.data) for x in outs]
    if not (any(tracked) and mode.recording):
        return bare

    def gradients(saved: Any, parts: dict[int, Tensor]) -> list[Tensor | None]:
        *_, results, residuals = saved
        return pullback(residuals, [parts.get(i, zeros_like(x)) for i, x in enumerate(results)])

    parents = [(x.node or x) if is_tracked else None for x, is_tracked in zip(inputs, tracked, strict=True)]
    return attached(Called(name, parents, gradients, [*tree.leaves(kept), bare, kept]), bare)


def transposed(f: Callable[[list[Tensor]], list[Any]], example: list[Tensor], seeds: list[Any]) -> list[Any]:
    """The gradients of ``f``, which is linear, in its arguments, like ``example``, given those of its results."""
    with differentiating():
        places = [variable(ones_like(x), connected=False) for x in example]
        outs = f(places)
    pairs = [(out, seed) for out, seed in zip(outs, seeds, strict=True) if out is not None and seed is not None]
    needed = any(wanted(x) for pair in pairs for x in pair)
    results, given = [out for out, _ in pairs], [seed for _, seed in pairs]
    found = swept(results, given, frozenset(map(place_of, places)), here(), needed, retain_graph=False)
    return [found.get(place_of(x)) for x in places]


def _with_tangents(name: str, run: Run, pullback: Pullback, inputs: Sequence[Any], level: Forward) -> list[Tensor]:
    primals = [x.data.value if level.holds(x) else x for x in inputs]
    tangents = [x.data.tangent if level.holds(x) else None for x in inputs]
    before, mode.level = mode.level, level.below
    try:
        outs = called(name, run, pullback, primals)
        _, kept = run(*primals)
        moving: list[Any] = [None] * len(outs)
        if any(t is not None for t in tangents):
            moving = transposed(lambda gradients: pullback(kept, gradients), outs, tangents)
    finally:
        mode.level = before
    return [Tensor(Dual(level, x, t)) for x, t in zip(outs, moving, strict=True)]


def _for_examples(name: str, run: Run, pullback: Pullback, inputs: Sequence[Any], level: Vectorization) -> list[Tensor]:
    """The call on all examples: one level below, a call whose run and pullback are vectorized."""
    values = [x.data.value if level.holds(x) else x for x in inputs]
    same = [not level.holds(x) or x.data.same for x in inputs]

    def lifted(inner: Vectorization, x: Any, is_same: bool) -> Any:
        return x if is_same or not isinstance(x, Tensor) else Tensor(Examples(inner, x, False))

    def run_all(*given: Any) -> tuple[list[Tensor], Any]:
        inner = Vectorization(level.size, level.randomness)
        with inner.entered():
            outs, kept = run(*(lifted(inner, x, each) for x, each in zip(given, same, strict=True)))
        held = [(x.data.value, x.data.same) if inner.holds(x) else (x, True) for x in tree.leaves(kept)]
        return [inner.taken_apart(x, 0) for x in outs], (kept, held)

    def pull_all(residuals: Any, gradients: list[Tensor]) -> list[Tensor | None]:
        kept, held = residuals
        inner = Vectorization(level.size, level.randomness)
        with inner.entered():
            again = tree.filled(kept, (lifted(inner, x, each) for x, each in held))
            found = pullback(again, [lifted(inner, g, False) for g in gradients])
        parts = [None if g is None else inner.taken_apart(g, 0) for g in found]
        return [g.sum(0) if g is not None and each else g for g, each in zip(parts, same, strict=True)]

    before, mode.level = mode.level, level.below
    try:
        outs = called(name, run_all, pull_all, values)
    finally:
        mode.level = before
    return [Tensor(Examples(level, x, False)) for x in outs]
