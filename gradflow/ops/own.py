"""Operations of the user's own: from a formula, or from a CUDA source with a NumPy twin."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradflow.errors import ArgumentError, DTypeError
from gradflow.formula import COLUMN, FUNCTIONS, NUMBERS, REDUCTIONS
from gradflow.op import Op
from gradflow.samples import Real, Sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor

RESERVED = {"out", "specs", "position", "into", "xp", COLUMN, *REDUCTIONS, *FUNCTIONS, *NUMBERS}
DOMAIN = (-2.0, 2.0)

Function = Callable[..., Any]
Vjp = Sequence[str | Callable[..., Tensor] | None]


class Parameters(NamedTuple):
    """What a user's function says of an op: its inputs, and its attributes with their defaults."""

    inputs: tuple[str, ...]
    attributes: dict[str, Any]


def op(
    formula: str | None = None,
    *,
    cuda: str | None = None,
    vjp: Vjp | None = None,
    domain: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[[Function], Callable[..., Tensor]]:
    """Make an elementwise operation of a function: a decorator.

    The function gives name, docstring and parameters: positional ones are inputs, which broadcast; keyword-only ones,
    with defaults, are attributes, Python numbers that have no gradient. Its body does not matter, ``formula`` says what
    the op computes: lines ``name = expression`` and a last line, the result, in Python's syntax, of NumPy's elementwise
    functions, ``erf``, ``sigmoid``, ``where`` and comparisons. From that follow the gradients of any order and in
    both modes, loops that ``gf.compile`` fuses with their neighbours, and a kernel on a GPU.

    ``cuda`` is CUDA C: ``template <typename T> __global__ void f(const T* x, ..., T* out, attributes..., int n)``, in
    which thread ``blockIdx.x * blockDim.x + threadIdx.x`` is for one element of ``out``; arrays are contiguous, of one
    shape, T is float, double or f16, and ``load``, ``store`` and all of kernels/common.cuh are there. It is used on
    GPUs. Elsewhere ``formula`` is, or without one the function's body, the twin, whose first parameter is ``xp``, NumPy
    or CuPy. Such an op has gradients if ``vjp`` gives one for each input: a formula in ``g``, the result's gradient,
    inputs, attributes and ``out``; a function of ``g`` and of what it names; or None.

    ``domain`` says between which numbers inputs are drawn in ``gf.testing.check``, -2 and 2 if nothing is said.

    Raises ArgumentError for a formula that is none, names that it does not know, parameters that it does not read.

    >>> import gradflow as gf
    >>> @gf.op("x * tanh(log1p(exp(beta * x)))")
    ... def mish(x, *, beta=1.0):
    ...     '''A smooth rectifier.'''
    >>> mish(gf.tensor([0.0, 2.0]))
    tensor([0.       , 1.9439589])
    >>> gf.grad(lambda x: mish(x, beta=2.0))(gf.tensor(0.0)).item()
    0.6
    """
    if callable(formula):
        raise DTypeError('op: takes a formula; write @gf.op("x * tanh(x)") above the function, not @gf.op alone')
    if formula is None and cuda is None:
        raise ArgumentError("op: takes a formula, or cuda=, the text of a kernel")

    def declare(function: Function) -> Callable[..., Tensor]:
        import inspect  # takes as long as half of gradflow

        if not inspect.isfunction(function):
            raise DTypeError(f"op: is a decorator of a function, and was given {type(function).__name__}")
        name = f"{function.__module__}.{function.__qualname__}".replace("<locals>.", "")
        twin = function if formula is None else None
        parameters = _parameters(name, function, twin is not None)
        samples = tuple(_samples(name, parameters, domain or {}))
        made = _declared(name, parameters, formula, twin, cuda, vjp, samples)
        return _function_of(made, function, parameters)

    return declare


def _declared(
    name: str,
    parameters: Parameters,
    formula: str | None,
    twin: Function | None,
    cuda: str | None,
    vjp: Vjp | None,
    samples: tuple[Sample, ...],
) -> Op:
    from gradflow.ops import own_formula, own_kernel  # most programs have no ops of their own

    if formula is not None:
        own_formula.check(name, formula, parameters.inputs, tuple(parameters.attributes))
    if cuda is None and vjp is None and formula is not None:
        return own_formula.op_of(name, parameters.inputs, tuple(parameters.attributes), formula.strip(), samples)
    return own_kernel.op_of(name, parameters.inputs, tuple(parameters.attributes), formula or twin, cuda, vjp, samples)


def _parameters(name: str, function: Function, twin: bool) -> Parameters:
    import inspect

    given = list(inspect.signature(function).parameters.values())
    if twin and (not given or given.pop(0).name != "xp"):
        raise ArgumentError(f"{name}: the first parameter of a twin is xp, which is NumPy or CuPy")
    inputs = [each for each in given if each.kind is each.POSITIONAL_OR_KEYWORD]
    options = [each for each in given if each.kind is each.KEYWORD_ONLY]
    if not inputs or len(inputs) + len(options) < len(given):
        raise ArgumentError(f"{name}: has one or more plain parameters, its inputs, and attributes after a *")
    for each in given:
        if each.name in RESERVED or each.name.endswith("_"):
            raise ArgumentError(f"{name}: a parameter cannot be called {each.name!r}, which means something else here")
    for each in options:
        if type(each.default) not in (bool, int, float):
            raise ArgumentError(f"{name}: the attribute {each.name!r} needs a default, a number")
    return Parameters(tuple(each.name for each in inputs), {each.name: each.default for each in options})


SHAPES: Sequence[tuple[Shape, Shape]] = (
    ((), ()), ((7,), (7,)), ((3, 4), (3, 4)), ((3, 1), (4,)), ((2, 3), ()), ((2, 0), (2, 0)), ((0, 2), (2,))
)  # fmt: skip


def _samples(name: str, parameters: Parameters, domain: Mapping[str, tuple[float, float]]) -> list[Sample]:
    """Examples: arrays of one shape, broadcasting (the first input against all others), empty ones."""
    unknown = set(domain) - set(parameters.inputs)
    if unknown:
        raise ArgumentError(f"{name}: domain names {', '.join(sorted(unknown))}; inputs are {parameters.inputs}")
    examples = []
    for first, other in SHAPES if len(parameters.inputs) > 1 else [(a, b) for a, b in SHAPES if a == b]:
        pairs = zip(parameters.inputs, (first, *(other,) * (len(parameters.inputs) - 1)), strict=True)
        bounds = [(shape, domain.get(each, DOMAIN)) for each, shape in pairs]
        drawn = tuple(Real(shape, float(low), float(high)) for shape, (low, high) in bounds)
        examples.append(Sample(drawn, dict(parameters.attributes)))
    return examples


def _function_of(made: Op, function: Function, parameters: Parameters) -> Callable[..., Tensor]:
    """A function with the name, the documentation and the parameters of ``function``, that applies the op ``made``."""
    import inspect

    from gradflow.dispatch import apply

    signature = inspect.signature(function)
    shown = signature.replace(
        parameters=[each.replace(annotation=each.empty) for key, each in signature.parameters.items() if key != "xp"],
        return_annotation=signature.empty,
    )
    defaults = {key: each.default for key, each in shown.parameters.items() if each.default is not each.empty}
    written = shown.replace(
        parameters=[
            each.replace(default=_Written(f"default_{key}")) if key in defaults else each
            for key, each in shown.parameters.items()
        ]
    )
    options = "".join(f", {key}=number_({key!r}, {key})" for key in parameters.attributes)
    values = {
        "apply_": apply,
        "op_": made,
        "number_": functools.partial(_number, made.name),
        **{f"default_{key}": value for key, value in defaults.items()},
    }
    given = ", ".join(parameters.inputs)
    run: Any = eval(f"lambda {str(written)[1:-1]}: apply_(op_, {given}{options})", values)
    for each in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(run, each, getattr(function, each))
    run.op = made
    result: Callable[..., Tensor] = run
    return result


class _Written(str):
    """Text that stands as it is where a signature is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _number(name: str, key: str, value: Any) -> bool | int | float:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in (bool, int, float):
        raise DTypeError(f"{name}: {key} is an attribute, a Python number, and was given {type(value).__name__}")
    number: bool | int | float = value
    return number
