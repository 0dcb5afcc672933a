"""NumPy's own functions, of the elements in host memory: what has no gradient, reads files or shows numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange
from gradflow.numpy.translation import refuse
from gradflow.tensor import Tensor, tensor

# of integers, places and bits; kinds of tables that are made on the host
COMPUTED = (
    "bartlett", "bitwise_count", "blackman", "gcd", "hamming", "hanning", "histogram_bin_edges", "kaiser", "lcm",
    "lexsort", "mask_indices", "min_scalar_type", "nanargmax", "nanargmin", "packbits", "spacing", "unpackbits",
)  # fmt: skip
# of memory and files
READ = ("frombuffer", "fromfile", "fromregex", "fromstring", "genfromtxt", "load", "loadtxt")
# what gives no tensors; of one that requires grad an error says that its gradient would be lost
SHOWN = (
    "array2string", "array_repr", "array_str", "common_type", "save", "savetxt", "savez", "savez_compressed",
)  # fmt: skip
NAMES = (*COMPUTED, *READ, *SHOWN)
METHODS = ("reduce", "accumulate", "outer", "reduceat")


def on_host(name: str) -> Callable[..., Any]:
    """NumPy's ``name`` of tensors; arrays that it returns become tensors, on the device of the first one given."""
    function = getattr(np, name)
    call = reading(name, function, detached=name not in SHOWN)
    if isinstance(function, np.ufunc):
        for each in METHODS:
            setattr(call, each, reading(f"{name}.{each}", getattr(function, each)))
    return call


def reading(name: str, function: Callable[..., Any], detached: bool = True) -> Callable[..., Any]:
    """``function`` of the elements; arrays that it returns become tensors, on the device of the first one given."""
    elements = of_elements(name, function, detached)

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None or len(args) > getattr(function, "nin", len(args)):
            refuse(name, "out")
        first = next(_tensors([args, list(kwargs.values())]), None)
        return on_device(elements(*args, **kwargs), None if first is None else first.device)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"NumPy's ``{name}`` of the elements, without gradient."
    return call


def of_elements(name: str, function: Callable[..., Any], detached: bool = True) -> Callable[..., Any]:
    """``function`` of NumPy's, which gets the elements of tensors in host memory; its errors become gradflow's.

    Those of a tensor that requires grad are a GradientError unless they are ``detached``.
    """

    def elements(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.detach()._read(name) if detached else x.numpy()
        return type(x)(map(elements, x)) if type(x) in (list, tuple) else x

    def call(*args: Any, **kwargs: Any) -> Any:
        given, named = elements(args), {key: elements(x) for key, x in kwargs.items()}
        try:
            return function(*given, **named)
        except IndexError as error:
            raise IndexOutOfRange(f"numpy.{name}: {error}") from None
        except ValueError as error:
            raise ArgumentError(f"numpy.{name}: {error}") from None
        except TypeError as error:
            raise DTypeError(f"numpy.{name}: {error}") from None

    return call


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif type(x) in (list, tuple):
        for each in x:
            yield from _tensors(each)


def on_device(x: Any, device: Any = None) -> Any:
    """``x`` with tensors in the place of numeric arrays, in tuples and lists, too."""
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "biufc":
        return tensor(x, device=device)
    return type(x)(on_device(each, device) for each in x) if type(x) in (list, tuple) else x
