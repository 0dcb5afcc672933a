"""What a plan costs, worked out before it runs: operations, bytes, works, memory."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradflow.compiler.program import Value
from gradflow.compiler.works import Work
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy, FusedProduct, Loop
from gradflow.shapes import size_of

OF_CROSS_ENTROPY = 8  # operations an element: the largest, the difference, its exponential, two sums, the gradient


class Cost(NamedTuple):
    """Of one replay.

    ``flops`` are floating-point operations, a function like exp counted as one, those of a call without a loop as one
    for each element it makes; ``bytes`` what works read and write, each array once a work; ``launches`` the works, on a
    GPU kernels and products; ``peak_bytes`` the memory of buffers, beside what was there before.
    """

    flops: int
    bytes: int
    launches: int
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.flops:,} flops, {self.bytes:,} bytes moved, {self.launches} works, "
            f"{self.peak_bytes:,} bytes of buffers"
        )


def cost(works: Sequence[Work], peak_bytes: int) -> Cost:
    """The cost of ``works`` whose buffers take ``peak_bytes``."""
    return Cost(sum(map(flops, works)), sum(map(moved, works)), len(works), peak_bytes)


def moved(work: Work) -> int:
    """The bytes that ``work`` reads and writes."""
    return _distinct(work.reads) + _distinct(work.writes)


def flops(work: Work) -> int:
    """The operations of ``work``."""
    does = work.does
    if isinstance(does, Gemm):
        depth = does.a.shape[0] if does.transpose_a else does.a.shape[1]
        return 2 * size_of(does.out.shape) * int(depth)
    if isinstance(does, Loop):
        sums = sum(result.kind not in ("element", "row", "scalar") for result in does.results)
        each = sum(_operations(statement.expression) + (statement.over is not None) for statement in does.statements)
        operations: int = does.rows * does.columns * (each + sums)
        return operations
    if isinstance(does, FusedProduct):
        return sum(flops(work._replace(does=part)) for part in does)
    if isinstance(does, CrossEntropy):
        return OF_CROSS_ENTROPY * int(does.logits.size)
    return sum(value.size for value in work.writes)


def _operations(expression: ast.expr) -> int:
    return sum(isinstance(each, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)) for each in ast.walk(expression))


def _distinct(values: Iterable[Value]) -> int:
    return sum({(value.storage, value.offset, value.nbytes): value.nbytes for value in values}.values())
