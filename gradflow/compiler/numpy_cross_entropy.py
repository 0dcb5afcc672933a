"""Cross-entropy of few rows without machine code: NumPy's functions on arrays that are there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.compiler.program import INPUT, Call

ROWS, CLASSES = 1 << 10, 1 << 7  # up to which BLAS adds up floats without losing digits


def numpy_cross_entropy(call: Call, operands: list[Any], otherwise: Callable[[], Any]) -> Callable[[], None] | None:
    """What does ``call``, of cross_entropy_with_grad, on ``operands``; None if it does not.

    It is made for labels that are all classes; if there are other ones, to be ignored or to be refused, ``otherwise``
    is called before anything is written.
    """
    if not _is_plain(call):
        return None
    logits, labels = call.inputs[2:4]
    (rows, classes), dtype = logits.shape, logits.dtype
    scale = np.array(1 / rows if call.attrs["reduction"] == "mean" else 1, dtype)
    unsigned = np.dtype(f"u{labels.dtype.itemsize}")
    first, places, best = np.arange(rows) * classes, np.empty(rows, np.intp), np.empty(rows, np.intp)
    ones, shares = np.ones(classes, dtype), np.full(rows, scale)
    each, sums = np.empty(rows, dtype), np.empty(rows, dtype)
    z, loss = operands[:2]
    flat, of_rows = z.reshape(-1), sums[:, None]
    add, subtract, exp, log, divide, multiply = np.add, np.subtract, np.exp, np.log, np.divide, np.multiply

    def do() -> None:
        x, labels = operands[2:4]
        numbers = labels.view(unsigned)
        if numbers[numbers.argmax()] >= classes:  # negative ones are, too
            otherwise()
            return
        x.argmax(1, best)
        add(first, best, places)
        subtract(x, x.reshape(-1)[places][:, None], z)
        add(first, labels, places)
        each[...] = flat[places]
        exp(z, z)
        z.dot(ones, sums)
        subtract(log(sums), each, each)
        each.dot(shares, loss)
        divide(scale, sums, sums)
        multiply(z, of_rows, z)
        flat[places] -= scale

    return do


def _is_plain(call: Call) -> bool:
    gradient, loss, logits, labels, weight = call.inputs
    rows, classes = logits.shape
    return (
        weight is None
        and not call.attrs["label_smoothing"]
        and call.attrs["reduction"] != "none"
        and not 0 <= call.attrs["ignore_index"] < classes
        and all(x.dtype == logits.dtype and x.strides is None for x in (gradient, loss, logits))
        and all(x.storage.origin != INPUT for x in (gradient, loss))
        and logits.dtype.char in "fd"
        and labels.dtype.kind in "iu"
        and 0 < rows <= ROWS
        and 0 < classes <= CLASSES
    )
