"""DLPack, by which array libraries hand each other their memory without a copy.

Source: DLPack 1.0 and the Python specification for it (dmlc.github.io/dlpack/latest/python_spec.html).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_of, cuda_backend
from gradflow.backend.traced import Traced
from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.errors import ArgumentError, DTypeError, ExportError
from gradflow.mode import mode
from gradflow.ops.create import asarray
from gradflow.tensor import Tensor, copied, moved

HOST, GPU = 1, 2  # kDLCPU and kDLCUDA
PINNED, MANAGED = 3, 13  # memory of the host, and of both, that CUDA made


def exported(
    x: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """``Tensor.__dlpack__``: a capsule with the memory of ``x``, which another library takes over.

    ``copy`` True hands over a copy, False never one. Raises ExportError for a tensor that requires grad, whose
    gradient the other library would drop, and for a device that it cannot be handed over on.
    """
    check_export("__dlpack__", x)
    if mode.reading is not None:
        mode.reading("__dlpack__")
    array = x.data
    if dl_device is not None and tuple(dl_device) != device_of(x):
        if tuple(dl_device) != (HOST, 0) or copy is False:
            raise ExportError(
                f"__dlpack__: the tensor is on {x.device}, and was asked for on DLPack's device {tuple(dl_device)}"
                f"{' without a copy' if copy is False else ''}; move it with .to(...) first"
            )
        array, copy, stream = backend_of(array).to_numpy(array), None, None
    if copy:
        array = copied(array)
    if isinstance(array, np.ndarray):
        if stream is not None:
            raise ExportError(f"__dlpack__: memory of the CPU has no stream, and stream={stream!r} was given; use None")
        return _of_numpy(array, max_version)
    return array.__dlpack__(stream=stream, max_version=max_version)


def _of_numpy(array: Any, max_version: tuple[int, int] | None) -> Any:
    if not array.flags.writeable and (max_version is None or max_version[0] < 1):
        raise ExportError(
            "__dlpack__: the memory is read-only, which DLPack before version 1.0 cannot say; copy the tensor first"
        )
    versioned = {} if np.lib.NumpyVersion(np.__version__) < "2.1.0" else {"max_version": max_version}
    return array.__dlpack__(**versioned)


def device_of(x: Tensor) -> tuple[int, int]:
    """``Tensor.__dlpack_device__``: the type and number of the device, as DLPack has them."""
    where = x.device
    return (HOST, 0) if where == CPU else (GPU, where.index)


def check_export(attempt: str, x: Tensor) -> None:
    """Raise ExportError for a tensor whose memory nobody else may take over."""
    if x.requires_grad:
        raise ExportError(
            f"{attempt}: this tensor requires grad, which others would drop without a word; use .detach()"
        )
    if isinstance(x.data, Traced):
        raise ExportError(f"{attempt}: inside vmap, jvp or grad a tensor has no memory of its own to hand over")


def from_dlpack(x: Any, /, *, device: str | Device | None = None, copy: bool | None = None) -> Tensor:
    """The elements of ``x``, an array of any library that has ``__dlpack__``, as a tensor.

    On the device where they are, and sharing their memory; with ``device`` on another, as a copy. ``copy`` True makes
    a copy in any case, and False is an ArgumentError where there must be one. A tensor is taken as it is, with its
    gradient. Raises DTypeError for an object without DLPack, or with numbers that gradflow does not compute with,
    ExportError if the other library does not hand the memory over.

    >>> import gradflow as gf, numpy as np
    >>> a = np.zeros(2)
    >>> x = gf.from_dlpack(a)
    >>> a[0] = 5
    >>> x
    tensor([5., 0.], dtype=float64)
    """
    given = x if isinstance(x, Tensor) else Tensor(_imported(x))
    where = given.device if device is None else as_device(device)
    if where != given.device:
        if copy is False:
            raise ArgumentError(f"from_dlpack: from {given.device} to {where} takes a copy; leave copy out")
        return given.to(where) if given.requires_grad else Tensor(moved(given.data, where))
    return asarray(given, copy=True) if copy else given


def _imported(x: Any) -> Any:
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise DTypeError(f"from_dlpack: {type(x).__name__} has no __dlpack__; use gf.tensor")
    kind, index = (int(each) for each in x.__dlpack_device__())
    if kind not in (HOST, GPU, PINNED, MANAGED):
        raise ExportError(
            f"from_dlpack: the array is on DLPack's device {(kind, index)}; move it to the CPU or to CUDA"
        )
    try:
        array = np.from_dlpack(x) if kind in (HOST, PINNED) else cuda_backend().xp.from_dlpack(x)
    except (BufferError, RuntimeError, ValueError) as error:
        raise ExportError(f"from_dlpack: {type(x).__name__} did not hand its memory over: {error}") from error
    dtypes.as_dtype(array.dtype)
    return array
