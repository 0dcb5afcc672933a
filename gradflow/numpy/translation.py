"""A gradflow function behind the signature of the NumPy function whose work it does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from gradflow.errors import NumPyCallError
from gradflow.ops.cast import astype
from gradflow.tensor import Tensor

Function = Callable[..., Any]

# parameters of NumPy's that gradflow calls otherwise, where their places differ, too
RENAMED = {"ddof": "correction", "a_min": "min", "a_max": "max"}
# what means the same for every tensor: results are arrays in C order, and sorting is always stable
INDIFFERENT: dict[str, tuple[Any, ...]] = {
    "order": ("C", "K", "A", None),
    "subok": (True, False),
    "kind": ("quicksort", "heapsort", "mergesort", "stable"),
    "stable": (True, False),
    "casting": ("same_kind",),
    "where": (True,),
}
# what is a list of tensors, or one tensor whose parts it then is
SEQUENCES = ("arrays", "tup", "choices", "choicelist", "condlist")
ADVICE = {
    "out": "assign the result, or write it with x.copy_(...) inside gf.no_grad()",
    "where": "select with gf.where(condition, value, x) before, or x[condition]",
    "dtype": "convert with .astype(dtype) before or after",
    "initial": "combine the result with it afterwards",
}


def translated(name: str, original: Function, function: Function) -> Function:
    """``function`` with the signature of ``original``, NumPy's function ``name``.

    Parameters go by name where the names agree, else by place. ``dtype`` converts the first operand where that is the
    same (sums and products); what ``function`` does not take is a NumPyCallError unless it has its default value.
    """
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise NumPyCallError(f"numpy.{name}: {error}") from None
        positional, keywords = _arguments(name, signature, _places(original, function), given)
        return function(*positional, **keywords)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _arguments(name: str, signature: Any, places: dict[str, str], given: dict[str, Any]) -> Any:
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    dtype = None
    for each, value in given.items():
        parameter = signature.parameters[each]
        if parameter.kind is parameter.VAR_POSITIONAL and each in places:
            positional = value
        elif parameter.kind is parameter.VAR_KEYWORD:
            for option in value.keys() - places.keys():
                refuse(name, option)
            keywords |= value
        elif each in places and value is not np._NoValue:
            keywords[places[each]] = _listed(each, value)
        elif each == "dtype" and name in SUMS and value is not None:
            dtype = value
        elif not _usual(parameter, value):
            refuse(name, each)
    if dtype is not None:
        first = next(iter(keywords))
        keywords[first] = astype(keywords[first], dtype)
    return positional, keywords


def _listed(parameter: str, value: Any) -> Any:
    """The parts of a tensor that stands for a list, and lists of Python's floats as NumPy takes them."""
    if isinstance(value, Tensor) and parameter in SEQUENCES:
        return list(value)
    if type(value) is not list or any(isinstance(each, Tensor) for each in value):
        return value
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # ragged, or with tensors further in: whoever takes it will say so
        return value
    return array if array.dtype.kind in "fc" else value


SUMS = frozenset({
    "sum", "prod", "mean", "std", "var", "cumsum", "cumprod", "trace", "nansum", "nanprod", "nanmean", "nanstd",
    "nanvar", "cumulative_sum", "cumulative_prod",
})  # fmt: skip


def refuse(name: str, argument: str) -> None:
    """Raise NumPyCallError: gradflow's ``name`` does not take ``argument``."""
    advice = ADVICE.get(argument, "leave it out")
    raise NumPyCallError(f"numpy.{name} of tensors does not take {argument}=; {advice}")


def _usual(parameter: inspect.Parameter, value: Any) -> bool:
    """Whether passing ``value`` says no more than leaving it out."""
    if value is None or value is np._NoValue or value is parameter.default:
        return True
    if isinstance(value, bool | int | float | str):
        return value == parameter.default or value in INDIFFERENT.get(parameter.name, ())
    return False


@cache
def _places(original: Function, function: Function) -> dict[str, str]:
    """For each parameter of ``original`` that ``function`` has: its name there."""
    theirs = inspect.signature(original).parameters
    return dict(_pairs(theirs, inspect.signature(function).parameters))


def _pairs(theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
    names = [each.name for each in ours.values() if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    starred = [each.name for each in ours.values() if each.kind is each.VAR_POSITIONAL]
    for i, parameter in enumerate(theirs.values()):
        wanted = RENAMED.get(parameter.name, parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            if starred:
                yield parameter.name, starred[0]
        elif parameter.kind is parameter.VAR_KEYWORD:
            yield from ((each, each) for each in ours.keys() - theirs.keys() - {*names[: len(theirs) - 1]})
        elif wanted in ours and ours[wanted].kind is not inspect.Parameter.VAR_KEYWORD:
            yield parameter.name, wanted
        elif (
            parameter.kind is not parameter.KEYWORD_ONLY
            and i < len(names)
            and names[i] not in theirs
            and names[i] not in RENAMED.values()
            and parameter.name not in (*ADVICE, *INDIFFERENT)
        ):
            yield parameter.name, names[i]
