"""Whether operations are recorded on the tape, who is told of reads, which transform runs: switches for each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PLAIN = -1


class _Mode(threading.local):
    recording = True
    reading: Callable[[str], None] | None = None  # told of the attempt when a tensor's elements are about to be read
    # numbers of levels on whose tapes nothing is recorded; PLAIN is outside of all
    silent: frozenset[int] = frozenset()
    level: Any = None  # the innermost vmap or jvp that runs (see gradflow/transforms/level.py)


mode = _Mode()


@contextmanager
def recording(enabled: bool) -> Iterator[None]:
    """Record operations on the tape, or not, in this thread, until the block ends."""
    before, mode.recording = mode.recording, enabled
    try:
        yield
    finally:
        mode.recording = before


def no_grad() -> Any:
    """A context manager (or decorator) in which nothing is recorded: faster, and no memory is kept for gradients.

    >>> import gradflow as gf
    >>> w = gf.tensor(2.0, requires_grad=True)
    >>> with gf.no_grad():
    ...     y = w * w
    >>> y.requires_grad
    False
    """
    return recording(False)


def enable_grad() -> Any:
    """A context manager (or decorator) that records again inside ``no_grad``."""
    return recording(True)
