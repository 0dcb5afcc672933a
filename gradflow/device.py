"""Where arrays live: a device's kind and number, and how it is written."""

from __future__ import annotations

from gradflow.errors import DeviceError


class Device:
    """A place for arrays: ``cpu``, ``cuda`` (the same as ``cuda:0``) or ``cuda:1``."""

    __slots__ = ("index", "kind")

    def __init__(self, kind: str, index: int = 0) -> None:
        self.kind = kind
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.kind, self.index) == (other.kind, other.index)

    def __hash__(self) -> int:
        return hash((self.kind, self.index))

    def __repr__(self) -> str:
        return f"Device({self.kind!r}, {self.index})"

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


CPU = Device("cpu")


def device(name: str | Device) -> Device:
    """The device that ``name`` means.

    >>> device("cpu")
    Device('cpu', 0)

    Raises DeviceError for a name that is not ``cpu``, ``cuda`` or ``cuda:N``.
    """
    if isinstance(name, Device):
        return name
    kind, colon, index = str(name).partition(":")
    if kind not in ("cpu", "cuda") or (colon and not index.isdecimal()) or (kind == "cpu" and colon):
        raise DeviceError(f"{name!r} is not a device; use 'cpu', 'cuda' or 'cuda:1'")
    return Device(kind, int(index or 0))
