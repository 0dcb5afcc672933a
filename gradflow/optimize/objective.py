"""The function that is minimized, of a vector: its values, gradients and Hessian products, and how many there were."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.mode import enable_grad
from gradflow.ops.create import asarray
from gradflow.ops.shape import reshape
from gradflow.optimize.flat import Flat
from gradflow.tensor import Tensor
from gradflow.transforms.jacobians import hvp
from gradflow.transforms.reverse import value_and_grad

Function = Callable[..., Any]


class Objective:
    """``fun(x, *args)`` with its gradient: ``jac``'s, or ours if that is None; True says that ``fun`` returns both."""

    def __init__(self, fun: Function, x0: Any, args: Any, jac: Function | bool | None, hessp: Function | None) -> None:
        if not callable(fun):
            raise DTypeError(f"minimize: fun is a function, not {type(fun).__name__}")
        if jac is not None and jac is not True and not callable(jac):
            raise ArgumentError(f"minimize: jac is {jac!r}; it is None (gradflow's gradient), True or a function")
        self.fun = fun
        self.args = args if isinstance(args, tuple) else (args,)
        self.jac = jac
        self.hessp = hessp
        self.flat = Flat("minimize", x0)
        self.nfev = self.njev = self.nhev = 0

    def of(self, x: Tensor) -> Tensor:
        """The value at the vector ``x``, as a scalar tensor that can be differentiated."""
        value = asarray(self.fun(self.flat.filled(x), *self.args))
        if value.size != 1:
            raise ShapeError(f"minimize: fun must return one number and returned {value.shape}; reduce it with .sum()")
        return reshape(value, ())

    def value(self, x: Tensor) -> float:
        """The value at ``x``."""
        if self.jac is True:
            return self.both(x)[0]
        self.nfev += 1
        return float(self.of(x).detach().item())

    def both(self, x: Tensor) -> tuple[float, Tensor]:
        """Value and gradient at ``x``."""
        self.nfev += 1
        self.njev += 1
        if self.jac is None:
            with enable_grad():
                value, gradient = value_and_grad(self.of)(x)
            return float(value.item()), gradient.detach()
        given = self.flat.filled(x)
        if self.jac is True:
            value, gradient = self.fun(given, *self.args)
            return float(asarray(value).item()), self.flat.flattened("the gradient that fun returned", gradient)
        assert callable(self.jac)
        gradient = self.jac(given, *self.args)
        return float(self.of(x).detach().item()), self.flat.flattened("what jac returned", gradient)

    def begun(self) -> tuple[Tensor, float, Tensor]:
        """The start, value and gradient there. ArgumentError if they are no numbers, GradientError if it was lost."""
        x = self.flat.vector
        value, gradient = self.both(x)
        if self.jac is None and not largest(gradient):
            self.flat.check_reached(self.of)
        if not math.isfinite(value) or not math.isfinite(largest(gradient)):
            what = f"fun is {value}" if not math.isfinite(value) else "the gradient of fun is not finite"
            raise ArgumentError(f"minimize: {what} at x0; begin where function and gradient are numbers")
        return x, value, gradient

    def curvature(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """What multiplies a vector by the Hessian at ``x``: hessp, or ours, forward over reverse mode."""
        if self.hessp is not None:
            given, hessp = self.flat.filled(x), self.hessp

            def by_hand(p: Tensor) -> Tensor:
                self.nhev += 1
                return self.flat.flattened("what hessp returned", hessp(given, self.flat.filled(p), *self.args))

            return by_hand
        if self.jac is not None:
            raise ArgumentError("minimize: this method with a jac of your own needs hessp, too")

        def product(p: Tensor) -> Tensor:
            self.nhev += 1
            with enable_grad():
                found: Tensor = hvp(self.of, (x,), (p,))
            return found.detach()

        return product


def largest(x: Tensor) -> float:
    """The largest absolute value of a vector."""
    return float(abs(x).max().item())


def inner(a: Tensor, b: Tensor) -> float:
    """The inner product of two vectors."""
    return float((a * b).sum().item())
