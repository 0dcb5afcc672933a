"""What the steps of optimizers share on the CPU: chunks that stay in the cache, signs, penalties, skipped steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.errors import ShapeError
from gradflow.op import Spec
from gradflow.samples import Given

Array = Any

CHUNK = 32768  # elements updated at a time, so that the passes over them find them in the L2 cache


def alike(p: Spec, g: Spec, *others: Spec, **attrs: Any) -> None:
    """The spec rule of updates: a gradient is like its parameter."""
    if p != g:
        raise ShapeError(f"update: the parameters are {p.shape} of {p.dtype}, their gradient {g.shape} of {g.dtype}")


def chunks(xp: Any, p: Array, g: Array, *state: Array | None) -> Iterator[tuple[Any, ...]]:
    """Chunks of flat arrays, each with a scratch array of its length; the whole at once if they are not flat.

    float16 comes as float32 and is rounded after the update: ``eps`` and squares of gradients are too small for it.
    """
    pieces = p.ndim == 1 and xp is np  # a GPU has no use for them
    if (p.size <= CHUNK or not pieces) and p.dtype != dtypes.float16:
        yield (p, g, *state, xp.empty_like(p))
        return
    size = CHUNK if pieces else max(p.size, 1)
    scratch = xp.empty(min(CHUNK, p.size), p.dtype) if pieces else xp.empty_like(p)
    for start in range(0, p.size, size):
        part = slice(start, start + size) if pieces else ...
        given = [None if x is None else x[part] for x in (p, g, *state)]
        if p.dtype != dtypes.float16:
            yield (*given, scratch[: len(p) - start] if pieces else scratch)
            continue
        wide = [None if x is None else x.astype(dtypes.float32) for x in given]
        yield (*wide, xp.empty_like(wide[0]))
        for i, (x, updated) in enumerate(zip(given, wide, strict=True)):
            if x is not None and i != 1:
                x[...] = updated


def descent(xp: Any, p: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient of what is minimised: ``g``, or minus that, and of weight decay's penalty."""
    if maximize:
        g = xp.negative(g)
    return xp.add(xp.multiply(p, weight_decay), g) if weight_decay else g


def descent_text(weight_decay: float, maximize: bool) -> str:
    """The same in the words of formulas, of ``p`` and ``g``."""
    return ("-g" if maximize else "g") + (" + weight_decay * p" if weight_decay else "")


def unless_skipped(text: str, found_inf: Spec, *written: str) -> str:
    """The formula ``text``, whose lines give the inputs ``written`` new values, with a way out for skipped steps."""
    if found_inf.absent:
        return text
    names = "|".join(written)
    return re.sub(rf"^({names}) = (.*)$", r"\1 = where(found_inf != 0, \1, \2)", text, flags=re.MULTILINE)


def skipped(found_inf: Array | None) -> bool:
    """Whether loss scaling found gradients that are not finite, so that there is no step."""
    return found_inf is not None and float(found_inf) != 0


def counter(value: float) -> Given:
    """An example of a step count, or of a learning rate."""
    return Given(value, "float64")


FINITE = Given(0.0, "float32")  # an example of a flag that asks for no step to be skipped
