"""Where a call comes from: the user's line, and the pass it belongs to."""

from __future__ import annotations

import sys
from types import FrameType

from gradflow import tape
from gradflow.site import Site, caller

_PULL = tape.Node.pull.__code__
_SWEEPS = {tape.backward.__code__, tape.gradients.__code__}


def origin() -> tuple[Site | None, bool]:
    """The user's line that led here, and whether by way of the backward pass.

    The line of a gradient is the one of the operation that is differentiated.
    """
    site = caller(1)
    frame: FrameType | None = sys._getframe(1)
    backward = False
    while frame is not None and (frame.f_code, frame.f_lasti) != site:
        if frame.f_code is _PULL:
            return frame.f_locals["self"].site, True
        backward = backward or frame.f_code in _SWEEPS
        frame = frame.f_back
    return site, backward
