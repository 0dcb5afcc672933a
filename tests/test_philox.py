"""Random bits and what is made of them: uniform numbers, integers, permutations, dropout masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gradflow.errors import ArgumentError
from gradflow.ops import philox as module
from gradflow.ops.philox import dropout_mask, permutation, philox, randint, random_bits, uniform

WORD32 = st.integers(0, 2**32 - 1)
WORD64 = st.integers(0, 2**64 - 1)
SIGMAS = 4  # how far a statistic of fixed numbers may be from its expectation


def philox_of_one(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 as its authors write it down, on Python integers."""
    (a, b, c, d), (k0, k1) = counter, key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = q >> 32 ^ b ^ k0, q % 2**32, p >> 32 ^ d ^ k1, p % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [a, b, c, d]


def hexadecimal(numbers: np.ndarray) -> str:
    digits = 2 * numbers.itemsize
    return " ".join(f"{word:0{digits}x}" for word in numbers.view(f"uint{4 * digits}"))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter, key, expected):
    counters = np.array([[int(word, 16) for word in counter.split()]], np.uint32)
    keys = np.array([int(word, 16) for word in key.split()], np.uint32)
    assert hexadecimal(philox(counters, keys)[0]) == expected


@given(st.lists(st.tuples(WORD32, WORD32, WORD32, WORD32), min_size=1, max_size=5), st.tuples(WORD32, WORD32))
@settings(max_examples=50, deadline=None)
def test_philox_agrees_with_python_integers(counters, key):
    expected = [philox_of_one(list(counter), list(key)) for counter in counters]
    assert philox(np.array(counters, np.uint32), np.array(key, np.uint32)).tolist() == expected


