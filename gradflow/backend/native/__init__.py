"""Native programs on the CPU: loops and matrix products as machine code, where the extra ``fast`` is installed."""

from gradflow.backend.native.engine import available, failure
from gradflow.backend.native.function import Function
from gradflow.backend.native.products import multiplies
from gradflow.backend.native.program import Program

__all__ = ["Function", "Program", "available", "failure", "multiplies"]
