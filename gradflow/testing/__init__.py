"""What gradflow is tested with, for users who write ops of their own."""

from gradflow.testing.cases import cases, tolerance
from gradflow.testing.gradcheck import gradcheck

__all__ = ["cases", "gradcheck", "tolerance"]
