"""Guards: Python values that a step looks at, and that a plan made of it depends on."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.changes import changes
from gradflow.compiler.mentions import MISSING, classes_of, code_of, contents, is_ours, names_of
from gradflow.nn.module import Module
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)
DEPTH = 12  # of attributes of attributes that are looked into
SHORT = 64  # elements of a list or dict that are watched one by one; those of longer ones together
SMALL = 4096  # elements of an array that are compared, in case that it is converted


class Watch(NamedTuple):
    """Something that is looked at: how it is called, how to get it, and what it was."""

    name: str
    get: Callable[[], Any]
    was: Any

    def holds(self) -> bool:
        """Whether it is still what it was."""
        now = self.get()
        return now is self.was or (
            type(now) is type(self.was) and isinstance(now, (*PLAIN, tuple, frozenset)) and _same(now, self.was)
        )


class Guards:
    """All that ``function`` looks at in what it is ``given`` beside tensors, and in what it holds itself.

    These are captured variables, globals and attributes, and modules and optimizers whole.
    What a module or an optimizer holds is looked at again only if some attribute or option was set since.
    """

    def __init__(self, function: Callable[..., Any], given: Sequence[Any] = ()) -> None:
        self.names: set[str] = set()  # that all the code mentions: what one function is given another one may read
        known = -1
        while known < len(self.names):
            known = len(self.names)
            self._look(function, given)
        self.count = changes.count

    def _look(self, function: Callable[..., Any], given: Sequence[Any]) -> None:
        """Look at everything, from the beginning."""
        self.seen: set[int] = set()
        self.tensors: dict[int, tuple[Tensor, Any, bool]] = {}  # by id, with their arrays and whether they require grad
        self.arrays: dict[int, Any] = {}  # by id
        self.optimizers: list[Optimizer] = []
        self.modules: list[Module] = []
        self.always: list[Watch] = []
        self.counted: list[Watch] = []
        self._function(function, DEPTH)
        for each in given:
            self._object("an argument", each, DEPTH)

    def changed(self) -> Watch | None:
        """The first thing that is not what it was; None if all are."""
        for watch in self.always:
            if not watch.holds():
                return watch
        if self.count != changes.count:
            for watch in self.counted:
                if not watch.holds():
                    return watch
            self.count = changes.count
        return None

    def switched(self) -> str | None:
        """What is no longer as it was of a tensor that it looks at, in words; None if all is."""
        for x, array, requires_grad in self.tensors.values():
            if x.data is not array:
                return f"the memory (.data) of a tensor of shape {x.shape}"
            if x.requires_grad is not requires_grad:
                return f"requires_grad of a tensor of shape {x.shape} to {x.requires_grad}"
        return None

    def settle(self) -> None:
        """Note how the state of optimizers is divided when the step has ended, which it may itself have changed."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                watch = Watch("the state of an optimizer", functools.partial(_segments, group), _segments(group))
                self.counted.append(watch)

    def leaves(self) -> Iterator[Tensor]:
        """The leaves that it looks at, parameters of modules and optimizers above all, frozen ones too."""
        leaves = (x for x, _, _ in self.tensors.values() if x.node is None)
        return (x for x in leaves if x.requires_grad or x.grad_slot is not None or x.grad is not None)

    # ---- what a function looks at

    def _function(self, function: Any, depth: int) -> None:
        if id(function) in self.seen or depth < 0:
            return
        self.seen.add(id(function))
        if isinstance(function, functools.partial):
            for each in (function.func, *function.args, *function.keywords.values()):
                self._object("an argument of a partial", each, depth)
        elif isinstance(function, types.MethodType):
            self._function(function.__func__, depth)
            self._object("self", function.__self__, depth)
        elif isinstance(function, Module):
            self._module(type(function).__name__, function)
        elif isinstance(function, types.FunctionType) and not str(function.__module__).startswith("gradflow."):
            self._variables(function, depth)
        elif hasattr(function, "__wrapped__"):
            self._function(function.__wrapped__, depth)
        elif not isinstance(function, type) and isinstance(type(function).__call__, types.FunctionType):
            self._function(type(function).__call__, depth - 1)
            self._attributes(type(function).__name__, function, depth)

    def _variables(self, function: types.FunctionType, depth: int) -> None:
        names = names_of(function)
        self.names |= names
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._watch(name, functools.partial(contents, cell), depth)
        for name in names & function.__globals__.keys():
            self._watch(name, functools.partial(function.__globals__.get, name, MISSING), depth)
        for i, default in enumerate(function.__defaults__ or ()):
            self._object(f"default {i} of {function.__name__}", default, depth)
        for name, default in (function.__kwdefaults__ or {}).items():
            self._object(f"the default of {name} of {function.__name__}", default, depth)

    def _watch(self, name: str, get: Callable[[], Any], depth: int) -> None:
        value = get()
        if isinstance(value, type) and not value.__module__.startswith(("gradflow.", "builtins", "numpy")):
            self._attributes(name, value, depth)
        if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type)):
            return
        self.always.append(Watch(name, get, value))
        self._object(name, value, depth)

    def _object(self, name: str, value: Any, depth: int) -> None:
        """Look at what can be read from ``value`` by attributes that the code mentions."""
        if isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray):
            self._array(name, value)
        if isinstance(value, (*PLAIN, Tensor, np.ndarray, types.ModuleType, type)) or depth < 0:
            return
        if callable(value) and not isinstance(value, Module):
            self._function(value, depth - 1)
        if id(value) in self.seen:
            return
        self.seen.add(id(value))
        if isinstance(value, Module):
            self._module(name, value)
        elif isinstance(value, Optimizer):
            self._optimizer(name, value)
        elif isinstance(value, (list, tuple, dict, set)):
            self._container(name, value, depth)
        elif not isinstance(value, types.FunctionType | types.MethodType):
            self._attributes(name, value, depth)

    def _tensor(self, x: Tensor) -> None:
        self.tensors[id(x)] = x, x.data, x.requires_grad
        self.arrays[id(x.data)] = x.data

    def _array(self, name: str, array: Any) -> None:
        self.arrays[id(array)] = array
        if array.size <= SMALL:
            self.always.append(Watch(f"the elements of {name}", array.tobytes, array.tobytes()))

    def _attributes(self, name: str, value: Any, depth: int) -> None:
        """Look at the attributes of an object, or a class, that the code mentions, its methods among it."""
        self._methods(value, depth - 1)
        shared = {key: each for kind in classes_of(value) for key, each in vars(kind).items()}
        held = getattr(value, "__dict__", {})
        for each in sorted(self.names & (shared.keys() | held.keys())):
            if each in held and not isinstance(value, type):
                self._attribute(name, functools.partial(held.get, each, MISSING), each, depth)
            elif not isinstance(shared.get(each), (property, classmethod, staticmethod, types.FunctionType)):
                self._attribute(name, functools.partial(getattr, value, each, MISSING), each, depth)

    def _methods(self, value: Any, depth: int) -> None:
        """Look at what the methods look at that the code mentions, or that Python calls by itself."""
        for name, each in (pair for kind in classes_of(value) for pair in vars(kind).items()):
            by_itself = name == "forward" or (name.startswith("__") and (name != "__init__" or isinstance(value, type)))
            function = code_of(each)
            if function is not None and (by_itself or name in self.names):
                self._function(function, depth)

    def _attribute(self, name: str, get: Callable[[], Any], each: str, depth: int) -> None:
        value = get()
        self.always.append(Watch(f"{name}.{each}", get, value))
        self._object(f"{name}.{each}", value, depth - 1)

    def _container(self, name: str, value: Any, depth: int) -> None:
        self.always.append(Watch(f"the length of {name}", functools.partial(len, value), len(value)))
        if isinstance(value, set) or (len(value) > SHORT and not isinstance(value, tuple)):
            self.always.append(Watch(f"the elements of {name}", functools.partial(_marks, value), _marks(value)))
        for key in value if isinstance(value, dict) else range(len(value) if not isinstance(value, set) else 0):
            each = value[key]
            if not isinstance(value, tuple) and len(value) <= SHORT:
                get = functools.partial(_item, value, key)
                self.always.append(Watch(f"{name}[{key!r}]", get, each))
            self._object(f"{name}[{key!r}]", each, depth - 1)

    def _module(self, name: str, module: Module) -> None:
        self.modules.append(module)
        for path, each in module.named_modules():
            held = vars(each)
            prefix = f"{name}.{path}" if path else name
            for key, value in held.items():
                self.counted.append(Watch(f"{prefix}.{key}", functools.partial(held.get, key, MISSING), value))
                if isinstance(value, types.FunctionType):
                    self._function(value, 1)
                elif isinstance(value, Tensor):
                    self._tensor(value)
                elif not isinstance(value, Module) and not is_ours(type(each)) and key != "_buffers":
                    self._object(f"{prefix}.{key}", value, DEPTH)
            self.counted.append(Watch(f"the attributes of {prefix}", functools.partial(len, held), len(held)))
            self._methods(each, 2)

    def _optimizer(self, name: str, optimizer: Optimizer) -> None:
        self.optimizers.append(optimizer)
        groups = optimizer.param_groups
        self.counted.append(Watch(f"the groups of {name}", functools.partial(len, groups), len(groups)))
        for i, group in enumerate(groups):
            for p in group["params"]:
                self._tensor(p)
            for key, value in group.items():
                if key not in ("lr", "params"):
                    get = functools.partial(group.options.get, key)
                    self.counted.append(Watch(f"{name}.param_groups[{i}][{key!r}]", get, value))


def _same(now: Any, was: Any) -> bool:
    """Whether two plain values are equal, signs of zeros included."""
    return bool(now == was) and (bool(now) or repr(now) == repr(was))


def _marks(container: Any) -> Any:
    """What tells the elements of a container from others: values of plain ones, the identities of others."""
    pairs = container.items() if isinstance(container, dict) else ((0, each) for each in container)
    marks = [(key, each if isinstance(each, PLAIN) else id(each)) for key, each in pairs]
    return frozenset(each for _, each in marks) if isinstance(container, set) else tuple(marks)


def _segments(group: Any) -> tuple[Any, ...]:
    return tuple(group.segments)


def _item(container: Any, key: Any) -> Any:
    try:
        return container[key]
    except (IndexError, KeyError):
        return MISSING
