"""The error codes of the CUDA runtime that the simulated device gives, and the exceptions CuPy makes of them."""

from __future__ import annotations

from typing import Any

CAPTURING = "the current stream is capturing, so synchronous API calls are disallowed"

# name: (number, what cudaGetErrorString says)
STATUS = {
    "cudaErrorInvalidValue": (1, "invalid argument"),
    "cudaErrorMemoryAllocation": (2, "out of memory"),
    "cudaErrorInsufficientDriver": (35, "CUDA driver version is insufficient for CUDA runtime version"),
    "cudaErrorInvalidDevice": (101, "invalid device ordinal"),
    "cudaErrorInvalidResourceHandle": (400, "invalid resource handle"),
    "cudaErrorNotReady": (600, "device not ready"),
    "cudaErrorIllegalAddress": (700, "an illegal memory access was encountered"),
    "cudaErrorLaunchFailure": (719, "unspecified launch failure"),
    "cudaErrorStreamCaptureUnsupported": (900, "operation not permitted when stream is capturing"),
    "cudaErrorStreamCaptureInvalidated": (901, "operation failed due to a previous error during capture"),
    "cudaErrorStreamCaptureUnmatched": (903, "capture was not initiated in this stream"),
    "cudaErrorStreamCaptureUnjoined": (904, "capturing stream has unjoined work"),
    "cudaErrorStreamCaptureImplicit": (
        906,
        "operation would make the legacy stream depend on a capturing blocking stream",
    ),
    "cudaErrorCapturedEvent": (907, "operation not permitted on an event last recorded in a capturing stream"),
    "cudaErrorIllegalState": (401, "the operation cannot be performed in the present state"),
}


class CUDARuntimeError(RuntimeError):
    """A call of the CUDA runtime that failed; ``status`` is its error code."""

    def __init__(self, status: int | str) -> None:
        name = status if isinstance(status, str) else next(n for n, (code, _) in STATUS.items() if code == status)
        self.status, self.reason = STATUS[name]
        super().__init__(f"{name}: {self.reason}")

    def __reduce__(self) -> Any:
        return type(self), (self.status,)


class CUDADriverError(RuntimeError):
    """A call of the CUDA driver that failed; ``status`` is its error code."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the CUDA driver says {status}")


class OutOfMemoryError(MemoryError):
    """The device, or the limit of the pool, has not the memory that was asked for."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self.size, self.total, self.limit = size, total, limit
        held = f"allocated so far: {total:,} bytes" + (f", limit set to: {limit:,} bytes" if limit else "")
        super().__init__(f"Out of memory allocating {size:,} bytes ({held}).")


class CompileException(Exception):
    """A program that does not compile."""

    def __init__(self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc") -> None:
        self.source, self.name, self.options, self.backend = source, name, options, backend
        super().__init__(msg)
