"""What others ask of a tensor: NumPy's functions, the array API's namespace, memory, copies and pickles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from gradflow.backend.traced import Traced
from gradflow.device import CPU, Device
from gradflow.errors import ArgumentError, ExportError, GradientError, NumPyCallError
from gradflow.mode import mode
from gradflow.tensor import Tensor, copied, moved

MODULES = {"numpy": "", "numpy.linalg": ".linalg", "numpy.fft": ".fft", "numpy.lib.stride_tricks": ".grids"}
_found: dict[Any, Callable[..., Any]] = {}  # what answers to each of NumPy's functions


class _AskedByNumPy:
    """An attribute that classes have and tensors answer None for.

    NumPy asks the type for ``__array_ufunc__``, and gets the function. CuPy asks the tensor whether ``array * tensor``
    is for the tensor to do, which None means.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.function if instance is None else None


def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """``np.sin(tensor)``, ``array * tensor``, ``scipy.special.expit(tensor)``: the gradflow function of that name."""
    known = _found.get(ufunc) or _scipys(ufunc) or _answering("", ufunc.__name__, ufunc)
    if method == "__call__":
        return known(*inputs, **options)
    function = getattr(known, method, None)
    if function is None:
        raise NumPyCallError(f"numpy.{ufunc.__name__}.{method} has no counterpart in gradflow; use .detach().numpy()")
    return function(*inputs, **options)


def array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """``np.concatenate([a, tensor])``: the gradflow function of that name, with NumPy's signature."""
    if not all(issubclass(each, (Tensor, np.ndarray)) or each.__module__.startswith("cupy") for each in types):
        return NotImplemented
    known = _found.get(function)
    if known is None:
        known = _answering(MODULES.get(function.__module__), function.__name__, function)
    return known(*args, **kwargs)


def _scipys(ufunc: Any) -> Callable[..., Any] | None:
    """The function of ``gradflow.special`` for a ufunc of ``scipy.special``."""
    special = import_module("gradflow.special")
    theirs = ufunc.__name__
    name = "digamma" if theirs == "psi" else theirs
    if getattr(sys.modules.get("scipy.special._ufuncs"), theirs, None) is not ufunc or name not in special.__all__:
        return None
    known: Callable[..., Any] = import_module("gradflow.numpy.universal").Universal(ufunc, getattr(special, name))
    _found[ufunc] = known
    return known


def _answering(module: str | None, name: str, function: Any) -> Callable[..., Any]:
    space = None if module is None else import_module(f"gradflow.numpy{module}")
    found: Callable[..., Any] | None = getattr(space, name, None)
    if found is None:
        where = getattr(function, "__module__", None) or "numpy"
        raise NumPyCallError(
            f"{where}.{name} has no counterpart in gradflow; use .detach().numpy(), which leaves the gradient behind"
        )
    _found[function] = found
    return found


def cupy_kernel(self: Tensor, kernel: Any, *args: Any, **options: Any) -> Any:
    """``cupy.sin(tensor)``: CuPy's elementwise functions ask this of their arguments (CuPy 13 and later)."""
    name = getattr(kernel, "name", "").removeprefix("cupy_")
    ufunc = getattr(np, name, None)
    if not isinstance(ufunc, np.ufunc):
        raise NumPyCallError(f"the CuPy kernel {name or kernel!r} has no counterpart in gradflow; use .detach().data")
    return array_ufunc(self, ufunc, "__call__", *args, **options)


def array_namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    """The namespace of the array API standard, 2024.12. Raises ArgumentError for a later version of it."""
    space = import_module("gradflow.array_api")
    if api_version not in (None, *space.VERSIONS):
        raise ArgumentError(f"__array_namespace__: version {api_version!r} is not one of {', '.join(space.VERSIONS)}")
    return space


def dlpack(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A DLPack capsule with the memory of this tensor. Raises ExportError (a BufferError) if it requires grad."""
    exporting = import_module("gradflow.dlpack")
    return exporting.exported(self, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """The type and the number of the device, as DLPack has them: (1, 0) is the CPU, (2, i) the i-th GPU."""
    place: tuple[int, int] = import_module("gradflow.dlpack").device_of(self)
    return place


def buffer(self: Tensor, flags: int) -> memoryview:
    """``memoryview(tensor)``, which Python asks from 3.12 on: the memory itself, on the CPU.

    Raises ExportError (a BufferError) if the tensor requires grad, is on a GPU, or has numbers that Python has no name
    for.
    """
    if self.device != CPU:
        raise ExportError(f"memoryview: the memory is on {self.device}; bring the tensor to the CPU with .cpu()")
    import_module("gradflow.dlpack").check_export("memoryview", self)
    if mode.reading is not None:
        mode.reading("memoryview")
    try:
        return memoryview(self.data)
    except ValueError:
        raise ExportError(f"memoryview: Python's buffers have no {self.dtype}; convert with .astype") from None


def reduced(self: Tensor) -> tuple[Any, ...]:
    """What a pickle keeps: the elements, the device and whether grad is required, and not the gradient."""
    _check_leaf("pickle", self)
    where = self.device
    return restored, (type(self), moved(self.data, CPU), where.kind, where.index, self.requires_grad)


def restored(kind: type[Tensor], array: Any, device: str, index: int, requires_grad: bool) -> Tensor:
    """A tensor as it was pickled, on the same device. Raises DeviceError if that is not there."""
    result = kind.__new__(kind)
    Tensor.__init__(result, moved(array, Device(device, index)), requires_grad)
    return result


def shallow(self: Tensor) -> Tensor:
    """``copy.copy``: another tensor on the same memory, at the same place on the tape."""
    twin = type(self).__new__(type(self))
    Tensor.__init__(twin, self.data, self.requires_grad)
    twin.node = self.node
    return twin


def deep(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """``copy.deepcopy``: a leaf of its own with the same elements, and not the gradient."""
    _check_leaf("deepcopy", self)
    twin = memo[id(self)] = type(self).__new__(type(self))
    Tensor.__init__(twin, copied(self.data), self.requires_grad)
    return twin


def _check_leaf(attempt: str, x: Tensor) -> None:
    if isinstance(x.data, Traced):
        raise GradientError(f"{attempt}: inside vmap, jvp or grad a tensor has no elements of its own to copy")
    if mode.reading is not None:
        mode.reading(attempt)
    if x.requires_grad and x.node is not None:
        raise GradientError(
            f"{attempt}: this tensor was computed, by {x.node.op.name}, and a copy would lose the way back to what it "
            "was computed from; use .detach() for its values, or copy the leaves"
        )


for _name, _value in {
    "__array_ufunc__": _AskedByNumPy(array_ufunc),
    "__array_function__": array_function,
    "__cupy_override_elementwise_kernel__": cupy_kernel,
    "__array_namespace__": array_namespace,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
    "__buffer__": buffer,
    "__reduce__": reduced,
    "__copy__": shallow,
    "__deepcopy__": deep,
}.items():
    setattr(Tensor, _name, _value)
