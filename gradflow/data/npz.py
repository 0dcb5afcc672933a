"""NumPy archives (.npz) with features and labels in them."""

from __future__ import annotations

import reprlib
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradflow.data.dataset import (
    Dataset,
    Features,
    Labels,
    as_float32,
    count_classes,
    first_bad_label,
    first_bad_value,
    scale_pixels,
    split,
)
from gradflow.data.reading import StrPath, reading
from gradflow.errors import DataError

DAMAGE = (ValueError, MemoryError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
LAYOUTS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))


def load_npz(path: StrPath) -> Dataset:
    """The data set in a NumPy archive: its arrays x_train, y_train, x_test and y_test, or x and y.

    Features have shape (examples, ...) and keep it. Unsigned bytes are taken for pixels and divided by 255:
    float32 in [0, 1]; other numbers keep their value, in float32. Labels are whole numbers from 0, of shape
    (examples,). From x and y the test examples are chosen as by `load_csv`. Raises DataError for a file that
    is missing, damaged or holds something else, naming the array and the index. Nothing is unpickled.

    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "line.npz")
    >>> np.savez(path, x=np.linspace(0, 1, 10).reshape(10, 1), y=np.arange(10) // 5)
    >>> load_npz(path)
    Dataset(line.npz: 8 train, 2 test, x (1,) float32, 2 classes)
    """
    path = Path(path)
    arrays = _read_arrays(path)
    if "x_train" not in arrays:
        return split(path.name, *_examples(path, arrays, "x", "y"))
    x_train, y_train = _examples(path, arrays, "x_train", "y_train")
    x_test, y_test = _examples(path, arrays, "x_test", "y_test")
    return Dataset(path.name, x_train, y_train, x_test, y_test, count_classes(y_train, y_test))


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with reading(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(f"{path} is not an .npz file ({error}); write it with np.savez") from error
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        for names in LAYOUTS:
            if set(names) <= set(held):
                return {name: _read_array(path, archive, name) for name in names}
    raise DataError(
        f"{path} holds the arrays {reprlib.repr(held)}; "
        f"it should hold {' or '.join(', '.join(names) for names in LAYOUTS)}"
    )


def _read_array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        with archive.open(f"{name}.npy") as member:
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):  # zipfile compares the checksum when it comes to the end
                raise ValueError("there are more data than its header says")
            return array
    except DAMAGE as error:
        raise DataError(f"{path}: {name} cannot be read ({error}); write it again with np.savez") from error


def _examples(path: Path, arrays: dict[str, NDArray[Any]], x: str, y: str) -> tuple[Features, Labels]:
    for name in (x, y):
        if arrays[name].dtype.kind not in "buif":
            raise DataError(f"{path}: {name} has dtype {arrays[name].dtype}; give real numbers")
    if arrays[x].ndim < 2 or not arrays[x].size or arrays[y].shape != arrays[x].shape[:1]:
        raise DataError(
            f"{path}: {x} has shape {arrays[x].shape} and {y} {arrays[y].shape}; give {x} as (examples, "
            f"features), not empty, and {y} as (examples,), one class number each"
        )
    return _features(path, x, arrays[x]), _labels(path, y, arrays[y])


def _features(path: Path, name: str, given: NDArray[Any]) -> Features:
    if given.dtype == np.uint8:
        return scale_pixels(given)
    x = as_float32(given)
    if (index := first_bad_value(x)) is not None:
        raise DataError(
            f"{path}: {name}[{', '.join(map(str, index))}] (row, column, from 0) is {given[index]}; values "
            "must be finite in float32, so repair or drop that row"
        )
    return x


def _labels(path: Path, name: str, given: NDArray[Any]) -> Labels:
    if (row := first_bad_label(given)) is not None:
        raise DataError(f"{path}: {name}[{row}] is {given[row]}; labels are whole numbers from 0 to 2**31 - 1")
    return given.astype(np.int64)
