"""Tables: on the terminal, with rich where it is installed, and in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import util
from typing import NamedTuple


class Table(NamedTuple):
    """Rows of text under a header, and notes below them; the first column is left-aligned, the others right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def show(table: Table) -> None:
    """Print ``table``."""
    if util.find_spec("rich") is None:
        print(plain(table), end="\n\n")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=SIMPLE_HEAD, title=Text(table.title, "bold"), title_justify="left")
    for i, name in enumerate(table.header):
        drawn.add_column(Text(name), justify="right" if i else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    if table.rows:
        console.print(drawn)
    for note in table.notes:
        console.print(Text(note), style="dim", soft_wrap=True)


def plain(table: Table) -> str:
    """``table`` in aligned columns of text.

    >>> print(plain(Table("times", ["op", "us"], [["add", "1"], ["multiply", "10"]], ["min of 9"])))
    times
    op        us
    add        1
    multiply  10
    min of 9
    """
    lines = [list(table.header), *map(list, table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join([line[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]
    return "\n".join([table.title, *(line.rstrip() for line in aligned), *table.notes])


def markdown(table: Table) -> str:
    """``table`` as a section of a Markdown page.

    >>> print(markdown(Table("times", ["op", "us"], [["add", "1"]])))
    ## times
    <BLANKLINE>
    | op | us |
    | --- | ---: |
    | add | 1 |
    """
    rule = ["---", *["---:"] * (len(table.header) - 1)]
    lines = [f"| {' | '.join(line)} |" for line in (table.header, rule, *table.rows)] if table.rows else []
    notes = ["", *(f"* {note}" for note in table.notes)] if table.notes else []
    return "\n".join([f"## {table.title}", "", *lines, *notes])


def duration(seconds: float) -> str:
    """``seconds`` with three digits and a unit.

    >>> duration(0.00123), duration(4.56e-05)
    ('1.23 ms', '45.6 µs')
    """
    scale, unit = next(((s, u) for s, u in ((1.0, "s"), (1e3, "ms")) if seconds * s >= 1), (1e6, "µs"))
    value = seconds * scale
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"
