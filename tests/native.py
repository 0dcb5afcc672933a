"""Functions in LLVM IR for tests of native programs, written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.backend.native.function import Function

# adds one to the number of its chunk, after so many rounds of doing nothing
_COUNT = """
define i32 @count_chunks(ptr %arguments, i64 %chunk) {
  %rounds.at = getelementptr i64, ptr %arguments, i64 1
  %rounds = load i64, ptr %rounds.at
  br label %wait
wait:
  %i = phi i64 [ 0, %0 ], [ %i.next, %wait ]
  %waited = load volatile i64, ptr %rounds.at
  %i.next = add i64 %i, 1
  %over = icmp uge i64 %i.next, %rounds
  br i1 %over, label %count, label %wait
count:
  %counts = load ptr, ptr %arguments
  %at = getelementptr i64, ptr %counts, i64 %chunk
  %before = load i64, ptr %at
  %after = add i64 %before, 1
  store i64 %after, ptr %at
  ret i32 0
}
"""

# fails if the number of its chunk is in the array
_REFUSE = """
define i32 @refuse_chunk(ptr %arguments, i64 %chunk) {
  %refused.at = load ptr, ptr %arguments
  %refused = load i64, ptr %refused.at
  %same = icmp eq i64 %refused, %chunk
  %status = zext i1 %same to i32
  ret i32 %status
}
"""


def count_chunks(counts: Any, rounds: int = 0) -> Function:
    """Adds 1 to each element of ``counts`` (int64), one a chunk; ``rounds`` make a chunk last longer."""
    return Function("count_chunks", _COUNT, (counts, rounds), counts.size)


def refuse_chunk(refused: Any, chunks: int) -> Function:
    """Stops the program at the chunk whose number is in ``refused`` (int64), if there is one."""
    return Function("refuse_chunk", _REFUSE, (refused,), chunks)


def address_of(array: np.ndarray[Any, Any]) -> int:
    return array.ctypes.data