@given(WORD64, WORD64, st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_the_seed_is_the_key_and_block_and_draw_are_the_counter(seed, draw, n):
    key, high = [seed % 2**32, seed >> 32], [draw % 2**32, draw >> 32]
    expected = [word for block in range(-(-n // 4)) for word in philox_of_one([block, 0, *high], key)]
    bits = random_bits(seed, draw, n)
    assert bits.dtype == np.uint32
    assert bits.tolist() == expected[:n]


def test_a_64_bit_word_is_two_32_bit_words_low_half_first():
    halves = random_bits(5, 6, 14).astype(np.uint64)
    wide = random_bits(5, 6, 7, width=64)
    assert wide.dtype == np.uint64
    np.testing.assert_array_equal(wide, halves[0::2] + halves[1::2] * 2**32)


def test_seed_and_counter_may_be_arrays_of_no_dimensions_signed_or_not():
    expected = random_bits(2**64 - 3, 9, 5)
    np.testing.assert_array_equal(random_bits(np.array(-3), np.array(9), 5), expected)
    np.testing.assert_array_equal(random_bits(np.array(2**64 - 3, np.uint64), np.array(9, np.uint64), 5), expected)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_a_seed_of_more_than_64_bits_is_refused(number):
    with pytest.raises(ArgumentError, match="does not fit into 64 bits"):
        random_bits(number, 0, 1)


def test_a_short_draw_is_the_beginning_of_a_long_one():
    long = random_bits(1, 2, 50)
    for n in (0, 1, 4, 7, 49):
        np.testing.assert_array_equal(random_bits(1, 2, n), long[:n])


@pytest.mark.parametrize("width", [32, 64])
def test_how_many_words_are_made_at_a_time_does_not_change_them(monkeypatch, width):
    expected = random_bits(3, 4, 1001, width)
    monkeypatch.setattr(module, "CHUNK", 64)
    np.testing.assert_array_equal(random_bits(3, 4, 1001, width), expected)


def test_other_seeds_and_other_draws_share_no_block():
    draws = [random_bits(seed, draw, 4000).reshape(-1, 4) for seed in (0, 1, 2**32) for draw in (0, 1, 2**32)]
    assert len(np.unique(np.concatenate(draws), axis=0)) == 9 * 1000


def test_neighbouring_draws_and_seeds_are_not_correlated():
    n = 100_000
    draws = [uniform(random_bits(seed, draw, n), "float32") for seed, draw in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    draws.append(np.roll(draws[0], 1))
    correlations = np.corrcoef(draws)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < SIGMAS / math.sqrt(n)


def test_every_bit_is_set_half_the_time():
    n = 100_000
    bits = random_bits(7, 0, n)
    counts = np.array([np.count_nonzero(bits & np.uint32(1 << i)) for i in range(32)])
    assert np.abs(counts - n / 2).max() < SIGMAS * math.sqrt(n) / 2


@pytest.mark.parametrize(("dtype", "width"), [("float32", 32), ("float64", 64)])
def test_uniform_numbers_are_uniform(dtype, width):
    n = 100_000
    x = uniform(random_bits(11, 0, n, width), dtype)
    assert x.dtype == dtype
    assert 0 <= x.min() < 1e-4
    assert 1 - 1e-4 < x.max() < 1
    assert abs(x.mean(dtype=np.float64) - 1 / 2) < SIGMAS * math.sqrt(1 / 12 / n)
    assert abs(x.var(dtype=np.float64) - 1 / 12) < SIGMAS * math.sqrt(1 / 180 / n)
    assert stats.kstest(x, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("dtype", "width", "digits"), [("f2", 32, 11), ("f4", 32, 24), ("f8", 64, 53)])
def test_uniform_numbers_are_the_leading_bits_of_their_words_exactly(dtype, width, digits):
    words = [0, 1, 2 ** (width - digits) - 1, 2 ** (width - digits), 2 ** (width - 1), 2**width - 1]
    x = uniform(np.array(words, f"uint{width}"), dtype)
    assert x.dtype == dtype
    assert [int(value * 2**digits) for value in x.tolist()] == [word >> (width - digits) for word in words]


@given(st.lists(WORD64, min_size=1, max_size=5), st.integers(-(2**62), 2**62), st.integers(1, 2**32))
@settings(max_examples=100, deadline=None)
def test_integers_are_the_scaled_words_rounded_down(words, low, size):
    expected = [low + (word * size >> 64) for word in words]
    assert randint(np.array(words, np.uint64), low, low + size).tolist() == expected


def test_integers_cover_their_interval_uniformly():
    x = randint(random_bits(13, 0, 100_000, 64), -3, 57)
    assert x.dtype == np.int64
    values, counts = np.unique(x, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(-3, 57))
    assert stats.chisquare(counts).pvalue > 0.01


def test_integers_reach_both_ends_of_int64():
    ends = np.array([0, 2**64 - 1], np.uint64)
    assert randint(ends, -(2**63), -(2**63) + 2).tolist() == [-(2**63), -(2**63) + 1]
    assert randint(ends, 2**63 - 2, 2**63).tolist() == [2**63 - 2, 2**63 - 1]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 2), (0, 2**32 + 1), (2**63 - 1, 2**63 + 1), (-(2**63) - 1, 0)])
def test_an_interval_without_integers_or_with_too_many_is_refused(low, high):
    with pytest.raises(ArgumentError, match="randint"):
        randint(np.zeros(1, np.uint64), low, high)


@given(st.integers(0, 300), WORD64, WORD64)
@settings(max_examples=30, deadline=None)
def test_a_permutation_has_every_number_once(n, seed, counter):
    order = permutation(n, seed, counter)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_a_permutation_sorts_the_words_of_its_draw():
    words = random_bits(2, 3, 1000, 64)
    order = permutation(1000, seed=2, counter=3)
    assert (np.diff(words[order].astype(object)) > 0).all()


def test_all_orders_are_equally_likely():
    orders = [tuple(permutation(4, 17, draw)) for draw in range(2400)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == math.factorial(4)
    assert stats.chisquare(counts).pvalue > 0.01


def test_equal_keys_stay_in_order(monkeypatch):
    keys = np.arange(1000, dtype=np.uint64) % 3
    monkeypatch.setattr(module, "random_bits", lambda *_: keys)
    expected = [i for key in range(3) for i in range(1000) if keys[i] == key]
    assert permutation(1000, 0, 0).tolist() == expected


def test_a_permutation_of_fewer_than_none_is_refused():
    with pytest.raises(ArgumentError, match="n is -1"):
        permutation(-1, 0, 0)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_mask_keeps_the_share_it_should(p):
    n = 100_000
    kept = np.count_nonzero(dropout_mask(random_bits(19, 0, n), p))
    assert abs(kept - n * (1 - p)) < SIGMAS * math.sqrt(n * p * (1 - p))


def test_a_mask_keeps_all_for_0_and_none_for_1():
    ends = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
    assert dropout_mask(ends, 0).tolist() == [True] * 4
    assert dropout_mask(ends, 1).tolist() == [False] * 4
    assert dropout_mask(ends, 1 - 2.0**-32).tolist() == [False] * 3 + [True]
    assert dropout_mask(ends, 2.0**-32).tolist() == [False] + [True] * 3


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_probability_outside_0_to_1_is_refused(p):
    with pytest.raises(ArgumentError, match="p is"):
        dropout_mask(np.zeros(1, np.uint32), p)


def test_the_first_numbers_of_seed_0_stay_what_they_are():
    bits, wide = random_bits(0, 0, 8), random_bits(0, 0, 8, 64)
    assert hexadecimal(bits) == "6627e8d5 e169c58d bc57ac4c 9b00dbd8 f8e4cca4 5cb200db b1a574eb 097eff67"
    assert hexadecimal(uniform(bits, "float32")) == (
        "3ecc4fd0 3f6169c5 3f3c57ac 3f1b00db 3f78e4cc 3eb96400 3f31a574 3d17eff0"
    )
    assert hexadecimal(uniform(wide, "float64")) == (
        "3fec2d38b1acc4fd 3fe3601b7b178af5 3fd72c8036fe3932 3fa2fdfecf634ae0 "
        "3fd471cca9813ea8 3fd1644d79090544 3fda911d29b2643a 3fdb504f8126b244"
    )
    assert randint(wide, 0, 100).tolist() == [88, 60, 36, 3, 31, 27, 41, 42]
    assert permutation(8, seed=0, counter=0).tolist() == [3, 5, 4, 2, 6, 7, 1, 0]
    assert dropout_mask(bits, 0.5).tolist() == [False, True, True, True, True, False, True, False]


@pytest.mark.parametrize("width", [32, 64])
def test_several_draws_at_once_are_those_draws_in_rows(width, monkeypatch):
    seeds, counters = np.array([1, 2**64 - 1, 1], np.uint64), np.array([7, 0, 2**63], np.uint64)
    expected = [random_bits(seed, counter, 37, width) for seed, counter in zip(seeds, counters, strict=True)]
    np.testing.assert_array_equal(random_bits(seeds, counters, 37, width), expected)
    orders = [permutation(9, seed, counter) for seed, counter in zip(seeds, counters, strict=True)]
    np.testing.assert_array_equal(permutation(9, seeds, counters), orders)
    monkeypatch.setattr(module, "CHUNK", 16)
    np.testing.assert_array_equal(random_bits(seeds, counters, 37, width), expected)
    assert random_bits(seeds[:0], counters[:0], 5, width).shape == (0, 5)
