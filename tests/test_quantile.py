"""Normally distributed numbers and the logarithm they need."""

from __future__ import annotations

import math
import zlib
from decimal import Decimal

import numpy as np
import pytest
from scipy import special, stats

from gradflow.ops import quantile as module
from gradflow.ops.philox import random_bits
from gradflow.ops.quantile import DOUBLE, SINGLE, log, normal

SIGMAS = 4
ACCURACY = {32: 4e-7, 64: 1.5e-15}


def quantiles(bits: np.ndarray) -> np.ndarray:
    """SciPy's quantile of (bits + 1/2) / 2**width, from p in the tails and from 1/2 - p in the middle."""
    width = 8 * bits.itemsize
    lower = bits < 2 ** (width - 1)
    nearer = np.where(lower, bits, ~bits)
    p = np.array([(2 * int(k) + 1) / 2 ** (width + 1) for k in nearer])
    q = np.array([(2**width - 2 * int(k) - 1) / 2 ** (width + 1) for k in nearer])
    z = np.where(q < 0.3, -math.sqrt(2) * special.erfinv(2 * q), special.ndtri(p))
    return np.where(lower, z, -z)


def spread(width: int) -> np.ndarray:
    """Words near both ends and near the middle, in steps that grow with the distance, and everywhere."""
    steps = np.array([(32 + i % 32) << (i // 32) >> 5 for i in range(32 * (width - 1))], f"uint{width}")
    middle = np.array(2 ** (width - 1), f"uint{width}")
    return np.concatenate([steps, ~steps, middle - steps, middle + steps, random_bits(0, 0, 20_000, width)])


@pytest.mark.parametrize("width", [32, 64])
def test_normal_numbers_are_quantiles_accurate_to_their_dtype(width):
    bits = spread(width)
    z, expected = normal(bits), quantiles(bits)
    assert z.dtype == f"float{width}"
    np.testing.assert_allclose(z, expected, rtol=ACCURACY[width], atol=0)


def test_the_far_tail_of_64_bit_words_is_accurate():
    k = np.array([0, 1, 7, 1000, 2**20, 2**27], np.uint64)
    assert ((k.astype(float) + 0.5) / 2**64 < math.exp(-25)).all()
    np.testing.assert_allclose(normal(k), special.ndtri((k.astype(float) + 0.5) / 2**64), rtol=1e-15)


@pytest.mark.parametrize("width", [32, 64])
def test_complementary_words_give_opposite_numbers(width):
    bits = spread(width)
    np.testing.assert_array_equal(normal(~bits), -normal(bits))


@pytest.mark.parametrize("width", [32, 64])
def test_normal_numbers_grow_with_their_words(width):
    coarse = np.arange(2**16, dtype=f"uint{width}") << (width - 16)
    assert (np.diff(normal(coarse)) > 0).all()


@pytest.mark.parametrize("edge", [2**31, round(0.075 * 2**32), round(0.925 * 2**32), 2000])
def test_normal_numbers_of_neighbouring_words_fall_by_rounding_alone(edge):
    z = normal(np.arange(edge - 2000, edge + 2000, dtype=np.uint32)).astype(float)
    assert (np.diff(z) > -8 * np.spacing(np.abs(z[1:]).astype(np.float32))).all()


@pytest.mark.parametrize("width", [32, 64])
def test_normal_numbers_are_normally_distributed(width):
    n = 100_000
    z = normal(random_bits(11, 0, n, width)).astype(float)
    assert abs(z.mean()) < SIGMAS / math.sqrt(n)
    assert abs(z.var() - 1) < SIGMAS * math.sqrt(2 / n)
    assert abs((z**3).mean()) < SIGMAS * math.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < SIGMAS * math.sqrt(96 / n)
    assert stats.kstest(z, "norm").pvalue > 0.01


@pytest.mark.parametrize("width", [32, 64])
def test_how_many_numbers_are_made_at_a_time_does_not_change_them(monkeypatch, width):
    bits = random_bits(3, 4, 1001, width)
    expected = normal(bits)
    monkeypatch.setattr(module, "CHUNK", 64)
    np.testing.assert_array_equal(normal(bits), expected)
    np.testing.assert_array_equal(np.concatenate([normal(bits[i : i + 1]) for i in range(100)]), expected[:100])


@pytest.mark.parametrize(("form", "ulps"), [(SINGLE, 1.2), (DOUBLE, 0.8)])
def test_the_logarithm_is_within_an_ulp_or_so(form, ulps):
    rng = np.random.default_rng(0)
    real = np.dtype(f"float{form.width}")
    x = np.exp2(rng.uniform(-form.width - 1, -1, 3000)).astype(real)
    powers = np.exp2(np.arange(-form.width - 1, 0)).astype(real)
    halves = (powers * math.sqrt(0.5)).astype(real)  # where the exponent steps
    x = np.concatenate([x, powers, halves, np.nextafter(halves, 0), np.nextafter(powers, 0)])
    y = log(x)
    assert y.dtype == real
    exact = [Decimal(float(value)).ln() for value in x]
    ulp = np.spacing(np.abs(y))
    errors = [abs(Decimal(float(a)) - b) / Decimal(float(u)) for a, b, u in zip(y, exact, ulp, strict=True)]
    assert max(errors) < ulps


# sums of the digits of the coefficients, which Wichura printed "for use in checking transcription"
@pytest.mark.parametrize(
    ("ratio", "digits", "expected"),
    [
        (SINGLE.middle, 11, "32.3184577772"),
        (SINGLE.tail, 11, "15.7614929821"),
        (DOUBLE.middle, 20, "55.8831928806149014439"),
        (DOUBLE.tail, 21, "49.33206503301610289036"),
        (DOUBLE.far, 21, "47.52583317549289671629"),
    ],
)
def test_the_coefficients_have_the_sums_their_author_printed(ratio, digits, expected):
    numerator, denominator = ratio
    coefficients = [*numerator, *denominator[:-1]]
    total = sum(Decimal(f"{x:.16e}".partition("e")[0]) for x in coefficients)
    assert abs(total - Decimal(expected)) < Decimal("1e-14") * len(coefficients)


def test_the_first_numbers_of_seed_0_stay_what_they_are():
    single, double = normal(random_bits(0, 0, 8)), normal(random_bits(0, 0, 8, 64))
    assert " ".join(f"{word:08x}" for word in single.view(np.uint32)) == (
        "be82fa4f 3f96bb4f 3f2153b7 3e88fdeb 3ff51846 beb4ac04 3f01cc4f bfe489aa"
    )
    assert " ".join(f"{word:016x}" for word in double.view(np.uint64)) == (
        "3ff2d769e93cb51f 3fd11fbd69d8e303 bfd69580971eeee8 bffc913544cdba36 "
        "bfde082db6bb1549 bfe370f3670d2176 bfcb7257e8970af4 bfc7a0861399d25a"
    )


@pytest.mark.parametrize(("width", "checksum"), [(32, 0xDE1D52DD), (64, 0x77A07E91)])
def test_no_bit_of_any_branch_changes(width, checksum):
    assert zlib.crc32(normal(spread(width)).tobytes()) == checksum
