"""What gradflow is tested with, for users who write ops and kernels of their own."""

from gradflow.testing.cases import cases, tolerance
from gradflow.testing.device import simulated_cuda
from gradflow.testing.gradcheck import gradcheck

__all__ = ["cases", "gradcheck", "simulated_cuda", "tolerance"]
