"""Losses that outliers pull less at than at a sum of squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradflow.dtypes import finfo
from gradflow.errors import ArgumentError, ShapeError
from gradflow.mode import enable_grad
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.create import asarray, ones_like
from gradflow.ops.elementwise import log1p, sqrt
from gradflow.ops.trigonometric import arctan
from gradflow.optimize.objective import inner
from gradflow.tensor import Tensor
from gradflow.transforms.forward import jvp

Rho = Callable[[Tensor], Any]

LOSSES: dict[str, Rho | None] = {  # of squares, elementwise
    "linear": None,
    "soft_l1": lambda z: 2 * z / (sqrt(1 + z) + 1),
    "huber": lambda z: where(z <= 1, z, 2 * sqrt(maximum(z, 1)) - 1),
    "cauchy": log1p,
    "arctan": arctan,
}


class Loss:
    """``f_scale**2 * rho((f / f_scale)**2)`` of residuals ``f``: by name, or ``rho`` of one's own.

    Raises ArgumentError for another name, and for an ``f_scale`` that is not positive.
    """

    def __init__(self, given: str | Rho, f_scale: float) -> None:
        if not callable(given) and given not in LOSSES:
            raise ArgumentError(f"least_squares: there is no loss {given!r}; there are {', '.join(LOSSES)}")
        if not f_scale > 0:
            raise ArgumentError(f"least_squares: f_scale is {f_scale}; it must be positive")
        self.rho = given if callable(given) else LOSSES[given]
        self.scale = float(f_scale)

    def cost(self, residuals: Tensor) -> float:
        """Half the sum."""
        if self.rho is None:
            return 0.5 * inner(residuals, residuals)
        return 0.5 * self.scale**2 * float(self._derivatives(residuals)[0].sum().item())

    def scaled(self, residuals: Tensor, jacobian: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals and Jacobian whose sum of squares has the gradient of the cost, and about its Hessian.

        Source: Triggs et al., "Bundle adjustment: a modern synthesis" (1999), 4.3.
        """
        if self.rho is None:
            return residuals, jacobian
        _, slope, bend = self._derivatives(residuals)
        squares = (residuals / self.scale) ** 2
        share = sqrt(maximum(slope + 2 * bend * squares, float(finfo(residuals.dtype).eps)))
        return residuals * (slope / share), jacobian * share[:, None]

    def _derivatives(self, residuals: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """rho and its derivatives, those that it returned, too, or ours of what it returned."""
        rho = self.rho
        assert rho is not None
        z = (residuals / self.scale) ** 2
        found = asarray(rho(z), dtype=z.dtype, device=z.device).detach()
        if found.shape == (3, *z.shape):
            return found[0], found[1], found[2]
        if found.shape != z.shape:
            raise ShapeError(f"least_squares: loss returned {found.shape}; it must return {z.shape} or (3, {z.size})")
        unit = (ones_like(z),)
        with enable_grad():
            slope, bend = jvp(lambda z: jvp(rho, (z,), unit)[1], (z,), unit)
        return found, slope.detach(), bend.detach()
