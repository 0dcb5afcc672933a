"""Results of kernels beside those of the references in float64, for the tests of rows and channels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import float32, float64, tolerance
from gradflow.launch import Launch
from gradflow.op import OPS
from gradflow.testing import cases, ptx
from launching import loaded, run, stored

cases()  # loads the families of ops that are otherwise loaded when first used
ROUNDING = {"float": 0.0, "double": 0.0, "f16": 2.0**-11, "bf16": 2.0**-8}  # of a result, on top of its computation


class Outcome(NamedTuple):
    """What a kernel wrote, what the reference gives for the same inputs in float64, and what the kernel did."""

    found: Any
    expected: Any
    report: ptx.Report
    launch: Launch
    raw: bytes  # the bits of what was found


def in_dtype(arrays: tuple[Any, ...], element: str) -> list[Any]:
    """``arrays`` with floats in the dtype of ``element``; integers and None as they are."""
    return [x if x is None or x.dtype.kind != "f" else stored(x, element) for x in arrays]


def in_float64(arrays: list[Any], element: str) -> list[Any]:
    return [x if x is None or x.dtype.kind != "f" else loaded(x, element) for x in arrays]


def outcome(name: str, arrays: tuple[Any, ...], element: str, offset: int = 0, **attrs: Any) -> Outcome:
    """The op ``name`` of ``arrays`` by its kernel; every array begins ``offset`` elements past an aligned address."""
    op, inputs = OPS[name], in_dtype(arrays, element)
    with np.errstate(all="ignore"):
        expected = np.asarray(op.forward(np, *in_float64(inputs, element), **attrs))
    out = stored(np.full(expected.shape, 7.0), element)
    launch = op.cuda(*inputs, out=out, **attrs)
    assert isinstance(launch, Launch)
    report = run(launch, element, offset)
    return Outcome(loaded(out, element), expected, report, launch, out.tobytes())


def assert_close(found: Any, expected: Any, element: str) -> None:
    """To the tolerance of the dtype computed in, scaled to the largest result, and half a unit of the one stored in."""
    size = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    allowed = tolerance(float64 if element == "double" else float32) * size
    with np.errstate(all="ignore"):
        fits = np.abs(expected) <= 65504 if element == "f16" else True
        expected = np.where(fits | np.isnan(expected), expected, np.copysign(np.inf, expected))
    np.testing.assert_allclose(found, expected, rtol=ROUNDING[element], atol=allowed)


def assert_thrifty(report: ptx.Report, least: int) -> None:
    """At most 2 % more memory is moved than the ``least`` bytes, nothing by generic or local accesses."""
    assert report.bytes_read + report.bytes_written <= 1.02 * least
    assert report.generic_accesses == 0
    assert report.local_accesses == 0
