"""Loops for tests, from lines of text, and what generated CUDA kernels make of them."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from gradflow.backend import cuda_loops
from gradflow.loop import ELEMENT, Loop, Operand, Result, Statement

OVER = {"sum over": "sum", "max over": "max"}


def statements(text: str, dtype: Any = np.float32) -> tuple[Statement, ...]:
    """Lines ``name = expression``; ``name: bool = ...`` is of that dtype, ``name = sum over ...`` is of each row."""
    made = []
    for line in filter(None, map(str.strip, text.splitlines())):
        left, _, right = line.partition("=")
        name, _, kind = left.partition(":")
        over = next((how for words, how in OVER.items() if right.strip().startswith(words)), None)
        expression = right.replace("sum over", "").replace("max over", "") if over else right
        tree = ast.parse(expression.strip(), mode="eval").body
        made.append(Statement(name.strip(), np.dtype(kind.strip() or dtype), tree, over))
    return tuple(made)


def loop(
    shape: tuple[int, int], operands: dict[str, Any], text: str, results: dict[str, Any], dtype: Any = "f4"
) -> Loop:
    """A loop; operands are ``{name: array or (kind, array, period, inner)}``, results ``{name: array or (kind, array,
    scale)}``; a result's name may end in primes.
    """
    reads = []
    for name, given in operands.items():
        kind, array, *where = given if isinstance(given, tuple) else (ELEMENT, given)
        reads.append(Operand(name, kind, getattr(array, "dtype", np.dtype(dtype)), array, *where))
    keeps = []
    for name, given in results.items():
        kind, array, *scale = given if isinstance(given, tuple) else (ELEMENT, given)
        keeps.append(Result(name.rstrip("'"), kind, array.dtype, array, *scale))
    return Loop(*shape, tuple(reads), statements(text, dtype), tuple(keeps))


def do(backend: Any, work: Loop) -> list[Any]:
    """Run ``work`` on the current device; the reports of its kernels."""
    machine = backend.xp.machine
    machine.reports = []
    try:
        for each in cuda_loops.launches(work, backend.xp.empty):
            backend.launcher.launch(each)
        return list(machine.reports)
    finally:
        machine.reports = None
