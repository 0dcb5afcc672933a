"""Functions of one argument that are different formulas on different parts of the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.formula import parse
from gradflow.op import Op
from gradflow.ops.blockwise import real
from gradflow.ops.evaluation import condition, evaluated
from gradflow.ops.in_double import in_double
from gradflow.ops.polynomial import Polynomial, horner_text
from gradflow.ops.precision import Array
from gradflow.samples import Sample

Branch = tuple[str, str]  # a condition of ``x``, and the formula that holds with it and none before; the last has ""


def of_branches(
    name: str,
    branches: tuple[Branch, ...],
    vjp: Callable[..., Any],
    samples: tuple[Sample, ...],
    everywhere: str | None = None,
) -> Op:
    """The op that is computed by ``branches``: without a compiler in float64, each of its own elements alone.

    Loops are generated from ``everywhere``, one formula of the same, if it is given, or from all branches.
    """

    def function(xp: Any, x: Array) -> Array:
        return taken(xp, x, branches)

    return Op(
        name=name,
        forward=in_double(function),
        spec=real(name),
        vjp=(vjp,),
        scalar=everywhere or joined(branches),
        samples=samples,
    )


def of_orders(
    name: str, branches: Callable[[int], tuple[Branch, ...]], vjp: Callable[..., Any], samples: Sequence[Sample]
) -> Op:
    """The op with an attribute ``n``, on which the ``branches`` depend that compute it."""

    def function(xp: Any, x: Array, *, n: int) -> Array:
        return taken(xp, x, branches(n))

    return Op(
        name=name,
        forward=in_double(function),
        spec=real(name),
        vjp=(vjp,),
        scalar=lambda x, n: joined(branches(n)),
        samples=tuple(samples),
    )


def taken(xp: Any, x: Array, branches: tuple[Branch, ...]) -> Array:
    """What ``branches`` make of the array ``x``; on a GPU, where choosing would be a wait, of all elements in each."""
    if not isinstance(x, np.ndarray):
        out = evaluated(xp, branches[-1][1], {"x": x}, None)
        for where, text in reversed(branches[:-1]):
            out = xp.where(condition(xp, where, {"x": x}), evaluated(xp, text, {"x": x}, None), out)
        return out
    flat = x.ravel()
    result, left = np.empty_like(flat), np.ones(flat.shape, np.bool_)
    for where, text in branches:
        holds = left & condition(xp, where, {"x": flat}) if where else left
        chosen = np.flatnonzero(holds)  # indices: a tenth of the time that a mask takes
        if chosen.size == flat.size:
            return evaluated(xp, text, {"x": x}, None)
        if chosen.size:
            result[chosen] = evaluated(xp, text, {"x": flat[chosen]}, None)
            left &= ~holds
    return result.reshape(x.shape)


def joined(branches: tuple[Branch, ...]) -> str:
    """``branches`` as one formula, from which loops are generated."""
    lines, result = [], ""
    for i, (_, text) in enumerate(branches):
        own = "|".join(name for name, _ in parse(text).assignments)
        *before, last = (re.sub(rf"\b({own})\b", rf"\1_{i}", text) if own else text).split("\n")
        lines += [*before, f"branch_{i} = {last}"]
    for i, (where, _) in reversed(list(enumerate(branches))):
        result = f"where({where}, branch_{i}, {result})" if result else f"branch_{i}"
    return "\n".join([*lines, result])


def ratio_text(x: str, ratio: tuple[Polynomial, Polynomial]) -> str:
    """The quotient of two polynomials of the name ``x``, as an expression of formulas."""
    return f"(({horner_text(x, ratio[0])}) / ({horner_text(x, ratio[1])}))"
