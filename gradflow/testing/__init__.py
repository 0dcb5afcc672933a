"""What gradflow is tested with, for users who write ops and kernels of their own."""

from gradflow.testing.budget import assert_max_launches, assert_no_sync
from gradflow.testing.cases import cases, tolerance
from gradflow.testing.device import simulated_cuda
from gradflow.testing.gradcheck import gradcheck
from gradflow.testing.own import check

__all__ = ["assert_max_launches", "assert_no_sync", "cases", "check", "gradcheck", "simulated_cuda", "tolerance"]
