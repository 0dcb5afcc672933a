"""What code mentions: the names by which a function, or the methods of a class, may reach a value."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

LIBRARIES = ("gradflow", "builtins", "numpy", "typing", "abc")  # whose code looks at nothing of the user's
MISSING = object()


def names_of(function: Any) -> set[str]:
    """All names in the code of ``function``, and of functions in it; strings may be names, for getattr."""
    names: set[str] = set()
    for each in _codes(function.__code__):
        names.update(each.co_names, each.co_freevars)
        names.update(x for x in each.co_consts if isinstance(x, str) and x.isidentifier())
    return names


def code_of(attribute: Any) -> Any:
    """The function behind a method or a property of a class, None for other attributes."""
    for name in ("fget", "__func__", "func"):  # of a property, a static or class method, a cached property
        attribute = getattr(attribute, name, attribute)
    return attribute if isinstance(attribute, types.FunctionType) else None


def classes_of(value: Any) -> list[type]:
    """The user's classes that ``value`` is of, or that it is, the most general first."""
    kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
    return [kind for kind in reversed(kinds) if not is_ours(kind)]


def is_ours(kind: type) -> bool:
    """Whether a class is not the user's own."""
    return kind.__module__.partition(".")[0] in LIBRARIES


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def contents(cell: Any) -> Any:
    """What a variable of a closure is now; MISSING if it is not assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING
