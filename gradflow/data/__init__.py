"""Data sets and the files they come in, as NumPy arrays, and mini-batches of them."""

from __future__ import annotations

from pathlib import Path

from gradflow.data.bundled import load_digits, load_mnist5k
from gradflow.data.dataset import Dataset
from gradflow.data.idx import load_idx, load_mnist
from gradflow.data.minibatch import batches
from gradflow.data.npz import load_npz
from gradflow.data.reading import StrPath
from gradflow.data.table import load_csv
from gradflow.errors import DataError

__all__ = [
    "Dataset",
    "batches",
    "load",
    "load_csv",
    "load_digits",
    "load_idx",
    "load_mnist",
    "load_mnist5k",
    "load_npz",
]


def load(name_or_path: StrPath) -> Dataset:
    """The data set of that name, or in that file or directory.

    Names: "digits" and "mnist5k" (a directory of such a name is "./digits"). Paths: a directory with the four
    files of MNIST or Fashion-MNIST, a .npz file, a .csv or .csv.gz file; see `load_mnist`, `load_npz` and
    `load_csv`. Raises DataError for anything else and for files that are missing or damaged.

    >>> load("digits")
    Dataset(digits: 1437 train, 360 test, x (64,) float32, 10 classes)
    """
    if name_or_path == "digits":
        return load_digits()
    if name_or_path == "mnist5k":
        return load_mnist5k()
    path = Path(name_or_path)
    if path.is_dir():
        return load_mnist(path)
    if path.name.lower().endswith(".npz"):
        return load_npz(path)
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return load_csv(path)
    raise DataError(
        f"load: {str(name_or_path)!r} is neither a data set's name nor a data file; give digits, mnist5k, a "
        "directory with the four files of MNIST, a .npz file, or a .csv or .csv.gz file"
    )
