"""Borders around the last dimensions, by PyTorch's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import rearrange
from gradflow.ops.create import asarray
from gradflow.ops.slicing import Slice, _getitem, integer
from gradflow.tensor import Tensor, TensorLike

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # PyTorch's: NumPy's


def pad(input: TensorLike, pad: Sequence[SupportsIndex], mode: str = "constant", value: float | None = None) -> Tensor:
    """The input with elements added around its last dimensions, or cut off where a width is negative.

    ``pad`` is what goes before and after the last dimension, then before and after the one ahead of it, and so on:
    (left, right, top, bottom) for images. What is added is ``value`` (0), or by ``mode`` the elements mirrored about
    the outermost ("reflect"), the nearest ("replicate"), or those from the other end ("circular").

    Raises ShapeError for widths that do not fit: "reflect" has one element less than there are to offer, "circular"
    not more than there are. ``gf.pad`` has NumPy's arguments.

    >>> import gradflow.nn.functional as F
    >>> F.pad([1.0, 2.0, 3.0], (1, 1)), F.pad([1.0, 2.0, 3.0], (2, -1), mode="reflect")
    (tensor([0., 1., 2., 3., 0.]), tensor([3., 2., 1., 2.]))
    """
    x = asarray(input)
    given = [integer("pad", "a width", each) for each in pad]
    if mode not in MODES:
        raise ArgumentError(f"pad: mode is one of {', '.join(MODES)}; got {mode!r}")
    if mode != "constant" and value is not None:
        raise ArgumentError(f"pad: value is for mode 'constant', not for {mode!r}")
    if len(given) % 2 or len(given) > 2 * x.ndim:
        raise ShapeError(f"pad: {len(given)} widths are no pairs for the last dimensions of {x.shape}")
    pairs = list(zip(given[::2], given[1::2], strict=True))[::-1]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    _check(x.shape, widths, mode)
    if mode == "circular":  # of what is left
        x = _cut(x, widths)
    added = [(max(before, 0), max(after, 0)) for before, after in widths]
    x = rearrange.pad(x, added, MODES[mode], constant_values=0 if value is None else value)
    return x if mode == "circular" else _cut(x, widths)


def _check(shape: tuple[int, ...], widths: list[tuple[int, int]], mode: str) -> None:
    for size, pair in zip(shape, widths, strict=True):
        offered = {"reflect": size - 1, "circular": size + min(0, *pair)}.get(mode)
        if size + sum(pair) < 0 or (offered is not None and max(pair) > max(offered, 0)):
            raise ShapeError(f"pad: widths {pair} do not fit a dimension of {size}, of {shape}, in mode {mode!r}")


def _cut(x: Tensor, widths: list[tuple[int, int]]) -> Tensor:
    if all(min(pair) >= 0 for pair in widths):
        return x
    kept = zip(x.shape, widths, strict=True)
    index = tuple(Slice(max(-before, 0), size + min(after, 0)) for size, (before, after) in kept)
    return apply(_getitem, x, index=index)
