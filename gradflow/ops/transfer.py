"""Tensors on another device."""

from __future__ import annotations

from typing import Any

from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dispatch import apply
from gradflow.dtypes import DTypeLike
from gradflow.op import Op, like_first
from gradflow.ops.cast import astype
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, check_on, moved


def to(x: Tensor, target: str | Device | DTypeLike) -> Tensor:
    """``x`` on another device, or in another dtype; itself if it is there already. The gradient comes back.

    Raises DeviceError for a device that is not there, DTypeError for what is neither a device nor a dtype.

    >>> import gradflow as gf
    >>> gf.tensor([1.0, 2.0]).to("float64").dtype
    dtype('float64')
    """
    if not (isinstance(target, Device) or (isinstance(target, str) and target.startswith(("cpu", "cuda")))):
        return astype(x, target)
    where, here = as_device(target), x.device
    check_on(x.dtype, where)
    return x if where == here else apply(_to_device, x, device=where, origin=here)


def cpu(x: Tensor) -> Tensor:
    """``x`` on the CPU; itself if it is there already."""
    return to(x, CPU)


def cuda(x: Tensor, index: int = 0) -> Tensor:
    """``x`` on a CUDA device; itself if it is there already. Raises DeviceError if the device is not there."""
    return to(x, Device("cuda", index))


def _to_device_forward(xp: Any, x: Any, *, device: Device, origin: Device, out: Any = None) -> Any:
    there = moved(x, device)
    if out is None:
        return there
    out[...] = there
    return out


_to_device: Op = Op(
    name="to_device",
    forward=_to_device_forward,
    spec=like_first,
    vjp=(lambda g, device, origin: apply(_to_device, g, device=origin, origin=device),),
    complex=True,
    samples=tuple(sample(Real(shape), device=CPU, origin=CPU) for shape in [(), (3, 4), (0, 2)]),
)
