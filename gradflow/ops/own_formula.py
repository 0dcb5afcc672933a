"""Ops that are declared by a formula alone: reference, gradients of any order and kernels follow from it."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from gradflow.backend.cuda_formulas import generated
from gradflow.derivative import derivative
from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.formula import COLUMN, REDUCTIONS, names, parse
from gradflow.launch import Work
from gradflow.op import OPS, Op
from gradflow.ops.blockwise import real
from gradflow.ops.evaluation import evaluated
from gradflow.samples import Sample

Names = Sequence[str]
Compute = Callable[[Any, dict[str, Any], Any], Any]  # (xp, values by name, out) -> result


def op_of(
    name: str,
    inputs: Names,
    attributes: Names,
    text: str,
    samples: tuple[Sample, ...] = (),
    slopes: Sequence[str | None] | None = None,
) -> Op:
    """The elementwise op ``name`` that computes the formula ``text`` of its inputs and attributes.

    Arrays broadcast, floats promote, integers become float64. A derivative is an op of the same kind, of the gradient
    and of what it reads; it is made when it is first asked for, so that there are derivatives of any order. ``slopes``
    are the first ones, where better formulas are known than ``derivative`` finds. On a GPU every call is one kernel,
    generated from the formula.
    """

    def forward(xp: Any, values: dict[str, Any], out: Any) -> Any:
        return evaluated(xp, text, values, out)

    def cuda(*arrays: Any, out: Any, **attrs: Any) -> Work | None:
        return generated(made, arrays, attrs, out)

    OPS.pop(name, None)  # one that was declared before, by the same lines of a notebook
    made = Op(
        name=name,
        forward=reference(forward, inputs, attributes),
        spec=real(name),
        vjp=pullbacks(name, inputs, attributes, slopes or [derivative(text, each) for each in inputs]),
        samples=samples,
        scalar=text,
        cuda=cuda,
    )
    return made


def reference(compute: Compute, inputs: Names, attributes: Names) -> Callable[..., Any]:
    """``compute(xp, values by name, out)`` with a parameter for each input and attribute, as an op's forward has."""
    values = ", ".join(f"{each!r}: {each}" for each in (*inputs, *attributes))
    after = "".join(f", {each}" for each in attributes)
    code = f"lambda xp_, {', '.join(inputs)}, *, out=None{after}: compute_(xp_, {{{values}}}, out)"
    function: Callable[..., Any] = eval(code, {"compute_": compute})
    return function


def pullbacks(
    name: str, inputs: Names, attributes: Names, slopes: Sequence[str | None]
) -> tuple[Callable[..., Any] | None, ...]:
    """The gradient formulas of an op, one for each input: the gradient times the formula in ``slopes``, or None."""
    g = fresh("g", (*inputs, *attributes))
    found = [
        slope and pullback(f"{name}.d{each}", g, (*inputs, "out"), attributes, _times(g, slope))
        for each, slope in zip(inputs, slopes, strict=True)
    ]
    return tuple(each or None for each in found) if any(found) else ()


def _times(g: str, slope: str) -> str:
    *lines, last = slope.split("\n")
    return "\n".join([*lines, g if last == "1" else f"-{g}" if last == "-1" else f"{g} * ({last})"])


def pullback(name: str, g: str, values: Names, attributes: Names, text: str) -> Callable[..., Any]:
    """The gradient formula ``text``, of the gradient ``g`` and some of the ``values`` and ``attributes`` of an op.

    What it takes are the names that it reads, and that is what the tape keeps.
    """
    if text == g:
        identity: Callable[..., Any] = eval(f"lambda {g}: {g}")
        return identity
    read = reads(text)
    taken, options = [each for each in values if each in read], [each for each in attributes if each in read]

    @cache
    def made() -> Op:
        return op_of(name, (g, *taken), options, text)

    given = ", ".join((g, *taken))
    named = "".join(f", {each}={each}" for each in options)
    code = f"lambda {', '.join((g, *taken, *options))}: apply_(made_(), {given}{named})"
    function: Callable[..., Any] = eval(code, {"apply_": apply, "made_": made})
    return function


def reads(text: str) -> set[str]:
    """The names that the formula ``text`` reads and does not assign itself."""
    formula = parse(text)
    assert formula.result is not None
    expressions = (*(each for _, each in formula.assignments), formula.result)
    return {name for each in expressions for name in names(each)} - {name for name, _ in formula.assignments}


def fresh(name: str, taken: Names) -> str:
    """``name``, or one like it that is not ``taken``."""
    number = 2
    chosen = name
    while chosen in taken or keyword.iskeyword(chosen):
        chosen, number = f"{name}{number}", number + 1
    return chosen


def check(name: str, text: str, inputs: Names, attributes: Names) -> None:
    """Raise ArgumentError unless ``text`` is an elementwise formula of all ``inputs`` and ``attributes``."""
    try:
        read = reads(text.strip())
    except (SyntaxError, AssertionError) as error:
        why = error if str(error) else "its last line must be an expression, the result"
        raise ArgumentError(f"{name}: {text!r} is no formula: {why}") from None
    known = {*inputs, *attributes}
    if any(f"{each}(" in text for each in REDUCTIONS) or COLUMN in read:
        raise ArgumentError(f"{name}: {text!r} reduces over a row; ops of your own are elementwise")
    if read - known:
        unknown = ", ".join(sorted(read - known))
        raise ArgumentError(f"{name}: the formula reads {unknown}; parameters are {', '.join((*inputs, *attributes))}")
    if known - read:
        raise ArgumentError(f"{name}: the formula does not read {', '.join(sorted(known - read))}")
