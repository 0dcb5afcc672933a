"""The declaration of an operation: how to run it, size it, differentiate it and exemplify it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import DType, bool_
from gradflow.errors import DTypeError
from gradflow.launch import Work
from gradflow.samples import Sample
from gradflow.shapes import Shape, broadcast


class Spec(NamedTuple):
    """The shape and dtype of an array; a Python scalar has shape () and its type as dtype."""

    shape: Shape
    dtype: DType | type

    @property
    def absent(self) -> bool:
        """Whether this stands for None, an input that was not given."""
        return self.dtype is type(None)


def _positional(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the positional parameters; inspect.signature, asked of every op, would take half the import."""
    code = _code(function)
    return code.co_varnames[: code.co_argcount]


def _keyword(function: Callable[..., Any]) -> tuple[str, ...]:
    code = _code(function)
    return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]


def _code(function: Callable[..., Any]) -> CodeType:
    code: CodeType = getattr(function, "__wrapped__", function).__code__
    return code


class Formula(NamedTuple):
    """One gradient formula, and where each of its arguments comes from.

    A formula's first parameter is the gradient of the output. Every other parameter names what it needs, and what
    is named is what the tape keeps: an input or an attribute of the op, ``out`` (the op's output), ``specs`` (of the
    inputs), ``position`` (of the input it differentiates), or ``into`` (where the gradient should land, or None).
    """

    compute: Callable[..., Any]
    sources: tuple[tuple[str, Any], ...]
    reads_inputs: frozenset[int]
    reads_output: bool

    @classmethod
    def of(cls, op: Op, compute: Callable[..., Any], position: int) -> Formula:
        _, *names = _positional(compute)
        sources = tuple(cls._origin(op, name, position) for name in names)
        reads = frozenset(key for kind, key in sources if kind == "input")
        return cls(compute, sources, reads, ("output", None) in sources)

    @staticmethod
    def _origin(op: Op, name: str, position: int) -> tuple[str, Any]:
        if name == "out":
            return "output", None
        if name == "specs":
            return "specs", None
        if name == "into":
            return "into", None
        if name == "position":
            return "constant", position
        if name in op.input_names:
            return "input", op.input_names.index(name)
        if name in op.attribute_names:
            return "attribute", name
        raise TypeError(f"{op.name}: a gradient formula names {name!r}, which is not an input or attribute of it")


class Saves(NamedTuple):
    """What the tape keeps of a call: the formulas that will run, inputs and output that they read."""

    formulas: tuple[Formula | None, ...]  # one for each input; empty if no gradient flows
    inputs: tuple[bool, ...]
    output: bool


