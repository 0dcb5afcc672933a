"""One operation of the user's own, tested as gradflow's are: what its declaration says against what it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from gradflow.compiler import compile
from gradflow.cuda import is_available
from gradflow.device import Device
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, GradflowError
from gradflow.formula import parse
from gradflow.op import Op
from gradflow.ops.create import ones
from gradflow.samples import Sample
from gradflow.tape import gradients
from gradflow.tensor import Tensor, tensor
from gradflow.testing import nvrtc, parity
from gradflow.testing.cases import call, operands, tolerance
from gradflow.testing.device import simulated_cuda
from gradflow.testing.formula import evaluate
from gradflow.testing.gradcheck import gradcheck
from gradflow.transforms.forward import jvp

FLOATS = ("float16", "float32", "float64")
PASSED, FAILED, SKIPPED = "passed", "FAILED", "not checked"


class OpMismatch(GradflowError, AssertionError):
    """An operation that does not do what its declaration says."""


class Finding(NamedTuple):
    """What one check found; ``why`` is the first thing that is wrong, or what was missing."""

    check: str
    outcome: str
    why: str = ""


class Report(NamedTuple):
    """What was checked of an op, on how many examples, and what was found; printed, a line for each check."""

    op: str
    examples: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(each.outcome != FAILED for each in self.findings)

    def __str__(self) -> str:
        lines = [f"{self.op}, {self.examples} examples"]
        for each in self.findings:
            lines.append(f"  {each.outcome:<11}  {each.check}" + (f": {each.why}" if each.why else ""))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def check(op: Any) -> Report:
    """Test an operation that ``gf.op`` made, and report; arrays are drawn between the numbers in its ``domain``.

    Compared are, for arrays of several shapes, broadcast, empty and not contiguous: results with the formula evaluated
    another way, in float16, float32 and float64; gradients of first and second order with finite differences in
    float64; forward mode with reverse mode; a compiled step with the op; and a CUDA device, simulated where there is no
    GPU, with the CPU, results and gradients.

    Raises OpMismatch, an AssertionError, with the report if something is wrong; DTypeError for anything but such an op.

    >>> import gradflow as gf
    >>> @gf.op("x * exp(-(x / y)**2)", domain={"y": (1.0, 2.0)})
    ... def bump(x, y): "A bump."
    >>> gf.testing.check(bump).passed
    True
    """
    declared = getattr(op, "op", None)
    if not isinstance(declared, Op):
        raise DTypeError(f"check: takes an operation that gf.op made, not {type(op).__name__}")
    findings = []
    for name, run in CHECKS.items():
        try:
            why = next(run(declared), None)
            findings.append(Finding(name, FAILED if why else PASSED, why or ""))
        except (GradflowError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
            findings.append(Finding(name, FAILED, f"{type(error).__name__}: {error}"))
    findings += _on_a_device(declared)
    report = Report(declared.name, len(declared.samples), tuple(findings))
    if not report.passed:
        raise OpMismatch(f"check: {report}")
    return report


def _shown(sample: Sample) -> str:
    return f"for {sample}"


def _far(found: Any, expected: Any, factor: float = 1.0) -> str | None:
    """How ``found`` and ``expected`` differ, if they are further apart than two right results."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.shape} of {found.dtype}, not {expected.shape} of {expected.dtype}"
    size = float(np.max(np.abs(expected[np.isfinite(expected)], dtype="float64"), initial=1.0))
    same = np.isclose(found, expected, rtol=0, atol=factor * tolerance(expected.dtype, size), equal_nan=True)
    if same.all():
        return None
    i = np.unravel_index(int(np.argmin(same)), same.shape)
    return f"{found[i]} instead of {expected[i]}"


def _finite(op: Op) -> Iterator[str]:
    for sample in op.samples:
        if not np.isfinite(call(op, operands(sample), sample).data).all():
            yield f"NaN or infinity {_shown(sample)}; say by domain= where inputs may be"


def _values(op: Op) -> Iterator[str]:
    """float64 against the formula evaluated by itself, the other dtypes against float64."""
    for sample in op.samples:
        inputs = operands(sample)
        exact = call(op, inputs, sample).data
        if isinstance(op.scalar, str):
            values = {key: x.data for key, x in zip(op.input_names, inputs, strict=True)} | sample.attrs
            by_itself = np.broadcast_to(evaluate(parse(op.scalar), values, exact.dtype), exact.shape)
            if why := _far(exact, np.asarray(by_itself, "float64")):
                yield f"{why} {_shown(sample)}"
        for dtype in FLOATS[:2]:
            given = [x.astype(dtype) if isinstance(x, Tensor) else x for x in operands(sample)]
            rounded = [x.astype("float64") for x in given]
            found, expected = call(op, given, sample).data, call(op, rounded, sample).data.astype(dtype)
            if why := _far(found, expected, 8.0):
                yield f"{why} {_shown(sample)} in {dtype}"


