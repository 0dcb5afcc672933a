"""Layers that are a function and its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gradflow.nn.module import Module


class Applied(Module):
    """A layer without parameters: ``function`` of its inputs and of its settings, which are attributes.

    The ``__init__`` of a family names the settings, in the order of the function; ``of`` in a class statement says
    which function of the family it is.
    """

    function: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, of: Callable[..., Any] | None = None) -> None:
        if of is not None:
            cls.function = staticmethod(of)

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings: tuple[str, ...] = ()
        self.keep(**settings)

    def keep(self, **settings: Any) -> None:
        """Have these settings, too."""
        for name, value in settings.items():
            setattr(self, name, value)
        self.settings += tuple(settings)

    def forward(self, *inputs: Any) -> Any:
        return type(self).function(*inputs, *self.values())

    def values(self) -> list[Any]:
        """The settings, as the function takes them."""
        return [getattr(self, name) for name in self.settings]

    def extra_repr(self) -> str:
        """The settings that have no default, and those that differ from it."""
        init: Any = type(self).__init__
        names = init.__code__.co_varnames[: init.__code__.co_argcount]
        defaults = dict(zip(names[::-1], (init.__defaults__ or ())[::-1], strict=False))
        given = {name: getattr(self, name) for name in self.settings}
        needed = [f"{value}" for name, value in given.items() if name not in defaults]
        return ", ".join(needed + [f"{k}={v!r}" for k, v in given.items() if k in defaults and v != defaults[k]])
