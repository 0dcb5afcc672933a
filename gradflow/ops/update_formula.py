"""Updates of optimizers that are declared by their formulas: what runs them where there is no loop, nor a kernel."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from gradflow.formula import FUNCTIONS, names, parse
from gradflow.op import Spec
from gradflow.ops.update import chunks

Lines = list[tuple[str, CodeType]]  # the name that each assigns, and what to


def by_formula(scalar: Callable[..., str]) -> Callable[..., None]:
    """The ``forward`` of the op whose ``scalar`` this is, with its parameters: p, g, state, numbers (0-d or None).

    What is the same for all elements is computed once, in float64. Nothing waits for a GPU.
    """
    declared = inspect.getfullargspec(scalar)
    inputs = declared.args

    def run(xp: Any, given: tuple[Any, ...], attrs: dict[str, Any]) -> None:
        specs = (Spec((), type(None)) if x is None else Spec(x.shape, x.dtype) for x in given)
        arrays = {name: x for name, x in zip(inputs, given, strict=True) if x is not None}
        flat = {name: x for name, x in arrays.items() if name in inputs[:2] or x.ndim}
        shared = {**_functions(xp), **attrs, **{name: _number(xp, x) for name, x in arrays.items() if name not in flat}}
        for_all, for_each = _lines(scalar(*specs, **attrs), frozenset(flat))
        for name, line in for_all:
            shared[name] = _number(xp, eval(line, shared))
            if name in arrays:
                arrays[name][...] = shared[name]
        for *parts, scratch in chunks(xp, *flat.values()):
            narrow = {name: _narrowed(xp, x, scratch.dtype) for name, x in shared.items()}
            here = dict(zip(flat, parts, strict=True))
            known = {**narrow, **here}
            for name, line in for_each:
                known[name] = eval(line, known)
                if name in here:
                    here[name][...] = known[name]

    code = f"lambda xp, {', '.join(inputs)}, *, {', '.join(declared.kwonlyargs)}: "
    attributes = ", ".join(f"{each}={each}" for each in declared.kwonlyargs)
    forward: Callable[..., None] = eval(f"{code} run_(xp, ({', '.join(inputs)}), dict({attributes}))", {"run_": run})
    return forward


def _number(xp: Any, x: Any) -> Any:
    """A number of all elements: on the CPU one of Python's, which is fast, on a GPU one that nobody waits for."""
    return x.item() if xp is np and hasattr(x, "item") else x


def _narrowed(xp: Any, x: Any, dtype: Any) -> Any:
    """A number that was computed for all elements, so that it does not widen them."""
    return xp.asarray(x, dtype) if getattr(getattr(x, "dtype", None), "kind", "") == "f" else x


def _functions(xp: Any) -> dict[str, Any]:
    return {name: getattr(xp, name) for name in FUNCTIONS if hasattr(xp, name)}


@cache
def _lines(text: str, arrays: frozenset[str]) -> tuple[Lines, Lines]:
    """The lines that are the same for all elements, and those that are not: they read ``arrays``."""
    various = set(arrays)
    lines: tuple[Lines, Lines] = ([], [])
    for name, expression in parse(text).assignments:
        depends = not various.isdisjoint(names(expression))
        if depends:
            various.add(name)
        lines[depends].append((name, compile(ast.Expression(expression), name, "eval")))
    return lines
