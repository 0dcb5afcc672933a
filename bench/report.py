"""The results of ``python -m bench`` as a page of Markdown with plots."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import util
from pathlib import Path

from bench import alone, scaling, step
from bench.results import Alone, Results
from bench.table import Table, markdown

METHOD = """\
One training step (forward, cross-entropy, backward, Adam, zero_grad, and the loss read as a Python float) of a ReLU
network in float32, with the same weights and batches in every engine, checked to give the same losses. The cases are
written as sizes, `17x128` for seventeen layers of 128, the last with 10 outputs; `1-1-1-1@1`, three layers of single
neurons, leaves the host's time alone. Each engine runs in a process of its own with its default threads, they take
turns, and a ratio is the median over rounds of the ratio of times in the same round: below 1 is faster. The floor is
the step's matrix products alone by NumPy's BLAS, and the bytes of Adam's update at the speed of memory. The times
belong to this machine alone, the ratios are the result."""
MEMORY = """\
Peak resident memory of the steps, over what was resident before the case was built and after a small network was
trained (so that code and threads are not counted), in a process of its own."""
FIRST = f"""\
What the first {alone.FIRST} calls take, compiling included, in a process of its own: with an empty disk cache, and with
the one that the first process left."""
AGAIN = "Again: `pip install -e \".[bench,fast]\" 'torch>=2.13'`, then {}."


def write(results: Results, file: Path | None) -> None:
    """Write the page to ``file`` with its plots beside it, or print it without them."""
    if file is None:
        print(page(results, {}), end="")
        return
    plots = {}
    if util.find_spec("matplotlib"):
        from bench.plots import draw

        plots = draw(results, file)
    file.write_text(page(results, plots), encoding="utf-8")


def page(results: Results, plots: dict[str, str]) -> str:
    """The page: the method, the machine, and for each thing measured its plot and a table for each case."""
    memory = [alone.memory_table(case, found) for case, found in _by_case(results.memory)]
    first = [alone.first_table(case, found) for case, found in _by_case(results.first_calls)]
    commands = " and ".join(
        f"`{each}`" for each in results.machine.get("command", "python -m bench report").split("; ")
    )
    parts = [
        "# A training step beside other libraries",
        METHOD,
        AGAIN.format(commands),
        "\n".join(f"* {name}: {value}" for name, value in results.machine.items()),
        *_part("Times", "", plots.get("times"), map(step.table, results.comparisons)),
        *_part("Memory", MEMORY, plots.get("memory"), memory),
        *_part("First calls", FIRST, None, first),
        *_part("Scaling", "", plots.get("scaling"), map(scaling.table, results.curves)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _part(title: str, text: str, plot: str | None, tables: Iterable[Table]) -> list[str]:
    """A section of the page; nothing if there are no tables for it."""
    written = [markdown(each).replace("## ", "### ", 1) for each in tables]
    image = f"![{title}]({plot})" if plot else ""
    return [f"## {title}", text, image, *written] if written else []


def _by_case(found: Iterable[Alone]) -> list[tuple[str, list[Alone]]]:
    grouped: dict[str, list[Alone]] = {}
    for each in found:
        grouped.setdefault(each.case, []).append(each)
    return list(grouped.items())
