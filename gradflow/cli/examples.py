"""The examples that ``gradflow predict`` classifies, with their labels if they have any."""

from __future__ import annotations

import math
import zipfile
import zlib
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradflow.data import load
from gradflow.data.dataset import Features, Labels, as_float32, first_bad_label, first_bad_value, scale_pixels
from gradflow.data.reading import reading
from gradflow.errors import DataError

Examples = tuple[Features, Labels | None]
LAYOUTS = (("x", "y"), ("x_test", "y_test"))


def read_examples(source: str, features: int) -> Examples:
    """The examples in ``source`` as float32 (examples, features), and their labels or None.

    A .npy file holds one example a row; a .npz file x and perhaps y, or x_test and y_test, or one array; a .csv
    or .csv.gz file one example a line, its label in one more column if there is one. Bytes are divided by 255,
    as in training. Anything else is a data set as ``gradflow.data.load`` reads it: its test examples. Raises
    DataError for a source that is none of these, is damaged or has another number of features.

    >>> read_examples("digits", 64)[0].shape
    (360, 64)
    """
    name = source.lower()
    if name.endswith((".csv", ".csv.gz")):
        return _from_table(Path(source), features)
    if name.endswith(".npy"):
        x, y = _read_npy(Path(source)), None
    elif name.endswith(".npz"):
        x, y = _read_npz(Path(source))
    else:
        data = load(source)
        x, y = data.x_test, data.y_test
    return _checked(source, x, y, features)


def _checked(source: str, x: NDArray[Any], y: NDArray[Any] | None, features: int) -> Examples:
    if x.dtype.kind not in "buif":
        raise DataError(f"{source} holds {x.dtype}; give real numbers")
    rows = x.reshape(1, -1) if x.shape == (features,) else x
    if rows.ndim < 2 or not rows.size or math.prod(rows.shape[1:]) != features:
        raise DataError(
            f"{source} holds an array of shape {x.shape}; the model takes {features} features, so give "
            f"(examples, {features})"
        )
    rows = rows.reshape(len(rows), features)
    rows = scale_pixels(rows) if rows.dtype == np.uint8 else as_float32(rows)
    if (index := first_bad_value(rows)) is not None:
        raise DataError(f"{source}: example {index[0] + 1}, feature {index[1] + 1} is not finite; repair or drop it")
    return rows, None if y is None else _labels(source, y, len(rows))


def _labels(source: str, y: NDArray[Any], count: int) -> Labels:
    if y.shape != (count,) or y.dtype.kind not in "buif":
        raise DataError(
            f"{source} holds {count} examples and labels of shape {y.shape}, {y.dtype}; give one whole number each"
        )
    if (row := first_bad_label(y)) is not None:
        raise DataError(f"{source}: the label of example {row + 1} is {y[row]}; labels are whole numbers from 0")
    return y.astype(np.int64)


def _read_npy(path: Path) -> NDArray[Any]:
    with reading(path) as file:
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return array
        except (ValueError, MemoryError) as error:
            raise DataError(f"{path} is damaged or no .npy file ({error}); write it with np.save") from error


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    with reading(path) as file:
        if not zipfile.is_zipfile(file):  # np.load would take it for a pickle, and advise to trust it
            raise DataError(f"{path} is damaged or no .npz file; write it with np.savez")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                held = list(archive)
                for x, y in LAYOUTS:
                    if x in held:
                        return archive[x], archive[y] if y in held else None
                if len(held) == 1:
                    return archive[held[0]], None
        except (ValueError, RuntimeError, MemoryError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} is damaged or no .npz file ({error}); write it with np.savez") from error
    raise DataError(f"{path} holds the arrays {', '.join(held) or '(none)'}; give x, and y if there are labels")


def _from_table(path: Path, features: int) -> Examples:
    with reading(path) as file, TextIOWrapper(file, encoding="utf-8-sig") as text:
        try:
            lines = [(number, line) for number, line in enumerate(text, 1) if line.strip()]
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text ({error}); save it as such") from error
    if lines and not any(map(_is_number, lines[0][1].split(","))):
        del lines[0]  # a header
    if not lines:
        raise DataError(f"{path} holds no examples; give one a line")
    try:
        table = np.loadtxt([line for _, line in lines], delimiter=",", comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: {_fault(lines) or error}; repair or drop that line") from error
    if table.shape[1] == features:
        return _checked(str(path), table, None, features)
    if table.shape[1] == features + 1:
        return _checked(str(path), table[:, :-1], table[:, -1], features)
    raise DataError(
        f"{path} has {table.shape[1]} columns; the model takes {features} features, so give {features} columns, or "
        f"{features + 1} with the label in the last"
    )


def _fault(lines: list[tuple[int, str]]) -> str | None:
    """What is wrong with lines that would not parse, if it can be told."""
    columns = lines[0][1].count(",") + 1
    for number, line in lines:
        cells = line.strip().split(",")
        if len(cells) != columns:
            return f"line {number} has {len(cells)} columns, line {lines[0][0]} has {columns}"
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                return f"line {number}, column {column} is {cell!r} and not a number"
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().strip('"'))
    except ValueError:
        return False
    return True
