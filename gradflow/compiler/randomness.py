"""Random numbers that are not gradflow's: whether a step drew from Python's or NumPy's, which a replay would not."""

from __future__ import annotations

import random
import sys
from typing import Any


def states() -> dict[str, Any]:
    """Where the generators are that all of a program shares: Python's, and NumPy's if it was ever used."""
    found = {"random": repr(random.getstate())}
    if "numpy.random" in sys.modules:
        found["numpy.random"] = repr(sys.modules["numpy.random"].get_state(legacy=False)["state"])
    return found


def drawn(before: dict[str, Any]) -> str | None:
    """The module whose generator has moved on since ``before``, if one has."""
    return next((name for name, state in states().items() if before.get(name, state) != state), None)
