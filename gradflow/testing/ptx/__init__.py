"""An interpreter of PTX: runs the kernels that NVRTC compiles on NumPy arrays, and finds what is wrong with them."""

from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.memory import Memory
from gradflow.testing.ptx.program import Program, load
from gradflow.testing.ptx.report import Report

__all__ = ["KernelFault", "Memory", "Program", "Report", "load"]
