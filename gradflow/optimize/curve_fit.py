"""curve_fit: the parameters with which a function comes nearest to data, and how well they are known."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dtypes import finfo, float64
from gradflow.errors import ArgumentError, ConvergenceError, DTypeError, ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.triangular import cholesky, solve_triangular
from gradflow.optimize.least_squares import ends_of, least_squares
from gradflow.optimize.result import OptimizeResult, OptimizeWarning
from gradflow.tensor import Tensor

Function = Callable[..., Any]


def curve_fit(
    f: Function,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Function | None = None,
    *,
    full_output: bool = False,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Parameters ``popt`` for which ``f(xdata, *popt)`` is nearest to ``ydata``, and their covariance ``pcov``.

    As ``scipy.optimize.curve_fit``, on the device of ``ydata`` and with a Jacobian that is ours. ``p0`` is where to
    begin: without, 1 for each parameter in the signature of ``f``, or between its ``bounds``. ``sigma`` are standard
    deviations of ``ydata``, or its covariance matrix: relative ones, unless ``absolute_sigma``. What is given to ``f``
    are tensors, if ``xdata`` is an array or a list; float64, unless ``ydata`` is a tensor of another floating dtype.
    ``jac(x, *parameters)`` is for a Jacobian of your own, (data, parameters); ``method`` and further keywords are those
    of ``least_squares``. With ``full_output`` it returns ``popt, pcov, infodict, mesg, ier``.

    Raises ConvergenceError if the fit ends without success, ShapeError for a ``sigma`` that does not fit; warns with
    OptimizeWarning, and ``pcov`` is infinite, if the data do not determine all parameters.

    >>> import gradflow as gf
    >>> x = gf.linspace(0.0, 4.0, 9, dtype="float64")
    >>> y = 2.5 * gf.exp(-1.3 * x) + 0.5
    >>> popt, pcov = gf.optimize.curve_fit(lambda x, a, b, c: a * gf.exp(-b * x) + c, x, y)
    >>> popt.round(6)
    tensor([2.5, 1.3, 0.5], dtype=float64)
    """
    y = asarray(ydata).detach().ravel()
    if not isinstance(ydata, Tensor) or y.dtype.kind != "f":
        y = y.astype(float64)
    x = asarray(xdata, dtype=y.dtype, device=y.device) if isinstance(xdata, np.ndarray | list | tuple) else xdata
    start = asarray(_start(f, bounds) if p0 is None else p0, dtype=y.dtype, device=y.device).detach().ravel()
    weighted = _weighting(sigma, y)

    def residuals(p: Tensor) -> Tensor:
        found = asarray(f(x, *p)).ravel()
        if found.shape not in (y.shape, (1,)):
            raise ShapeError(f"curve_fit: f returned {found.size} values; there are {y.size} in ydata")
        return weighted(found - y)

    def slopes(p: Tensor) -> Tensor:
        assert jac is not None
        return weighted(asarray(jac(x, *p), dtype=y.dtype, device=y.device))

    fit = least_squares(residuals, start, None if jac is None else slopes, bounds, method, **kwargs)
    if not fit.success:
        raise ConvergenceError(f"curve_fit: no optimum was found: {fit.message} Set p0, bounds or max_nfev")
    covariance = _covariance(fit, absolute_sigma)
    if not full_output:
        return fit.x, covariance
    return fit.x, covariance, {"nfev": fit.nfev, "fvec": fit.fun}, fit.message, fit.status


def _start(f: Function, bounds: Any) -> Any:
    """1 for each parameter of ``f``; between its bounds, or 1 away from the only one, if it has any."""
    if not callable(f):
        raise DTypeError(f"curve_fit: f is a function, not {type(f).__name__}")
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(f).parameters.values()
    count = sum(each.kind in kinds for each in parameters) - 1
    if count < 1 or any(each.kind == inspect.Parameter.VAR_POSITIONAL for each in parameters):
        raise ArgumentError("curve_fit: the signature of f does not say how many parameters there are; give p0")
    ends = [np.asarray(each, np.float64) for each in ends_of(bounds)]
    for each in ends:
        if each.shape not in ((), (count,)):
            raise ShapeError(f"curve_fit: a bound is {each.shape}; f has {count} parameters")
    low, high = (np.broadcast_to(each, count) for each in ends)
    bounded = np.isfinite(low), np.isfinite(high)
    with np.errstate(invalid="ignore"):
        choices = [(low + high) / 2, low + 1, high - 1]
    return np.select([bounded[0] & bounded[1], *bounded], choices, 1.0)


def _weighting(sigma: Any, y: Tensor) -> Callable[[Tensor], Tensor]:
    """What divides residuals, or the rows of their Jacobian, by their standard deviations."""
    if sigma is None:
        return lambda x: x
    given = asarray(sigma, dtype=y.dtype, device=y.device).detach()
    if given.shape == (y.size, y.size):
        lower = cholesky(given)
        return lambda x: solve_triangular(lower, x, lower=True)
    if given.shape not in (y.shape, ()):
        raise ShapeError(f"curve_fit: sigma is {given.shape}; it must be {y.shape} or {(y.size, y.size)}, as ydata is")
    return lambda x: x / (given if x.ndim == 1 or not given.ndim else given[:, None])


def _covariance(fit: OptimizeResult, absolute: bool) -> Tensor:
    """The inverse of J'J; times the mean square of the residuals, by degrees of freedom, unless ``absolute``."""
    jacobian = np.asarray(fit.jac.numpy(), np.float64)
    count, variables = jacobian.shape
    _, sizes, right = np.linalg.svd(jacobian, full_matrices=False)
    known = sizes > float(finfo(fit.jac.dtype).eps) * max(count, variables) * sizes[0]
    scaled = right[known].T / sizes[known]
    covariance = scaled @ scaled.T
    if not absolute and count > variables:
        covariance *= 2 * fit.cost / (count - variables)
    if known.sum() < variables or (not absolute and count <= variables):
        warnings.warn("curve_fit: the covariance of the parameters is not known", OptimizeWarning, stacklevel=3)
        covariance[...] = np.inf
    return asarray(covariance, dtype=fit.jac.dtype, device=fit.jac.device)
