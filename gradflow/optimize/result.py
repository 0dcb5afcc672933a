"""What an optimization found."""

from __future__ import annotations

from typing import Any


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
