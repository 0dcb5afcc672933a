"""Bit manipulation, comparison and selection in the PTX interpreter against Python's integers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from kernel import instruction

N = 200


def words(bits: int, seed: int) -> Any:
    """Unsigned integers: any bits, single bits, none and all."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, (1 << bits) - 1, N, dtype=f"u{bits // 8}", endpoint=True)
    values[:bits] = [1 << k for k in range(bits)]
    values[-2:] = [0, (1 << bits) - 1]
    return values


@pytest.mark.parametrize("bits", [32, 64])
def test_counts_of_bits(bits: int) -> None:
    x = words(bits, 1)
    given = (f"b{bits}", x)
    assert instruction(f"popc.b{bits} d, a;", "u32", given).tolist() == [int(v).bit_count() for v in x]
    assert instruction(f"clz.b{bits} d, a;", "u32", given).tolist() == [bits - int(v).bit_length() for v in x]
    back = [int(f"{v:0{bits}b}"[::-1], 2) for v in x.tolist()]
    assert instruction(f"brev.b{bits} d, a;", f"b{bits}", given).tolist() == back
    highest = [(int(v).bit_length() - 1) % 2**32 for v in x]
    assert instruction(f"bfind.u{bits} d, a;", "u32", given).tolist() == highest
    amount = [bits - 1 - h if h < bits else h for h in highest]
    assert instruction(f"bfind.shiftamt.u{bits} d, a;", "u32", given).tolist() == amount
    signed = x.view(f"i{bits // 8}").tolist()
    different = [((v if v >= 0 else ~v).bit_length() - 1) % 2**32 for v in signed]
    assert instruction(f"bfind.s{bits} d, a;", "u32", given).tolist() == different


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_shifts_by_the_width_and_more_leave_zero_or_the_sign(bits: int) -> None:
    x = words(bits, 2)
    by = np.random.default_rng(3).integers(0, 2 * bits, N).astype(np.uint32)
    by[:3] = [bits, bits - 1, 2**31 + 1]
    mask = (1 << bits) - 1
    pairs = list(zip(x.tolist(), by.tolist(), strict=True))
    given = (f"b{bits}", x), ("u32", by)
    left = [(v << min(n, bits)) & mask for v, n in pairs]
    assert instruction(f"shl.b{bits} d, a, b;", f"b{bits}", *given).tolist() == left
    assert instruction(f"shr.u{bits} d, a, b;", f"u{bits}", *given).tolist() == [v >> min(n, bits) for v, n in pairs]
    signed = [v >> min(n, bits) for v, n in zip(x.view(f"i{bits // 8}").tolist(), by.tolist(), strict=True)]
    assert instruction(f"shr.s{bits} d, a, b;", f"s{bits}", *given).tolist() == signed
    assert instruction(f"shl.b{bits} d, a, {bits + 3};", f"b{bits}", given[0]).tolist() == [0] * N


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("signed", [False, True])
def test_fields_are_cut_out_as_the_manual_says(bits: int, signed: bool) -> None:
    x = words(bits, 4)
    rng = np.random.default_rng(5)
    start, length = (rng.integers(0, bits + 8, N).astype(np.uint32) for _ in range(2))
    start[:4], length[:4] = [0, 0, bits - 1, bits], [0, bits, 1, 4]
    kind = f"{'s' if signed else 'u'}{bits}"
    got = instruction(
        f"bfe.{kind} d, a, b, c;",
        kind,
        (kind, x.view(f"{kind[0].replace('s', 'i')}{bits // 8}")),
        ("u32", start),
        ("u32", length),
    )
    for value, p, n, result in zip(x.tolist(), start.tolist(), length.tolist(), got.tolist(), strict=True):
        sign = value >> min(p + n - 1, bits - 1) & 1 if signed and n else 0  # the loop of the PTX manual
        want = [(value >> p + i & 1) if i < n and p + i < bits else sign for i in range(bits)]
        assert result % 2**bits == sum(b << i for i, b in enumerate(want))


@pytest.mark.parametrize("bits", [32, 64])
def test_fields_are_put_in_as_the_manual_says(bits: int) -> None:
    x, y = words(bits, 6), words(bits, 7)
    rng = np.random.default_rng(8)
    for p, n in [(0, 0), (0, bits), (3, 5), (bits - 1, 4), (bits, 4), *rng.integers(0, bits, (5, 2)).tolist()]:
        got = instruction(f"bfi.b{bits} d, a, b, {p}, {n};", f"b{bits}", (f"b{bits}", x), (f"b{bits}", y))
        mask = sum(1 << i for i in range(p, min(p + n, bits)))
        assert got.tolist() == [(v & ~mask) | (u << p & mask) for u, v in zip(x.tolist(), y.tolist(), strict=True)]


def test_bytes_are_permuted() -> None:
    x, y, selector = words(32, 9), words(32, 10), words(32, 11)
    got = instruction("prmt.b32 d, a, b, c;", "b32", ("b32", x), ("b32", y), ("b32", selector))
    for a, b, s, result in zip(x.tolist(), y.tolist(), selector.tolist(), got.tolist(), strict=True):
        pool = (a | b << 32).to_bytes(8, "little")
        picked = [(pool[s >> 4 * i & 7], s >> 4 * i & 8) for i in range(4)]
        assert result == int.from_bytes(bytes((255 * (v >> 7)) if sign else v for v, sign in picked), "little")
    modes = {"rc8": [0x22222222], "f4e": [0x55443322 & 0xFFFFFFFF], "ecl": [0], "b4e": [0]}
    a, b = np.uint32([0x33221100]), np.uint32([0x77665544])
    two = np.uint32([2])
    picks = {
        "rc8": 0x22222222,
        "f4e": 0x55443322,
        "b4e": 0x77001122,
        "ecl": 0x33222222,
        "ecr": 0x22221100,
        "rc16": 0x11001100,
    }
    assert modes.keys() <= picks.keys()
    for mode, want in picks.items():
        got = instruction(f"prmt.b32.{mode} d, a, b, c;", "b32", ("b32", a), ("b32", b), ("b32", two))
        assert hex(got[0]) == hex(want), mode


def test_funnel_shifts() -> None:
    low, high = words(32, 12), words(32, 13)
    by = np.random.default_rng(14).integers(0, 70, N).astype(np.uint32)
    given = ("b32", low), ("b32", high), ("u32", by)
    for mode in ("wrap", "clamp"):
        amounts = [n % 32 if mode == "wrap" else min(n, 32) for n in by.tolist()]
        both = [(h << 32 | w, n) for h, w, n in zip(high.tolist(), low.tolist(), amounts, strict=True)]
        right = instruction(f"shf.r.{mode}.b32 d, a, b, c;", "b32", *given)
        assert right.tolist() == [(v >> n) % 2**32 for v, n in both]
        left = instruction(f"shf.l.{mode}.b32 d, a, b, c;", "b32", *given)
        assert left.tolist() == [(v << n >> 32) % 2**32 for v, n in both]


@pytest.mark.parametrize("table", [0x80, 0xFE, 0x96, 0xE8, 0x1B])
def test_any_function_of_three_bits(table: int) -> None:
    x, y, z = (words(32, seed) for seed in (15, 16, 17))
    got = instruction(f"lop3.b32 d, a, b, c, {table:#x};", "b32", ("b32", x), ("b32", y), ("b32", z))
    for a, b, c, result in zip(x.tolist(), y.tolist(), z.tolist(), got.tolist(), strict=True):
        want = sum((table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i for i in range(32))
        assert result == want


COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@pytest.mark.parametrize("kind", ["f32", "f64", "f16"])
def test_comparisons_of_floats_with_nan_are_ordered_or_unordered(kind: str) -> None:
    values = np.array([0.0, -0.0, 1.0, -1.0, np.inf, np.nan], {"f16": "f2", "f32": "f4", "f64": "f8"}[kind])
    a, b = (x.reshape(-1).copy() for x in np.meshgrid(values, values))
    nan = np.isnan(a) | np.isnan(b)
    text = "setp.{}.{} %p, a, b; selp.u32 d, 1, 0, %p;"
    for name, function in COMPARE.items():
        plain = instruction(text.format(name, kind), "u32", (kind, a), (kind, b), extra=".reg .pred %p;")
        np.testing.assert_array_equal(plain != 0, function(a, b) & ~nan)
        unordered = instruction(text.format(name + "u", kind), "u32", (kind, a), (kind, b), extra=".reg .pred %p;")
        np.testing.assert_array_equal(unordered != 0, function(a, b) | nan)
    for name, want in (("num", ~nan), ("nan", nan)):
        got = instruction(text.format(name, kind), "u32", (kind, a), (kind, b), extra=".reg .pred %p;")
        np.testing.assert_array_equal(got != 0, want)


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32", "s64", "u64"])
def test_comparisons_of_integers_know_their_sign(kind: str) -> None:
    bits = int(kind[1:])
    a, b = (words(bits, seed).view(f"{'i' if kind[0] == 's' else 'u'}{bits // 8}") for seed in (18, 19))
    b[::3] = a[::3]
    for name, function in COMPARE.items():
        text = f"setp.{name}.{kind} %p, a, b; selp.u32 d, 1, 0, %p;"
        got = instruction(text, "u32", (kind, a), (kind, b), extra=".reg .pred %p;")
        np.testing.assert_array_equal(got != 0, function(a, b))


def test_a_comparison_combines_with_a_predicate_and_gives_its_opposite() -> None:
    a, b, c = (np.int32(x) for x in ([1, 2, 3, 4], [2, 2, 2, 2], [0, 0, 1, 1]))
    given = ("s32", a), ("s32", b), ("s32", c)
    extra = ".reg .pred %p; .reg .pred %q; .reg .pred %r; .reg .b32 %s;"
    for name, want in {"and": (a < b) & (c > 0), "or": (a < b) | (c > 0), "xor": (a < b) ^ (c > 0)}.items():
        text = f"setp.gt.s32 %p, c, 0; setp.lt.{name}.s32 %q|%r, a, b, %p;"
        text += "selp.u32 %s, 1, 0, %q; selp.u32 d, 2, 0, %r; or.b32 d, d, %s;"
        got = instruction(text, "u32", *given, extra=extra)
        opposite = {"and": (a >= b) & (c > 0), "or": (a >= b) | (c > 0), "xor": (a >= b) ^ (c > 0)}[name]
        np.testing.assert_array_equal(got, want + 2 * opposite)
        negated = text.replace(", %p;", ", !%p;", 1)
        got = instruction(negated, "u32", *given, extra=extra)
        other = {"and": (a < b) & (c <= 0), "or": (a < b) | (c <= 0), "xor": (a < b) ^ (c <= 0)}[name]
        np.testing.assert_array_equal(got & 1, other)


def test_set_and_slct_and_cnot() -> None:
    a, b = np.float32([1, 2, np.nan]), np.float32([2, 1, 1])
    assert instruction("set.lt.u32.f32 d, a, b;", "u32", ("f32", a), ("f32", b)).tolist() == [0xFFFFFFFF, 0, 0]
    assert instruction("set.ltu.f32.f32 d, a, b;", "f32", ("f32", a), ("f32", b)).tolist() == [1, 0, 1]
    c = np.int32([5, -5, 0])
    given = ("f32", a), ("f32", b), ("s32", c)
    assert instruction("slct.f32.s32 d, a, b, c;", "f32", *given).tolist()[:2] == [1, 1]
    assert instruction("cnot.b32 d, a;", "b32", ("b32", np.uint32([0, 1, 9]))).tolist() == [1, 0, 0]


def test_registers_are_packed_and_unpacked() -> None:
    x = words(64, 20)
    text = "mov.b64 {%s, %t}, a; mov.b32 {%u, %v}, %s; mov.b32 %s, {%v, %u}; mov.b64 d, {%t, %s};"
    got = instruction(text, "b64", ("b64", x), extra=".reg .b32 %s; .reg .b32 %t; .reg .b16 %u; .reg .b16 %v;")
    assert got.tolist() == [(v >> 32) | ((v & 0xFFFF) << 16 | v >> 16 & 0xFFFF) << 32 for v in x.tolist()]


def test_bytes_are_multiplied_and_added() -> None:
    x, y, z = (words(32, seed) for seed in (21, 22, 23))
    got = instruction("dp4a.s32.u32 d, a, b, c;", "s32", ("b32", x), ("b32", y), ("b32", z))
    left, right = x.view(np.int8).reshape(-1, 4).astype(int), y.view(np.uint8).reshape(-1, 4).astype(int)
    want = (left * right).sum(1) + z.view(np.int32)
    np.testing.assert_array_equal(got, ((want + 2**31) % 2**32 - 2**31).astype(np.int32))


def test_24_bit_products_take_the_low_bits() -> None:
    x, y, z = (words(32, seed) for seed in (24, 25, 26))
    got = instruction("mul24.lo.u32 d, a, b;", "u32", ("u32", x), ("u32", y))
    low = [(v & 0xFFFFFF, u & 0xFFFFFF, w) for v, u, w in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)]
    assert got.tolist() == [v * u % 2**32 for v, u, _ in low]
    assert instruction("mul24.hi.u32 d, a, b;", "u32", ("u32", x), ("u32", y)).tolist() == [
        v * u >> 16 for v, u, _ in low
    ]
    got = instruction("mad24.lo.u32 d, a, b, c;", "u32", ("u32", x), ("u32", y), ("u32", z))
    assert got.tolist() == [(v * u + w) % 2**32 for v, u, w in low]


def test_signs_are_copied_and_kinds_of_floats_told_apart() -> None:
    a, b = np.float32([1, -2, 3, -0.0]), np.float32([-5, 6, -0.0, 7])
    got = instruction("copysign.f32 d, a, b;", "f32", ("f32", a), ("f32", b))
    assert got.tolist() == [5, -6, 0, -7] and np.signbit(got).tolist() == np.signbit(a).tolist()
    x = np.float32([0, 1, -np.inf, np.nan, 1e-40])
    tests = {
        "finite": [1, 1, 0, 0, 1],
        "infinite": [0, 0, 1, 0, 0],
        "number": [1, 1, 1, 0, 1],
        "notanumber": [0, 0, 0, 1, 0],
        "normal": [0, 1, 0, 0, 0],
        "subnormal": [0, 0, 0, 0, 1],
    }
    for name, want in tests.items():
        text = f"testp.{name}.f32 %p, a; selp.u32 d, 1, 0, %p;"
        assert instruction(text, "u32", ("f32", x), extra=".reg .pred %p;").tolist() == want


def test_halves_are_compared_two_at_a_time() -> None:
    a = np.float16([1, 5, np.nan, 2]).view(np.uint32)
    b = np.float16([2, 4, 1, 2]).view(np.uint32)
    text = "setp.lt.f16x2 %p|%q, a, b; selp.u32 %s, 1, 0, %p; selp.u32 d, 2, 0, %q; or.b32 d, d, %s;"
    extra = ".reg .pred %p; .reg .pred %q; .reg .b32 %s;"
    assert instruction(text, "u32", ("f16x2", a), ("f16x2", b), extra=extra).tolist() == [1, 0]
    assert instruction("neg.f16x2 d, a;", "f16x2", ("f16x2", a)).view(np.float16).tolist()[:2] == [-1, -5]
    least = instruction("min.f16x2 d, a, b;", "f16x2", ("f16x2", a), ("f16x2", b)).view(np.float16)
    assert least.tolist() == [1, 4, 1, 2]


def test_special_registers_tell_lanes_and_masks() -> None:
    x = np.zeros(70, np.uint32)
    lane = np.arange(70) % 32
    masks = {"eq": 1 << lane, "lt": (1 << lane) - 1, "le": (2 << lane) - 1}
    masks |= {"gt": 2**32 - 1 - masks["le"], "ge": 2**32 - 1 - masks["lt"]}
    for name, want in masks.items():
        got = instruction(f"mov.u32 d, %lanemask_{name}; add.u32 d, d, a;", "u32", ("u32", x))
        assert got.tolist() == want.tolist(), name
    assert instruction("mov.u32 d, %laneid; add.u32 d, d, a;", "u32", ("u32", x)).tolist() == lane.tolist()
    assert instruction("mov.u32 d, %warpid; add.u32 d, d, a;", "u32", ("u32", x)).tolist() == [
        t // 32 for t in range(70)
    ]
    assert instruction("mov.u32 d, %ntid.x; add.u32 d, d, a;", "u32", ("u32", x)).tolist() == [70] * 70


def test_generic_addresses_know_their_space() -> None:
    extra = ".reg .pred %p; .reg .b64 %q; .shared .align 4 .b8 room[16];"
    text = "mov.u64 %q, room; cvta.shared.u64 %q, %q; isspacep.shared %p, %q; selp.u32 d, 1, 0, %p; add.u32 d, d, a;"
    assert instruction(text, "u32", ("u32", np.uint32([0, 10])), extra=extra).tolist() == [1, 11]
    text = text.replace("isspacep.shared", "isspacep.global")
    assert instruction(text, "u32", ("u32", np.uint32([0, 10])), extra=extra).tolist() == [0, 10]


def test_rectified_conversions_have_no_negative_numbers() -> None:
    x = np.float32([-1, 2, np.nan, -0.0])
    got = instruction("cvt.rn.relu.f16.f32 d, a;", "f16", ("f32", x))
    np.testing.assert_array_equal(got, np.float16([0, 2, np.nan, 0]))
    brain = instruction("cvt.rn.relu.bf16.f32 d, a;", "bf16", ("f32", x))
    assert [hex(v) for v in brain] == ["0x0", "0x4000", "0x7fff", "0x0"]
    both = instruction("cvt.rn.relu.f16x2.f32 d, a, b;", "f16x2", ("f32", x[:2]), ("f32", x[:2][::-1].copy()))
    assert both.view(np.float16).tolist() == [2, 0, 0, 2]
