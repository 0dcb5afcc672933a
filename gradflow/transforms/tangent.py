"""The tangent of an op's result: what forward mode does, derived from the op's gradient formulas.

An op that is elementwise has diagonal Jacobians, which are their own transposes, so its gradient formula with the
tangent in the place of the gradient is its tangent. An op whose formula for an input reads neither that input nor the
result has a derivative that does not depend on the input, and is affine in it. If it is so in all inputs that have a
gradient at the same time, or says that it is ``linear``, it maps the tangent as it maps the input (with zeros in the
place of the others). An op may declare its own rule, ``jvp``. For all others the pullback, which is linear in the
gradient, is transposed: that is, differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.formula import COLUMN, REDUCTIONS
from gradflow.op import Formula, Op, Spec
from gradflow.ops.create import ones, zeros_like
from gradflow.ops.shape import broadcast_to
from gradflow.shapes import Shape, broadcast
from gradflow.tensor import Tensor
from gradflow.transforms.nodes import differentiating, here, place_of, swept, variable, wanted

# elementwise ops that are not known by what they declare
ELEMENTWISE = (
    "angle", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "complex", "conj", "imag", "ldexp", "polygamma", "real", "round", "where",
)  # fmt: skip


class Call(NamedTuple):
    """A call of ``op`` that made ``out``."""

    op: Op
    inputs: list[Any]
    attrs: dict[str, Any]
    out: Tensor

    @property
    def specs(self) -> tuple[Spec, ...]:
        """Of the inputs."""
        return tuple(x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in self.inputs)

    def pulled(self, formula: Formula, g: Tensor) -> Tensor | None:
        """The gradient of the input of ``formula``, given that of the result."""
        sources: dict[str, Any] = {"output": self.out, "specs": self.specs, "into": None}
        arguments = []
        for kind, key in formula.sources:
            if kind == "input":
                arguments.append(self.inputs[key] if key < len(self.inputs) else None)
            elif kind == "attribute":
                arguments.append(self.attrs[key])
            else:
                arguments.append(sources.get(kind, key))
        part: Tensor | None = formula.compute(g, *arguments)
        return part


def tangent_of(call: Call, tangents: Sequence[Tensor | None]) -> Tensor | None:
    """The tangent of the result, given those of the inputs; None where there is none."""
    op = call.op
    moving = [i for i, t in enumerate(tangents) if t is not None and op.formula(i) is not None]
    if not moving:
        return None
    if op.jvp is not None:
        declared: Tensor | None = op.jvp(tuple(tangents), tuple(call.inputs), call.out, **call.attrs)
        return declared
    if is_elementwise(op, call.specs, call.attrs, call.out.shape) and not _is_complex(call):
        return _total([_elementwise(call, i, tangents[i]) for i in moving])
    groups, rest = _affine_groups(call, moving)
    parts: list[Tensor | None] = [_affine(call, group, tangents) for group in groups]
    if rest:
        parts.append(_transposed(call, rest, tangents))
    return _total(parts)


def is_elementwise(op: Op, specs: Sequence[Spec], attrs: dict[str, Any], shape: Shape) -> bool:
    """Whether each element of a result of ``shape`` depends on the elements of the inputs in the same place alone."""
    if op.partials or op.name in ELEMENTWISE or (op.broadcasts and "axis" not in op.attribute_names):
        return True
    text = op.scalar_for(specs, attrs)
    if text is None or any(word in text for word in (*REDUCTIONS, COLUMN)):
        return False
    try:
        return broadcast(op.name, *(spec.shape for spec in specs if not spec.absent)) == shape
    except ShapeError:
        return False


def _is_complex(call: Call) -> bool:
    return any(isinstance(x, Tensor) and x.dtype.kind == "c" for x in (*call.inputs, call.out))


def _elementwise(call: Call, i: int, t: Any) -> Tensor | None:
    shape = call.out.shape
    if any(isinstance(x, Tensor) and x.shape != shape for x in call.inputs):
        # so that the formula has nothing to sum over
        spread = [broadcast_to(x, shape) if isinstance(x, Tensor) else x for x in call.inputs]
        call = call._replace(inputs=spread)
    formula = call.op.formula(i)
    assert formula is not None
    part = call.pulled(formula, t if t.shape == shape else broadcast_to(t, shape))
    return part if part is None or part.dtype == call.out.dtype else part.astype(call.out.dtype)


def _affine_groups(call: Call, moving: list[int]) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """The positions in ``moving`` that the op maps as they are, in groups; and the other ones.

    Beside each group, what it is affine in together with the group.
    """
    op, count = call.op, len(call.inputs)
    formulas = [op.formula(i) for i in range(count)]
    absent = [x is None or getattr(x, "dtype", np.dtype("f")).kind in "biu" for x in call.inputs]

    def affine(i: int) -> bool:
        formula = formulas[i]
        return formula is not None and not formula.reads_output and i not in formula.reads_inputs

    def apart(i: int, j: int) -> bool:
        one, other = formulas[i], formulas[j]
        return one is not None and other is not None and not (j in one.reads_inputs or i in other.reads_inputs)

    groups: list[tuple[list[int], list[int]]] = []
    left = [i for i in moving if affine(i)]
    while left:
        group = [left[0]]
        group += [j for j in left[1:] if all(apart(i, j) for i in group)]
        beside = [j for j in range(count) if j not in group and affine(j) and all(apart(i, j) for i in group)]
        if op.linear or all(j in group or j in beside or absent[j] or formulas[j] is None for j in range(count)):
            groups.append((group, beside))
        left = [i for i in left if i not in group]
    done = [i for group, _ in groups for i in group]
    return groups, [i for i in moving if i not in done]


def _affine(call: Call, group: tuple[list[int], list[int]], tangents: Sequence[Tensor | None]) -> Tensor:
    moving, beside = group
    inputs = list(call.inputs)
    for i in moving:
        inputs[i] = tangents[i]
    for i in beside:
        x = inputs[i]
        inputs[i] = zeros_like(x) if isinstance(x, Tensor) else None if x is None else 0
    return apply(call.op, *inputs, **call.attrs)


def _transposed(call: Call, positions: list[int], tangents: Sequence[Tensor | None]) -> Tensor | None:
    """The tangent by transposing the pullback: the gradient, in its argument, of what it gives times the tangents."""
    out, given = call.out, [x for x in (*call.inputs, *tangents) if isinstance(x, Tensor)]
    needed = any(map(wanted, given))
    with differentiating():
        # what the argument is does not matter, for the pullback is linear in it
        g = variable(ones(out.shape, dtype=out.dtype, device=out.device), connected=False)
        parts, seeds = [], []
        for i in positions:
            x, formula, t = call.inputs[i], call.op.formula(i), tangents[i]
            assert formula is not None and t is not None
            part = call.pulled(formula, g)
            if part is not None:
                part = part if part.shape == x.shape else part.sum_to(x.shape)
                part = part.real if part.dtype.kind == "c" != x.dtype.kind else part
                parts.append(part if part.dtype == x.dtype else part.astype(x.dtype))
                seeds.append(t)
    ends = frozenset(map(place_of, (g, out, *given)))
    return swept(parts, seeds, ends, here(), needed, retain_graph=True).get(place_of(g))


def _total(parts: Sequence[Tensor | None]) -> Tensor | None:
    total: Tensor | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total
