"""Normally distributed random numbers, with the same bits on every device.

All of it is integer arithmetic and IEEE ``+ - * / sqrt``, each operation rounded on its own, in the order
written: a CUDA kernel that copies the order with ``__fadd_rn`` and its kin (nothing fused, no library
function) makes the same bits. Nothing here is subnormal, so that flushing subnormals to zero changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.ops.philox import CHUNK, Array
from gradflow.ops.polynomial import Polynomial, horner

Ratio = tuple[Polynomial, Polynomial]


class Format(NamedTuple):
    """What the functions here need to know about a float type of ``width`` bits."""

    width: int
    fraction: int  # bits of the significand that are stored
    sqrt_half: int  # the bits of sqrt(1/2)
    ln2: tuple[float, float]  # a part so short that its product with an exponent is exact, and the rest
    atanh: Polynomial  # 2/3 + 2/5 z + 2/7 z**2 + ..., until the rest is below half an ulp of the logarithm
    middle: Ratio  # Wichura's rational approximations
    tail: Ratio
    far: Ratio | None


def _series(terms: int) -> Polynomial:
    return tuple(2 / (2 * i + 1) for i in range(terms, 0, -1))


SINGLE = Format(
    width=32,
    fraction=23,
    sqrt_half=0x3F3504F3,
    ln2=(0.693145751953125, 1.4286068203094173e-06),
    atanh=_series(4),
    middle=(
        (59.109374720, 159.29113202, 50.434271938, 3.3871327179),
        (67.187563600, 78.757757664, 17.895169469, 1.0),
    ),
    tail=(
        (0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777),
        (0.12021132975, 0.73700164250, 1.0),
    ),
    far=None,  # a 32-bit word does not reach so far
)
DOUBLE = Format(
    width=64,
    fraction=52,
    sqrt_half=0x3FE6A09E667F3BCD,
    ln2=(0.6931471805598903, 5.497923018708371e-14),
    atanh=_series(9),
    middle=(
        (
            2509.0809287301226727,
            33430.575583588128105,
            67265.770927008700853,
            45921.953931549871457,
            13731.693765509461125,
            1971.5909503065514427,
            133.14166789178437745,
            3.3871328727963666080,
        ),
        (
            5226.4952788528545610,
            28729.085735721942674,
            39307.895800092710610,
            21213.794301586595867,
            5394.1960214247511077,
            687.18700749205790830,
            42.313330701600911252,
            1.0,
        ),
    ),
    tail=(
        (
            7.74545014278341407640e-4,
            0.0227238449892691845833,
            0.241780725177450611770,
            1.27045825245236838258,
            3.64784832476320460504,
            5.76949722146069140550,
            4.63033784615654529590,
            1.42343711074968357734,
        ),
        (
            1.05075007164441684324e-9,
            5.47593808499534494600e-4,
            0.0151986665636164571966,
            0.148103976427480074590,
            0.689767334985100004550,
            1.67638483018380384940,
            2.05319162663775882187,
            1.0,
        ),
    ),
    far=(
        (
            2.01033439929228813265e-7,
            2.71155556874348757815e-5,
            1.24266094738807843860e-3,
            0.0265321895265761230930,
            0.296560571828504891230,
            1.78482653991729133580,
            5.46378491116411436990,
            6.65790464350110377720,
        ),
        (
            2.04426310338993978564e-15,
            1.42151175831644588870e-7,
            1.84631831751005468180e-5,
            7.86869131145613259100e-4,
            0.0148753612908506148525,
            0.136929880922735805310,
            0.599832206555887937690,
            1.0,
        ),
    ),
)
FORMATS = {4: SINGLE, 8: DOUBLE}


def normal(bits: Array, xp: Any = np) -> Array:
    """Numbers with the standard normal distribution: float32 from 32-bit words, float64 from 64-bit words.

    A word ``k`` of ``w`` bits becomes the quantile of ``(k + 1/2) / 2**w``, with an error of at most 4e-7
    (float32) or 1.5e-15 of its size. The numbers reach to 6.3 and 9.1 standard deviations; complementary
    words give opposite ones. Method: Wichura, Algorithm AS 241 (Applied Statistics 37, 1988), PPND7 and
    PPND16.

    >>> normal(np.array([0, 2**30, 2**32 - 2**30 - 1, 2**32 - 1], np.uint32))
    array([-6.3379583 , -0.67448974,  0.67448974,  6.3379583 ], dtype=float32)
    """
    form = FORMATS[bits.dtype.itemsize]
    out = xp.empty(bits.shape, f"float{form.width}")
    for start in range(0, bits.size, CHUNK):
        out[start : start + CHUNK] = _quantile(bits[start : start + CHUNK], form, xp)
    return out


def _quantile(bits: Array, form: Format, xp: Any) -> Array:
    """AS 241 from distances of the probability to the nearer end (p) and to 1/2 (q), each rounded once."""
    real, whole, word = f"float{form.width}", f"int{form.width}", f"uint{form.width}"
    upper = (bits.view(whole) >> (form.width - 1)).view(word)  # all ones in the upper half, else 0
    twice = (bits ^ upper) << 1
    step = 2.0 ** -(form.width + 1)  # p is (twice + 1) steps, and q the rest of 1/2
    q = (~twice).astype(real) * step
    z = _ratio(0.180625 - q * q, form.middle)
    z *= q
    tail = xp.flatnonzero(q > 0.425)
    z[tail] = _tail_quantile((twice[tail] | 1).astype(real) * step, form, xp)
    sign = (~upper) << (form.width - 1)
    return (z.view(word) | sign).view(real)


def _tail_quantile(p: Array, form: Format, xp: Any) -> Array:
    r = xp.sqrt(-log(p, xp))
    z = _ratio(r - 1.6, form.tail)
    if form.far is not None:
        far = xp.flatnonzero(r > 5)
        z[far] = _ratio(r[far] - 5, form.far)
    return z


def _ratio(x: Array, ratio: Ratio) -> Array:
    numerator, denominator = ratio
    out = horner(x, numerator)
    out /= horner(x, denominator)
    return out


def log(x: Array, xp: Any = np) -> Array:
    """The natural logarithm of positive normal floats at most 1/2, within 1.2 units in the last place.

    >>> log(np.array([0.5, 0.001], np.float32))
    array([-0.6931472, -6.9077554], dtype=float32)
    """
    # x = 2**e m with m in [sqrt(1/2), sqrt(2)); with s = (m - 1) / (m + 1) and z = s s,
    # log m = 2 atanh(s) = 2 s + s z (2/3 + 2/5 z + ...)
    form = FORMATS[x.dtype.itemsize]
    bits = x.view(f"int{form.width}")
    e = (bits - form.sqrt_half) >> form.fraction
    m = (bits - (e << form.fraction)).view(x.dtype)
    e = e.astype(x.dtype)
    s = (m - 1) / (m + 1)
    z = s * s
    rest = horner(z, form.atanh) * z * s
    high, low = form.ln2
    return (e * low + rest + 2 * s) + e * high