class Op:
    """One operation. Everything else (eager, gradients, tests, documentation, benchmarks) is derived from it.

    forward   ``forward(xp, *arrays, out=None, **attrs)`` for NumPy and CuPy alike; fills ``out`` if it is given
    spec      ``spec(*specs, **attrs)``: the result's Spec without running, or a readable error; None if ``mutates``
    vjp       one formula per input (None where there is no gradient), or one for every input of a variadic op
    partials  elementwise ops: the local derivative for each input, written in the names of inputs and ``out``
    samples   example calls that cover the op's domain, broadcasting and empty inputs
    workloads example calls large enough to time
    scalar    what it does to one element, as a formula (see formula.py) in the names of inputs and attributes, from
              which loops are generated; or ``scalar(*specs, **attrs)``: that formula, None for calls that have none
    cuda      ``cuda(*arrays, out, **attrs)``: the Launch or Gemm that does this on a GPU, None for calls it cannot do
    jvp       forward mode, where it does not follow from the formulas (see transforms/tangent.py):
              ``jvp(tangents, inputs, out, **attrs)``, tangents None where there is none, is the tangent of ``out``
    complex   it takes complex numbers, too; its formulas then conjugate (see ops/conjugate.py)
    linear    forward mode: linear in every input that its own formula does not read, whatever the others are
    view      the result may share memory with the first input
    mutates   positions of inputs that are written in place; such an op returns nothing
    period    several updates in one call: inputs come in groups of so many, and ``mutates`` are positions in a group
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        spec: Callable[..., Spec | None],
        vjp: tuple[Callable[..., Any] | None, ...] | Callable[..., Any] = (),
        partials: tuple[str, ...] = (),
        samples: tuple[Sample, ...] = (),
        workloads: tuple[Sample, ...] = (),
        scalar: str | Callable[..., str | None] | None = None,
        cuda: Callable[..., Work | None] | None = None,
        jvp: Callable[..., Any] | None = None,
        linear: bool = False,
        complex: bool = False,
        view: bool = False,
        mutates: tuple[int, ...] = (),
        period: int | None = None,
    ) -> None:
        if name in OPS:
            raise TypeError(f"an op named {name!r} is declared twice")
        self.name = name
        self.forward = forward
        self.spec = spec if complex else _of_reals(name, spec)
        self.vjp = vjp
        self.partials = partials
        self.samples = samples
        self.workloads = workloads
        self.scalar = scalar
        self.cuda = cuda
        self.jvp = jvp
        self.linear = linear
        self.complex = complex
        self.view = view
        self.mutates = mutates
        self.period = period
        self.broadcasts = getattr(spec, "broadcasts", False)  # its inputs, to the shape of its result
        self.input_names = _positional(forward)[1:]
        self.attribute_names = tuple(each for each in _keyword(forward) if each != "out")
        rules = vjp if isinstance(vjp, tuple) else ()
        self.formulas = [rule and Formula.of(self, rule, i) for i, rule in enumerate(rules)]
        self.specs: dict[Any, Any] = {}  # dispatch's cache of what spec answered
        self.saved: dict[tuple[int, int], Saves] = {}  # the cache of ``saves``
        OPS[name] = self

    @property
    def differentiable(self) -> bool:
        """Whether any input has a gradient."""
        return bool(self.vjp)

    def mutated(self, count: int) -> tuple[int, ...]:
        """The positions that a call with ``count`` inputs writes in place."""
        if self.period is None:
            return self.mutates
        return tuple(start + i for start in range(0, count, self.period) for i in self.mutates)

    def saves(self, tracked: int, count: int) -> Saves:
        """What the tape keeps of a call with ``count`` inputs, those in the bit mask ``tracked`` requiring grad."""
        known = self.saved.get((tracked, count))
        if known is None:
            formulas = tuple(self.formula(i) if tracked >> i & 1 else None for i in range(count))
            wanted = [formula for formula in formulas if formula is not None]
            read = {i for formula in wanted for i in formula.reads_inputs}
            inputs = tuple(i in read for i in range(count))
            output = any(formula.reads_output for formula in wanted)
            known = self.saved[tracked, count] = Saves(formulas if wanted else (), inputs, output)
        return known

    def scalar_for(self, specs: Sequence[Spec], attrs: dict[str, Any]) -> str | None:
        """The text of ``scalar`` for one call, None if there is none."""
        return self.scalar(*specs, **attrs) if callable(self.scalar) else self.scalar

    def formula(self, position: int) -> Formula | None:
        """The gradient formula of the input at ``position``, or None if it has no gradient."""
        if not isinstance(self.vjp, tuple):
            while len(self.formulas) <= position:
                self.formulas.append(Formula.of(self, self.vjp, len(self.formulas)))
        return self.formulas[position] if position < len(self.formulas) else None

    def __repr__(self) -> str:
        return f"Op({self.name})"


def _of_reals(name: str, spec: Callable[..., Spec | None]) -> Callable[..., Spec | None]:
    """``spec``, which refuses complex numbers."""

    def checked(*specs: Spec, **attrs: Any) -> Spec | None:
        for each in specs:
            if each.dtype is complex or getattr(each.dtype, "kind", None) == "c":
                kind = getattr(each.dtype, "__name__", each.dtype)
                raise DTypeError(f"{name}: not defined for {kind}; take gf.real, gf.imag or gf.abs of it first")
        return spec(*specs, **attrs)

    return checked


OPS: dict[str, Op] = {}


SpecRule = Callable[..., Spec]


def like_first(first: Spec, *others: Spec, **attrs: Any) -> Spec:
    """The spec rule of ops whose result is like their first input."""
    return first


def written(*specs: Spec, **attrs: Any) -> None:
    """The spec rule of ops that write in place and return nothing."""


def elementwise(name: str, ufunc: np.ufunc) -> SpecRule:
    """The spec rule of ``ufunc``: shapes broadcast, dtypes promote as NumPy 2 promotes them."""

    def spec(*specs: Spec, **attrs: Any) -> Spec:
        shape = broadcast(name, *(each.shape for each in specs))
        given = [bool_ if each.dtype is bool else each.dtype for each in specs]
        try:
            *_, dtype = ufunc.resolve_dtypes((*given, None))
        except TypeError:
            if type(None) in given:
                where = "as .grad is before backward, and what a function without return gives"
                raise DTypeError(f"{name}: an operand is None, {where}") from None
            kinds = ", ".join(getattr(d, "__name__", str(d)) for d in given)
            raise DTypeError(f"{name}: not defined for {kinds}; convert with .to('float32')") from None
        return Spec(shape, dtype)

    spec.broadcasts = True  # type: ignore[attr-defined]
    return spec
