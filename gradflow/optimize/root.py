"""root: where a function of many variables, with as many values, is zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError, ShapeError
from gradflow.mode import no_grad
from gradflow.optimize import marquardt
from gradflow.optimize.least_squares import STATUS
from gradflow.optimize.loss import Loss
from gradflow.optimize.marquardt import Ends, Found, Scale
from gradflow.optimize.residuals import Function, Point, Residuals
from gradflow.optimize.result import OptimizeResult, told

OPTIONS: dict[str, Any] = {"xtol": 1.49012e-08, "maxfev": None}
NO_ROOT = "The iteration ended where the function is not zero, but its sum of squares is least."


def root(
    fun: Function,
    x0: Any,
    args: Any = (),
    method: str = "lm",
    jac: Function | None = None,
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResult:
    """The ``x`` near ``x0`` where ``fun(x, *args)``, a vector of as many numbers, is zero.

    As ``scipy.optimize.root`` with method "lm", the only one here, and a Jacobian that is ours: Newton's steps within
    a region of trust. ``x0`` is a tensor, an array, a list of numbers or a nested container of tensors, float32 or
    float64, on any device; ``fun`` is given the same. ``jac(x, *args)`` is for a Jacobian of your own. The options are
    ``xtol`` (or ``tol``), how near the root must be, relative to its size, and ``maxfev``. ``callback(x)``, or
    ``callback(intermediate_result=...)``, is called after each iteration and may raise StopIteration.

    The result has ``x``, ``fun``, ``jac``, ``nit``, ``nfev``, ``njev``, ``status``, ``message`` and ``success``, which
    is false where Newton's next step would be larger than ``xtol`` allows, as at a minimum that is no root. Raises
    ArgumentError for another method or option, ShapeError unless there are as many values as variables.

    Method: Moré (1978), as in MINPACK.

    >>> import gradflow as gf
    >>> found = gf.optimize.root(lambda x: gf.stack([x[0] + x[1] - 3, x[0] * x[1] - 2]), [3.0, 0.5])
    >>> found.success, found.x.round(6)
    (True, tensor([2., 1.], dtype=float64))
    """
    given = {**OPTIONS, **({} if tol is None else {"xtol": tol}), **(options or {})}
    _check(method, given)
    problem = Residuals(fun, x0, args, {}, jac, Loss("linear", 1.0), "root")
    start = problem.flat.vector.numpy()
    eps = float(finfo(start.dtype).eps)

    def notice(at: Point, done: int) -> bool:
        more = {"nit": done, "nfev": problem.nfev}
        return callback is not None and told(callback, OptimizeResult(x=problem.filled(at.x), fun=at.residuals, **more))

    limit = 100 * (start.size + 1) if given["maxfev"] is None else given["maxfev"]
    ends = Ends(0.0, max(given["xtol"], eps), 0.0, limit, 0.0, notice)
    with no_grad():
        begun = problem.begun(start)
        if begun.residuals.size != start.size:
            raise ShapeError(
                f"root: fun returned {begun.residuals.size} values of {start.size} variables; use least_squares"
            )
        return _result(problem, marquardt.fit(problem, begun, Scale(None), ends), ends.xtol)


def _check(method: str, options: dict[str, Any]) -> None:
    if method != "lm":
        raise ArgumentError(f"root: there is no method {method!r}; there is 'lm'")
    unknown = ", ".join(sorted(set(options) - set(OPTIONS)))
    if unknown:
        raise ArgumentError(f"root: there is no option {unknown}; there are {', '.join(OPTIONS)}")
    for name, least in (("xtol", 0), ("maxfev", 1)):
        if options[name] is not None and not options[name] >= least:
            raise ArgumentError(f"root: {name} is {options[name]}; it must be {least} or more")


def _result(problem: Residuals, found: Found, xtol: float) -> OptimizeResult:
    at, linear, done, status = found
    if status > 0 and not _near(found, xtol):
        status = -1
    return OptimizeResult(
        x=problem.filled(at.x),
        fun=at.residuals,
        jac=linear.jacobian,
        nit=done,
        nfev=problem.nfev,
        njev=problem.njev,
        status=status,
        success=status > 0,
        message=NO_ROOT if status == -1 else STATUS[status],
    )


def _near(found: Found, xtol: float) -> bool:
    """Whether the function is zero, or Newton's next step would be small; at other minima the Jacobian is singular."""
    step, *_ = np.linalg.lstsq(found.linear.triangle, found.linear.parts, rcond=0.0)
    return not found.at.cost or float(np.linalg.norm(step)) <= 10 * xtol * (xtol + float(np.linalg.norm(found.at.x)))
