"""least_squares: parameters for which residuals are small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError
from gradflow.mode import no_grad
from gradflow.optimize import marquardt, reflective
from gradflow.optimize.flat import Flat
from gradflow.optimize.loss import Loss, Rho
from gradflow.optimize.marquardt import Ends, Found, Scale
from gradflow.optimize.objective import largest
from gradflow.optimize.reflective import Box
from gradflow.optimize.residuals import Function, Point, Residuals, Vector
from gradflow.optimize.result import OptimizeResult, told

AWAY = 1e-10  # from bounds, as a share of their size: where "trf" begins
STATUS = {
    -2: "`callback` raised `StopIteration`.",
    0: "The maximum number of function evaluations is exceeded.",
    1: "`gtol` termination condition is satisfied.",
    2: "`ftol` termination condition is satisfied.",
    3: "`xtol` termination condition is satisfied.",
    4: "Both `ftol` and `xtol` termination conditions are satisfied.",
}


def least_squares(
    fun: Function,
    x0: Any,
    jac: Function | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: str | Rho = "linear",
    f_scale: float = 1.0,
    max_nfev: int | None = None,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
) -> OptimizeResult:
    """The ``x`` near ``x0`` for which half the sum of squares of ``fun(x, *args, **kwargs)``, a vector, is least.

    As ``scipy.optimize.least_squares``, with a Jacobian that is ours: by forward mode if there are fewer variables than
    residuals, otherwise by reverse mode. ``x0`` is a tensor, an array, a list of numbers or a nested container of
    tensors, float32 or float64, on any device; ``fun`` is given the same.
    ``jac(x, *args, **kwargs)`` is for a Jacobian of your own, (residuals, variables).

    ``bounds`` are (low, high), each a number or in the structure of x0, or SciPy's Bounds. ``loss`` is "linear",
    "soft_l1", "huber", "cauchy", "arctan", or ``rho(z)`` of your own, of the squares of the residuals over
    ``f_scale``: it returns the losses, or (3, residuals) with their first and second derivatives. ``method`` is "lm"
    (the default without bounds and another loss) or "trf" (the default with them).

    It ends when the cost decreases by less than ``ftol`` times itself, ``x`` moves by less than ``xtol`` times itself,
    or the gradient ("lm": the cosines of residuals and columns of the Jacobian) is below ``gtol``; a tolerance that is
    None, or below the eps of the dtype, is eps. ``x_scale`` is how large variables are, in the structure of x0, or
    "jac": the inverse norms of the columns (the default of "lm"; of "trf" it is 1). ``max_nfev`` is 100 times the
    number of variables if it is not given. ``callback(x)``, or ``callback(intermediate_result=...)``, is called after
    each iteration and may raise StopIteration.

    The result has ``x``, ``cost``, ``fun`` (the residuals), ``jac`` (after the loss), ``grad``, ``optimality``,
    ``active_mask`` (-1 or 1 at the lower or upper bound), ``nit``, ``nfev``, ``njev``, ``status``, ``message`` and
    ``success``. Raises ArgumentError for bounds that ``x0`` is not within, another method or loss, and residuals that
    are no numbers at ``x0``; ShapeError for residuals that are no vector.

    Methods: Moré (1978), as in MINPACK; Branch, Coleman & Li, SIAM J. Sci. Comput. 21 (1999), as in SciPy.

    >>> import gradflow as gf
    >>> t, y = gf.tensor([0.0, 1.0, 2.0]), gf.tensor([5.0, 2.5, 1.25])
    >>> fit = gf.optimize.least_squares(lambda p: p["a"] * gf.exp(-p["rate"] * t) - y,
    ...                                 {"a": gf.tensor(1.0), "rate": gf.tensor(1.0)})
    >>> fit.success, round(fit.x["a"].item(), 3), round(fit.x["rate"].item(), 3)
    (True, 5.0, 0.693)
    """
    tolerances = {"ftol": ftol, "xtol": xtol, "gtol": gtol}
    _check(method, tolerances, max_nfev)
    problem = Residuals(fun, x0, args, kwargs or {}, jac, Loss(loss, f_scale))
    low, high = (problem.flat.flattened("a bound", each).numpy() for each in ends_of(bounds))
    free = not np.isfinite([low, high]).any()
    chosen = method or ("lm" if free and loss == "linear" else "trf")
    if chosen == "lm" and not (free and loss == "linear"):
        raise ArgumentError(f"least_squares: 'lm' takes no {'bounds' if not free else 'loss but linear'}; 'trf' does")
    scale = Scale(_weights(problem.flat, x_scale, chosen))
    eps = float(finfo(problem.flat.vector.dtype).eps)
    limit = 100 * low.size if max_nfev is None else max_nfev

    def notice(at: Point, done: int) -> bool:
        if callback is None:
            return False
        more = {"cost": at.cost, "nit": done, "nfev": problem.nfev}
        return told(callback, OptimizeResult(x=problem.filled(at.x), fun=at.residuals, **more))

    least_f, least_x, least_g = (eps if tol is None else max(float(tol), eps) for tol in tolerances.values())
    ends = Ends(least_f, least_x, least_g, limit, eps, notice)
    start = problem.flat.vector.numpy()
    with no_grad():
        if chosen == "lm":
            return _result(problem, marquardt.fit(problem, problem.begun(start), scale, ends), None, ends)
        box = Box(low, high)
        if not box.contains(start):
            raise ArgumentError(f"least_squares: x0 is {start}, which is not between the bounds {low} and {high}")
        begun = problem.begun(box.inner(start, max(AWAY, eps)))
        return _result(problem, reflective.fit(problem, begun, scale, box, ends), box, ends)


def _check(method: str | None, tolerances: dict[str, float | None], limit: int | None) -> None:
    if method not in (None, "lm", "trf"):
        raise ArgumentError(f"least_squares: there is no method {method!r}; there are 'lm' and 'trf'")
    for name, tol in tolerances.items():
        if tol is not None and not tol >= 0:
            raise ArgumentError(f"least_squares: {name} is {tol}; it must not be negative")
    if limit is not None and limit < 1:
        raise ArgumentError(f"least_squares: max_nfev is {limit}; it must be 1 or more")


def ends_of(bounds: Any) -> tuple[Any, Any]:
    """The lower and the upper end of ``bounds``; ArgumentError if they are no pair."""
    ends = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    if not isinstance(ends, tuple | list | np.ndarray) or len(ends) != 2:
        many = f"{len(ends)} of them" if hasattr(ends, "__len__") else repr(ends)
        raise ArgumentError(f"least_squares: bounds are (low, high), of all variables, not {many}")
    return ends[0], ends[1]


def _weights(flat: Flat, x_scale: Any, method: str) -> Vector | None:
    """What steps are multiplied by, None for the norms of the Jacobian's columns."""
    given = {"lm": "jac", "trf": 1.0}[method] if x_scale is None else x_scale
    if isinstance(given, str):
        if given != "jac":
            raise ArgumentError(f"least_squares: x_scale is {given!r}; it is 'jac', or the sizes of variables")
        return None
    sizes = np.asarray(flat.flattened("x_scale", given).numpy(), np.float64)
    if not ((sizes > 0) & np.isfinite(sizes)).all():
        raise ArgumentError("least_squares: x_scale must be positive")
    return 1 / sizes


def _result(problem: Residuals, found: Found, box: Box | None, ends: Ends) -> OptimizeResult:
    at, linear, done, status = found
    gradient = linear.residuals @ linear.jacobian
    active = np.zeros(at.x.shape, np.int64) if box is None else box.active(at.x, ends.xtol)
    return OptimizeResult(
        x=problem.filled(at.x),
        cost=at.cost,
        fun=at.residuals,
        jac=linear.jacobian,
        grad=problem.flat.filled(gradient),
        optimality=largest(gradient) if box is None else reflective.optimality(box, at, linear),
        active_mask=problem.filled(active),
        nit=done,
        nfev=problem.nfev,
        njev=problem.njev,
        status=status,
        success=status > 0,
        message=STATUS[status],
    )
