"""What a native program is made of: functions in LLVM IR, and what they are called with."""

from __future__ import annotations

from typing import Any, NamedTuple


class Function(NamedTuple):
    """``define i32 @name(ptr %arguments, i64 %chunk)`` in ``text``: it does one of ``chunks`` independent parts.

    ``arguments`` point at words of 8 bytes: the addresses of ``arrays``, of memory for each Scratch among them, which
    functions share if they have the same Scratch, and Python ints as they are. The function returns 0, or another
    number to stop the program. Equal names stand for equal texts, which may define more functions; the number of chunks
    depends on sizes alone, so that results do not depend on the number of threads.
    """

    name: str
    text: str
    arrays: tuple[Any, ...]
    chunks: int
