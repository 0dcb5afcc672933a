"""Functions over one, two and three dimensions, each written once; and inputs with or without one for samples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from gradflow.errors import ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.tensor import Tensor, TensorLike

P = ParamSpec("P")
R = TypeVar("R")
SIZES = {1: "L", 2: "H, W", 3: "D, H, W"}


def by_rank(
    function: Callable[Concatenate[str, int, P], R],
) -> tuple[Callable[P, R], Callable[P, R], Callable[P, R]]:
    """What ``_f(name, rank, ...)`` does as ``f1d``, ``f2d`` and ``f3d``; what it says of ``f2d``, they say of them."""
    return _of(function, 1), _of(function, 2), _of(function, 3)


def _of(function: Callable[Concatenate[str, int, P], R], rank: int) -> Callable[P, R]:
    name = f"{function.__name__.removeprefix('_')}{rank}d"

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(name, rank, *args, **kwargs)

    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[2:]
    call.__name__ = call.__qualname__ = name
    call.__module__ = function.__module__
    call.__doc__ = _described(function.__doc__ or "", rank)
    call.__annotations__ = {
        key: value for key, value in function.__annotations__.items() if key not in {"name", "rank"}
    }
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def _described(text: str, rank: int) -> str:
    """What is said of two dimensions, said of ``rank``.

    >>> _described("f2d(ones((1, 4, 4))) of (N, H, W)", 3)
    'f3d(ones((1, 4, 4, 4))) of (N, D, H, W)'
    """
    alike = re.sub(r"(\d+), \1\)", lambda found: ", ".join([found[1]] * rank) + ")", text)
    return alike.replace("2d", f"{rank}d").replace(SIZES[2], SIZES[rank])


def batched(name: str, input: TensorLike, rank: int) -> Tensor:
    """``input`` (N, C, sizes...) of ``rank`` sizes, or (C, sizes...), for which N is 1; ShapeError for another rank."""
    x = asarray(input)
    if x.ndim not in (rank + 1, rank + 2):
        sizes = SIZES[rank]
        raise ShapeError(f"{name}: the input must be (N, C, {sizes}) or (C, {sizes}), got {x.shape}")
    return x if x.ndim == rank + 2 else expand_dims(x, 0)


def unbatched(out: Tensor, input: TensorLike, rank: int) -> Tensor:
    """``out`` without its first dimension, if ``input`` had none for samples."""
    return out if asarray(input).ndim == rank + 2 else squeeze(out, 0)
