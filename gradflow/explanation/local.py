"""The numbers of a local derivative: one step by one of its inputs, from the engine's own formulas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from gradflow.backend import backend_of
from gradflow.dispatch import apply
from gradflow.mode import recording
from gradflow.ops.create import ones, zeros
from gradflow.ops.shape import broadcast_to
from gradflow.tape import Node, gradients
from gradflow.tensor import Tensor

Array = Any  # a NumPy array


def on_host(x: Tensor) -> Array:
    """The elements of ``x`` as a NumPy array of its own: an explanation outlives the next update of a parameter."""
    return backend_of(x.data).to_numpy(x.data).copy()


def has_partials(node: Node, positions: Sequence[int]) -> bool:
    """Whether the op is elementwise: it declares local derivatives for the inputs at ``positions``.

    Of complex numbers the chain rule takes the conjugates of these, which the words do not say; so there are none.
    """
    partials = node.op.partials
    if any(getattr(spec.dtype, "kind", "") == "c" for spec in node.specs):
        return False
    return all(i < len(partials) and partials[i] for i in positions)


def local_derivative(node: Node, positions: Sequence[int]) -> Array | None:
    """The derivative of a step by the one value that stands at ``positions`` among its inputs.

    For an elementwise step it has the shape of the result: each element by the one it was computed from. For
    a result of one number it has the shape of the input. For any other step it is None.
    """
    out = node.output()
    with recording(False):
        seed = ones(out.shape, dtype=out.dtype, device=out.device)
        if has_partials(node, positions):
            return on_host(_elementwise(node, positions, seed))
        if out.size != 1:
            return None
        nothing = zeros(node.specs[positions[0]].shape, dtype=out.dtype, device=out.device)
        parent = node.parents[positions[0]]
        return on_host(reduce(add, (part for each, part in node.pull(seed, {}) if each is parent), nothing))


def _elementwise(node: Node, positions: Sequence[int], seed: Tensor) -> Tensor:
    """The gradient of the step alone, run again on inputs of the result's shape: nothing is summed."""
    inputs = [
        Tensor(broadcast_to(x, seed.shape).data, i in positions) if isinstance(x, Tensor) else x
        for i, x in enumerate(node.inputs or ())
    ]
    with recording(True):
        out = apply(node.op, *inputs, **node.attrs)
    found = gradients(out, [inputs[i] for i in positions], seed)
    return reduce(
        add, (part for part in found if part is not None), zeros(seed.shape, dtype=seed.dtype, device=seed.device)
    )
