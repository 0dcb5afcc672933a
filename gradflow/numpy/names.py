"""Which gradflow function answers to which name of NumPy's: the one table that everything of NumPy's goes through."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from gradflow.numpy import composed, creation, editing, grids, loops, on_host, polynomials, queries, sets
from gradflow.numpy.translation import translated
from gradflow.numpy.universal import Universal

# names of NumPy's whose function has another name in gradflow; the rest go by their own
OTHERWISE = {
    "absolute": "abs", "amax": "max", "amin": "min", "around": "round",
    "concatenate": "concat", "conjugate": "conj", "degrees": "rad2deg", "fabs": "abs",
    "invert": "bitwise_invert", "left_shift": "bitwise_left_shift", "radians": "deg2rad",
    "right_shift": "bitwise_right_shift", "row_stack": "vstack", "trapz": "trapezoid", "true_divide": "divide",
}  # fmt: skip
# names of linear algebra that NumPy has at the top, too
FROM_LINALG = ("cross", "kron", "trace", "matrix_transpose")
# where NumPy's meaning differs from gradflow's, or only NumPy asks
OWN = {
    name: getattr(module, name)
    for module in (creation, queries, composed, editing, grids, loops, polynomials, sets)
    for name in module.__all__
}
# NumPy's own, as it is: they do not look at elements
SHARED = (
    "False_", "ScalarType", "True_", "base_repr", "binary_repr", "bool", "bool_", "broadcast_shapes", "byte", "cdouble",
    "complex128", "complex64", "complexfloating", "csingle", "double", "dtype", "dtypes", "e", "errstate",
    "euler_gamma", "exceptions", "finfo", "float16", "float32", "float64", "floating", "format_float_positional",
    "format_float_scientific", "generic", "get_printoptions", "geterr", "geterrcall", "half", "iinfo", "index_exp",
    "inexact", "inf", "int16", "int32", "int64", "int8", "int_", "intc", "integer", "intp", "isdtype", "isscalar",
    "issubdtype", "iterable", "little_endian", "long", "longlong", "mintypecode", "nan", "ndindex", "newaxis",
    "number", "pi", "printoptions", "promote_types", "s_", "set_printoptions", "seterr", "seterrcall", "short",
    "signedinteger", "single", "testing", "typecodes", "typename", "typing", "ubyte", "ufunc", "uint", "uint16",
    "uint32", "uint64", "uint8", "uintc", "uintp", "ulong", "ulonglong", "unsignedinteger", "ushort",
)  # fmt: skip


def names() -> set[str]:
    """Every name of NumPy's top level that there is."""
    return {*SHARED, *OWN, *on_host.NAMES, *(each for each in np.__all__ if _offered(each) is not None)}


def resolved(name: str) -> Any:
    """What ``gradflow.numpy.<name>`` is. Raises AttributeError for names that are not NumPy's or not offered."""
    if name in SHARED:
        return getattr(np, name)
    if name in OWN:
        return OWN[name]
    if name in on_host.NAMES:
        return on_host.on_host(name)
    original: Any = getattr(np, name, None)
    function = None if original is None or name.startswith("_") else _offered(name)
    if function is None:
        raise AttributeError(f"module 'gradflow.numpy' has no attribute {name!r}")
    if isinstance(original, np.ufunc):
        return Universal(original, function)
    return translated(name, original, function)


def _offered(name: str) -> Any:
    """The gradflow function that does what NumPy's ``name`` does, or None."""
    original = getattr(np, name)
    if isinstance(original, type) or not callable(original):
        return None
    gradflow = import_module("gradflow")  # above this file; only its public names are asked for
    for each in (name, getattr(original, "__name__", name)):
        known = OTHERWISE.get(each, each)
        if each in OWN:
            return OWN[each]
        if known in gradflow.__all__:
            found = getattr(gradflow, known)
            return found if callable(found) and not isinstance(found, type) else None
        if each in FROM_LINALG and hasattr(gradflow.linalg, each):
            return getattr(gradflow.linalg, each)
    return None
