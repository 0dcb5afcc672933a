"""minimize: the least value of a function of many variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradflow.errors import ArgumentError
from gradflow.mode import no_grad
from gradflow.optimize import bounded, newton, trust
from gradflow.optimize.descent import Notice, Stop, descend
from gradflow.optimize.models import Conjugate, Dense, Limited
from gradflow.optimize.objective import Function, Objective
from gradflow.optimize.result import OptimizeResult, told
from gradflow.tensor import Tensor

LEAST = {8: 1e-5, 4: 1e-4}  # by the bytes of a number: what gradients and steps can be known to
OPTIONS: dict[str, dict[str, Any]] = {
    "BFGS": {"gtol": None, "maxiter": None},
    "CG": {"gtol": None, "maxiter": None},
    "L-BFGS-B": {
        "maxcor": 10, "ftol": 2.220446049250313e-09, "gtol": None, "maxfun": 15000, "maxiter": 15000, "maxls": 20
    },
    "Newton-CG": {"xtol": None, "maxiter": None},
    "trust-ncg": {
        "gtol": 1e-4, "maxiter": None, "initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15
    },
}  # fmt: skip
TOLERANCES = ("ftol", "gtol", "xtol")  # those that the method has are set by tol


def minimize(
    fun: Function,
    x0: Any,
    args: Any = (),
    method: str | None = None,
    jac: Function | bool | None = None,
    hessp: Function | None = None,
    bounds: Any = None,
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResult:
    """The least value of ``fun(x, *args)`` near ``x0``, as ``scipy.optimize.minimize``, with gradients that are ours.

    ``x0`` is a tensor, an array, a list of numbers or a nested container of tensors, float32 or float64, on any device;
    ``fun`` is given the same, as tensors, and returns one number, a tensor. ``jac`` and ``hessp`` are
    for derivatives of your own, ``jac=True`` for a ``fun`` that returns value and gradient.

    ``method`` is "BFGS" (the default), "L-BFGS-B" (the default with ``bounds``, for many variables), "CG", and by
    products of the Hessian with vectors "Newton-CG" or "trust-ncg", which suits functions that are not convex. The
    options, with SciPy's defaults, are ``gtol`` (of the largest element of the gradient: 1e-5, 1e-4 for float32; of its
    length for trust-ncg), ``maxiter`` and: L-BFGS-B ``ftol``, ``maxcor``, ``maxfun``, ``maxls``; Newton-CG, in the
    place of ``gtol``, ``xtol`` (of the mean size of a step's elements); trust-ncg ``initial_trust_radius``,
    ``max_trust_radius``, ``eta``. ``tol`` sets the tolerances of the method.

    ``bounds`` are pairs (low, high), None for none, or SciPy's Bounds; an ``x0`` outside is moved to the nearest
    point inside. Where L-BFGS-B minimizes a model along the projected gradient to find which variables stay at their
    bounds, ours holds those that the gradient pushes outward, and projects steps of the others.

    ``callback(x)`` is called after each iteration, ``callback(intermediate_result=...)`` if that is its parameter;
    it may raise StopIteration. Raises ArgumentError for another method, unknown options, bounds that exclude
    everything, or if ``fun`` is no number at ``x0``; ShapeError if something has the wrong shape. That it did not
    converge is no error: ``success`` is false, and ``message`` says why.

    Methods: Nocedal & Wright, "Numerical Optimization" (2006); Bertsekas, SIAM J. Control 20 (1982) for bounds.

    >>> import gradflow as gf
    >>> def rosenbrock(x):
    ...     return (100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2).sum()
    >>> result = gf.optimize.minimize(rosenbrock, [-1.2, 1.0])
    >>> result.success, [round(each, 4) for each in result.x.tolist()]
    (True, [1.0, 1.0])
    """
    chosen = _method(method, bounds)
    if bounds is not None and chosen != "L-BFGS-B":
        raise ArgumentError(f"minimize: {chosen} takes no bounds; L-BFGS-B does")
    if hessp is not None and chosen not in ("Newton-CG", "trust-ncg"):
        raise ArgumentError(f"minimize: {chosen} takes no hessp; Newton-CG and trust-ncg do")
    given = _options(chosen, options, tol)
    objective = Objective(fun, x0, args, jac, hessp)

    def notice(x: Tensor, value: float) -> bool:
        return callback is not None and told(callback, OptimizeResult(x=objective.flat.filled(x), fun=value))

    with no_grad():
        return _run(chosen, objective, bounds, given, notice)


def _run(method: str, objective: Objective, bounds: Any, given: dict[str, Any], notice: Notice) -> OptimizeResult:
    like = objective.flat.vector
    gtol, xtol = (LEAST[like.dtype.itemsize] if given.get(each) is None else given[each] for each in ("gtol", "xtol"))
    limit = 200 * like.size if given["maxiter"] is None else given["maxiter"]
    stop = Stop(gtol, given.get("ftol", 0.0), limit, given.get("maxfun", 1 << 60))
    if method == "BFGS":
        return descend(objective, Dense(like), stop, notice)
    if method == "CG":
        return descend(objective, Conjugate(), stop, notice)
    if method == "Newton-CG":
        return newton.descend(objective, xtol, stop._replace(gtol=0.0), notice)
    if method == "trust-ncg":
        radius, largest = given["initial_trust_radius"], given["max_trust_radius"]
        return trust.descend(objective, radius, largest, given["eta"], stop, notice)
    if bounds is None:
        return descend(objective, Limited(given["maxcor"]), stop, notice, given["maxls"])
    box = bounded.Box(bounds, like)
    return bounded.descend(objective, box, given["maxcor"], stop, notice, given["maxls"])


def _method(given: str | None, bounds: Any) -> str:
    if given is None:
        return "BFGS" if bounds is None else "L-BFGS-B"
    known = {each.lower(): each for each in OPTIONS}
    if not isinstance(given, str) or given.lower() not in known:
        raise ArgumentError(f"minimize: there is no method {given!r}; there are {', '.join(OPTIONS)}")
    return known[given.lower()]


def _options(method: str, given: Mapping[str, Any] | None, tol: float | None) -> dict[str, Any]:
    """The options of ``method``, those in ``given`` as they are there."""
    known = OPTIONS[method]
    unknown = set(given or {}) - set(known)
    if unknown:
        named = ", ".join(sorted(unknown))
        raise ArgumentError(f"minimize: {method} has no option {named}; it has {', '.join(known)}")
    by_tol = {} if tol is None else {name: tol for name in TOLERANCES if name in known}
    chosen = {**known, **by_tol, **(given or {})}
    for name, value in chosen.items():
        least = 1 if name in ("maxcor", "maxls") else 0
        if value is not None and not value >= least:
            raise ArgumentError(f"minimize: the option {name} is {value!r}; it must be {least} or more")
    return chosen
