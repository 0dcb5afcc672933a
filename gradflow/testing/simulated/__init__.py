"""A stand-in for the module ``cupy`` that executes everything on the CPU and refuses what CuPy and CUDA refuse."""

from gradflow.testing.simulated.namespace import Cupy

__all__ = ["Cupy"]
