"""The user's line in a stack of calls: where an operation came from."""

from __future__ import annotations

import os
import sys
from types import CodeType

_PACKAGE = os.path.dirname(__file__) + os.sep

Site = tuple[CodeType, int]  # the code and the instruction, not the frame, which would keep the locals alive


def caller(depth: int) -> Site | None:
    """The innermost line outside gradflow, at least ``depth`` calls up."""
    frame = sys._getframe(depth)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else (frame.f_code, frame.f_lasti)


def described(site: Site | None) -> str:
    """``site`` as a traceback writes it."""
    if site is None:
        return "an unknown line"
    return f'File "{site[0].co_filename}", line {line(site)}, in {site[0].co_name}'


def line(site: Site) -> int:
    """The number of the line that ``site`` is on."""
    code, instruction = site
    lines = [number for start, end, number in code.co_lines() if start <= instruction < end]
    return (lines[0] if lines else None) or code.co_firstlineno
