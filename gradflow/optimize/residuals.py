"""The residuals of a least squares problem: their values and Jacobians, and how many there were."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.mode import enable_grad
from gradflow.ops.create import asarray
from gradflow.ops.join import concat
from gradflow.ops.orthogonal import qr
from gradflow.optimize.flat import Flat
from gradflow.optimize.loss import Loss
from gradflow.tensor import Tensor
from gradflow.transforms.jacobians import jacfwd, jacrev

Function = Callable[..., Any]
Vector = Any  # of NumPy: what is as small as the number of variables is worked out on the CPU


class Point(NamedTuple):
    """Variables, in the dtype of x0, with the residuals there and half the sum of their losses."""

    x: Vector
    residuals: Tensor
    cost: float


class Linear(NamedTuple):
    """Residuals ``r + J p``, after their loss, rotated: those that ``J`` reaches as ``parts + triangle @ p``."""

    residuals: Tensor
    jacobian: Tensor
    triangle: Any
    parts: Vector

    @property
    def gradient(self) -> Vector:
        """The gradient of half the sum of their squares."""
        return self.parts @ self.triangle


class Residuals:
    """``fun(x, *args, **kwargs)`` with its Jacobian: ``jac``'s, or ours if that is None."""

    def __init__(
        self, fun: Function, x0: Any, args: Any, kwargs: Mapping[str, Any], jac: Function | None, loss: Loss
    ) -> None:
        if not callable(fun):
            raise DTypeError(f"least_squares: fun is a function, not {type(fun).__name__}")
        if jac is not None and not callable(jac):
            raise ArgumentError(f"least_squares: jac is {jac!r}; it is None (gradflow's Jacobian) or a function")
        self.fun = fun
        self.args = args if isinstance(args, tuple) else (args,)
        self.kwargs = dict(kwargs)
        self.jac = jac
        self.loss = loss
        self.flat = Flat("least_squares", x0)
        self.nfev = self.njev = 0

    def filled(self, x: Vector) -> Any:
        """``x`` in the structure of x0, on its device."""
        return self.flat.filled(asarray(x, device=self.flat.vector.device))

    def of(self, x: Tensor) -> Tensor:
        """The residuals at the vector ``x``, a vector that can be differentiated."""
        found = asarray(self.fun(self.flat.filled(x), *self.args, **self.kwargs))
        if found.ndim > 1 or not found.size:
            raise ShapeError(f"least_squares: fun must return a vector of residuals and returned {found.shape}")
        return found.reshape((-1,))

    def at(self, x: Vector) -> Point:
        """The residuals at ``x``, and how large they are: infinite if they are no numbers."""
        self.nfev += 1
        residuals = self.of(asarray(x, device=self.flat.vector.device)).detach()
        cost = self.loss.cost(residuals)
        return Point(x, residuals, cost if math.isfinite(cost) else math.inf)

    def linear(self, at: Point) -> Linear:
        """What they are like near ``at``. Raises ArgumentError if the Jacobian is not finite there."""
        jacobian = self._jacobian(asarray(at.x, device=self.flat.vector.device), at.residuals.size)
        residuals, jacobian = self.loss.scaled(at.residuals, jacobian)
        both = np.asarray(qr(concat([jacobian, residuals[:, None]], axis=1)).R.numpy(), np.float64)
        if not np.isfinite(both).all():
            where = "x0; begin where there is one" if self.njev == 1 else f"{at.x}; bounds may keep it from there"
            raise ArgumentError(f"least_squares: the Jacobian is not finite at {where}")
        if self.njev == 1 and self.jac is None and not both[:, :-1].any():
            self.flat.check_reached(self.of)
        return Linear(residuals, jacobian, both[:, :-1], both[:, -1])

    def _jacobian(self, x: Tensor, count: int) -> Tensor:
        """The Jacobian (count, x.size): by products with unit vectors, in the mode that takes fewer of them."""
        self.njev += 1
        if self.jac is None:
            with enable_grad():
                found: Tensor = (jacfwd if x.size <= count else jacrev)(self.of)(x)
            return found.detach()
        given = asarray(self.jac(self.flat.filled(x), *self.args, **self.kwargs), dtype=x.dtype, device=x.device)
        if given.shape != (count, x.size):
            raise ShapeError(f"least_squares: jac returned {given.shape}; it must return {(count, x.size)}")
        return given.detach()

    def begun(self, x: Vector) -> Point:
        """The start. Raises ArgumentError if the residuals are no numbers there."""
        found = self.at(x)
        if not math.isfinite(found.cost):
            raise ArgumentError("least_squares: residuals are not finite at x0; begin where they are numbers")
        return found
