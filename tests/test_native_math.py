"""Functions of native loops: accuracy over all floats, and what they answer at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import errstate
from scipy import special

from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR
from loops import computed, loop, run

pytest.importorskip("llvmlite")

STRIDE = 1009  # of the 2**32 bit patterns of float32, every so many
ULP = 2.0
REFERENCES = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": special.expit,
    "erf": special.erf, "sin": np.sin, "cos": np.cos, "sqrt": np.sqrt, "log2": np.log2, "log10": np.log10,
    "tan": np.tan, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
}  # fmt: skip
EDGES = (
    0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, -1e-45, 2.0**-126, -(2.0**-126), 3.4e38, -3.4e38, 88.72284,
    88.72283, -87.4, -103.97, -103.98, -104.1, 9.01, -9.02, 3.92, 17.3, -17.4, 0.70710677, 1.4142135, 2.0**24, 2.0**25,
)  # fmt: skip


def errors(got, reference):
    """In units in the last place of the right answer, 0 where both are the same infinity or NaN."""
    dtype = got.dtype
    with errstate(all="ignore"):
        right = reference.astype(dtype)
        last = np.spacing(np.minimum(np.abs(right), np.finfo(dtype).max))
        off = np.abs(got - reference) / last
    same = (got == right) | (np.isnan(got) & np.isnan(right))
    return np.where(same & ~np.isfinite(right), 0, np.where(np.isnan(off), np.inf, off))


def float32s():
    every = np.arange(0, 2**32, STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.concatenate([every, np.array(EDGES, np.float32)])


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos"])
def test_functions_in_float32_are_within_2_ulp_over_all_floats(name):
    x = float32s()
    with errstate(all="ignore"):
        reference = REFERENCES[name](x.astype(np.float64))
    off = errors(computed(f"{name}(x)", "f4", x=x), reference)
    assert off.max() <= ULP, f"{off.max()} at {x[off.argmax()]!r}"


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos"])
def test_functions_in_float64_are_within_2_ulp(name, rng):
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("no longer floats here to compare with")
    parts = [rng.uniform(-1, 1, 40_000), rng.uniform(-40, 40, 40_000), rng.uniform(-750, 750, 10_000)]
    x = np.concatenate([*parts, np.exp(rng.uniform(-700, 700, 10_000)), np.array(EDGES), [709.78, 709.79, -745.2]])
    references = {**REFERENCES, "sigmoid": lambda z: np.where(z < 0, np.exp(-abs(z)), 1) / (1 + np.exp(-abs(z)))}
    with errstate(all="ignore"):
        reference = references[name](x.astype(np.longdouble))
    off = errors(computed(f"{name}(x)", "f8", x=x), reference)
    assert off.max() <= ULP, f"{off.max()} at {x[off.argmax()]!r}"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", REFERENCES)
def test_functions_agree_with_numpy_in_every_lane_of_a_vector(name, dtype, rng):
    x = np.concatenate([rng.standard_normal(37), rng.uniform(1, 3, 10), EDGES[:9]]).astype(dtype)
    with errstate(all="ignore"):
        reference = REFERENCES[name](x.astype(np.float64))
    off = errors(computed(f"{name}(x)", dtype, x=x), reference)
    assert off.max() <= 4, f"{off.max()} at {x[off.argmax()]!r}"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf", "sin", "sqrt", "arctan", "rint", "floor", "ceil"])
def test_the_sign_of_zero_is_kept(name, dtype):
    out = computed(f"{name}(x)", dtype, x=np.array([0.0, -0.0] * 20, dtype))
    assert not out.any()
    assert np.signbit(out).tolist() == [False, True] * 20


@pytest.mark.parametrize("kind", [ELEMENT, ROW, COLUMN, SCALAR])
@pytest.mark.parametrize("shape", [(1, 5), (3, 10), (2, 100), (300, 20), (1, 200_003)])
def test_large_angles_are_right_wherever_they_are(kind, shape, rng):
    count = {ELEMENT: shape, ROW: shape[0], COLUMN: shape[1], SCALAR: 1}[kind]
    x, out = rng.uniform(-3, 3, count), np.empty(shape)
    x.flat[::7] *= 1e12
    statements = [("s", "f8", "sin(x)"), ("t", "f8", "s + cos(x)", "sum"), ("y", "f8", "t + s * cos(x) + 0 * sin(x)")]
    run(loop(*shape, [("x", kind, x)], statements, [("y", ELEMENT, out)]))
    x = np.broadcast_to(x[:, None] if kind == ROW else x, shape)
    right = (np.sin(x) + np.cos(x)).sum(1, keepdims=True) + np.sin(x) * np.cos(x)
    np.testing.assert_allclose(out, right, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("name", "ufunc"), [("arctan2", np.arctan2), ("hypot", np.hypot)])
def test_functions_of_two_agree_with_numpy(name, ufunc, dtype, rng):
    a, b = (rng.standard_normal(41).astype(dtype) for _ in range(2))
    np.testing.assert_allclose(computed(f"{name}(a, b)", dtype, a=a, b=b), ufunc(a, b), rtol=4 * np.finfo(dtype).eps)
