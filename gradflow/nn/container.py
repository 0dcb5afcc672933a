"""Modules and parameters in lists and under names, and modules called one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, SupportsIndex, overload

from gradflow.errors import IndexOutOfRange
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.tensor import TensorLike


class _Held(Module):
    """What containers have: attributes of one ``kind``, in order."""

    kind: ClassVar[type[Any]] = Module

    def __len__(self) -> int:
        return sum(1 for _ in self._held(self.kind))

    def _put(self, name: str, value: Any) -> None:
        if self.kind is Module:
            self.add_module(name, value)
        else:
            self.register_parameter(name, value if isinstance(value, Parameter) else Parameter(value))


class _List(_Held):
    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(values)

    def append(self, value: Any) -> Self:
        """Add ``value`` at the end."""
        self._put(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add each of ``values`` at the end."""
        for value in values:
            self.append(value)
        return self

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._held(self.kind))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        """What is at ``index``, or a list of what is in a slice; IndexOutOfRange past the end."""
        if isinstance(index, slice):
            return type(self)().extend(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: SupportsIndex, value: Any) -> None:
        setattr(self, self._name(index), value)

    def _name(self, index: SupportsIndex) -> str:
        names = [name for name, _ in self._held(self.kind)]
        try:
            return names[index]
        except IndexError:
            kind = self.kind.__name__.lower()
            raise IndexOutOfRange(f"{type(self).__name__}: there is no {kind} {index}; it has {len(names)}") from None


class ModuleList(_List):
    """Modules in a list, so that their parameters are found; what they compute is up to who holds the list.

    >>> from gradflow import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__(modules)


class ParameterList(_List):
    """Parameters in a list; arrays become parameters.

    >>> from gradflow import nn
    >>> list(nn.ParameterList([[1.0], [2.0, 3.0]]).state_dict())
    ['0', '1']
    """

    kind = Parameter

    def __init__(self, values: Iterable[TensorLike] = ()) -> None:
        super().__init__(values)


class _Dict(_Held):
    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.update(values)

    def __getitem__(self, key: str) -> Any:
        return dict(self.items())[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._put(key, value)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: str) -> bool:
        return key in self.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and what they stand for, in the order in which they came."""
        return dict(self._held(self.kind)).items()

    def keys(self) -> Iterable[str]:
        """The names."""
        return dict(self.items()).keys()

    def values(self) -> Iterable[Any]:
        """What the names stand for."""
        return dict(self.items()).values()

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add ``values`` under their names, or put them in the place of what has these names."""
        for name, value in dict(values).items():
            self[name] = value

    def pop(self, key: str) -> Any:
        """Remove what is at ``key``, and return it; KeyError if nothing is."""
        value = self[key]
        delattr(self, key)
        return value


class ModuleDict(_Dict):
    """Modules under names, so that their parameters are found; what they compute is up to who holds them.

    >>> from gradflow import nn
    >>> heads = nn.ModuleDict({"left": nn.Linear(4, 2), "right": nn.Linear(4, 3)})
    >>> list(heads), heads["right"].out_features
    (['left', 'right'], 3)
    """


class ParameterDict(_Dict):
    """Parameters under names; arrays become parameters.

    >>> from gradflow import nn
    >>> nn.ParameterDict({"scale": [1.0]})["scale"]
    tensor([1.], requires_grad=True)
    """

    kind = Parameter


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
