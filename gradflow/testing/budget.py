"""Budgets for steps on a GPU: how many kernels they may launch, and that they do not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gradflow.errors import ArgumentError, BudgetExceeded, DeviceError
from gradflow.profiling.recording import Recording, recording
from gradflow.profiling.report import Report, Row


@contextmanager
def assert_max_launches(n: int) -> Iterator[None]:
    """Fail if the block launches more than ``n`` kernels (matrix products included) on a GPU.

    On a simulated GPU (``simulated_cuda``) all launches count; on a real one those that gradflow makes itself, and one
    for each call that CuPy serves. Also a decorator. Run the step once before: a first step makes its buffers.

    Raises BudgetExceeded, an AssertionError that lists the launches by op and line; ArgumentError if ``n`` is negative;
    DeviceError if nothing in the block ran on a GPU, for then nothing was checked.

    >>> import gradflow as gf
    >>> with gf.testing.simulated_cuda():
    ...     x = gf.ones(3, device="cuda")
    ...     with gf.testing.assert_max_launches(1):
    ...         y = x + x
    """
    if n < 0:
        raise ArgumentError(f"assert_max_launches: the budget is {n}; it is a number of launches, 0 or more")
    with recording() as seen:
        yield
    report = _checked("assert_max_launches", seen)
    if report.launches > n:
        least = "at least " if report.total.at_least else ""
        raise BudgetExceeded(
            f"assert_max_launches: {least}{_count(report.launches, 'kernel was', 'kernels were')} launched, and the "
            f"budget is {n}:\n{_listed(report.sorted('launches'), lambda row: row.launches)}"
        )


@contextmanager
def assert_no_sync() -> Iterator[None]:
    """Fail if the host waits for the GPU in the block: a copy to the host (``.item()``, ``if loss < 1:``), or a wait.

    Also a decorator. Raises BudgetExceeded, an AssertionError that lists the waits by line; DeviceError if nothing in
    the block ran on a GPU.

    >>> import gradflow as gf
    >>> with gf.testing.simulated_cuda():
    ...     x = gf.ones(3, device="cuda")
    ...     with gf.testing.assert_no_sync():
    ...         y = x + x
    """
    with recording() as seen:
        yield
    report = _checked("assert_no_sync", seen)
    if report.syncs:
        raise BudgetExceeded(
            f"assert_no_sync: the host waited for the GPU {_count(report.syncs, 'time', 'times')}; keep such values in "
            f"tensors until the end:\n{_listed(report.sorted('syncs'), lambda row: row.syncs)}"
        )


def _checked(asked: str, seen: Recording) -> Report:
    if seen.calls and not seen.on_gpu:
        raise DeviceError(
            f"{asked}: {_count(len(seen.calls), 'op', 'ops')} ran in the block, none of them on a GPU, so that nothing "
            "was checked; move model and data with .to('cuda'), without a GPU inside gf.testing.simulated_cuda()"
        )
    return Report(seen)


def _listed(rows: list[Row], number: Callable[[Row], int]) -> str:
    """A line for each of ``rows`` of which there is a ``number``."""
    counted = [row for row in rows if number(row)]
    lines = [
        [str(number(row)), f"{row.op} {row.phase}".strip(), row.line, ", ".join(dict.fromkeys(row.kernels))]
        for row in counted
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        f"  {count:>{widths[0]}}  {op:<{widths[1]}}  {where:<{widths[2]}}  {kernels}".rstrip()
        for count, op, where, kernels in lines
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
