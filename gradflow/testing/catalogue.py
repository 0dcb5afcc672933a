"""The catalogue of operations, from their declarations; ``python -m gradflow.testing.catalogue`` prints it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.errors import GradflowError
from gradflow.op import Op, Spec
from gradflow.samples import Sample
from gradflow.testing.cases import call, cases, operands
from gradflow.transforms import batching, tangent
from gradflow.transforms import vectorized as _vectorized  # noqa: F401 - declares the rules

DTYPES = ("float16", "float32", "float64", "complex64", "complex128", "int64", "bool")
HEADER = """# Operations

Printed by `python -m gradflow.testing.catalogue` from the declarations in `gradflow/ops/`; a test compares the two.
{count} operations, {differentiable} of them with gradients. Gradients are made of operations, so those of any order
exist wherever there is one. Names are those of the declarations: `multiply` is also `*`, `linear` is in `nn.Linear`.

- **forward mode**: *gradient*: elementwise, the tangent is what the gradient formula makes of it; *itself*: affine, the
  operation is applied to the tangent; *declared*; *transposed*: the pullback, differentiated again.
- **vmap**: there is a batching rule.
- **loop**: it has a formula, from which loops are generated and fused for the CPU and for CUDA (*some*: in some calls).
- **kernel**: one call is one kernel, hand-written or made of the formula, or a product by cuBLASLt.
- **dtypes** that its first argument may have: f and c for floats and complex numbers (f2 f4 f8 c8 c16), i for int64, b.

| operation | gradient | forward mode | vmap | loop | kernel | dtypes |
|---|---|---|---|---|---|---|
"""
SHORT = dict(zip(DTYPES, ("f2", "f4", "f8", "c8", "c16", "i", "b"), strict=True))


def catalogue() -> str:
    """The whole page."""
    samples: dict[str, tuple[Op, list[Sample]]] = {}
    for op, sample in cases():
        samples.setdefault(op.name, (op, []))[1].append(sample)
    rows = [_row(op, given) for _, (op, given) in sorted(samples.items())]
    differentiable = sum(op.differentiable for op, _ in samples.values())
    return HEADER.format(count=len(rows), differentiable=differentiable) + "\n".join(rows) + "\n"


def _row(op: Op, samples: list[Sample]) -> str:
    gradient = "yes" if op.differentiable else "in place" if op.mutates else "none"
    loops = [op.scalar_for(_specs(sample), sample.attrs) is not None for sample in samples]
    loop = "yes" if all(loops) else "some" if any(loops) else ""
    transforms = (_forward_mode(op, samples), _vmap(op, samples))
    columns = (op.name, gradient, *transforms, loop, "yes" if op.cuda else "", _dtypes(op, samples))
    return f"| {' | '.join(columns)} |"


def _specs(sample: Sample) -> list[Spec]:
    return [Spec(x.shape, x.dtype) if hasattr(x, "dtype") else Spec((), type(x)) for x in operands(sample)]


def _made(op: Op, samples: list[Sample]) -> tuple[Sample, list[Any], Any]:
    """The first sample with elements, its operands, and what ``op`` makes of them."""
    filled = [each for each in samples if all(getattr(x, "size", 1) for x in operands(each))]
    inputs = operands((filled or samples)[0])
    return (filled or samples)[0], inputs, call(op, inputs, (filled or samples)[0])


def _forward_mode(op: Op, samples: list[Sample]) -> str:
    if not op.differentiable:
        return ""
    if op.jvp is not None:
        return "declared"
    sample, inputs, out = _made(op, samples)
    if tangent.is_elementwise(op, _specs(sample), sample.attrs, out.shape):
        return "gradient"
    formulas = [op.formula(i) for i in range(len(inputs))]
    affine = [f is None or not (f.reads_output or i in f.reads_inputs) for i, f in enumerate(formulas)]
    return "itself" if all(affine) else "transposed"


def _vmap(op: Op, samples: list[Sample]) -> str:
    if op.mutates:
        return ""
    sample, _, out = _made(op, samples)
    rule = batching.rule_for(op, _specs(sample), sample.attrs, out.spec)
    return "" if rule is None else "yes"


def _dtypes(op: Op, samples: list[Sample]) -> str:
    return " ".join(SHORT[name] for name in DTYPES if any(_takes(op, sample, name) for sample in samples))


def _takes(op: Op, sample: Sample, name: str) -> bool:
    """Whether a call like ``sample`` may have a first argument of that dtype, and others of real numbers with it."""
    dtype = np.dtype(name)
    specs = _specs(sample)
    floats = [i for i, each in enumerate(specs) if isinstance(each.dtype, np.dtype) and each.dtype.kind in "fc"]
    given = [each._replace(dtype=dtype) if i in floats else each for i, each in enumerate(specs)]
    if not floats and specs[0].dtype != dtype:
        return False
    try:
        op.spec(*given, **sample.attrs)
    except GradflowError:
        return False
    return True


if __name__ == "__main__":
    print(catalogue(), end="")
