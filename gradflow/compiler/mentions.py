"""What code mentions: the names by which a function, or the methods of a class, may reach a value."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

LIBRARIES = ("gradflow", "builtins", "numpy", "typing", "abc")  # whose code looks at nothing of the user's
MISSING = object()


def names_of(function: Any) -> set[str]:
    """All names that ``function`` mentions, and the functions that it names: what it is given may be passed on."""
    names: set[str] = set()
    found, seen = [function], set()
    while found:
        each = found.pop()
        if each.__code__ not in seen:
            seen.add(each.__code__)
            own = _mentioned(each.__code__)
            names |= own
            cells = map(contents, each.__closure__ or ())
            found += filter(_is_users, (*cells, *(each.__globals__.get(name) for name in own)))
    return names


def _is_users(x: Any) -> bool:
    return isinstance(x, types.FunctionType) and x.__module__.partition(".")[0] not in LIBRARIES


def _mentioned(code: types.CodeType) -> set[str]:
    """The names in ``code``, and of functions in it; strings may be names, for getattr."""
    names: set[str] = set()
    for each in _codes(code):
        names.update(each.co_names, each.co_freevars)
        names.update(x for x in each.co_consts if isinstance(x, str) and x.isidentifier())
    return names


def code_of(attribute: Any) -> Any:
    """The function behind a method or a property of a class, None for other attributes."""
    for name in ("fget", "__func__", "func"):  # of a property, a static or class method, a cached property
        attribute = getattr(attribute, name, attribute)
    return attribute if isinstance(attribute, types.FunctionType) else None


def names_in(kind: type) -> set[str]:
    """All names that methods of ``kind`` mention."""
    functions = [code_of(each) for base in kind.__mro__ if not is_ours(base) for each in vars(base).values()]
    return {name for function in functions if function is not None for name in names_of(function)}


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
