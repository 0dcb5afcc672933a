"""Choosing elements from several tensors, and values by pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradflow.dtypes import bool_
from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray, zeros_like
from gradflow.ops.floor_division import remainder
from gradflow.ops.join import _several, stack
from gradflow.ops.lookup import take_along_axis
from gradflow.ops.shape import broadcast_arrays, expand_dims, squeeze
from gradflow.tensor import Tensor, TensorLike


def select(condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0) -> Tensor:
    """For every place the choice of the first condition that holds there, ``default`` where none does.

    Everything broadcasts, and gradients flow to what is chosen. Raises ArgumentError unless there are as many
    conditions as choices, DTypeError unless conditions are bool.

    >>> import gradflow as gf
    >>> x = gf.tensor([-2.0, 0.5, 3.0])
    >>> gf.select([x < 0, x > 1], [-x, x * 10])
    tensor([ 2.,  0., 30.])
    """
    conditions, choices = _several("select", condlist), _several("select", choicelist)
    if len(conditions) != len(choices):
        raise ArgumentError(f"select: {len(conditions)} conditions and {len(choices)} choices; there must be as many")
    result: Any = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = where(_condition("select", condition), choice, result)
    chosen: Tensor = result
    return chosen


def _condition(name: str, condition: TensorLike) -> Tensor:
    given = asarray(condition)
    if given.dtype != bool_:
        raise DTypeError(f"{name}: a condition is bool, not {given.dtype}")
    return given


def choose(a: TensorLike, choices: Sequence[TensorLike], mode: str = "raise") -> Tensor:
    """For every place the element there of the choice that ``a``, of integers, names; everything broadcasts.

    Raises IndexOutOfRange for a number that is no choice's; with "wrap" numbers go round, with "clip" they end at the
    first and last.

    >>> import gradflow as gf
    >>> gf.choose(gf.tensor([1, 0]), [gf.tensor([1.0, 2.0]), gf.tensor([10.0, 20.0])])
    tensor([10.,  2.])
    """
    if mode not in ("raise", "wrap", "clip"):
        raise ArgumentError(f"choose: mode is {mode!r}; it must be 'raise', 'wrap' or 'clip'")
    numbers = asarray(a)
    if numbers.dtype.kind not in "iu":
        raise DTypeError(f"choose: the numbers of choices are integers, not {numbers.dtype}")
    given = _several("choose", choices)
    if mode == "wrap":
        numbers = remainder(numbers, len(given))
    if mode == "clip":
        numbers = numbers.clip(0, len(given) - 1)
    which, *offered = broadcast_arrays(numbers, *given)
    return squeeze(take_along_axis(stack(offered), expand_dims(which, 0), axis=0), 0)


def piecewise(x: TensorLike, condlist: Sequence[TensorLike], funclist: Sequence[Any], *args: Any, **kw: Any) -> Tensor:
    """For every place the value of the function whose condition holds there, the last one where several do.

    ``funclist`` has functions of a tensor, or numbers; one more than conditions is for where none holds, otherwise
    it is 0. All functions are called with all of ``x`` (and ``args`` and ``kw``): where one is not finite, so may be
    the gradient. Raises ArgumentError for another number of functions.

    >>> import gradflow as gf
    >>> x = gf.tensor([-2.0, 3.0])
    >>> gf.piecewise(x, [x < 0, x >= 0], [lambda x: -x, 5.0])
    tensor([2., 5.])
    """
    given = asarray(x)
    pieces = list(funclist)
    if len(pieces) not in (len(condlist), len(condlist) + 1):
        raise ArgumentError(f"piecewise: {len(pieces)} functions for {len(condlist)} conditions")
    result: Tensor = zeros_like(given.detach())
    if len(pieces) > len(condlist):
        result = where(True, _value(pieces.pop(), given, args, kw), result)
    for condition, piece in zip(condlist, pieces, strict=True):
        result = where(_condition("piecewise", condition), _value(piece, given, args, kw), result)
    return result.astype(given.dtype)


def _value(piece: Callable[..., Tensor] | float, x: Tensor, args: Any, kw: Any) -> Any:
    return piece(x, *args, **kw) if callable(piece) else piece
