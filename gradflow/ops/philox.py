"""Random numbers as a pure function of a seed and a counter, with the same bits on every device.

All of it is integer arithmetic and exact conversions, so that a CUDA kernel makes the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError

Array = Any  # an array of the namespace ``xp``

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)  # the fractions of the golden ratio and of the square root of 3
_ROUNDS = 10
_LOW = 0xFFFFFFFF
CHUNK = 32768  # numbers made at a time: what a step works on then stays in the L2 cache


def philox(counter: Array, key: Array, xp: Any = np) -> Array:
    """Four random words for each counter: Philox4x32-10 (Salmon et al., Parallel random numbers, SC 2011).

    ``counter`` is uint32 of shape (n, 4), ``key`` uint32 of shape (2,), or (n, 2) for a key of each; the result is
    uint32 of shape (n, 4).

    >>> words = philox(np.zeros((1, 4), np.uint32), np.zeros(2, np.uint32))
    >>> [hex(word) for word in words[0]]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    # One round turns the words (a, b, c, d) into
    # (high(c M1) ^ b ^ k0, low(c M1), high(a M0) ^ d ^ k1, low(a M0)).
    # With a, b and c, d as the halves of two 64-bit numbers, each number is replaced by the product of the
    # other's high half, xor its own low half and the key in the high half.
    pairs = _exchange_halves(xp.ascontiguousarray(counter.view(xp.uint64).T))
    products = xp.empty_like(pairs)
    crossed = products[::-1]
    multipliers = xp.asarray(_MULTIPLIERS, xp.uint64).reshape(2, 1)
    half = xp.asarray(32, xp.uint64)
    for round_key in _round_keys(key, xp):
        xp.right_shift(pairs, half, out=products)
        xp.multiply(products, multipliers, out=products)
        xp.left_shift(pairs, half, out=pairs)
        xp.bitwise_xor(pairs, round_key, out=pairs)
        xp.bitwise_xor(pairs, crossed, out=pairs)
    return xp.stack(_exchange_halves(pairs), axis=1).view(xp.uint32)


def _exchange_halves(pairs: Array) -> Array:
    return pairs << 32 | pairs >> 32


def _round_keys(key: Array, xp: Any) -> Array:
    """The keys of all rounds, in the high halves of 64-bit numbers: shape (rounds, 2, 1), or (rounds, 2, n)."""
    rounds = xp.arange(_ROUNDS, dtype=xp.uint64).reshape(-1, 1, 1)
    keys = key.T.reshape(2, -1).astype(xp.uint64) + rounds * xp.asarray(_KEY_STEPS, xp.uint64).reshape(2, 1)
    return xp.left_shift(keys, 32)


