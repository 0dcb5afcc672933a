"""Whether operations must give the same bits in every run: a switch for the process."""

from __future__ import annotations

_deterministic = True


def use_deterministic_algorithms(mode: bool) -> None:
    """Give the same bits in every run (True, as at the start), or let GPUs add numbers in whatever order is fastest.

    It matters for gradients of ``embedding``, ``take`` and indexing on CUDA, where much may be added to one row: in the
    order of the indices, with the bits of the CPU, or by many threads at once. Set it before a step is compiled, which
    keeps it. The CPU is always deterministic. The name is PyTorch's; there it begins as False.

    >>> import gradflow as gf
    >>> gf.use_deterministic_algorithms(False)
    >>> gf.are_deterministic_algorithms_enabled()
    False
    >>> gf.use_deterministic_algorithms(True)
    """
    global _deterministic  # noqa: PLW0603
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether operations give the same bits in every run: what ``use_deterministic_algorithms`` was last told."""
    return _deterministic
