"""Minimization and least squares for scientists, with SciPy's signatures, by gradients, on the tensors' device."""

from gradflow.optimize.curve_fit import curve_fit
from gradflow.optimize.least_squares import least_squares
from gradflow.optimize.minimize import minimize
from gradflow.optimize.result import OptimizeResult, OptimizeWarning
from gradflow.optimize.root import root

__all__ = ["OptimizeResult", "OptimizeWarning", "curve_fit", "least_squares", "minimize", "root"]
