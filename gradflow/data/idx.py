"""IDX, the file format of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradflow.data.dataset import Dataset, Features, Labels, count_classes, scale_pixels
from gradflow.data.reading import StrPath, reading
from gradflow.errors import DataError

# The first four bytes: two zeros, 8 for unsigned bytes, the number of axes. The sizes follow, big-endian.
MAGIC = {"images": b"\x00\x00\x08\x03", "labels": b"\x00\x00\x08\x01"}


def load_mnist(path: StrPath) -> Dataset:
    """MNIST, Fashion-MNIST or any data set of their layout, from the directory that holds its four files.

    These are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, or the same with .idx for -idx, each with or without .gz. They are read as by
    `load_idx`: an image is a row of pixels, for a convolution `x.reshape(-1, 1, 28, 28)`. Raises DataError
    for a file that is missing, damaged or does not fit the others.

    >>> load_mnist("data/fashion")  # doctest: +SKIP
    Dataset(fashion: 60000 train, 10000 test, x (784,) float32, 10 classes)
    """
    directory = Path(path)
    files = [_find(directory, part, kind) for part in ("train", "t10k") for kind in ("images", "labels")]
    x_train, y_train = load_idx(*files[:2])
    x_test, y_test = load_idx(*files[2:])
    name = directory.resolve().name
    return Dataset(name, x_train, y_train, x_test, y_test, count_classes(y_train, y_test))


def load_idx(images: StrPath, labels: StrPath) -> tuple[Features, Labels]:
    """Images and their labels from two IDX files, each of them gzip-compressed if its name ends in .gz.

    The images come as float32 of shape (images, rows * columns) in [0, 1], a byte divided by 255; the labels
    as int64 of shape (images,). Raises DataError for a file that is missing, truncated, too long or of
    another kind, and for two files that disagree on the number of images.

    >>> import pathlib, tempfile
    >>> images, labels = (pathlib.Path(tempfile.mkdtemp(), name) for name in ("images", "labels"))
    >>> _ = images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2]) + bytes([0, 255]))
    >>> _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1]) + bytes([7]))
    >>> load_idx(images, labels)  # one image, of one row and two columns
    (array([[0., 1.]], dtype=float32), array([7]))
    """
    pixels = _read_idx(Path(images), "images")
    y = _read_idx(Path(labels), "labels")
    if len(pixels) != len(y):
        raise DataError(
            f"{images} holds {len(pixels)} images and {labels} holds {len(y)} labels; "
            "give the two files of one data set"
        )
    return scale_pixels(pixels.reshape(len(pixels), -1)), y.astype(np.int64)


def _find(directory: Path, part: str, kind: str) -> Path:
    axes = MAGIC[kind][3]
    names = [f"{part}-{kind}{mark}idx{axes}-ubyte{gz}" for mark in "-." for gz in ("", ".gz")]
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise DataError(
        f"{directory} has no file {names[0]}; the layout of MNIST is train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without .gz"
    )


def _read_idx(path: Path, kind: str) -> NDArray[np.uint8]:
    with reading(path) as file:
        content = file.read()
    magic = MAGIC[kind]
    start = 4 + 4 * magic[3]
    if not content:
        raise DataError(f"{path} is empty; copy it again")
    if content.startswith(b"\x1f\x8b"):
        raise DataError(f"{path} is gzip data; add .gz to its name, or decompress it")
    if not magic.startswith(content[:4]):
        raise DataError(
            f"{path} is not an IDX file of {kind}: it starts with the bytes {content[:4].hex(' ')} and not "
            f"with {magic.hex(' ')}"
        )
    if len(content) < start:
        raise DataError(f"{path} is truncated: it has {len(content)} of {start} header bytes; copy it again")
    shape = struct.unpack(f">{magic[3]}I", content[4:start])
    expected, given = math.prod(shape), len(content) - start
    if given != expected:
        fault = "truncated" if given < expected else "too long"
        raise DataError(
            f"{path} is {fault}: its header says {shape}, {expected} bytes, and {given} follow; copy it again"
        )
    if not expected:
        raise DataError(f"{path} holds no {kind}: its header says {shape}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
