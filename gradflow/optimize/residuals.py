"""The residuals of a least squares problem, of a vector: their values and Jacobians, and how many there were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.mode import enable_grad
from gradflow.ops.create import asarray
from gradflow.optimize.flat import Flat
from gradflow.optimize.objective import inner
from gradflow.tensor import Tensor
from gradflow.transforms.jacobians import jacfwd, jacrev

Function = Callable[..., Any]


class Residuals:
    """``fun(x, *args, **kwargs)`` with its Jacobian: ``jac``'s, or ours if that is None."""

    def __init__(self, fun: Function, x0: Any, args: Any, kwargs: Mapping[str, Any], jac: Function | None) -> None:
        if not callable(fun):
            raise DTypeError(f"least_squares: fun is a function, not {type(fun).__name__}")
        if jac is not None and not callable(jac):
            raise ArgumentError(f"least_squares: jac is {jac!r}; it is None (gradflow's Jacobian) or a function")
        self.fun = fun
        self.args = args if isinstance(args, tuple) else (args,)
        self.kwargs = dict(kwargs)
        self.jac = jac
        self.flat = Flat("least_squares", x0)
        self.nfev = self.njev = 0

    def of(self, x: Tensor) -> Tensor:
        """The residuals at the vector ``x``, a vector that can be differentiated."""
        found = asarray(self.fun(self.flat.filled(x), *self.args, **self.kwargs))
        if found.ndim > 1 or not found.size:
            raise ShapeError(f"least_squares: fun must return a vector of residuals and returned {found.shape}")
        return found.reshape((-1,))

    def at(self, x: Tensor) -> Tensor:
        """The residuals at ``x``."""
        self.nfev += 1
        return self.of(x).detach()

    def jacobian(self, x: Tensor, count: int) -> Tensor:
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

    def begun(self) -> tuple[Tensor, Tensor, Tensor]:
        """The start, residuals and Jacobian there. Raises ArgumentError if they are no numbers."""
        x = self.flat.vector
        residuals = self.at(x)
        if not inner(residuals, residuals) < float("inf"):
            raise ArgumentError("least_squares: residuals are not finite at x0; begin where they are numbers")
        jacobian = self.jacobian(x, residuals.size)
        if not float((jacobian * jacobian).sum().item()) < float("inf"):
            raise ArgumentError("least_squares: the Jacobian is not finite at x0; begin where there is one")
        return x, residuals, jacobian
