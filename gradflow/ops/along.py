"""Parts of a tensor along one axis."""

from __future__ import annotations

from gradflow.dispatch import apply
from gradflow.ops.slicing import FULL, Slice, _getitem
from gradflow.tensor import Tensor


def part(x: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
    """``x[..., start:stop, ...]``, the slice along ``axis``, which counts from the front."""
    return apply(_getitem, x, index=(*(FULL,) * axis, Slice(start, stop)))
