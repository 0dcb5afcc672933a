"""vmap: a function of one example as a function of a batch of them, without a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError, TransformError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.shape import broadcast_to, moveaxis
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, tensor
from gradflow.transforms import batching_losses, batching_products, batching_shapes, tree
from gradflow.transforms.batching import Batch, rule_for
from gradflow.transforms.level import Level, NoRule

FAMILIES = batching_shapes, batching_products, batching_losses  # which declare rules when they are imported


class Examples(Traced):
    """One example of many: ``value`` has all of them along its first dimension, or what is the ``same`` for all."""

    __slots__ = ("same",)

    def __init__(self, level: Vectorization, value: Tensor, same: bool) -> None:
        super().__init__(level, value, value.data.shape if same else value.data.shape[1:])
        self.same = same

    def read(self, attempt: str) -> Any:
        data = self.value.data
        if attempt == "repr" or self.same:  # a print inside the function shows all examples
            return data.read(attempt) if isinstance(data, Traced) else backend_of(data).to_numpy(data)
        raise TransformError(
            f"vmap: {attempt} reads the elements of a tensor of shape {self.shape}, which stands for "
            f"{self.level.size} examples at once; choose with gf.where, or read after vmap"
        )

    def detached(self) -> Examples:
        return Examples(self.level, self.value.detach(), self.same)


class Vectorization(Level):
    """A ``vmap`` that runs, over ``size`` examples."""

    name = "vmap"

    def __init__(self, size: int, randomness: str) -> None:
        super().__init__()
        self.size = size
        self.randomness = randomness

    def lifted(self, x: Tensor) -> Examples:
        return Examples(self, x, True)

    def drawn(self, name: str, state: Tensor, draws: int = 1) -> tuple[Tensor, int]:
        if self.randomness == "error":
            raise TransformError(
                f"vmap: {name} draws random numbers; say randomness='different' for numbers of its own for each "
                "example, or 'same' for the same numbers for all"
            )
        if self.randomness == "same":
            return super().drawn(name, state, draws)
        later = np.arange(0, self.size * draws, draws, dtype=np.uint64)
        ahead = tensor(np.stack([np.zeros_like(later), later], 1), device=state.device)
        state, total = super().drawn(name, state, self.size * draws)
        return Tensor(Examples(self, state + ahead, False)), total

    def compute(
        self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], specs: tuple[Spec, ...], spec: Spec
    ) -> Tensor:
        values = [x.data.value if self.holds(x) else x for x in inputs]
        mapped = [self.holds(x) and not x.data.same for x in inputs]
        if not any(mapped):
            return Tensor(Examples(self, apply(op, *values, **attrs), True))
        found = rule_for(op, specs, attrs, spec)
        if found is None:
            raise NoRule(
                f"vmap: {op.name} has no batching rule; call the function in a loop and join the results with gf.stack"
            )
        out = found(Batch(op, values, mapped, attrs, specs, spec, self.size))
        assert out.shape == (self.size, *spec.shape), f"the batching rule of {op.name} made {out.shape}"
        return Tensor(Examples(self, out, False))

    def taken_apart(self, x: Any, axis: int | None) -> Tensor:
        """What the function returned, with the examples along ``axis``."""
        value, mapped = (x.data.value, not x.data.same) if self.holds(x) else (asarray(x), False)
        if axis is None:
            if mapped:
                raise ArgumentError("vmap: out_axes is None for a result that differs from example to example")
            return value
        out = value if mapped else broadcast_to(value, (self.size, *value.shape))
        return out if axis == 0 else moveaxis(out, 0, normalize_axis("vmap", axis, out.ndim))


def vmap(
    f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, *, randomness: str = "error"
) -> Callable[..., Any]:
    """``f``, a function of one example, as a function of many: vectorized, with no loop over them.

    ``in_axes`` says along which dimension of each argument the examples lie: an integer, None for what is the same
    for all, or a tuple of these, one for each argument, of which each may be a container like the argument itself.
    ``out_axes`` says the same of the results. Keyword arguments are mapped along their first dimension. With
    ``randomness`` "different", random numbers that ``f`` draws are other ones for each example: it has draws of its
    own, as many as there are examples; with "same" all examples have those of one draw.

    Raises ShapeError if the numbers of examples differ, ArgumentError for axes that do not go with the arguments,
    TransformError for an op without a batching rule, for writing in place, for reading elements, and for random
    numbers unless ``randomness`` is said.

    >>> import gradflow as gf
    >>> gf.vmap(gf.dot, in_axes=(0, None))(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), gf.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    if not callable(f):
        raise DTypeError(f"vmap: takes a function, not {type(f).__name__}; write vmap(f)(x)")
    if randomness not in ("error", "same", "different"):
        raise ArgumentError(f"vmap: randomness is {randomness!r}; it must be 'same', 'different' or 'error'")

    def run(*args: Any, **kwargs: Any) -> Any:
        given = (args, kwargs)
        axes = [*_axes("in_axes", in_axes, args), *tree.spread(0, kwargs)]
        pairs = [_in_front(x, axis) for x, axis in zip(tree.leaves(given), axes, strict=True)]
        level = Vectorization(_size([x for x, mapped in pairs if mapped]), randomness)
        lifted = (Tensor(Examples(level, x, False)) if mapped else x for x, mapped in pairs)
        args, kwargs = tree.filled(given, lifted)
        with level.entered():
            out = f(*args, **kwargs)
        places = _axes("out_axes", out_axes, out)
        return tree.filled(
            out, iter([level.taken_apart(x, axis) for x, axis in zip(tree.leaves(out), places, strict=True)])
        )

    return run


def _axes(name: str, axes: Any, container: Any) -> list[int | None]:
    """The axis of each leaf of ``container``."""
    given = tuple(axes) if isinstance(axes, list) and isinstance(container, tuple) else axes
    try:
        found = tree.spread(given, container)
    except ArgumentError as error:
        raise ArgumentError(f"vmap: {name} does not fit: {error}") from None
    for axis in found:
        if axis is not None and (not isinstance(axis, int) or isinstance(axis, bool)):
            raise DTypeError(f"vmap: {name} is made of integers and None, not {axis!r}")
    return found


def _in_front(x: Any, axis: int | None) -> tuple[Any, bool]:
    if axis is None:
        return x, False
    given = asarray(x)
    if not given.ndim:
        raise ShapeError(f"vmap: an argument with axis {axis} is a scalar; give it None in in_axes")
    try:
        front = normalize_axis("vmap", axis, given.ndim)
    except IndexOutOfRange:
        raise IndexOutOfRange(f"vmap: in_axes has axis {axis} for an argument of shape {given.shape}") from None
    return given if front == 0 else moveaxis(given, front, 0), True


def _size(mapped: list[Tensor]) -> int:
    sizes = {x.shape[0] for x in mapped}
    if not sizes:
        raise ArgumentError("vmap: in_axes is None for all arguments; there are no examples to map over")
    if len(sizes) > 1:
        raise ShapeError(f"vmap: the arguments have different numbers of examples along their axes, {sorted(sizes)}")
    return sizes.pop()
