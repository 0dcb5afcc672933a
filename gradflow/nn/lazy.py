"""Layers that learn from the first input, or from a state that is loaded, how many features they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from gradflow.nn.linear import Linear
from gradflow.nn.module import Module
from gradflow.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from gradflow.nn.trail import join
from gradflow.tensor import Tensor

Kind = TypeVar("Kind")


class _Lazy(Module):
    """Takes what the layer it becomes takes after its first argument; until then it has no parameters to give."""

    becomes: ClassVar[Any]
    axis: ClassVar[int]  # of an input, the dimension of features
    place: ClassVar[int] = 0  # of a weight, the dimension of features

    def __init_subclass__(cls, axis: int, place: int = 0) -> None:
        cls.becomes, cls.axis, cls.place = cls.__bases__[1], axis, place

    def __init__(self, *settings: Any, **options: Any) -> None:
        import inspect  # most programs have no such layers

        bound = inspect.signature(self.becomes).bind(0, *settings, **options)
        bound.apply_defaults()
        Module.__init__(self)
        self.given = settings, options
        self.groups = bound.arguments.get("groups", 1)

    def forward(self, *inputs: Any) -> Any:
        shape = inputs[0].shape
        if not -len(shape) <= self.axis < len(shape):
            raise ShapeError(f"{type(self).__name__}: the input {shape} has no dimension of features")
        self._begin(shape[self.axis])
        return self.forward(*inputs)

    def _begin(self, features: int) -> None:
        """Become the layer for so many ``features``."""
        settings, options = self.given
        made = self.becomes(features, *settings, **options)
        made.training = self.training
        self.__class__ = self.becomes
        vars(self).clear()
        vars(self).update(vars(made))

    def prepare(self, state: Mapping[str, Any], path: str) -> None:
        weight = state.get(join(path, "weight"), state.get(join(path, "running_mean")))
        if weight is not None:
            self._begin(weight.shape[self.place] * (self.groups if self.place == 1 else 1))

    def _held(self, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
        if issubclass(kind, Tensor):
            raise ArgumentError(
                f"{type(self).__name__}: has no parameters yet; call the model on an input, or load a state, before "
                "they are asked for: by an optimizer, .to() or state_dict()"
            )
        return iter(())

    def extra_repr(self) -> str:
        settings, options = self.given
        return ", ".join([*map(str, settings), *(f"{name}={value!r}" for name, value in options.items())])


class LazyLinear(_Lazy, Linear, axis=-1, place=1):
    """A ``Linear`` that is given ``out_features`` and becomes one when it is first called.

    >>> import gradflow as gf
    >>> layer = gf.nn.LazyLinear(4)
    >>> layer(gf.ones((2, 3))).shape, layer
    ((2, 4), Linear(3, 4)  16 parameters)
    """


class LazyConv1d(_Lazy, Conv1d, axis=-2, place=1):
    """A ``Conv1d`` that is given all but ``in_channels``; see ``LazyLinear``."""


class LazyConv2d(_Lazy, Conv2d, axis=-3, place=1):
    """A ``Conv2d`` that is given all but ``in_channels``; see ``LazyLinear``.

    >>> import gradflow as gf
    >>> gf.nn.LazyConv2d(8, 3, padding=1)(gf.ones((2, 3, 5, 5))).shape
    (2, 8, 5, 5)
    """


class LazyConv3d(_Lazy, Conv3d, axis=-4, place=1):
    """A ``Conv3d`` that is given all but ``in_channels``; see ``LazyLinear``."""


class LazyConvTranspose1d(_Lazy, ConvTranspose1d, axis=-2):
    """A ``ConvTranspose1d`` that is given all but ``in_channels``; see ``LazyLinear``."""


class LazyConvTranspose2d(_Lazy, ConvTranspose2d, axis=-3):
    """A ``ConvTranspose2d`` that is given all but ``in_channels``; see ``LazyLinear``."""


class LazyConvTranspose3d(_Lazy, ConvTranspose3d, axis=-4):
    """A ``ConvTranspose3d`` that is given all but ``in_channels``; see ``LazyLinear``."""


class LazyBatchNorm1d(_Lazy, BatchNorm1d, axis=1):
    """A ``BatchNorm1d`` that is given all but ``num_features``; see ``LazyLinear``."""


class LazyBatchNorm2d(_Lazy, BatchNorm2d, axis=1):
    """A ``BatchNorm2d`` that is given all but ``num_features``; see ``LazyLinear``."""


class LazyBatchNorm3d(_Lazy, BatchNorm3d, axis=1):
    """A ``BatchNorm3d`` that is given all but ``num_features``; see ``LazyLinear``."""
