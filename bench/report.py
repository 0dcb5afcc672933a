"""The results of ``python -m bench step`` as a page of Markdown."""

from __future__ import annotations

from bench.results import Results
from bench.step import table
from bench.table import markdown

METHOD = """\
One training step (forward, cross-entropy, backward, Adam, zero_grad) of a ReLU network in float32, with the same
weights and batches in every engine, checked to give the same losses. The cases are written as sizes, `17x128` for
seventeen layers of 128, the last with 10 outputs. Each engine runs in a process of its own, they take turns, and a
ratio is the median over rounds of the ratio of times in the same round: below 1 is faster. The times belong to this
machine alone, the ratios are the result. `python -m bench step` makes the table."""


def page(results: Results) -> str:
    """The page: the method, the machine, and a table for each case."""
    machine = "\n".join(f"* {name}: {value}" for name, value in results.machine.items())
    tables = "\n\n".join(markdown(table(each)) for each in results.comparisons)
    return f"# A training step beside other libraries\n\n{METHOD}\n\n{machine}\n\n{tables}\n"
