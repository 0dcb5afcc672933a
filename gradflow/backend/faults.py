"""Indices out of range on a GPU: noted by kernels as they run, raised when the program next waits for the device."""

from __future__ import annotations

from typing import Any

from gradflow.dtypes import int64
from gradflow.errors import IndexOutOfRange
from gradflow.launch import fault_name

FIELDS = 4  # the op's code, the index, the size it must be below, its position


class Faults:
    """The record of one device. Looking at it costs a wait, so it is looked at only when one happens anyway."""

    def __init__(self, xp: Any) -> None:
        self.record = xp.zeros(FIELDS, int64)
        self.suspected = False  # whether a kernel that may note a fault has run since the record was last looked at

    def address(self) -> int:
        """Where kernels note faults."""
        self.suspected = True
        return int(self.record.data.ptr)

    def settle(self) -> None:
        """Raise IndexOutOfRange if a kernel noted a fault; the record is clean afterwards. Waits for the device."""
        if not self.suspected:
            return
        self.suspected = False
        code, index, size, position = self.record.get().tolist()
        if not code:
            return
        self.record.fill(0)
        raise IndexOutOfRange(
            f"{fault_name(code)}: index {index} (at position {position}) is out of range for a size of {size}; "
            "on CUDA this is found when the program waits for the device: the call was made before this line"
        )
