"""The CUDA devices of this machine, as ``gf.cuda``: are there any, waiting for them, their memory."""

from __future__ import annotations

from gradflow import backend
from gradflow.device import Device
from gradflow.device import device as as_device
from gradflow.errors import GradflowError

DeviceLike = str | Device


def is_available() -> bool:
    """Whether tensors can be made on ``cuda``; ``gf.tensor(0.0, device="cuda")`` says why not.

    >>> import gradflow as gf
    >>> gf.cuda.is_available() == (gf.cuda.device_count() > 0)
    True
    """
    return device_count() > 0


def device_count() -> int:
    """How many CUDA devices can be used: 0 without CuPy, a driver or a GPU."""
    try:
        return backend.cuda_backend().devices
    except GradflowError:
        return 0


def synchronize(device: DeviceLike = "cuda") -> None:
    """Wait until everything queued on ``device`` is done.

    Raises IndexOutOfRange if an index was out of range since the last wait, DeviceError if the device is not there.
    """
    where = as_device(device)
    backend.backend_for(where).synchronize(where)


def memory_allocated(device: DeviceLike = "cuda") -> int:
    """Bytes on ``device`` that arrays hold, CuPy's included; PyTorch's name."""
    return _pool(device)[0]


def memory_reserved(device: DeviceLike = "cuda") -> int:
    """Bytes on ``device`` that CuPy's memory pool holds: for arrays, and free for new ones; PyTorch's name."""
    return sum(_pool(device))


def mem_get_info(device: DeviceLike = "cuda") -> tuple[int, int]:
    """Free and total bytes of ``device``, all processes together; PyTorch's name."""
    where = as_device(device)
    serving = backend.backend_for(where)
    with serving.on(where):
        free, total = serving.xp.cuda.Device(where.index).mem_info
    return int(free), int(total)


def empty_cache(device: DeviceLike = "cuda") -> None:
    """Give what CuPy's memory pool keeps for new arrays back to ``device``; PyTorch's name."""
    where = as_device(device)
    serving = backend.backend_for(where)
    with serving.on(where):
        serving.xp.get_default_memory_pool().free_all_blocks()


def _pool(device: DeviceLike) -> tuple[int, int]:
    where = as_device(device)
    serving = backend.backend_for(where)
    with serving.on(where):
        pool = serving.xp.get_default_memory_pool()
        return int(pool.used_bytes()), int(pool.free_bytes())
