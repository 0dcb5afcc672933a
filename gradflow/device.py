"""Where arrays live: a device's kind and number, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass

from gradflow.errors import DeviceError


@dataclass(frozen=True)
class Device:
    """A place for arrays: ``cpu``, ``cuda`` (the same as ``cuda:0``) or ``cuda:1``."""

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


CPU = Device("cpu")


def device(name: str | Device) -> Device:
    """The device that ``name`` means.

    >>> device("cpu")
    Device(kind='cpu', index=0)

    Raises DeviceError for a name that is not ``cpu``, ``cuda`` or ``cuda:N``.
    """
    if isinstance(name, Device):
        return name
    kind, colon, index = str(name).partition(":")
    if kind not in ("cpu", "cuda") or (colon and not index.isdecimal()) or (kind == "cpu" and colon):
        raise DeviceError(f"{name!r} is not a device; use 'cpu', 'cuda' or 'cuda:1'")
    return Device(kind, int(index or 0))
