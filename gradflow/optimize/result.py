"""What an optimization found."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


class OptimizeWarning(UserWarning):
    """Something about a result is not known."""


class OptimizeResult(dict[str, Any]):
    """What was found, by SciPy's names, as a dict whose items are attributes, too.

    ``x`` is like the ``x0`` that was given, ``fun`` the value there, ``jac`` the gradient, like ``x``; ``nit``,
    ``nfev`` and ``njev`` count iterations, values and gradients; ``success``, ``status`` and ``message`` say why it
    ended.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r}; it has {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        indented = [(name, repr(value).replace("\n", "\n" + " " * (width + 2))) for name, value in self.items()]
        return "\n".join(f"{name:>{width}}: {text}" for name, text in indented)


def told(callback: Callable[..., Any], so_far: OptimizeResult) -> bool:
    """Tell ``callback`` of an iteration: the point, or all if it asks for that; whether it wants to stop."""
    try:
        if "intermediate_result" in inspect.signature(callback).parameters:
            callback(intermediate_result=so_far)
        else:
            callback(so_far.x)
    except StopIteration:
        return True
    return False
