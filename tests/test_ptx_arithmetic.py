"""Arithmetic instructions of the PTX interpreter against exact fractions and Python's integers."""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from kernel import exact, floats, instruction, rounded

N = 200
OPERATIONS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}


def as_floats(bits: Any) -> Any:
    """bfloat16 bits as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_floats_are_rounded_as_the_instruction_says(name: str, kind: str, mode: str) -> None:
    a, b = floats(kind, N, 1), floats(kind, N, 2)
    got = instruction(f"{name}.{mode}.{kind} d, a, b;", kind, (kind, a), (kind, b))
    want = [rounded(OPERATIONS[name](exact(x), exact(y)), kind, mode) for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(got, np.array(want))


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_a_fused_multiply_add_rounds_once(kind: str, mode: str) -> None:
    a, b, c = (floats(kind, N, seed, 12) for seed in (1, 2, 3))
    c[::2] = (-a[::2].astype(np.float64) * b[::2]).astype(c.dtype)  # so that the product's low half is what is left
    got = instruction(f"fma.{mode}.{kind} d, a, b, c;", kind, (kind, a), (kind, b), (kind, c))
    want = [rounded(exact(x) * exact(y) + exact(z), kind, mode) for x, y, z in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(got, np.array(want))


def test_a_fused_multiply_add_at_a_midpoint_of_float32_looks_at_what_float64_lost() -> None:
    """1 + 2^-24 is halfway between two float32 numbers; a term of 2^-60 decides, and rounding twice would lose it."""
    x = [1 + 2.0**-12, 1 - 2.0**-12, 1 + 2.0**-11, 1.5, 1.5, 2.0**-30]
    y = [1 + 2.0**-12, 1 + 2.0**-12, 1 - 2.0**-13, 1 + 2.0**-23, 1 + 2.0**-23, 2.0**-30]
    z = [2.0**-60, -(2.0**-60), 2.0**-70, 2.0**-80, -(2.0**-80), 1 + 2.0**-23]
    for sign in (1, -1):
        a, b, c = (np.float32(values) for values in (sign * np.array(x), y, sign * np.array(z)))
        want = [rounded(exact(i) * exact(j) + exact(k), "f32") for i, j, k in zip(a, b, c, strict=True)]
        for ftz in ("", ".ftz"):
            got = instruction(f"fma.rn{ftz}.f32 d, a, b, c;", "f32", ("f32", a), ("f32", b), ("f32", c))
            np.testing.assert_array_equal(got, np.float32(want))


def test_subnormal_results_of_a_fused_multiply_add_round_once() -> None:
    a, b = floats("f32", N, 1, 2), floats("f32", N, 2, 2)
    a = (a * np.float32(2.0**-70)).astype(np.float32)
    b = (b * np.float32(2.0**-66)).astype(np.float32)
    c = floats("f32", N, 3, 2) * np.float32(2.0**-140)
    got = instruction("fma.rn.f32 d, a, b, c;", "f32", ("f32", a), ("f32", b), ("f32", c))
    want = [rounded(exact(x) * exact(y) + exact(z), "f32") for x, y, z in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(got, np.float32(want))
    a, b = np.float32([(1 + 2.0**-23) * 2.0**-75]), np.float32([(1 - 2.0**-23) * 2.0**-75])  # just below half of the
    c = np.float32([2.0**-127 + 2.0**-149])  # last place of this, which float64 takes for exactly half
    assert instruction("fma.rn.f32 d, a, b, c;", "f32", ("f32", a), ("f32", b), ("f32", c))[0] == c[0]


@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_half_precision_is_rounded_to_nearest(name: str) -> None:
    a, b = floats("f16", N, 1, 5), floats("f16", N, 2, 5)
    got = instruction(f"{name}.f16 d, a, b;", "f16", ("f16", a), ("f16", b))
    want = [rounded(OPERATIONS[name](exact(x), exact(y)), "f16") for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(got, np.float16(want))
    pair = (a.view(np.uint16).astype(np.uint32) | b.view(np.uint16).astype(np.uint32) << 16, a.view(np.uint16))
    twice = instruction(f"{name}.f16x2 d, a, b;", "f16x2", ("f16x2", pair[0]), ("f16x2", pair[0][::-1].copy()))
    halves = twice.view(np.float16).reshape(-1, 2)
    other = pair[0][::-1].copy().view(np.float16).reshape(-1, 2)
    for k, given in enumerate((a, b)):
        want = [rounded(OPERATIONS[name](exact(x), exact(y)), "f16") for x, y in zip(given, other[:, k], strict=True)]
        np.testing.assert_array_equal(halves[:, k], np.float16(want))


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_fused_multiply_add_in_16_bits_rounds_once(kind: str) -> None:
    a, b, c = (floats(kind, N, seed, 4) for seed in (1, 2, 3))
    if kind == "bf16":
        raw = [(x.view(np.uint32) >> 16).astype(np.uint16) for x in (a, b, c)]
        got = as_floats(instruction("fma.rn.bf16 d, a, b, c;", kind, *((kind, x) for x in raw)))
    else:
        got = instruction("fma.rn.f16 d, a, b, c;", kind, (kind, a), (kind, b), (kind, c))
    want = [rounded(exact(x) * exact(y) + exact(z), kind) for x, y, z in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(got, np.array(want).astype(got.dtype))


def test_roots_and_reciprocals_are_rounded_correctly() -> None:
    a = np.abs(floats("f32", N, 4))
    root = instruction("sqrt.rn.f32 d, a;", "f32", ("f32", a))
    for x, r in zip(a, root, strict=True):
        below, above = ((exact(r) + exact(np.nextafter(r, np.float32(end)))) / 2 for end in (0, np.inf))
        assert below**2 <= exact(x) <= above**2
    got = instruction("rcp.rn.f32 d, a;", "f32", ("f32", a))
    np.testing.assert_array_equal(got, np.float32([rounded(1 / exact(x), "f32") for x in a]))


APPROXIMATE = {
    "ex2": np.exp2,
    "lg2": lambda x: np.log2(np.abs(x)),
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "rcp": lambda x: 1 / x,
    "sqrt": lambda x: np.sqrt(np.abs(x)),
    "rsqrt": lambda x: 1 / np.sqrt(np.abs(x)),
}


@pytest.mark.parametrize("name", APPROXIMATE)
def test_approximate_instructions_are_within_an_ulp(name: str) -> None:
    a = floats("f32", N, 5, 4)
    given = np.abs(a) if name in {"lg2", "sqrt", "rsqrt"} else a
    got = instruction(f"{name}.approx.f32 d, a;", "f32", ("f32", given))
    want = APPROXIMATE[name](given.astype(np.float64))
    np.testing.assert_array_max_ulp(got, want.astype(np.float32), maxulp=1)


def test_ftz_makes_subnormal_operands_and_results_zero_and_keeps_their_sign() -> None:
    a = np.float32([1e-40, -1e-40, 2.0**-126, -(2.0**-126), 1.5 * 2.0**-126, 3.0, 1e-39, 1e-39])
    b = np.float32([3e38, 3e38, 0.5, 0.5, 0.0, 1e-45, 1e-39, 2e-39])
    for name in ("add", "sub", "mul"):
        got = instruction(f"{name}.ftz.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
        flushed = [np.where(np.abs(x) < 2.0**-126, np.copysign(0, x), x).astype(np.float64) for x in (a, b)]
        want = OPERATIONS[name](*flushed)
        want = np.where(np.abs(want) < 2.0**-126, np.copysign(0, want), want).astype(np.float32)
        np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))
        plain = instruction(f"{name}.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
        assert (plain != got).any()  # without .ftz, the subnormal numbers count
    assert instruction("rcp.approx.ftz.f32 d, a;", "f32", ("f32", a))[0] == np.inf
    assert (instruction("ex2.approx.ftz.f32 d, a;", "f32", ("f32", np.float32([-140, -127])))).tolist() == [0, 0]


def test_a_difference_of_normal_numbers_that_is_subnormal_becomes_zero_with_ftz() -> None:
    a = np.float32([2.0**-120] * 3)
    b = np.float32([2.0**-120 * (1 - 2.0**-24), 2.0**-120, -(2.0**-120)])
    got = instruction("sub.ftz.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
    np.testing.assert_array_equal(got, np.float32([0, 0, 2.0**-119]))
    chained = instruction(
        "sub.ftz.f32 %t, a, b; mul.ftz.f32 d, %t, 0f7F000000;", "f32", ("f32", a), ("f32", b), extra=".reg .f32 %t;"
    )
    np.testing.assert_array_equal(chained, np.float32([0, 0, 2.0**8]))


@pytest.mark.parametrize("name", ["min", "max"])
def test_minimum_and_maximum_drop_nan_unless_told_and_order_zeros(name: str) -> None:
    a = np.float32([1, np.nan, 2, np.nan, 0.0, -0.0, -np.inf])
    b = np.float32([2, 3, np.nan, np.nan, -0.0, 0.0, np.inf])
    got = instruction(f"{name}.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
    want = {"min": [1, 3, 2, np.nan, -0.0, -0.0, -np.inf], "max": [2, 3, 2, np.nan, 0.0, 0.0, np.inf]}[name]
    np.testing.assert_array_equal(got, np.float32(want))
    np.testing.assert_array_equal(np.signbit(got[4:6]), np.signbit(want[4:6]))
    spread = instruction(f"{name}.NaN.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
    np.testing.assert_array_equal(np.isnan(spread), np.isnan(a) | np.isnan(b))


def integers(kind: str, seed: int) -> Any:
    """Integers of a type: any bits, small ones, and the ends."""
    rng = np.random.default_rng(seed)
    code = {"s": "i", "u": "u"}[kind[0]] + str(int(kind[1:]) // 8)
    limits = np.iinfo(code)
    values = rng.integers(limits.min, limits.max, N, dtype=code, endpoint=True)
    values[: N // 3] = rng.integers(0, 50, N // 3)
    values[-4:] = [limits.min, limits.max, 0, 1]
    return values


def wrapped(x: int, kind: str) -> int:
    bits = int(kind[1:])
    x %= 1 << bits
    return x - (1 << bits) if kind[0] == "s" and x >> (bits - 1) else x


INTEGER = {
    "add": lambda a, b, bits: a + b,
    "sub": lambda a, b, bits: a - b,
    "mul.lo": lambda a, b, bits: a * b,
    "mul.hi": lambda a, b, bits: a * b >> bits,
    "div": lambda a, b, bits: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "rem": lambda a, b, bits: abs(a) % abs(b) * (-1 if a < 0 else 1),
    "min": lambda a, b, bits: min(a, b),
    "max": lambda a, b, bits: max(a, b),
}


@pytest.mark.parametrize("name", INTEGER)
@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32", "s64", "u64"])
def test_integer_arithmetic_wraps_like_the_machine(name: str, kind: str) -> None:
    a, b = integers(kind, 1), integers(kind, 2)
    if name in {"div", "rem"}:
        b[b == 0] = 7
        b[(a == np.iinfo(a.dtype).min) & (b.astype(object) == -1)] = 3
    got = instruction(f"{name}.{kind} d, a, b;", kind, (kind, a), (kind, b))
    bits = int(kind[1:])
    want = [wrapped(INTEGER[name](x, y, bits), kind) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert got.tolist() == want


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32"])
def test_wide_products_and_multiply_add_keep_all_bits(kind: str) -> None:
    wide = f"{kind[0]}{2 * int(kind[1:])}"
    a, b, c = integers(kind, 1), integers(kind, 2), integers(wide, 3)
    got = instruction(f"mul.wide.{kind} d, a, b;", wide, (kind, a), (kind, b))
    assert got.tolist() == [x * y for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    if kind[1:] == "32":
        got = instruction(f"mad.wide.{kind} d, a, b, c;", wide, (kind, a), (kind, b), (wide, c))
        triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
        assert got.tolist() == [wrapped(x * y + z, wide) for x, y, z in triples]


def test_integer_division_by_zero_gives_all_ones_and_the_dividend() -> None:
    a, b = np.int32([7, -7, 0]), np.int32([0, 0, 0])
    assert instruction("div.s32 d, a, b;", "s32", ("s32", a), ("s32", b)).tolist() == [-1, -1, -1]
    assert instruction("rem.s32 d, a, b;", "s32", ("s32", a), ("s32", b)).tolist() == [7, -7, 0]


def test_carries_make_128_bit_sums_of_64_bit_numbers() -> None:
    a, b = integers("u64", 1), integers("u64", 2)
    high = instruction("add.cc.u64 %t, a, b; addc.u64 d, a, b;", "u64", ("u64", a), ("u64", b), extra=".reg .u64 %t;")
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    assert high.tolist() == [((x + (x << 64)) + (y + (y << 64)) >> 64) % 2**64 for x, y in pairs]
    low = instruction("sub.cc.u64 %t, a, b; subc.u64 d, a, b;", "u64", ("u64", a), ("u64", b), extra=".reg .u64 %t;")
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    assert low.tolist() == [((x + (x << 64)) - (y + (y << 64)) >> 64) % 2**64 for x, y in pairs]


def test_sad_and_saturation() -> None:
    a, b, c = integers("s32", 1), integers("s32", 2), integers("s32", 3)
    got = instruction("sad.s32 d, a, b, c;", "s32", ("s32", a), ("s32", b), ("s32", c))
    triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    assert got.tolist() == [wrapped(abs(x - y) + z, "s32") for x, y, z in triples]
    got = instruction("add.sat.s32 d, a, b;", "s32", ("s32", a), ("s32", b))
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    assert got.tolist() == [min(max(x + y, -(2**31)), 2**31 - 1) for x, y in pairs]
    x = np.float32([-1, 0.25, 7, np.nan])
    assert instruction("add.sat.f32 d, a, 0f00000000;", "f32", ("f32", x)).tolist() == [0, 0.25, 1, 0]


def test_the_rounding_oracle_agrees_with_numpy() -> None:
    for x in (Fraction(1, 3), Fraction(10) ** 39, Fraction(1, 10**40), Fraction(2) ** -150, -Fraction(5, 7)):
        assert rounded(x, "f64") == float(x)
        with np.errstate(over="ignore"):
            assert rounded(x, "f32") == np.float64(float(x)).astype(np.float32)
