"""The results as plots: SVG files, drawn by matplotlib, an extra of bench."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.results import Alone, Comparison, Curve, Results

OWN, OTHER = "tab:blue", "tab:gray"


def draw(results: Results, page: Path) -> dict[str, str]:
    """Draw what was measured into files beside ``page``, and tell the name of each plot's file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    found = {}
    mpl.rcParams["svg.hashsalt"] = "gradflow"  # the same results are the same bytes
    for name, panels in _plots(results):
        across = min(len(panels), 2)
        down = -(-len(panels) // across)
        figure = Figure(figsize=(6 * across, 3.6 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for each in axes[len(panels) :]:
            each.remove()
        for (title, fill), each in zip(panels, axes, strict=False):
            each.set_title(title)
            fill(each)
        file = page.with_name(f"{page.stem}-{name}.svg")
        figure.savefig(file, metadata={"Date": None})
        found[name] = file.name
    return found


def _plots(results: Results) -> Iterator[tuple[str, list[tuple[str, Callable[[Any], None]]]]]:
    """The name of each plot, and its panels: a title, and what fills the axes."""
    times = [each for each in results.comparisons if each.timed]
    if times:
        yield "times", [(each.case, partial(_times, each)) for each in times]
    cases = dict.fromkeys(each.case for each in results.memory)
    if cases:
        chosen = {case: [each for each in results.memory if each.case == case and not each.problem] for case in cases}
        yield "memory", [(case, partial(_memory, found)) for case, found in chosen.items()]
    if results.curves:
        yield "scaling", [(each.quantity, partial(_curve, each)) for each in results.curves]


def _color(engine: str) -> str:
    return OWN if engine.startswith("gradflow") else OTHER


def _times(comparison: Comparison, axes: Any) -> None:
    """Bars of medians with their quartiles, and a line for the floor."""
    timed = comparison.timed[::-1]
    medians = [1e3 * each.seconds for each in timed]
    spread = [[1e3 * abs(each.seconds - each.quartiles[i]) for each in timed] for i in range(2)]
    names = [each.engine for each in timed]
    axes.barh(names, medians, xerr=spread, color=list(map(_color, names)))
    if comparison.floor:
        axes.axvline(1e3 * comparison.floor.seconds, color="black", linestyle="--", label="floor")
        axes.legend(loc="lower right")
    axes.set_xscale("log")  # from gradflow's to tinygrad's it is a factor of a hundred
    axes.set_xlabel("ms a step")


def _memory(found: Iterable[Alone], axes: Any) -> None:
    """Bars of the peak of the steps."""
    peaks = {each.engine: each.measured["steps"] / 1e6 for each in reversed(list(found))}
    axes.barh(list(peaks), list(peaks.values()), color=list(map(_color, peaks)))
    axes.set_xlabel("MB")


def _curve(curve: Curve, axes: Any) -> None:
    """A line for each engine, on logarithmic axes."""
    for name in dict.fromkeys(each.engine for one in curve.comparisons for each in one.timed):
        found = [(value, one.timed_as(name)) for value, one in zip(curve.values, curve.comparisons, strict=True)]
        points = [(value, 1e3 * each.seconds) for value, each in found if each]
        axes.loglog(*zip(*points, strict=True), marker=".", label=name)
    axes.set_ylabel("ms a step")
    axes.legend()
