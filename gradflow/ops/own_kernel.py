"""Ops that are declared by a reference, a CUDA source and gradient formulas."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from gradflow.backend import kernels
from gradflow.dtypes import DType
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import THREADS, Launch, Work, flat
from gradflow.op import OPS, Op
from gradflow.ops import own_formula
from gradflow.ops.blockwise import real
from gradflow.ops.precision import float_dtype, stored
from gradflow.samples import Sample
from gradflow.shapes import broadcast

Names = Sequence[str]
Vjp = Sequence[str | Callable[..., Any] | None]


def op_of(
    name: str,
    inputs: Names,
    attributes: Names,
    twin: str | Callable[..., Any] | None,
    cuda: str | None,
    vjp: Vjp | None,
    samples: tuple[Sample, ...],
) -> Op:
    """The elementwise op ``name`` whose reference is ``twin``, a formula or a function, on GPUs by ``cuda``, a text."""
    text = twin.strip() if isinstance(twin, str) else None
    formula = None if text is None else own_formula.op_of(name, inputs, attributes, text)
    rules = (formula.vjp if formula else ()) if vjp is None else _rules(name, inputs, attributes, vjp)
    run = None if cuda is None else _launcher(name, cuda, inputs, attributes)
    OPS.pop(name, None)
    return Op(
        name=name,
        forward=formula.forward if formula else _reference(name, inputs, attributes, twin),
        spec=real(name),
        vjp=rules,
        samples=samples,
        scalar=text,
        cuda=run if run or formula is None else formula.cuda,
    )


def _reference(name: str, inputs: Names, attributes: Names, twin: Any) -> Callable[..., Any]:
    def compute(xp: Any, values: dict[str, Any], out: Any) -> Any:
        arrays = [x for key, x in values.items() if key in inputs and hasattr(x, "dtype")]
        dtype = float_dtype(*(values[key] for key in inputs))
        shape = broadcast(name, *(x.shape for x in arrays))
        found = twin(xp, *(values[key] for key in inputs), **{key: values[key] for key in attributes})
        if getattr(found, "shape", None) != shape:
            raise ShapeError(f"{name}: its twin returned {getattr(found, 'shape', type(found))} for inputs of {shape}")
        return stored(found, dtype, out)

    return own_formula.reference(compute, inputs, attributes)


def _rules(name: str, inputs: Names, attributes: Names, vjp: Vjp) -> tuple[Callable[..., Any] | None, ...]:
    if isinstance(vjp, str) or len(vjp) != len(inputs):
        raise ArgumentError(f"{name}: vjp is a sequence of {len(inputs)}, a gradient for each of {', '.join(inputs)}")
    g = own_formula.fresh("g", (*inputs, *attributes))
    return tuple(_rule(f"{name}.d{each}", g, inputs, attributes, rule) for each, rule in zip(inputs, vjp, strict=True))


def _rule(name: str, g: str, inputs: Names, attributes: Names, rule: Any) -> Callable[..., Any] | None:
    if not isinstance(rule, str):
        function: Callable[..., Any] | None = rule
        return function
    known = {g, "out", *inputs, *attributes}
    own_formula.check(name, rule, [each for each in known if each in own_formula.reads(rule.strip())] or [g], ())
    return own_formula.pullback(name, g, (*inputs, "out"), attributes, rule.strip())


# ---- the kernel

_FUNCTIONS = re.compile(r"__(?:global|device)__[^;{(]*?(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")
_KERNEL = re.compile(
    r"template\s*<\s*typename\s+T\s*>\s*(?P<head>__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(?P<name>\w+)\s*)"
    r"\((?P<parameters>[^)]*)\)\s*\{"
)


def _launcher(name: str, text: str, inputs: Names, attributes: Names) -> Callable[..., Work | None]:
    """What launches the kernel in ``text``: a thread for each element of the result."""
    found = list(_KERNEL.finditer(text))
    if len(found) != 1 or text.count("__global__") != 1:
        raise ArgumentError(f"{name}: cuda is CUDA C with one kernel, template <typename T> __global__ void ...")
    kernel, parameters, wanted = found[0]["name"], found[0]["parameters"], (*inputs, "out", *attributes, "n")
    if len(parameters.split(",")) != len(wanted):
        raise ArgumentError(
            f"{name}: its kernel takes ({' '.join(parameters.split())}); it must take {', '.join(wanted)}"
        )

    def cuda(*arrays: Any, out: Any, **attrs: Any) -> Launch | None:
        if not flat(out, *arrays):
            return None
        blocks = -(-out.size // THREADS)
        return Launch(
            _named(name, text, kernel, out.dtype), None, blocks, THREADS, (*arrays, out, *attrs.values(), out.size)
        )

    return cuda


@cache
def _named(op: str, text: str, kernel: str, dtype: DType) -> str:
    """The name of the kernel in ``text`` for T = ``dtype``, among the generated ones, of which none is a template.

    All functions get names of their own, for a program may have several kernels.
    """
    mark = hashlib.sha256(text.encode()).hexdigest()[:8] + f"_{dtype.name}"
    kind = kernels.C_TYPES[dtype.name]
    whole = re.sub(r"//[^\n]*", "", text).strip()
    for each in set(_FUNCTIONS.findall(whole)):
        whole = re.sub(rf"\b{each}\b", f"{each}_{mark}", whole)
    whole = _KERNEL.sub(lambda found: _for_one_type(found, kind), whole)
    name = f"{kernel}_{mark}"
    kernels.generated[name] = f'#line 1 "cuda of {op}"\n{whole}\n'
    return name


def _for_one_type(found: re.Match[str], kind: str) -> str:
    parameters = re.sub(r"\bAcc\s*<\s*T\s*>", "float" if kind == "f16" else kind, found["parameters"])
    parameters = re.sub(r"\bT\b", kind, parameters)
    return f"{found['head']}({parameters}) {{ using T = {kind};"
