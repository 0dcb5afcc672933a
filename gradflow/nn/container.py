"""Modules made of modules: in a list, and one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, SupportsIndex, overload

from gradflow.errors import IndexOutOfRange
from gradflow.nn.module import Module


class ModuleList(Module):
    """Modules in a list, so that their parameters are found; what they compute is up to who holds the list.

    >>> from gradflow import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> Self:
        """Add ``module`` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add each of ``modules`` at the end."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (value for value in vars(self).values() if isinstance(value, Module))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        """The module at ``index``, or a list of those in a slice; IndexOutOfRange past the end."""
        if isinstance(index, slice):
            return type(self)().extend(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: SupportsIndex, module: Module) -> None:
        setattr(self, self._name(index), module)

    def _name(self, index: SupportsIndex) -> str:
        names = [name for name, _ in self._held(Module)]
        try:
            return names[index]
        except IndexError:
            raise IndexOutOfRange(f"{type(self).__name__}: there is no module {index}; it has {len(names)}") from None


class Sequential(ModuleList):
    """Modules called one after the other, each with the result of the one before.

    Takes the modules as arguments, or a dict of them by name.

    >>> import gradflow as gf
    >>> from gradflow import nn
    >>> model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    >>> model(gf.zeros((5, 64))).shape
    (5, 10)
    >>> model
    Sequential(
      (0): Linear(64, 128)  8,320
      (1): ReLU()
      (2): Linear(128, 10)  1,290
    )  9,610 parameters
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        for module in modules:
            if isinstance(module, Mapping):
                for name, each in module.items():
                    self.add_module(name, each)
            else:
                self.append(module)

    def forward(self, x: Any) -> Any:
        """The last module's result for ``x``; ``x`` itself if there is no module."""
        for module in self:
            x = module(x)
        return x

    def steps(self) -> Sequence[tuple[str, Module]]:
        return list(self._held(Module))
