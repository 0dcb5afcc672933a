"""What the arguments of Fourier transforms mean: axes and sizes, and which direction divides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.fourier import ADJOINT
from gradflow.ops.slicing import Slice, _getitem, _place, integer
from gradflow.shapes import Shape, normalize_axis
from gradflow.tensor import Tensor, TensorLike


def axis_of(name: str, x: TensorLike, axis: SupportsIndex) -> tuple[Tensor, int]:
    """``x`` as a tensor, and ``axis`` counted from the front."""
    given = asarray(x)
    if not given.ndim:
        raise ShapeError(f"{name}: a tensor of shape () has no axis to transform along")
    return given, normalize_axis(name, axis, given.ndim)


def sizes_of(
    name: str, x: TensorLike, s: Sequence[SupportsIndex] | None, axes: Sequence[SupportsIndex] | None, least: int = 0
) -> tuple[Tensor, dict[int, int]]:
    """``x``, and the size that each axis to transform along is to have, in the order of ``axes``."""
    given = asarray(x)
    if axes is None:
        axes = range(given.ndim) if s is None else range(-len(s), 0)
    places = tuple(normalize_axis(name, axis, given.ndim) for axis in axes)
    if len(set(places)) != len(places):
        raise ArgumentError(f"{name}: axes {tuple(axes)} name an axis twice")
    if len(places) < least:
        raise ShapeError(f"{name}: there is no axis to transform along")
    if s is not None and len(s) != len(places):
        raise ShapeError(f"{name}: {len(s)} sizes for {len(places)} axes; give each axis one")
    sizes = [-1] * len(places) if s is None else [integer(name, "a size", size) for size in s]
    wanted = {
        place: given.shape[place] if size == -1 else checked_size(name, size)
        for place, size in zip(places, sizes, strict=True)
    }
    return given, wanted


def resized(x: Tensor, sizes: dict[int, int]) -> Tensor:
    """``x`` cut off or filled up with zeros to ``sizes`` of some axes."""
    kept: Shape = tuple(min(size, sizes.get(axis, size)) for axis, size in enumerate(x.shape))
    index = tuple(Slice(0, size) for size in kept)
    if kept != x.shape:
        x = apply(_getitem, x, index=index)
    wanted = tuple(sizes.get(axis, size) for axis, size in enumerate(x.shape))
    return x if wanted == kept else apply(_place, x, shape=wanted, index=index, value=0)


def checked_size(name: str, n: SupportsIndex) -> int:
    """``n`` as a Python integer, which is at least 1."""
    size = integer(name, "a size", n)
    if size < 1:
        raise ArgumentError(f"{name}: cannot transform {size} elements; the size is at least 1")
    return size


def checked_norm(name: str, norm: str | None) -> str:
    """One of the names in ``ADJOINT``."""
    if norm is not None and norm not in ADJOINT:
        raise ArgumentError(f"{name}: norm is one of {', '.join(map(repr, ADJOINT))}, not {norm!r}")
    return norm or "backward"


def check_real(name: str, x: Tensor) -> None:
    """Raise DTypeError for complex numbers."""
    if x.dtype.kind == "c":
        raise DTypeError(
            f"{name}: takes real numbers, not {x.dtype}; use the transform of complex ones, without the r or h"
        )
