"""root: where a function of many variables, with as many values, is zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradflow.errors import ArgumentError, ShapeError
from gradflow.optimize.flat import Flat
from gradflow.optimize.least_squares import least_squares
from gradflow.optimize.residuals import Function
from gradflow.optimize.result import OptimizeResult

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

    As ``scipy.optimize.root`` with method "lm", the only one here: Newton's steps within a region of trust, by
    ``least_squares``, which says what ``x0``, ``jac`` and ``callback`` may be and what the result has. The options are
    ``xtol`` (or ``tol``), how near the root must be, relative to its size, and ``maxfev``.

    ``success`` is false where Newton's next step would be larger than ``xtol`` allows, as at a minimum that is no root.
    Raises ArgumentError for another method or option, ShapeError unless there are as many values as variables.

    >>> import gradflow as gf
    >>> found = gf.optimize.root(lambda x: gf.stack([x[0] + x[1] - 3, x[0] * x[1] - 2]), [3.0, 0.5])
    >>> found.success, found.x.round(6)
    (True, tensor([2., 1.], dtype=float64))
    """
    given = {**OPTIONS, **({} if tol is None else {"xtol": tol}), **(options or {})}
    unknown = ", ".join(sorted(set(given) - set(OPTIONS)))
    if method != "lm" or unknown:
        what = f"option {unknown}; there are {', '.join(OPTIONS)}" if unknown else f"method {method!r}; there is 'lm'"
        raise ArgumentError(f"root: there is no {what}")
    xtol = given["xtol"]
    found = least_squares(
        fun, x0, jac, method="lm", ftol=0.0, xtol=xtol, gtol=0.0, max_nfev=given["maxfev"], args=args, callback=callback
    )
    values, variables = found.jac.shape
    if values != variables:
        raise ShapeError(f"root: fun returned {values} values of {variables} variables; use least_squares")
    if found.success and found.cost and not _near(found, xtol):
        found.update(status=-1, success=False, message=NO_ROOT)
    return found


def _near(found: OptimizeResult, xtol: float) -> bool:
    """Whether Newton's next step would be small: at a minimum that is no root the Jacobian is singular, nearly."""
    step, *_ = np.linalg.lstsq(found.jac.numpy(), found.fun.numpy(), rcond=0.0)
    size = float(np.linalg.norm(Flat("root", found.x).vector.numpy()))
    return float(np.linalg.norm(step)) <= 10 * xtol * (xtol + size)
