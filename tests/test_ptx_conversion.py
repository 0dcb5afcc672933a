"""Conversions of the PTX interpreter against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc
from typing import Any

import numpy as np
import pytest

from kernel import exact, floats, instruction, rounded

N = 200
WHOLE = {"rni": round, "rzi": trunc, "rmi": floor, "rpi": ceil}  # Python rounds ties to even, too


def test_widening_is_exact() -> None:
    half = np.arange(1024, dtype=np.uint16) * 63
    given = half.view(np.float16)
    got = instruction("cvt.f32.f16 d, a;", "f32", ("f16", given))
    np.testing.assert_array_equal(got, given.astype(np.float32))
    x = floats("f32", N, 1)
    np.testing.assert_array_equal(instruction("cvt.f64.f32 d, a;", "f64", ("f32", x)), x.astype(np.float64))
    brain = np.arange(0, 65536, 67, dtype=np.uint16)
    got = instruction("cvt.f32.bf16 d, a;", "f32", ("bf16", brain))
    np.testing.assert_array_equal(got.view(np.uint32), brain.astype(np.uint32) << 16)


NARROWING = [
    (mode, *pair) for mode in ("rn", "rz", "rm", "rp") for pair in (("f32", "f16"), ("f64", "f32"), ("f64", "f16"))
]


@pytest.mark.parametrize(("mode", "source", "target"), [*NARROWING, ("rn", "f32", "bf16"), ("rz", "f32", "bf16")])
def test_narrowing_rounds_as_told(mode: str, source: str, target: str) -> None:
    x = floats(source, N, 2, 12)
    x[:20] *= x.dtype.type(2.0**-20)  # subnormal for half
    middles = floats(target, 50, 3, 8).astype(np.float64) if target != "bf16" else np.empty(0)
    x = np.concatenate([x, (middles * (1 + 2.0**-11)).astype(x.dtype)])  # many ties
    got = instruction(f"cvt.{mode}.{target}.{source} d, a;", target, (source, x))
    want = [rounded(exact(v), target, mode) for v in x]
    if target == "bf16":
        np.testing.assert_array_equal((got.astype(np.uint32) << 16).view(np.float32), np.float32(want))
    else:
        np.testing.assert_array_equal(got, np.array(want).astype(got.dtype))


def test_special_floats_narrow_to_special_floats() -> None:
    x = np.float32([np.inf, -np.inf, np.nan, 1e10, -1e10, 65520, 65519.9])
    got = instruction("cvt.rn.f16.f32 d, a;", "f16", ("f32", x))
    np.testing.assert_array_equal(got, np.float16([np.inf, -np.inf, np.nan, np.inf, -np.inf, np.inf, 65504]))
    brain = instruction("cvt.rn.bf16.f32 d, a;", "bf16", ("f32", np.float32([np.inf, -np.inf, np.nan, 3.4e38])))
    assert [hex(v) for v in brain] == ["0x7f80", "0xff80", "0x7fff", "0x7f80"]
    down = instruction("cvt.rz.f16.f32 d, a;", "f16", ("f32", np.float32([1e10, -1e10])))
    assert down.tolist() == [65504, -65504]


def test_two_floats_are_packed_into_halves_the_second_one_low() -> None:
    a, b = floats("f32", N, 4, 5), floats("f32", N, 5, 5)
    got = instruction("cvt.rn.f16x2.f32 d, a, b;", "f16x2", ("f32", a), ("f32", b))
    halves = got.view(np.float16).reshape(-1, 2)
    np.testing.assert_array_equal(halves[:, 1], np.float16([rounded(exact(v), "f16") for v in a]))
    np.testing.assert_array_equal(halves[:, 0], np.float16([rounded(exact(v), "f16") for v in b]))
    got = instruction("cvt.rn.bf16x2.f32 d, a, b;", "bf16x2", ("f32", a), ("f32", b))
    low = ((got & 0xFFFF) << 16).view(np.float32)
    np.testing.assert_array_equal(low, np.float32([rounded(exact(v), "bf16") for v in b]))


@pytest.mark.parametrize("mode", WHOLE)
@pytest.mark.parametrize("target", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_floats_become_integers_rounded_and_clamped(source: str, target: str, mode: str) -> None:
    x = floats(source, N, 6, 70)
    x[:60] = np.arange(60) / 4 - 7
    x[60:66] = [2.0**63, 2.0**64, -(2.0**63), 2.0**31, 2.0**32, 2.0**15]
    bits = int(target[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if target[0] == "s" else (0, (1 << bits) - 1)
    holder = target if bits > 8 else f"{target[0]}16"
    got = instruction(f"cvt.{mode}.{target}.{source} d, a;", holder, (source, x))
    assert got.tolist() == [min(max(WHOLE[mode](exact(v)), low), high) for v in x]
    ends = np.array([np.nan, np.inf, -np.inf], x.dtype)
    assert instruction(f"cvt.{mode}.{target}.{source} d, a;", holder, (source, ends)).tolist() == [0, high, low]


@pytest.mark.parametrize("mode", WHOLE)
def test_floats_are_rounded_to_whole_floats(mode: str) -> None:
    x = np.float32([*np.arange(-40, 40) / 8, 2.0**23 + 1, -0.25, 0.5, 1.5, 2.5])
    got = instruction(f"cvt.{mode}.f32.f32 d, a;", "f32", ("f32", x))
    assert got.tolist() == [WHOLE[mode](exact(v)) for v in x]


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("source", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("target", ["f32", "f64"])
def test_integers_become_floats_rounded_as_told(source: str, target: str, mode: str) -> None:
    code = f"{'i' if source[0] == 's' else 'u'}{int(source[1:]) // 8}"
    limits = np.iinfo(code)
    x = np.random.default_rng(7).integers(limits.min, limits.max, N, dtype=code, endpoint=True)
    x[:4] = [0, 1, limits.max, limits.min]
    got = instruction(f"cvt.{mode}.{target}.{source} d, a;", target, (source, x))
    assert got.tolist() == [rounded(Fraction(int(v)), target, mode) for v in x]


def signed(x: int, bits: int) -> int:
    x %= 1 << bits
    return x - (1 << bits) if x >> bits - 1 else x


@pytest.mark.parametrize("source", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("target", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
def test_integers_are_extended_cut_and_clamped(source: str, target: str) -> None:
    bits, wide = int(source[1:]), int(target[1:])
    holder_in, holder_out = (kind if kind[1:] != "8" else f"{kind[0]}16" for kind in (source, target))
    code = f"{'i' if source[0] == 's' else 'u'}{bits // 8}"
    limits = np.iinfo(code)
    x = np.random.default_rng(8).integers(limits.min, limits.max, 60, dtype=code, endpoint=True)
    given = x.astype(f"{code[0]}{max(bits, 16) // 8}")
    got = instruction(f"cvt.{target}.{source} d, a;", holder_out, (holder_in, given)).tolist()
    assert got == [signed(v, wide) if target[0] == "s" else v % (1 << wide) for v in x.tolist()]
    low, high = (-(1 << wide - 1), (1 << wide - 1) - 1) if target[0] == "s" else (0, (1 << wide) - 1)
    got = instruction(f"cvt.sat.{target}.{source} d, a;", holder_out, (holder_in, given)).tolist()
    assert got == [min(max(v, low), high) for v in x.tolist()]


def test_saturation_clamps_to_zero_and_one() -> None:
    x = np.float32([-3, -0.0, 0.25, 1, 7, np.nan, np.inf])
    want: Any = [0, 0, 0.25, 1, 1, 0, 1]
    assert instruction("cvt.sat.f32.f32 d, a;", "f32", ("f32", x)).tolist() == want
    assert instruction("cvt.rn.sat.f16.f32 d, a;", "f16", ("f32", x)).tolist() == want


def test_a_subnormal_float_converts_to_zero_with_ftz() -> None:
    x = np.float32([1e-40, -1e-40, 2.0**-126])
    assert instruction("cvt.ftz.f64.f32 d, a;", "f64", ("f32", x)).tolist() == [0, 0, 2.0**-126]
    assert instruction("cvt.f64.f32 d, a;", "f64", ("f32", x))[0] == np.float64(np.float32(1e-40))
    wide = np.float64([1e-40, 2.0**-126])
    assert instruction("cvt.rn.ftz.f32.f64 d, a;", "f32", ("f64", wide)).tolist() == [0, 2.0**-126]
