"""NumPy's ufuncs of tensors, and their methods where they have a name of their own."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from gradflow.errors import NumPyCallError
from gradflow.numpy.creation import asarray as numpy_array
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


class Universal:
    """A gradflow function as NumPy's ``ufunc``: called with operands, and with the methods that ufuncs have.

    ``reduce`` and ``accumulate`` are those of a few (sums, products, extremes), along the first axis by default;
    ``outer`` is every element of one operand with every element of the other.
    """

    def __init__(self, ufunc: np.ufunc, function: Callable[..., Any]) -> None:
        self.ufunc = ufunc
        self.function = function
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if len(inputs) > self.ufunc.nin:  # outputs may be positional, too
            options["out"] = inputs[self.ufunc.nin :]
        check(self.__name__, options)
        if not any(hasattr(x, "dtype") for x in inputs):
            inputs = tuple(map(numpy_array, inputs))  # Python's floats alone are float64
        return self.function(*inputs)

    def reduce(self, x: Any, axis: Any = 0, dtype: None = None, out: None = None, *options: Any, **more: Any) -> Any:
        """The elements along ``axis`` (of all, for None) combined to one; ``keepdims`` keeps the axis."""
        self._plain("reduce", dtype, out, *options[1:])
        kept = {"keepdims": options[0]} if options else {}
        return self._along("reduce", REDUCTIONS)(x, axis=axis, **kept, **self._usual("reduce", more))

    def accumulate(self, x: Any, axis: Any = 0, dtype: None = None, out: None = None) -> Any:
        """The elements up to each one along ``axis`` combined."""
        self._plain("accumulate", dtype, out)
        return self._along("accumulate", ACCUMULATIONS)(x, axis=axis)

    def outer(self, a: Any, b: Any, /, **options: Any) -> Any:
        """Every element of ``a`` with every element of ``b``."""
        if self.ufunc.nin != 2 or self.ufunc.signature is not None:
            raise self._absent("outer")
        check(self.__name__, options)
        a, b = (x if isinstance(x, (Tensor, *SCALARS)) else asarray(x) for x in (a, b))
        return self.function(a.reshape((*a.shape, *(1,) * np.ndim(b))) if isinstance(a, Tensor) else a, b)

    def reduceat(self, *inputs: Any, **options: Any) -> Any:
        """Raise NumPyCallError: there is no such thing."""
        raise self._absent("reduceat")

    def at(self, *inputs: Any, **options: Any) -> Any:
        """Raise NumPyCallError, which names the function that does it and returns the result."""
        raise NumPyCallError(
            f"numpy.{self.__name__}.at writes in place, which would lose gradients; use x.at[index]"
            f".{WRITTEN.get(self.__name__, 'set')}(values), which returns the result"
        )

    def _along(self, method: str, table: dict[str, str]) -> Callable[..., Any]:
        if self.__name__ not in table:
            raise self._absent(method)
        found: Callable[..., Any] = getattr(import_module("gradflow"), table[self.__name__])
        return found

    def _plain(self, method: str, *rest: Any) -> None:
        if any(each is not None and each is not np._NoValue for each in rest):
            raise NumPyCallError(f"numpy.{self.__name__}.{method} of tensors takes an axis, and no dtype= or out=")

    def _usual(self, method: str, options: dict[str, Any]) -> dict[str, Any]:
        for name in options.keys() - {"keepdims"}:
            if name != "where" or options[name] is not True:
                refuse(f"{self.__name__}.{method}", name)
        return {"keepdims": options["keepdims"]} if "keepdims" in options else {}

    def _absent(self, method: str) -> NumPyCallError:
        return NumPyCallError(
            f"numpy.{self.__name__}.{method} has no counterpart in gradflow; use .detach().numpy(), or other functions"
        )


def check(name: str, options: dict[str, Any]) -> None:
    """Raise NumPyCallError for options of a ufunc that do not have their defaults."""
    for each, value in options.items():
        empty = value is None or (isinstance(value, tuple) and all(x is None for x in value))
        if not empty and not any(value is usual for usual in INDIFFERENT.get(each, ())):
            refuse(name, each)
