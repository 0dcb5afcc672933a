"""Containers: nested dicts, lists, tuples and dataclasses, taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from gradflow.errors import ArgumentError
from gradflow.tensor import Tensor


def children(tree: Any) -> dict[Any, Any] | None:
    """What ``tree`` contains, by key, index or field; None for a leaf. None itself is a container of nothing."""
    if isinstance(tree, Tensor):  # which most leaves are
        return None
    if tree is None:
        return {}
    if isinstance(tree, dict):
        return tree
    if isinstance(tree, (list, tuple)):
        return dict(enumerate(tree))
    if is_dataclass(tree) and not isinstance(tree, type):
        return {each.name: getattr(tree, each.name) for each in fields(tree)}
    return None


def leaves(tree: Any) -> list[Any]:
    """All leaves of ``tree``, in order.

    >>> leaves({"a": 1, "b": (2, [3, None])})
    [1, 2, 3]
    """
    parts = children(tree)
    return [tree] if parts is None else [leaf for part in parts.values() for leaf in leaves(part)]


def mapped(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """``tree`` with ``f`` of each leaf, and of those in the same place of ``others``, instead of the leaf.

    Raises ArgumentError if ``others`` are not containers of the same kind.
    """
    parts = children(tree)
    if parts is None:
        return f(tree, *others)
    rest = [children(other) for other in others]
    if any(each is None or each.keys() != parts.keys() for each in rest):
        raise ArgumentError(f"containers differ: {shown(tree)} does not go with {', '.join(map(shown, others))}")
    return rebuilt(tree, {key: mapped(f, part, *(each[key] for each in rest)) for key, part in parts.items()})  # type: ignore[index]


def rebuilt(tree: Any, parts: dict[Any, Any]) -> Any:
    """A container like ``tree`` that contains ``parts``."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: parts[key] for key in tree} if type(tree) is dict else type(tree)(parts)
    if isinstance(tree, list):
        return list(parts.values())
    if isinstance(tree, tuple):
        return tuple(parts.values()) if type(tree) is tuple else type(tree)(*parts.values())
    return replace(tree, **parts)


def filled(tree: Any, values: Iterator[Any]) -> Any:
    """``tree`` with the next of ``values`` in the place of each leaf."""
    parts = children(tree)
    if parts is None:
        return next(values)
    return rebuilt(tree, {key: filled(part, values) for key, part in parts.items()})


def spread(prefix: Any, tree: Any) -> list[Any]:
    """For each leaf of ``tree`` what stands at its place in ``prefix``, whose leaves (and Nones) are for all below.

    >>> spread((0, None), ([1, 2], 3))
    [0, 0, None]
    """
    parts, given = children(tree), children(prefix)
    if prefix is None or given is None:
        return [prefix] * len(leaves(tree))
    if parts is None or parts.keys() != given.keys():
        raise ArgumentError(f"{prefix!r} does not go with {shown(tree)}: it has other parts")
    return [each for key, part in parts.items() for each in spread(given[key], part)]


def shown(tree: Any) -> str:
    """The kind of a container and what is in it, for messages."""
    parts = children(tree)
    return type(tree).__name__ if parts is None else f"{type(tree).__name__} of {list(parts)}"
