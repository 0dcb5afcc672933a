"""A CUDA device for tests: simulated, so that every kernel and every call is executed where no GPU is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradflow.backend import installed
from gradflow.backend.cuda import CudaBackend
from gradflow.ops import generator

if TYPE_CHECKING:
    from gradflow.testing.simulated import Cupy


def simulated_backend(devices: int = 1, memory: int = 8 << 30) -> CudaBackend:
    """The CUDA backend on ``devices`` simulated devices, each with ``memory`` bytes."""
    from gradflow.testing.simulated import Cupy
    from gradflow.testing.simulated.cublaslt import CublasLt
    from gradflow.testing.simulated.product import Product

    xp = Cupy(devices=devices, memory=memory)
    machine = xp.machine

    def submit(product: Product, work: Callable[[], None]) -> None:
        machine.enqueue("gemm", product.name, product.bytes, work, machine.stream_at(product.stream))

    return CudaBackend(xp, CublasLt(machine.memory, submit))


@contextmanager
def serving(backend: CudaBackend) -> Iterator[Cupy]:
    """Let ``backend`` be what device "cuda" means until the block ends; yields its stand-in for the module cupy."""
    before = {where: each for where, each in generator.defaults.items() if where.kind == "cuda"}
    try:
        for where in before:
            del generator.defaults[where]
        with installed(backend):
            yield backend.xp
    finally:
        for where in [where for where in generator.defaults if where.kind == "cuda"]:
            del generator.defaults[where]
        generator.defaults.update(before)


@contextmanager
def simulated_cuda(devices: int = 1, memory: int = 8 << 30) -> Iterator[Cupy]:
    """Simulate CUDA until the block ends: ``device="cuda"`` works, slowly, on any machine.

    Kernels are compiled by NVRTC and executed by ``gradflow.testing.ptx``; what CuPy and CUDA would refuse, is
    refused. Yields the stand-in for the module cupy, whose ``records`` list launches, copies and waits. Tensors of the
    device are of no use after the block. Raises MissingExtraError when a kernel is launched and NVRTC is missing.

    >>> import gradflow as gf
    >>> with gf.testing.simulated_cuda() as cupy:
    ...     (gf.tensor([1.0, 2.0], device="cuda") * 2).cpu()
    tensor([2., 4.])
    """
    with serving(simulated_backend(devices, memory)) as xp:
        yield xp
