"""What a kernel did wrong, and where."""

from __future__ import annotations

from gradflow.errors import GradflowError

Index = tuple[int, int, int]


class KernelFault(GradflowError, RuntimeError):
    """A kernel that a GPU would run into the ground, or run wrongly now and then.

    ``kind`` is one of "out of bounds", "use after free", "misaligned", "uninitialised read", "data race", "barrier",
    "shuffle", "unsupported", "launch", "trap", "endless loop". ``kernel``, ``line`` (``kernels/x.cu:12``, with the
    lines it was inlined at), ``block`` and ``thread`` (indices x, y, z) and ``address`` say where; each may be None.
    """

    def __init__(
        self,
        kind: str,
        what: str,
        kernel: str | None = None,
        line: str | None = None,
        block: Index | None = None,
        thread: Index | None = None,
        address: int | None = None,
    ) -> None:
        self.kind, self.kernel, self.line = kind, kernel, line
        self.block, self.thread, self.address = block, thread, address
        where = [f"kernel {kernel}"] if kernel else []
        where += [f"at {line}"] if line else []
        where += [f"block {block}, thread {thread}"] if block is not None else []
        super().__init__(f"{kind}: {what}" + (f" ({', '.join(where)})" if where else ""))