def random_bits(seed: Array | int, counter: Array | int, n: int, width: int = 32, xp: Any = np) -> Array:
    """The first ``n`` random words of a draw: uint32, or uint64 for ``width`` 64.

    ``seed`` and ``counter`` are 64-bit integers, or 0-d arrays of them, or both vectors: the words of each draw are
    then a row of the result. Every draw of a stream has a counter of its own. Philox's key is the seed, its counter
    (block, counter), and word ``4 * block + j`` is word ``j`` of the block: draws never overlap, whatever their sizes,
    and how a draw begins does not depend on ``n``. A 64-bit word is two 32-bit ones, the first of them its low half.
    Raises ArgumentError for a number that takes more than 64 bits.

    >>> [hex(word) for word in random_bits(seed=0, counter=0, n=2)]
    ['0x6627e8d5', '0xe169c58d']
    """
    blocks = -(-n * width // 128)
    draws, rows = _word64(counter, xp), getattr(counter, "shape", ())
    keys = _word64(seed, xp).view(xp.uint32).reshape(-1, 2)
    out = xp.empty((blocks * draws.size, 4), xp.uint32)
    for start in range(0, len(out), CHUNK // 4):
        stop = min(start + CHUNK // 4, len(out))
        numbers = xp.arange(start, stop)
        row = numbers // blocks if rows else 0
        counters = xp.empty((stop - start, 2), xp.uint64)
        counters[:, 0] = numbers - row * blocks
        counters[:, 1] = draws[row]
        out[start:stop] = philox(counters.view(xp.uint32), keys[row], xp)
    return out.view(f"uint{width}").reshape(*rows, blocks * 128 // width)[..., :n]


def _word64(number: Array | int, xp: Any) -> Array:
    if isinstance(number, int) and not -(1 << 63) <= number < 1 << 64:
        raise ArgumentError(f"random_bits: {number} does not fit into 64 bits; use a smaller seed or counter")
    return xp.asarray(number).astype(xp.uint64).reshape(-1)


def uniform(bits: Array, dtype: DTypeLike) -> Array:
    """Numbers uniform on [0, 1): the leading bits of each word, as many as a significand of ``dtype`` has.

    float16 and float32 take 32-bit words (11 and 24 bits of them), float64 takes 64-bit words (53 bits).

    >>> uniform(np.array([0, 2**31, 2**32 - 1], np.uint32), "float32")
    array([0.        , 0.5       , 0.99999994], dtype=float32)
    """
    width = 8 * bits.dtype.itemsize
    digits = np.finfo(dtype).nmant + 1
    multiples = (bits >> (width - digits)).view(f"int{width}")  # converts faster than unsigned, to the same
    return multiples.astype(dtype) * 2.0**-digits


def randint(bits: Array, low: int, high: int) -> Array:
    """Integers (int64) uniform on [low, high) from 64-bit words: low + floor(word * (high - low) / 2**64).

    The interval has at most 2**32 integers, so that no one's probability is off by more than one part in
    2**32. Method: Lemire, Fast random integer generation in an interval (2019), without the rejection, so
    that every word makes a number. Raises ArgumentError for an interval that is empty, larger, or leaves
    int64.

    >>> randint(np.array([0, 2**63, 2**64 - 1], np.uint64), 10, 16)
    array([10, 13, 15])
    """
    size = integers_in(low, high)
    # the high half of a 96-bit product: neither partial product nor their sum exceeds 64 bits
    number = (bits & _LOW) * size >> 32
    number += (bits >> 32) * size
    number >>= 32
    return number.view("int64") + low


def integers_in(low: int, high: int) -> int:
    """How many integers [low, high) has. Raises ArgumentError unless ``randint`` can make them."""
    size = high - low
    if not 0 < size <= 1 << 32 or low < -(1 << 63) or high > 1 << 63:
        raise ArgumentError(f"randint: [{low}, {high}) must have 1 to 2**32 integers, all of them in int64")
    return size


def permutation(n: int, seed: Array | int, counter: Array | int, xp: Any = np) -> Array:
    """The integers 0 ... n - 1 (int64) in random order: sorted by 64-bit random words, stably.

    The order is draw number ``counter`` of the stream ``seed``; of vectors, orders are rows. Raises ArgumentError for
    a negative ``n``.

    >>> permutation(5, seed=0, counter=0)
    array([3, 4, 2, 1, 0])
    """
    if n < 0:
        raise ArgumentError(f"permutation: n is {n}; it must not be negative")
    return xp.argsort(random_bits(seed, counter, n, 64, xp), kind="stable")


def dropout_mask(bits: Array, p: float) -> Array:
    """True with probability ``1 - p``, to 32 bits: where a 32-bit word is at least ``round(p * 2**32)``.

    ``p = 0`` keeps every element and ``p = 1`` none. Raises ArgumentError for ``p`` outside [0, 1].

    >>> dropout_mask(np.array([0, 2**31 - 1, 2**31, 2**32 - 1], np.uint32), p=0.5)
    array([False, False,  True,  True])
    """
    least = least_kept(p)
    return bits > _LOW if least > _LOW else bits >= least


def least_kept(p: float) -> int:
    """The least word that ``dropout_mask`` keeps; 2**32 if it keeps none. Raises ArgumentError unless in [0, 1]."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is {p}; a probability is in [0, 1]")
    return round(p * 2**32)
