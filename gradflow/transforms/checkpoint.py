"""checkpoint: a function whose intermediate results are not kept for the gradient, but computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gradflow.dispatch import apply
from gradflow.mode import PLAIN, mode
from gradflow.ops.create import asarray
from gradflow.ops.generator import Generator, _snapshot, defaults
from gradflow.tape import Node, _numbers
from gradflow.tensor import Tensor
from gradflow.transforms import tree
from gradflow.transforms.nodes import (
    Called,
    attached,
    differentiating,
    outside,
    place_of,
    recorded,
    swept,
    variable,
)

States = list[tuple[Generator, Tensor]]


def checkpoint(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``f(*args, **kwargs)``, of which only the arguments are kept: the backward pass computes the rest again.

    For memory: of a chain of n checkpointed layers n inputs are kept, and the inside of one layer at a time; the
    price is one more forward pass. Gradients flow to the arguments, containers of tensors or anything else, and to
    what ``f`` closes over, such as the parameters of a module. Random numbers from the default generators are the
    same the second time. ``f`` should do nothing besides: what it prints, counts or writes it does twice. Inside
    ``vmap`` and ``jvp`` it is called as it is.

    Source: Griewank & Walther, "Revolve", ACM TOMS 2000; Chen et al., "Training deep nets with sublinear memory
    cost", 2016.

    >>> import gradflow as gf
    >>> x = gf.tensor(0.0, requires_grad=True)
    >>> gf.checkpoint(lambda x: gf.exp(gf.sin(x)), x).backward()
    >>> x.grad
    tensor(1.)
    """
    if not recorded() or mode.level is not None:
        return f(*args, **kwargs)
    given = (args, kwargs)
    tracked = [x for x in tree.leaves(given) if isinstance(x, Tensor) and x.requires_grad]
    states = [(each, apply(_snapshot, each.state)) for each in defaults.values()]
    began = next(_numbers)
    _, out = _run(f, given, connected=False)
    results = [asarray(x) for x in tree.leaves(out)]
    beyond = _reached_beyond(results, began)
    if not (tracked or beyond):
        return out
    ends = [id(x) for x in beyond]

    def pullback(kept: Any, parts: dict[int, Tensor]) -> list[Tensor | None]:
        *_, drawn_from, arguments = kept
        with _replayed(drawn_from), outside():
            again, recomputed = _run(f, arguments, connected=recorded())
            ours = [asarray(x) for x in tree.leaves(recomputed)]
        places = [*map(place_of, again), *ends]
        chosen = [ours[number] for number in parts]
        found = swept(chosen, list(parts.values()), frozenset(places), PLAIN, recorded(), retain_graph=False)
        return [found.get(place) for place in places]

    call = Called("checkpoint", [*(x.node or x for x in tracked), *beyond], pullback, [*tracked, states, given])
    return tree.filled(out, iter(attached(call, results)))


def _run(f: Callable[..., Any], given: Any, connected: bool) -> tuple[list[Tensor], Any]:
    """The variables, in the place of tensors in ``given`` that require grad, and what ``f`` makes of them."""
    variables: list[Tensor] = []

    def place(x: Any) -> Any:
        if not isinstance(x, Tensor) or not x.requires_grad:
            return x
        variables.append(variable(x, connected))
        return variables[-1]

    args, kwargs = tree.mapped(place, given)
    with differentiating():
        return variables, f(*args, **kwargs)


def _reached_beyond(results: list[Tensor], began: int) -> list[Node | Tensor]:
    """What ``results`` were computed from that was there before ``began``, besides the variables."""
    found: dict[int, Node | Tensor] = {}
    stack: list[Node | Tensor | None] = [x.node or x for x in results if x.requires_grad]
    seen: set[int] = set()
    while stack:
        place = stack.pop()
        if place is None or id(place) in seen:
            continue
        seen.add(id(place))
        if isinstance(place, Tensor) or place.number < began:
            found[id(place)] = place
        else:
            stack += place.parents
    return list(found.values())


@contextmanager
def _replayed(states: States) -> Iterator[None]:
    """Let generators draw what they drew from ``states`` on, until the block ends."""
    now = [apply(_snapshot, generator.state) for generator, _ in states]
    for generator, state in states:
        generator.state.copy_(state)
    try:
        yield
    finally:
        for (generator, _), state in zip(states, now, strict=True):
            generator.state.copy_(state)
