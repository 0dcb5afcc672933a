"""Attributes of modules that are computed from parameters whenever they are read."""

from __future__ import annotations

from typing import Any

from gradflow.errors import ArgumentError
from gradflow.mode import no_grad
from gradflow.nn.container import ModuleDict, ModuleList
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.tensor import Tensor


class ParametrizationList(ModuleList):
    """A parametrization of one attribute, and what it is computed from: ``original``, or ``original0``, ..."""

    def __init__(self, parametrization: Module, value: Parameter) -> None:
        super().__init__([parametrization])
        inverse = getattr(parametrization, "right_inverse", None)
        with no_grad():
            found = inverse(value) if inverse is not None else value
        several = isinstance(found, tuple)
        self.names = tuple(f"original{i}" for i in range(len(found))) if several else ("original",)
        for name, each in zip(self.names, found if several else (found,), strict=True):
            setattr(self, name, Parameter(each.detach(), value.requires_grad))

    def forward(self) -> Tensor:
        result: Tensor = self[0](*(getattr(self, name) for name in self.names))
        return result


def register_parametrization(module: Module, tensor_name: str, parametrization: Module) -> Module:
    """Make the parameter ``tensor_name`` of ``module`` what ``parametrization`` computes; returns ``module``.

    It is called with the tensor, ``parametrizations.<name>.original`` from now on, or with the several that its
    ``right_inverse`` makes of the first value. State dicts have PyTorch's names. Make the optimizer afterwards.
    Raises ArgumentError for what is no parameter, or has a parametrization.

    >>> from gradflow import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x + x.T
    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    >>> (layer.weight == layer.weight.T).all(), list(layer.state_dict())
    (tensor(True), ['bias', 'parametrizations.weight.original'])
    """
    value = vars(module).get(tensor_name)
    if not isinstance(value, Parameter):
        raise ArgumentError(f"register_parametrization: {tensor_name!r} is no parameter of {module.heading}")
    made = ParametrizationList(parametrization, value)
    holder: Any = module
    if "parametrizations" not in vars(module):
        kind = type(module)
        module.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__})
        holder.parametrizations = ModuleDict()
    delattr(module, tensor_name)
    holder.parametrizations[tensor_name] = made
    setattr(type(module), tensor_name, property(lambda self: self.parametrizations[tensor_name]()))
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether ``module``, or its attribute ``tensor_name``, is computed from other parameters.

    >>> from gradflow import nn
    >>> nn.utils.parametrize.is_parametrized(nn.Linear(2, 2))
    False
    """
    held: Any = vars(module).get("parametrizations", {})
    return bool(len(held)) if tensor_name is None else tensor_name in held


def remove_parametrizations(module: Module, tensor_name: str) -> Module:
    """Make ``tensor_name`` a parameter again, of the value it has; returns ``module``. Raises ArgumentError.

    >>> from gradflow import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> list(nn.utils.parametrize.remove_parametrizations(layer, "weight").state_dict())
    ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"remove_parametrizations: {tensor_name!r} of {module.heading} has no parametrization")
    value = getattr(module, tensor_name)
    held: Any = vars(module)["parametrizations"]
    trained = any(each.requires_grad for each in held[tensor_name].parameters())
    del held[tensor_name]
    delattr(type(module), tensor_name)
    if not len(held):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    setattr(module, tensor_name, Parameter(value.detach(), trained))
    return module
