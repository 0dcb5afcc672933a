"""Minimization and least squares for scientists, with SciPy's signatures, by gradients, on the tensors' device."""

from gradflow.optimize.least_squares import least_squares
from gradflow.optimize.minimize import minimize
from gradflow.optimize.result import OptimizeResult

__all__ = ["OptimizeResult", "least_squares", "minimize"]
