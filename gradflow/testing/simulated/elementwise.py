"""Universal functions: one kernel a call, with the arguments and the arithmetic that CuPy's have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.simulated.conversion import flushed
from gradflow.testing.simulated.formulas import FORMULAS

# CuPy's names of its ufuncs, by NumPy's where they differ; all others have NumPy's
NUMPY_NAMES = {
    "abs": "absolute", "divide": "true_divide", "mod": "remainder", "conj": "conjugate", "bitwise_not": "invert",
    "degrees": "rad2deg", "radians": "deg2rad",
}  # fmt: skip

UFUNCS = frozenset({
    "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "bitwise_and",
    "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "conj", "conjugate", "copysign", "cos", "cosh",
    "deg2rad", "degrees", "divide", "equal", "exp", "exp2", "expm1", "fabs", "float_power", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "gcd", "greater", "greater_equal", "heaviside", "hypot", "invert", "isfinite", "isinf",
    "isnan", "lcm", "ldexp", "left_shift", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp",
    "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply",
    "negative", "nextafter", "not_equal", "positive", "power", "rad2deg", "radians", "reciprocal", "remainder",
    "right_shift", "rint", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
    "true_divide", "trunc",
})  # fmt: skip
# what moves bits and does not compute
MOVES = frozenset({"positive", "copysign", "signbit", "isnan", "isinf", "isfinite", "nextafter", "heaviside"})

SCATTERS = {"add": "ilefdILqQ", "subtract": "iI", "maximum": "ilfdILqQ", "minimum": "ilfdILqQ"} | {
    f"bitwise_{each}": "ilILqQ" for each in ("and", "or", "xor")
}


class Ufunc:
    """A universal function of a simulated ``cupy``.

    Operands are device arrays and scalars, nothing else; ``out`` has the shape of the result. There is no ``where``
    and no ``order``, and no floating-point warning.
    """

    def __init__(self, xp: Any, name: str) -> None:
        self._machine = xp.machine
        self._xp = xp
        self._plain: np.ufunc = getattr(np, NUMPY_NAMES.get(name, name))
        self._name = NUMPY_NAMES.get(name, name)
        self._run = self._flushing(self._name)
        self.name = self.__name__ = f"cupy_{self._name}"
        self.nin, self.nout, self.nargs = self._plain.nin, self._plain.nout, self._plain.nargs
        self.__doc__ = f"The elementwise function {name}, as cupy has it."

    def _flushing(self, name: str) -> Callable[..., Any]:
        plain: Callable[..., Any] = FORMULAS.get(name, self._plain)
        if name in MOVES:
            return plain

        def flushing(*operands: Any, **options: Any) -> Any:
            return flushed(plain(*map(flushed, operands), **options))

        return flushing

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: Any = "same_kind", **wrong: Any) -> Any:
        if wrong:
            raise TypeError(f"Wrong arguments {wrong}")
        if len(args) == self.nin + 1:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            *args, out = args  # type: ignore[assignment]
        if len(args) != self.nin:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or {self.nargs} "
                f"(with outputs), but given {len(args)}."
            )
        if isinstance(out, tuple):
            if len(out) != 1:
                raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
            (out,) = out
        run = self._run
        if dtype is not None:
            run = lambda *operands: self._run(*operands, dtype=dtype, casting=casting)  # noqa: E731
        if out is not None:
            run = self._checked(run, out, casting)
        return self._machine.compute(self._name, run, args, out)

    def _checked(self, run: Callable[..., Any], out: Any, casting: Any) -> Callable[..., Any]:
        if not isinstance(out, self._xp.ndarray):
            raise TypeError("return arrays must be of ArrayType")
        shape, dtype = out.shape, out.dtype

        def into(*operands: Any) -> Any:
            result = run(*operands)
            if result.shape != shape:
                raise ValueError("Out shape is mismatched")
            if not np.can_cast(result.dtype, dtype, casting):
                raise TypeError(
                    f"output (typecode '{result.dtype.char}') could not be coerced to provided output parameter "
                    f"(typecode '{dtype.char}') according to the casting rule \"{casting}\""
                )
            return result

        return into

    def at(self, a: Any, indices: Any, b: Any = None, /) -> None:
        """Update ``a`` in place at indices, of which some may be equal. Floats are added in any order on a GPU."""
        if self._name not in SCATTERS:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if a.dtype.char not in SCATTERS[self._name]:
            raise TypeError(f"{self._name}.at only supports {', '.join(SCATTERS[self._name])} as data type")
        self._xp._scatter(self._plain, a, indices, b)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
        """The sum or product along ``axis``; other functions cannot reduce."""
        names = {"add": "sum", "multiply": "prod"}
        if self._name not in names:
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return getattr(self._xp, names[self._name])(array, axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """The running sum or product along ``axis``; other functions cannot accumulate."""
        names = {"add": "cumsum", "multiply": "cumprod"}
        if self._name not in names:
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return getattr(self._xp, names[self._name])(array, axis, dtype, out)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        """The function of every element of ``A`` with every element of ``B``."""
        return self(A.reshape(A.shape + (1,) * B.ndim), B, **kwargs)

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Not simulated."""
        raise NotImplementedError(f"the simulated `{self.name}.reduceat` is not there")


def clip(xp: Any, a: Any, a_min: Any, a_max: Any, out: Any = None) -> Any:
    """Values limited to an interval; NaN stays, and so does a value that no bound that is NaN is compared with."""
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    least, largest = _ends(a.dtype)
    low, high = least if a_min is None else a_min, largest if a_max is None else a_max

    def limited(x: Any, low: Any, high: Any) -> Any:
        v, lo, hi = flushed(x), flushed(low), flushed(high)  # compared as kernels compare, copied as they are
        inside = np.where(v < lo, low, np.where(v > hi, high, x))
        return np.where(np.greater(lo, hi), high, inside)

    return xp.machine.compute("clip", limited, (a, low, high), _out(a, out))


def _ends(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype.kind == "b":
        return False, True
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _out(a: Any, out: Any) -> Any:
    if out is not None and out.shape != a.shape:
        raise ValueError("Out shape is mismatched")
    return out


def where(xp: Any, condition: Any, x: Any = None, y: Any = None) -> Any:
    """Elements of ``x`` where ``condition`` holds, of ``y`` elsewhere; with it alone, the indices where it holds."""
    if x is None and y is None:
        return xp.nonzero(condition)
    if x is None or y is None:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    return xp.machine.compute("where", np.where, (condition.astype(np.bool_, copy=False), x, y))


def round(xp: Any, a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Rounded to so many decimals, halves to even."""
    return xp.machine.compute("round", lambda x: flushed(np.round(flushed(x), decimals)), (a,), _out(a, out))


def divmod(xp: Any, x1: Any, x2: Any, /) -> tuple[Any, Any]:
    """Quotient, rounded down, and remainder."""
    quotient = xp.floor_divide(x1, x2)
    return quotient, xp.remainder(x1, x2)


def nan_to_num(xp: Any, x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in place of NaN and infinities."""
    out = None if copy else x
    return xp.machine.compute(
        "nan_to_num", lambda a: np.nan_to_num(a, nan=nan, posinf=posinf, neginf=neginf), (x,), out
    )


FUNCTIONS = {"clip": clip, "where": where, "round": round, "around": round, "divmod": divmod, "nan_to_num": nan_to_num}
