"""A Module: parameters, buffers and other modules under names, and a function of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

from gradflow import dtypes
from gradflow.changes import changes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, DTypeError, GradflowError
from gradflow.nn.parameter import Parameter
from gradflow.nn.state import LoadedKeys, check_state, load
from gradflow.nn.trail import join, locate
from gradflow.tensor import Tensor, TensorLike, check_differentiable, copied

Kind = TypeVar("Kind")


class Module:
    """A layer or a model: assign parameters and modules to its attributes, and write ``forward``.

    A module is called like a function. Its parameters and modules are found in its attributes; only buffers,
    tensors that belong to the state and are not trained, are registered. Paths are dotted, as in PyTorch.

    >>> from gradflow import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter([2.0])
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(3.0).tolist()
    [6.0]
    >>> dict(Scale().named_parameters())
    {'factor': tensor([2.], requires_grad=True)}
    """

    keeps_shape: ClassVar[bool] = False  # the result has the shape of the input, whatever that is
    training: bool
    forward: Callable[..., Any]

    def __init__(self) -> None:
        self.training = True
        self._buffers: dict[str, bool] = {}  # their names, and whether the state dict has them

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        try:
            return self.forward(*inputs, **options)
        except GradflowError as error:
            locate(error, self, (*inputs, *options.values()))
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        held = vars(self)
        if isinstance(value, (Parameter, Module)) and "training" not in held:
            raise ArgumentError(
                f"{type(self).__name__}: {name!r} is assigned before super().__init__(); call that first"
            )
        for kind in (Parameter, Module):
            if isinstance(held.get(name), kind) and not isinstance(value, (kind, type(None))):
                raise DTypeError(
                    f"{type(self).__name__}: {name!r} is a {kind.__name__}, and cannot become a "
                    f"{type(value).__name__}; assign another {kind.__name__} or None"
                )
        changes.count += 1
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, value: Tensor | None, persistent: bool = True) -> None:
        """Hold ``value`` as the attribute ``name``, as part of the state that is not trained.

        A buffer that is not ``persistent`` is left out of the state dict. Raises ArgumentError for a name
        that is taken or has a dot, DTypeError for a value that is not a tensor.
        """
        self._check_name(name)
        if isinstance(value, Parameter) or not isinstance(value, (Tensor, type(None))):
            raise DTypeError(f"register_buffer: {name!r} must be a gf.tensor, not a {type(value).__name__}")
        self._buffers[name] = persistent
        setattr(self, name, value)

    def add_module(self, name: str, module: Module) -> None:
        """Hold ``module`` as the attribute ``name``, which may be something like ``"0"``.

        Raises ArgumentError for a name that is taken or has a dot, DTypeError for what is not a module.
        """
        self._hold(Module, name, module)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Hold ``parameter`` as the attribute ``name``; raises what ``add_module`` raises."""
        self._hold((Parameter, type(None)), name, parameter)

    def _hold(self, kind: type[Any] | tuple[type[Any], ...], name: str, value: Any) -> None:
        if not isinstance(value, kind):
            wanted = "nn.Module" if kind is Module else "nn.Parameter"
            name_of = (value if isinstance(value, type) else type(value)).__name__
            given = f"the class {name_of}; write {name_of}()" if isinstance(value, type) else f"a {name_of}"
            raise DTypeError(f"{type(self).__name__}: {name!r} must be an {wanted}, not {given}")
        if not isinstance(vars(self).get(name), kind):
            self._check_name(name)
        setattr(self, name, value)

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                f"{type(self).__name__}: a name is a string that is not empty and has no dot, got {name!r}"
            )
        if hasattr(self, name):
            raise ArgumentError(f"{type(self).__name__}: {name!r} is an attribute already; choose another name")

    def _held(self, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, kind))

    def _paths(self) -> Iterator[tuple[str, Module]]:
        """This module and every module in it, under each of its names."""
        yield "", self
        for name, child in self._held(Module):
            for path, module in child._paths():
                yield join(name, path), module

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named "", and every module in it, each once."""
        return _each_once(self._paths())

    def modules(self) -> Iterator[Module]:
        """This module and every module in it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one, each once."""
        return _each_once(self._held(Module))

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter of this module and of those in it, each once, under its first name."""
        return _each_once(
            (join(path, name), parameter)
            for path, module in self.named_modules()
            for name, parameter in module._held(Parameter)
        )

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter of this module and of those in it, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Every buffer of this module and of those in it, each once, under its first name."""
        return _each_once(
            (join(path, name), value)
            for path, module in self.named_modules()
            for name, value in module._held(Tensor)
            if name in module._buffers
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of every parameter and persistent buffer, by name: later training leaves them as they are.

        >>> from gradflow import nn
        >>> list(nn.Sequential(nn.Linear(2, 3), nn.ReLU()).state_dict())
        ['0.weight', '0.bias']
        """
        return {name: Tensor(copied(value.data)) for name, value in self._state().items()}

    def load_state_dict(self, state: Mapping[str, TensorLike], strict: bool = True) -> LoadedKeys:
        """Write ``state`` into the parameters and buffers of the same names: all of it, or nothing.

        The values may be tensors or arrays, of another library too; they are converted to the dtype and
        device of what they are written to. With ``strict`` the names must be the same; without, names on one
        side only are returned. Raises StateKeyError for names, CheckpointError for shapes or kinds of dtype
        that differ, DTypeError for what has no names.
        """
        check_state(state)
        for path, module in [*self._paths()]:
            module.prepare(state, path)
        return load(state, self._state(), strict)

    def prepare(self, state: Mapping[str, TensorLike], path: str) -> None:
        """Make room for what ``state`` has for this module, which is at ``path``: for layers without shapes yet."""

    def _state(self) -> dict[str, Tensor]:
        """What a state dict has copies of, under each of its names."""
        state: dict[str, Tensor] = {}
        for path, module in self._paths():
            buffers = (item for item in module._held(Tensor) if module._buffers.get(item[0]))
            state |= {join(path, name): value for name, value in (*module._held(Parameter), *buffers)}
        return state

    def train(self, mode: bool = True) -> Self:
        """Make this module and those in it behave as in training, where dropout drops."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Make this module and those in it behave as in use, after training."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or stop asking."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, target: str | Device | DTypeLike) -> Self:
        """Move this module to a device, or convert it to a floating dtype, in place.

        Integer buffers keep their dtype. Make the optimizer afterwards: parameters leave the memory of an
        earlier one. Raises DTypeError for a dtype that is not floating, DeviceError for a device that is not
        there.
        """
        held = [*self.parameters(), *(value for _, value in self.named_buffers())]
        if not (isinstance(target, Device) or str(target).startswith(("cpu", "cuda"))):
            check_differentiable(dtypes.as_dtype(target))
            held = [x for x in held if dtypes.is_floating(x.dtype)]
        moved = [x.detach().to(target).data for x in held]  # all of them before the first is changed
        for x, data in zip(held, moved, strict=True):
            if data is not x.data:
                x.data, x.grad_slot = data, None
                x.grad = None if x.grad is None else x.grad.detach().to(target)
        return self

    def extra_repr(self) -> str:
        """What stands in the parentheses after the module's name when it is printed."""
        return ""

    @property
    def heading(self) -> str:
        """The module on one line, without the modules in it."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def steps(self) -> Sequence[tuple[str, Module]]:
        """The modules that this one calls, each with the result of the one before, if that is all it does."""
        return ()

    def __repr__(self) -> str:
        tree = _tree(self)
        return f"{tree} parameters" if _count(self) else tree


def _tree(module: Module) -> str:
    lines = [f"  ({name}): {_tree(child)}".replace("\n", "\n  ") for name, child in module._held(Module)]
    tree = "\n".join([module.heading.removesuffix(")"), *lines, ")"]) if lines else module.heading
    count = _count(module)
    return f"{tree}  {count:,}" if count else tree


def _count(module: Module) -> int:
    try:
        return sum(parameter.size for parameter in module.parameters())
    except ArgumentError:  # some have no shape yet
        return 0


def _each_once(named: Iterable[tuple[str, Kind]]) -> Iterator[tuple[str, Kind]]:
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
