"""Comma-separated tables (.csv, .csv.gz) whose last column is the label."""

from __future__ import annotations

import csv
import itertools
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from gradflow.data.dataset import (
    Dataset,
    Features,
    Labels,
    as_float32,
    first_bad_label,
    first_bad_value,
    split,
)
from gradflow.data.reading import StrPath, reading
from gradflow.errors import DataError

BLOCK = 4096  # lines parsed at a time: the float64 of a whole file would take twice the memory of its float32

Line = tuple[int, str]  # its number, from 1, and its text


def load_csv(path: StrPath, *, header: bool | None = None) -> Dataset:
    """The data set in a comma-separated file, one example a line, the label in the last column.

    Values are taken as they are, in float32; labels are whole numbers from 0; blank lines are skipped. The
    first line is a header if `header` is True, or is None and no cell of it is a number. Every fifth example
    is for testing: sorted by label, in the order of the file within a class, the second, the seventh, the
    twelfth and so on. Raises DataError for a file that is missing or damaged and for a cell that is not a
    finite number, naming the line and the column, both counted from 1.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "fruit.csv")
    >>> _ = path.write_text("weight,width,label\\n170,7.1,0\\n120,9.5,1\\n165,7.3,0\\n115,9.9,1\\n")
    >>> load_csv(path)
    Dataset(fruit.csv: 3 train, 1 test, x (2,) float32, 2 classes)
    """
    path = Path(path)
    return split(path.name, *read_csv(path, header=header))


def read_csv(path: Path, *, header: bool | None = None) -> tuple[Features, Labels]:
    """Features (examples, columns - 1) and labels (examples,) of a file, as `load_csv` reads them."""
    # utf-8-sig: spreadsheets write a byte order mark
    with reading(path) as file, TextIOWrapper(file, encoding="utf-8-sig") as text:
        lines = _numbered(path, text)
        first = next(lines, None)
        if first is None:
            raise DataError(f"{path} is empty; give one example a line, the label in the last column")
        columns = len(_cells(first[1]))
        if not (_is_header(path, first) if header is None else header):
            lines = itertools.chain([first], lines)
        parts = []
        while block := list(itertools.islice(lines, BLOCK)):
            parts.append(_parse(path, block, columns))
    if not parts:
        raise DataError(f"{path} has a header and no examples; give one example a line")
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _numbered(path: Path, text: Iterable[str]) -> Iterator[Line]:
    try:
        for number, line in enumerate(text, 1):
            if line.strip():
                yield number, line
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as such, or as .csv.gz") from error


def _is_header(path: Path, line: Line) -> bool:
    number, text = line
    cells = _cells(text)
    numeric = [_is_number(cell) for cell in cells]
    if any(numeric) and not all(numeric):
        column = numeric.index(False)
        raise DataError(
            f"{path}: line {number}, column {column + 1} is {reprlib.repr(cells[column])} and other cells of "
            "the line are numbers; make them all numbers, or pass header=True if the line is a header"
        )
    return not any(numeric)


def _parse(path: Path, block: Sequence[Line], columns: int) -> tuple[Features, Labels]:
    try:
        table = np.loadtxt([text for _, text in block], delimiter=",", comments=None, quotechar='"', ndmin=2)
        if columns < 2 or table.shape != (len(block), columns):
            raise ValueError(f"they make a table of shape {table.shape}")
    except ValueError as error:
        raise DataError(f"{path}: {_fault(block, columns, error)}") from error
    x, y = as_float32(table[:, :-1]), table[:, -1]
    if (index := first_bad_value(x)) is not None:
        raise DataError(
            f"{path}: line {block[index[0]][0]}, column {index[1] + 1} is {table[index]}; values must be "
            "finite in float32, so repair or drop that line"
        )
    if (row := first_bad_label(y)) is not None:
        raise DataError(
            f"{path}: line {block[row][0]}, column {columns} is {y[row]}; labels are whole numbers from 0 to 2**31 - 1"
        )
    return x, y.astype(np.int64)


def _fault(block: Sequence[Line], columns: int, error: ValueError) -> str:
    """What is wrong with a block that would not parse; the parser is fast and explains little."""
    for number, text in block:
        cells = _cells(text)
        if len(cells) < 2:
            return f"line {number} has one column; give features and a label, separated by commas"
        if len(cells) != columns:
            return f"line {number} has {len(cells)} columns and the first line {columns}; they must agree"
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                advice = "number the classes from 0" if column == columns else "repair or drop that line"
                return f"line {number}, column {column} is {reprlib.repr(cell)} and not a number; {advice}"
    return f"lines {block[0][0]} to {block[-1][0]} cannot be read ({error}); check the quotes in them"


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text.strip()]))
    except csv.Error:  # a cell of more than 128 KB
        return text.split(",")


def _is_number(cell: str) -> bool:
    # float() takes 1_000 and the digits of other scripts, loadtxt does not
    if "_" in cell or not cell.isascii():
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