def _layouts(op: Op) -> Iterator[str]:
    for sample in op.samples:
        inputs = operands(sample, "float32")
        expected = call(op, inputs, sample)
        if why := _far(call(op, [_strided(x) for x in inputs], sample).data, expected.data):
            yield f"{why} {_shown(sample)}, not contiguous"
        buffer = tensor(np.full(expected.shape, 77, expected.dtype))
        into = apply(op, *inputs, into=buffer, **sample.attrs)
        if into.data is not buffer.data or _far(into.data, expected.data):
            yield f"a buffer that is given is not filled {_shown(sample)}"


def _strided(x: Any) -> Any:
    if not isinstance(x, Tensor) or not x.ndim:
        return x
    room = np.empty([2 * size for size in x.shape], x.dtype)
    view = room[tuple(slice(None, None, -2) for _ in x.shape)]
    view[...] = x.data
    return tensor(view)


def _gradients(order: int) -> Callable[[Op], Iterator[str]]:
    def run(op: Op) -> Iterator[str]:
        for sample in op.samples if op.differentiable else ():
            try:
                gradcheck(lambda *inputs, sample=sample: call(op, inputs, sample), *operands(sample), order=order)
            except AssertionError as error:
                yield f"{error} {_shown(sample)}"

    return run


def _modes(op: Op) -> Iterator[str]:
    """The product of a tangent and a gradient is the same in both modes."""
    rng = np.random.default_rng(1)
    for sample in op.samples if op.differentiable else ():
        inputs = operands(sample)
        tangents = [tensor(rng.standard_normal(x.shape)) for x in inputs]
        out, tangent = jvp(lambda *xs, sample=sample: call(op, xs, sample), inputs, tangents)
        found = _backward(op, operands(sample, requires_grad=True), sample)
        pairs = zip(found, tangents, strict=True)
        reverse = sum((float((g.data * t.data).sum()) for g, t in pairs if g is not None), 0.0)
        if why := _far(np.asarray(float(np.sum(tangent.data))), np.asarray(reverse), 16.0 * max(1, out.size)):
            yield f"{why} {_shown(sample)}"


def _backward(op: Op, inputs: Sequence[Any], sample: Sample) -> list[Tensor | None]:
    out = call(op, inputs, sample)
    if not out.requires_grad:
        return [None] * len(inputs)
    return gradients(out, inputs, ones(out.shape, dtype=out.dtype, device=out.device))


def _replays(op: Op) -> Iterator[str]:
    for sample, dtype in itertools.product(op.samples, FLOATS[1:]):

        def step(inputs: Any, sample: Sample = sample) -> Any:
            return call(op, inputs, sample).detach(), _backward(op, inputs, sample)

        compiled = compile(step)
        for seed in range(3):  # two calls are traced, the third is a replay
            inputs = operands(sample, dtype, requires_grad=op.differentiable, seed=seed)
            (out, found), (expected, wanted) = compiled(inputs), step(inputs)
            for ours, theirs in zip([out, *found], [expected, *wanted], strict=True):
                if ours is not None and theirs is not None and (why := _far(ours.data, theirs.data)):
                    yield f"{why} {_shown(sample)} in {dtype}"


CHECKS: dict[str, Callable[[Op], Iterator[str]]] = {
    "results are numbers": _finite,
    "values and dtypes": _values,
    "arrays that are not contiguous, buffers": _layouts,
    "gradients by finite differences": _gradients(1),
    "second derivatives by finite differences": _gradients(2),
    "forward mode by reverse mode": _modes,
    "replay of a compiled step": _replays,
}


# ---- a CUDA device


def _on_a_device(op: Op) -> list[Finding]:
    """Parity with a GPU, or with the simulated device."""
    real = is_available()
    checks = [f"{what} on {'a GPU' if real else 'the simulated device'}" for what in ("results", "gradients")]
    if not real and not nvrtc.available():
        return [Finding(each, SKIPPED, "NVRTC is not installed, which compiles the kernels") for each in checks]
    findings = []
    with nullcontext() if real else simulated_cuda():
        for name, run in zip(checks, (_parity, _gradient_parity), strict=True):
            try:
                why = next(run(op), None)
            except GradflowError as error:
                why = f"{type(error).__name__}: {error}"
            findings.append(Finding(name, FAILED if why else PASSED, why or ""))
    return findings


def _parity(op: Op) -> Iterator[str]:
    for sample, dtype in itertools.product(op.samples, FLOATS):
        found = parity.compare(op, sample, dtype, Device("cuda"))
        if not found.agrees:
            yield f"off by {found.error:.3g} units in the last place by {found.by} {_shown(sample)} in {dtype}"
    if all(parity.compare(op, sample, "float32", Device("cuda")).by == "CuPy" for sample in op.samples):
        yield "no example was computed by its kernel"


def _gradient_parity(op: Op) -> Iterator[str]:
    for sample, dtype in itertools.product(op.samples, FLOATS):
        here = operands(sample, dtype, requires_grad=op.differentiable)
        there = [tensor(x.data, device="cuda", requires_grad=x.requires_grad) for x in here]
        for ours, theirs in zip(_backward(op, there, sample), _backward(op, here, sample), strict=True):
            if ours is None or theirs is None:
                continue
            error, allowed = parity.distance(ours.numpy(), theirs.numpy())
            if not error <= allowed:
                yield f"off by {error:.3g} units in the last place {_shown(sample)} in {dtype}"
