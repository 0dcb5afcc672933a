"""What to call the values of a graph: the names of the variables that hold them, or v1, v2, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from types import FrameType
from typing import Any

import numpy as np

from gradflow.errors import ArgumentError
from gradflow.explanation.graph import Graph, Key, key_of
from gradflow.tensor import Tensor

Names = dict[Key, str]


def names_of(graph: Graph, given: Mapping[str, Any], frame: FrameType) -> Names:
    """A name of its own for every step and leaf of ``graph``, and for the constants that have one.

    The names in ``given`` come first, then the variables of ``frame``. Raises ArgumentError for a given name
    that is empty or not printable, and for one of a value that the graph does not have.
    """
    names: Names = {}
    wanted = graph.keys
    for name, value in given.items():
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ArgumentError(f"explain: {name!r} cannot be a name; use printable text, as in names={{'w': w}}")
        if key_of(value) not in wanted:
            raise ArgumentError(
                f"explain: names has {name!r} for a value that this graph does not contain; name tensors "
                "that the loss was computed from"
            )
        names.setdefault(key_of(value), name)
    for name, value in _held_by(frame):
        key = key_of(value)
        if key in wanted and key not in names and name not in names.values():
            names[key] = name
    _name_the_rest(graph, names)
    return names


def _held_by(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """The tensors of a frame's variables, then the parameters of its modules, then its arrays."""
    found = chain(frame.f_locals.items(), frame.f_globals.items())
    variables = [(n, value) for n, value in found if n.isidentifier() and n[0] != "_"]  # not IPython's _12
    yield from ((name, value) for name, value in variables if isinstance(value, Tensor))
    for name, value in variables:
        if callable(getattr(type(value), "named_parameters", None)):
            yield from ((f"{name}.{path}", parameter) for path, parameter in value.named_parameters())
    yield from ((name, value) for name, value in variables if isinstance(value, np.ndarray))


def _name_the_rest(graph: Graph, names: Names) -> None:
    """The result is L, other steps are v1, v2, ... in the order they ran, leaves p1, p2, ..."""
    if "L" not in names.values():
        names.setdefault(id(graph.root), "L")
    value, parameter = _numbered("v", names), _numbered("p", names)
    for node in graph.nodes:
        if id(node) not in names:
            names[id(node)] = value()
    for leaf in graph.leaves:
        if id(leaf) not in names:
            names[id(leaf)] = parameter()


def _numbered(letter: str, names: Names) -> Callable[[], str]:
    taken = set(names.values())
    fresh = (name for i in count(1) if (name := f"{letter}{i}") not in taken)
    return fresh.__next__
