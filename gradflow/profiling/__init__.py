"""What a step costs: its ops, their time, launches, bytes, copies, waits and memory, and the lines they come from."""

from gradflow.profiling.profile import profile
from gradflow.profiling.report import Report, Row

__all__ = ["Report", "Row", "profile"]
