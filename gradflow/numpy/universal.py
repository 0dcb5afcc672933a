"""NumPy's ufuncs of tensors, and their methods where they have a name of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.errors import NumPyCallError
from gradflow.numpy.translation import INDIFFERENT, refuse
from gradflow.ops.create import asarray
from gradflow.tensor import SCALARS, Tensor

REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
    "logaddexp": "logsumexp",
}  # fmt: skip
ACCUMULATIONS = {
    "add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin", "logaddexp": "logcumsumexp",
}  # fmt: skip
WRITTEN = {"add": "add", "multiply": "multiply", "maximum": "max", "minimum": "min"}


def called(ufunc: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` as ``ufunc`` is called: the operands, then options that must have their defaults."""
    name = ufunc.__name__

    def call(*inputs: Any, **options: Any) -> Any:
        if len(inputs) > ufunc.nin:  # outputs may be positional, too
            options["out"] = inputs[ufunc.nin :]
        check(name, options)
        return function(*inputs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    return call


def check(name: str, options: dict[str, Any]) -> None:
    """Raise NumPyCallError for options of a ufunc that do not have their defaults."""
    for each, value in options.items():
        empty = value is None or (isinstance(value, tuple) and all(x is None for x in value))
        if not empty and not any(value is usual for usual in INDIFFERENT.get(each, ())):
            refuse(name, each)


def method(ufunc: np.ufunc, kind: str, inputs: tuple[Any, ...], options: dict[str, Any], functions: Any) -> Any:
    """``ufunc.reduce``, ``accumulate`` or ``outer``; NumPyCallError for what has no function in ``functions``."""
    name = ufunc.__name__
    table = {"reduce": REDUCTIONS, "accumulate": ACCUMULATIONS}.get(kind, {})
    if name in table:
        x, *rest = inputs
        axis, *rest = rest or [options.pop("axis", 0)]
        if any(each is not None for each in rest):
            raise NumPyCallError(f"numpy.{name}.{kind} of tensors takes an axis and keepdims; pass the rest by name")
        return getattr(functions, table[name])(x, axis=axis, **options)
    if kind == "outer" and ufunc.nin == 2 and ufunc.signature is None:
        check(name, options)
        a, b = (x if isinstance(x, (Tensor, *SCALARS)) else asarray(x) for x in inputs)
        left = a.reshape((*a.shape, *(1,) * np.ndim(b))) if isinstance(a, Tensor) else a
        return getattr(functions, name)(left, b)
    if kind == "at":
        raise NumPyCallError(
            f"numpy.{name}.at writes in place, which would lose gradients; use x.at[index]"
            f".{WRITTEN.get(name, 'set')}(values), which returns the result"
        )
    raise NumPyCallError(f"numpy.{name}.{kind} has no counterpart in gradflow; use .detach().numpy(), or functions")
