"""least_squares: parameters for which residuals are small."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError
from gradflow.mode import no_grad
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.create import asarray
from gradflow.optimize.objective import inner, largest
from gradflow.optimize.region import Model
from gradflow.optimize.residuals import Function, Residuals
from gradflow.optimize.result import OptimizeResult
from gradflow.tensor import Tensor

FIRST = 100.0  # the radius of the first region of trust, in lengths of x0
STATUS = {
    0: "The maximum number of function evaluations is exceeded.",
    1: "`gtol` termination condition is satisfied.",
    2: "`ftol` termination condition is satisfied.",
    3: "`xtol` termination condition is satisfied.",
    4: "Both `ftol` and `xtol` termination conditions are satisfied.",
}


class _State(NamedTuple):
    x: Tensor
    residuals: Tensor
    jacobian: Tensor
    size: float  # of the residuals
    radius: float
    damping: float


def least_squares(
    fun: Function,
    x0: Any,
    jac: Function | None = None,
    bounds: Any = None,
    method: str = "lm",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = "jac",
    loss: str = "linear",
    max_nfev: int | None = None,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> OptimizeResult:
    """The ``x`` near ``x0`` for which half the sum of squares of ``fun(x, *args, **kwargs)``, a vector, is least.

    As ``scipy.optimize.least_squares`` with the method "lm", the only one here, and with a Jacobian that is ours: by
    forward mode if there are fewer variables than residuals, otherwise by reverse mode. ``x0`` is a tensor, an array,
    a list of numbers or a nested container of tensors, float32 or float64, on any device; ``fun`` is given the same.
    ``jac(x, *args, **kwargs)`` is for a Jacobian of your own, (residuals, variables).

    It ends when the sum decreases by less than ``ftol`` times itself, ``x`` moves by less than ``xtol`` times itself,
    or residuals and columns of the Jacobian are orthogonal up to ``gtol``; a tolerance that is None, or below the
    eps of the dtype, is eps. ``x_scale`` is how large variables are, in the structure of x0, or "jac": the
    inverse norms of the columns. ``max_nfev`` is 100 times the number of variables if it is not given.

    The result has ``x``, ``cost``, ``fun`` (the residuals), ``jac``, ``grad``, ``optimality``, ``nit``, ``nfev``,
    ``njev``, ``status``, ``message`` and ``success``. Raises ArgumentError for bounds, another method or loss, and for
    residuals that are no numbers at ``x0``; ShapeError for residuals that are no vector.

    Method: Levenberg (1944), Marquardt (1963), with the scaling, damping and tests of Moré (1978), as in MINPACK.

    >>> import gradflow as gf
    >>> t, y = gf.tensor([0.0, 1.0, 2.0]), gf.tensor([5.0, 2.5, 1.25])
    >>> fit = gf.optimize.least_squares(lambda p: p["a"] * gf.exp(-p["rate"] * t) - y,
    ...                                 {"a": gf.tensor(1.0), "rate": gf.tensor(1.0)})
    >>> fit.success, round(fit.x["a"].item(), 3), round(fit.x["rate"].item(), 3)
    (True, 5.0, 0.693)
    """
    _check(method, loss, bounds, {"ftol": ftol, "xtol": xtol, "gtol": gtol}, max_nfev)
    problem = Residuals(fun, x0, args, kwargs or {}, jac)
    like = problem.flat.vector
    eps = float(finfo(like.dtype).eps)
    least_f, least_x, least_g = (eps if tol is None else max(float(tol), eps) for tol in (ftol, xtol, gtol))
    limit = 100 * like.size if max_nfev is None else max_nfev
    with no_grad():
        return _fit(problem, _Scale(problem, x_scale), least_f, least_x, least_g, limit)


def _check(method: str, loss: str, bounds: Any, tolerances: dict[str, float | None], limit: int | None) -> None:
    if method != "lm":
        raise ArgumentError(f"least_squares: there is no method {method!r}; there is 'lm'")
    if loss != "linear":
        raise ArgumentError(f"least_squares: there is no loss {loss!r}; there is 'linear'")
    if bounds is not None and not all(np.all(np.isinf(np.asarray(x, np.float64))) for x in _ends(bounds)):
        raise ArgumentError("least_squares: 'lm' takes no bounds; gf.optimize.minimize with L-BFGS-B does")
    for name, tol in tolerances.items():
        if tol is not None and not tol >= 0:
            raise ArgumentError(f"least_squares: {name} is {tol}; it must not be negative")
    if limit is not None and limit < 1:
        raise ArgumentError(f"least_squares: max_nfev is {limit}; it must be 1 or more")


def _ends(bounds: Any) -> tuple[Any, Any]:
    return (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else tuple(bounds)


class _Scale:
    """How steps are measured: by the largest norms that columns of the Jacobian have had, or by what is given."""

    def __init__(self, problem: Residuals, given: Any) -> None:
        self.given: Tensor | None = None
        self.now: Tensor | None = None
        if isinstance(given, str):
            if given != "jac":
                raise ArgumentError(f"least_squares: x_scale is {given!r}; it is 'jac', or the sizes of variables")
            return
        like = problem.flat.vector
        sizes = asarray(given, dtype=like.dtype, device=like.device) if isinstance(given, int | float) else None
        self.given = 1 / (problem.flat.flattened("x_scale", given) if sizes is None else like * 0 + sizes)
        if not bool((self.given > 0).all().item()):
            raise ArgumentError("least_squares: x_scale must be positive")

    def of(self, jacobian: Tensor) -> Tensor:
        if self.given is not None:
            return self.given
        norms = (jacobian * jacobian).sum(axis=0) ** 0.5
        self.now = where(norms == 0, 1.0, norms) if self.now is None else maximum(self.now, norms)
        return self.now


def _fit(problem: Residuals, scale: _Scale, ftol: float, xtol: float, gtol: float, limit: int) -> OptimizeResult:
    x, residuals, jacobian = problem.begun()
    size = inner(residuals, residuals) ** 0.5
    length = _length(scale.of(jacobian) * x)
    state = _State(x, residuals, jacobian, size, FIRST * (length or 1.0), 0.0)
    done = 0
    while True:
        if _cosine(state) <= gtol:
            return _result(problem, state, done, 1)
        steps = scale.of(state.jacobian)
        model = Model(state.residuals, state.jacobian, steps)
        while True:
            if problem.nfev >= limit:
                return _result(problem, state, done, 0)
            state, accepted, status = _tried(problem, model, state, done == 0, ftol, xtol)
            if accepted:
                done += 1
                state = state._replace(jacobian=problem.jacobian(state.x, state.residuals.size))
            if status:
                return _result(problem, state, done, status)
            if accepted:
                break


def _tried(
    problem: Residuals, model: Model, at: _State, first: bool, ftol: float, xtol: float
) -> tuple[_State, bool, int]:
    """A step within the region of trust, taken if the sum decreases, with a new radius; a status if that is the end."""
    damping = model.damping(at.radius, at.damping)
    step, length, changed = model.step(damping)
    radius = min(at.radius, length) if first else at.radius
    x = at.x + step
    residuals = problem.at(x)
    size = inner(residuals, residuals) ** 0.5
    actual = 1 - (size / at.size) ** 2 if 0.1 * size < at.size else -1.0
    linear, damped = (changed / at.size) ** 2, damping * (length / at.size) ** 2
    promised, slope = linear + 2 * damped, -(linear + damped)
    ratio = actual / promised if promised else 0.0
    if ratio <= 0.25:
        share = 0.5 if actual >= 0 else 0.5 * slope / (slope + 0.5 * actual)
        share = 0.1 if 0.1 * size >= at.size or share < 0.1 or not math.isfinite(size) else share
        radius, damping = share * min(radius, 10 * length), damping / share
    elif damping == 0 or ratio >= 0.75:
        radius, damping = 2 * length, damping / 2
    accepted = ratio >= 1e-4
    moved = at._replace(x=x, residuals=residuals, size=size) if accepted else at
    by_value = abs(actual) <= ftol and promised <= ftol and ratio <= 2
    by_step = radius <= xtol * _length(model.scale * moved.x)
    status = 4 if by_value and by_step else 2 if by_value else 3 if by_step else 0
    return moved._replace(radius=radius, damping=damping), accepted, status


def _length(x: Tensor) -> float:
    return float(inner(x, x) ** 0.5)


def _cosine(at: _State) -> float:
    """The largest cosine of the angles between the residuals and the columns of the Jacobian."""
    if at.size == 0:
        return 0.0
    norms: Tensor = (at.jacobian * at.jacobian).sum(axis=0) ** 0.5
    cosines = at.residuals @ at.jacobian / where(norms == 0, 1.0, norms)
    return largest(cosines) / at.size


def _result(problem: Residuals, at: _State, iterations: int, status: int) -> OptimizeResult:
    gradient = at.residuals @ at.jacobian
    return OptimizeResult(
        x=problem.flat.filled(at.x),
        cost=0.5 * at.size**2,
        fun=at.residuals,
        jac=at.jacobian,
        grad=problem.flat.filled(gradient),
        optimality=largest(gradient),
        nit=iterations,
        nfev=problem.nfev,
        njev=problem.njev,
        status=status,
        success=status > 0,
        message=STATUS[status],
    )
