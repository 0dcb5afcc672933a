"""Epochs on the screen: a line each, and in a terminal a progress bar below them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from gradflow.train.fit import Epoch


def show(epochs: Iterable[Epoch], total: int, checked_on: str) -> None:
    """Run ``epochs``, of which there are at most ``total``, and print a line after each.

    ``checked_on`` says what their test examples are: "test" or "validation". In a terminal, if rich is
    installed, a bar shows the progress; what goes to a file or a pipe is plain lines.
    """
    titles = ["epoch", "train loss", "train accuracy", f"{checked_on} loss", f"{checked_on} accuracy", "seconds"]
    print("  ".join(titles), flush=True)
    lines = ((epoch, _line(epoch, titles)) for epoch in epochs)
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and find_spec("rich") is not None:
        _print_above_bar(lines, total)
        return
    for _, line in lines:
        print(line, flush=True)


def _line(epoch: Epoch, titles: list[str]) -> str:
    cells = (
        f"{epoch.number}",
        f"{epoch.train.loss:.4f}",
        f"{epoch.train.accuracy:.2%}",
        f"{epoch.test.loss:.4f}",
        f"{epoch.test.accuracy:.2%}",
        f"{epoch.seconds:.2f}",
    )
    return "  ".join(cell.rjust(len(title)) for cell, title in zip(cells, titles, strict=True))


def _print_above_bar(lines: Iterable[tuple[Epoch, str]], total: int) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=total)
        for epoch, line in lines:
            progress.console.print(line, highlight=False, markup=False)
            state = f"loss {epoch.train.loss:.4f}, accuracy {epoch.train.accuracy:.2%}"
            progress.update(task, advance=1, description=state)
