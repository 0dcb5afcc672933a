"""Time against one quantity at a time: batch, width, depth, and the number of parameter tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.cases import parse
from bench.engines import Engine
from bench.results import Curve
from bench.step import compare
from bench.table import Table, duration

ENGINES = ("gradflow_compiled_fast", "pytorch", "pytorch_compile", "jax")


class Sweep(NamedTuple):
    """What is varied, the case for each value of it, and the values."""

    quantity: str
    case: Callable[[int], str]
    values: Sequence[int]


SWEEPS = {
    "batch": Sweep("rows of a batch, 784-256-10", lambda rows: f"784-256-10@{rows}", (1, 4, 16, 64, 256, 1024)),
    "width": Sweep(
        "width of three layers, batch 64", lambda width: f"{width}-{width}-{width}-10@64", (16, 64, 256, 1024)
    ),
    "depth": Sweep("layers of 64, batch 32", lambda layers: _same(64, layers, 32), (1, 2, 4, 8, 16, 32)),
    "tensors": Sweep(
        "parameter tensors of about 130,000 parameters in all, batch 32",
        lambda tensors: _same(round((2**17 / (tensors // 2 - 1)) ** 0.5), tensors // 2, 32),
        (4, 16, 64, 128),
    ),
}


def _same(width: int, layers: int, batch: int) -> str:
    """A case of that many layers, all of one width but the last, which has 10 outputs."""
    return "-".join([str(width)] * layers + ["10"]) + f"@{batch}"


def curve(name: str, values: Sequence[int], engines: Sequence[Engine], rounds: int, seconds: float) -> Curve:
    """The sweep of that name, at ``values``."""
    sweep = SWEEPS[name]
    cases = [parse(sweep.case(value)) for value in values]
    return Curve(sweep.quantity, list(values), [compare(case, engines, rounds, seconds) for case in cases])


def table(curve: Curve) -> Table:
    """A row for each engine, a column for each value."""
    names = dict.fromkeys(each.engine for one in curve.comparisons for each in one.timed)
    rows = []
    for name in names:
        found = [one.timed_as(name) for one in curve.comparisons]
        rows.append([name, *(duration(each.seconds) if each else "" for each in found)])
    problems = dict.fromkeys(
        f"{each.engine}: {each.problem}" for one in curve.comparisons for each in one.outcomes if each.problem
    )
    return Table(curve.quantity, ["engine", *map(str, curve.values)], rows, list(problems))
