"""Sections of equations and tables, written as plain text or as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

WIDTH = 100
INDENT = "  "


class Section(Protocol):
    """A part of a document with a title of its own."""

    def text(self) -> str:
        """As plain text, no wider than WIDTH."""

    def markdown(self) -> str:
        """As Markdown without LaTeX."""


@dataclass(frozen=True)
class Equation:
    """``name = side = side = ...``, and a remark on it; ``sign`` may be another one than ``=``."""

    name: str
    sides: tuple[str, ...]
    remark: str = ""
    sign: str = "="

    @classmethod
    def of(cls, name: str, *sides: str, remark: str = "", sign: str = "=") -> Equation:
        """Without the sides that are empty or repeat what stands before them."""
        _, *told = (side for side, _ in groupby(filter(None, (name, *sides))))
        return cls(name, tuple(told), remark, sign)

    def text(self, width: int) -> str:
        """On one line if it fits, otherwise a line for each side; the names are padded to ``width``."""
        head = f"{INDENT}{self.name:<{width}} "
        remark = f"   ({self.remark})" if self.remark else ""
        line = f"{head}{self.sign} {' = '.join(self.sides)}{remark}"
        if len(line) <= WIDTH:
            return line
        blank = " " * len(head)
        starts = [f"{head}{self.sign} ", *[f"{blank}= "] * (len(self.sides) - 1)]
        text = "\n".join(map(_side, starts, self.sides))
        fits = len(text.rpartition("\n")[2] + remark) <= WIDTH
        return text + (remark if fits else f"\n{blank}{remark.strip()}")


@dataclass(frozen=True)
class Equations:
    """A section of equations, their signs aligned, with notes below."""

    title: str
    equations: tuple[Equation, ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        width = max((len(each.name) for each in self.equations if len(each.name) <= WIDTH // 3), default=0)
        notes = [_wrapped(note, INDENT, INDENT) for note in self.notes]
        return "\n".join([_wrapped(self.title), *(each.text(width) for each in self.equations), *notes])

    def markdown(self) -> str:
        rows = [_row(each) for each in self.equations]
        notes = [escaped(note) for note in self.notes]
        return "\n\n".join([f"### {escaped(self.title)}", _table(["", "formula", "value"], rows), *notes])


@dataclass(frozen=True)
class Table:
    """A section of columns with headings."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        cells = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([_wrapped(self.title), *(f"{INDENT}{line}" for line in lines)])

    def markdown(self) -> str:
        rows = [[code(cell) for cell in row] for row in self.rows]
        return f"### {escaped(self.title)}\n\n{_table([code(name) for name in self.header], rows)}"


def as_text(sections: Iterable[Section]) -> str:
    """The sections as plain text, a blank line between them."""
    return "\n\n".join(section.text() for section in sections)


def as_markdown(sections: Iterable[Section]) -> str:
    """The sections as Markdown."""
    return "\n\n".join(section.markdown() for section in sections)


def escaped(text: str) -> str:
    r"""``text`` as Markdown shows it, whatever characters it has.

    >>> print(escaped("w_1 * w_2"))
    w\_1 \* w\_2
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def code(text: str) -> str:
    r"""``text`` as code inside a table.

    >>> print(code("a | b"), code("`"))
    `a \| b` `` ` ``
    """
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if "`" in text else ""
    return f"{fence}{room}{text}{room}{fence}".replace("|", "\\|")


def _row(equation: Equation) -> list[str]:
    *way, value = equation.sides
    name = equation.name if equation.sign == "=" else f"{equation.name} {equation.sign}"
    remark = f" ({escaped(equation.remark)})" if equation.remark else ""
    return [code(name), code(" = ".join(way)) if way else "", code(value) + remark]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _side(start: str, side: str) -> str:
    """One side of an equation; a sum that does not fit has a line for each of its terms."""
    if len(start + side) <= WIDTH:
        return start + side
    blank = " " * len(start)
    first, *terms = side.split(" + ")
    return "\n".join([_wrapped(first, start, blank), *(_wrapped(f"+ {term}", blank, blank) for term in terms)])


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
