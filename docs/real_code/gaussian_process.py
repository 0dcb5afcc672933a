"""A Gaussian process with a squared exponential kernel: how likely are the data for given scales and noise?"""

import numpy as np


def kernel(xp, x, y, amplitude, scale):
    """The covariance of function values at ``x`` and ``y``."""
    distance = (x[:, None] - y[None, :]) / scale
    return amplitude**2 * xp.exp(-0.5 * distance**2)


def negative_log_likelihood(xp, logarithms, x, y):
    """Minus the logarithm of the marginal likelihood (Rasmussen & Williams 2006, algorithm 2.1)."""
    amplitude, scale, noise = xp.exp(logarithms)
    covariance = kernel(xp, x, x, amplitude, scale) + noise**2 * xp.eye(len(x))
    factor = xp.linalg.cholesky(covariance)
    weights = xp.linalg.solve(factor.T, xp.linalg.solve(factor, y))
    determinant = xp.sum(xp.log(xp.diagonal(factor)))
    return 0.5 * xp.dot(y, weights) + determinant + 0.5 * len(x) * xp.log(2 * xp.pi)


def problem():
    """The function, the logarithms of amplitude, scale and noise to begin with, and data."""
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 5.0, 30)
    return negative_log_likelihood, np.log([1.0, 0.7, 0.2]), (x, np.sin(2 * x) + 0.1 * rng.normal(size=x.size))
