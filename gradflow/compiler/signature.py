"""The signature of a call: which arguments are arrays, of what kind, and what the others are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields, is_dataclass, replace
from math import isnan
from typing import Any

import numpy as np

from gradflow.backend import loaded
from gradflow.backend.matmul_precision import get_float32_matmul_precision
from gradflow.determinism import are_deterministic_algorithms_enabled
from gradflow.dtypes import get_default_dtype
from gradflow.errors import CompileError
from gradflow.mode import mode
from gradflow.tensor import Tensor, tensor
from gradflow.widening import promotion_rule


def flattened(arguments: Any, leaves: list[Tensor], held: dict[int, Any]) -> Hashable:  # noqa: PLR0912
    """What ``arguments``, nested tuples, lists, dicts and dataclasses, look like; tensors are added to ``leaves``.

    NumPy and CuPy arrays count as tensors; parameters of an optimizer, and what the function holds itself, by its array
    in ``held``, for what they are: their memory is part of the plan. Raises CompileError for a value that cannot be
    told from another.
    """
    kind = type(arguments)
    if isinstance(arguments, Tensor):
        leaves.append(arguments)
        array = arguments.data
        if arguments.grad_slot is not None or id(array) in held:
            return id(array), id(arguments) if arguments.requires_grad else None
        if arguments.requires_grad:
            return array.shape, array.dtype, array.strides, arguments.node is None, arguments.grad is None
        return array.shape, array.dtype, array.strides
    if kind is float or kind is complex:  # zeros have signs, and NaN is not equal to itself
        return kind, repr(arguments) if kind is complex or not arguments or isnan(arguments) else arguments
    if kind in _STATIC:
        return kind, arguments
    if isinstance(arguments, np.ndarray) or _is_on_gpu(arguments):
        leaves.append(tensor(arguments))
        if id(arguments) in held:
            return id(arguments)
        return arguments.shape, arguments.dtype, arguments.strides
    if kind is tuple or kind is list:
        return kind, *[flattened(each, leaves, held) for each in arguments]
    if kind is dict:
        return kind, *[(key, flattened(each, leaves, held)) for key, each in arguments.items()]
    if isinstance(arguments, tuple):  # a named one
        return kind, *[flattened(each, leaves, held) for each in arguments]
    if is_dataclass(arguments) and not isinstance(arguments, type):
        return kind, *[flattened(getattr(arguments, each.name), leaves, held) for each in fields(arguments)]
    if isinstance(arguments, np.floating):
        return kind, repr(arguments)
    try:
        hash(arguments)
    except TypeError:
        raise CompileError(
            f"gf.compile: an argument is a {kind.__name__}, which is neither a tensor or an array, nor a container of "
            "them (tuple, list, dict, dataclass), nor hashable, so that a change of it would go unnoticed; pass its "
            "tensors, or close over it"
        ) from None
    return kind, arguments


_STATIC = frozenset({bool, int, str, bytes, type(None)})


def rebuilt(tree: Any, leaf: Callable[[Any], Any], is_leaf: Callable[[Any], bool]) -> Any:
    """``tree``, nested tuples, lists, dicts and dataclasses, with ``leaf`` of them in the place of leaves."""
    if is_leaf(tree):
        return leaf(tree)
    kind = type(tree)
    if kind in (tuple, list):
        return kind(rebuilt(each, leaf, is_leaf) for each in tree)
    if kind is dict:
        return {key: rebuilt(each, leaf, is_leaf) for key, each in tree.items()}
    if isinstance(tree, tuple):
        return kind(*[rebuilt(each, leaf, is_leaf) for each in tree])
    if is_dataclass(tree) and not isinstance(tree, type):
        return replace(tree, **{each.name: rebuilt(getattr(tree, each.name), leaf, is_leaf) for each in fields(tree)})
    return tree


def is_array(x: Any) -> bool:
    """Whether ``x`` is a tensor, or an array that counts as one."""
    return isinstance(x, (Tensor, np.ndarray)) or _is_on_gpu(x)


def objects(tree: Any) -> list[Any]:
    """What is in ``tree`` beside tensors, plain values and the containers themselves: modules, say."""
    found: list[Any] = []

    def is_object(x: Any) -> bool:
        container = isinstance(x, (tuple, list, dict)) or (is_dataclass(x) and not isinstance(x, type))
        return not (container or is_array(x) or type(x) in _STATIC or isinstance(x, (float, np.generic)))

    rebuilt(tree, found.append, is_object)
    return found


def described(name: str, tree: Any) -> Iterator[tuple[str, str]]:
    """The leaves of ``tree``, each under its path, and what counts of it, in words."""
    if is_array(tree):
        yield name, f"{tree.dtype} {tuple(tree.shape)}" + ", requires grad" * getattr(tree, "requires_grad", False)
    elif isinstance(tree, dict):
        for key, each in tree.items():
            yield from described(f"{name}[{key!r}]", each)
    elif isinstance(tree, (tuple, list)):
        for number, each in enumerate(tree):
            yield from described(f"{name}[{number}]", each)
    elif is_dataclass(tree) and not isinstance(tree, type):
        for each in fields(tree):
            yield from described(f"{name}.{each.name}", getattr(tree, each.name))
    else:
        yield name, repr(tree)


def aliases(leaves: list[Tensor]) -> Hashable:
    """Which of ``leaves`` are the same array: None if none are."""
    if len(leaves) < 2 or len({id(x.data) for x in leaves}) == len(leaves):
        return None
    first: dict[int, int] = {}
    return tuple(first.setdefault(id(x.data), i) for i, x in enumerate(leaves))


def settings() -> Hashable:
    """What steers ops beside their arguments."""
    return (
        mode.recording,
        get_default_dtype(),
        get_float32_matmul_precision(),
        are_deterministic_algorithms_enabled(),
        promotion_rule(),
    )


def _is_on_gpu(x: Any) -> bool:
    backend = loaded()
    return backend is not None and isinstance(x, backend.xp.ndarray)
