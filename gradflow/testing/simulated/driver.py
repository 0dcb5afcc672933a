"""What stands in for ``cupy.cuda.driver``: launching a kernel by its handle, with arguments by their addresses."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow.testing.simulated.status import CUDARuntimeError

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine


def launch_kernel(
    machine: Machine, f: int, grid_dim_x: int, grid_dim_y: int, grid_dim_z: int,
    block_dim_x: int, block_dim_y: int, block_dim_z: int, shared_mem_bytes: int, stream: int,
    kernel_params: int, extra: int,
) -> None:  # fmt: skip
    """``cuLaunchKernel``: ``kernel_params`` is the address of an array of addresses, one of each argument."""
    kernel = machine.functions.get(f)
    if kernel is None or extra:
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle" if kernel is None else "cudaErrorInvalidValue")
    sizes = kernel._sizes()
    addresses = (ctypes.c_void_p * len(sizes)).from_address(kernel_params)
    arguments = [_argument(ctypes.string_at(at, size)) for at, size in zip(addresses, sizes, strict=True)]
    grid, block = (grid_dim_x, grid_dim_y, grid_dim_z), (block_dim_x, block_dim_y, block_dim_z)
    kernel(grid, block, arguments, shared_mem=shared_mem_bytes, stream=machine.stream_at(stream))


def _argument(read: bytes) -> Any:
    """The bytes of an argument as a number of that many bytes: 8 of them may be a pointer."""
    return np.frombuffer(read, f"u{len(read)}" if len(read) in (1, 2, 4, 8) else f"V{len(read)}")[0]
