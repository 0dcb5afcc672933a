"""What belongs to the error function and the normal distribution: tails, inverses, Dawson's integral; elementwise."""

from __future__ import annotations

import math

from gradflow.dispatch import apply
from gradflow.ops.arithmetic import where
from gradflow.ops.branches import Branch, of_branches, ratio_text
from gradflow.ops.elementwise import exp
from gradflow.ops.erf import DOUBLE, erfcx_chord_text
from gradflow.ops.polynomial import horner_text
from gradflow.ops.quantile import DOUBLE as QUANTILE
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

SLOPE = 2 / math.sqrt(math.pi)


def erfc(x: TensorLike) -> Tensor:
    """``1 - erf(x)``, elementwise, in [0, 2], with a relative error below 1e-13 also where it is tiny.

    Method: that of ``erf``.

    >>> import gradflow as gf
    >>> gf.special.erfc(gf.tensor([0.0, 5.0]))
    tensor([1.0000000e+00, 1.5374598e-12])
    """
    return apply(_erfc, x)


def erfcx(x: TensorLike) -> Tensor:
    """``exp(x**2) * erfc(x)``, elementwise, which neither under- nor overflows for positive ``x``.

    Beyond 27 by the asymptotic series (Abramowitz & Stegun 7.1.23), below as ``erf``.

    >>> import gradflow as gf
    >>> gf.special.erfcx(gf.tensor([0.0, 100.0]))
    tensor([1.        , 0.00564161])
    """
    return apply(_erfcx, x)


def erfi(x: TensorLike) -> Tensor:
    """2/sqrt(pi) times the integral of exp(t**2) from 0 to ``x``, elementwise. Method: that of ``dawsn``.

    >>> import gradflow as gf
    >>> gf.special.erfi(gf.tensor([0.0, 1.0]))
    tensor([0.       , 1.6504258])
    """
    return apply(_erfi, x)


def dawsn(x: TensorLike) -> Tensor:
    """Dawson's integral, exp(-x**2) times the integral of exp(t**2) from 0 to ``x``, elementwise.

    Method: the power series near 0, and Rybicki's sum of Gaussians ("Dawson's integral and the sampling theorem",
    Computers in Physics 3, 1989); the relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.dawsn(gf.tensor([0.0, 1.0]))
    tensor([0.        , 0.53807951])
    """
    return apply(_dawsn, x)


def erfinv(x: TensorLike) -> Tensor:
    """The inverse of ``erf``, elementwise: infinite at -1 and 1, NaN outside; the relative error is below 1e-14.

    Method: the quantile of the normal distribution by Wichura's algorithm AS 241 (Applied Statistics 37, 1988).

    >>> import gradflow as gf
    >>> gf.special.erfinv(gf.tensor([0.0, 0.5]))
    tensor([0.        , 0.47693628])
    """
    return apply(_erfinv, x)


def erfcinv(x: TensorLike) -> Tensor:
    """The inverse of ``erfc``, elementwise: infinite at 0 and 2, NaN outside. Method: that of ``erfinv``.

    >>> import gradflow as gf
    >>> gf.special.erfcinv(gf.tensor([1.0, 0.5]))
    tensor([0.        , 0.47693628])
    """
    return apply(_erfcinv, x)


def ndtr(x: TensorLike) -> Tensor:
    """The probability that a standard normal number is below ``x``, elementwise, exact also where it is tiny.

    >>> import gradflow as gf
    >>> gf.special.ndtr(gf.tensor([0.0, 1.0]))
    tensor([0.5      , 0.8413448])
    """
    return apply(_ndtr, x)


def log_ndtr(x: TensorLike) -> Tensor:
    """The logarithm of ``ndtr``, elementwise, also where that rounds to 0 or 1.

    >>> import gradflow as gf
    >>> gf.special.log_ndtr(gf.tensor([0.0, -100.0]))
    tensor([-6.9314718e-01, -5.0055244e+03])
    """
    return apply(_log_ndtr, x)


def ndtri(p: TensorLike) -> Tensor:
    """The inverse of ``ndtr``, elementwise: infinite at 0 and 1, NaN outside; the relative error is below 1e-14.

    Method: Wichura's algorithm AS 241 (Applied Statistics 37, 1988).

    >>> import gradflow as gf
    >>> gf.special.ndtri(gf.tensor([0.5, 0.975]))
    tensor([0.      , 1.959964])
    """
    return apply(_ndtri, p)


ROOT = math.sqrt(0.5)
CHORD = erfcx_chord_text("a", DOUBLE)
SQUARE = """high = rint(a * 16) / 16
square = a * a
rest = high * high - square + (a - high) * (a + high)"""  # what rounding the square leaves: that of ``high`` is exact
ASYMPTOTIC = f"""z = 0.5 / (a * a)
(1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z * (1 - 9 * z))))) / (a * {math.sqrt(math.pi)})"""


def erfc_lines(x: str) -> str:
    """Lines of a formula that assign erfc of the expression ``x`` to ``complement``."""
    return f"""v = {x}
a = minimum(abs(v), 28)
s = sign(v)
{SQUARE}
complement = exp(-square) * (1 - rest) * (1 - a * {CHORD}) * s + (1 - s)"""


_erfc = of_branches(
    "erfc",
    (("", f"{erfc_lines('x')}\ncomplement"),),
    lambda g, x: g * -SLOPE * exp(-(x * x)),
    (*unary(), sample(Given([-3.0, 0.0, 4.0]))),
)
_erfcx = of_branches(
    "erfcx",
    (
        (f"(x >= 0) & (x < {DOUBLE.reach})", f"a = x\n1 - a * {CHORD}"),
        ("x > 0", f"a = x\n{ASYMPTOTIC}"),
        ("", f"a = minimum(-x, {DOUBLE.reach})\n{SQUARE}\n2 * exp(square) * (1 + rest) - (1 - a * {CHORD})"),
    ),
    lambda g, x, out: g * (2 * x * out - SLOPE),
    (*unary(), sample(Given([-1.0, 0.0, 4.0]))),
)


def _near() -> str:
    """Dawson's integral near 0, in powers of z = x**2, whose coefficients are those before times -2/3, -2/5, ..."""
    coefficients = [1.0]
    for k in range(1, 10):
        coefficients.append(coefficients[-1] * -2 / (2 * k + 1))
    return f"z = x * x\nx * ({horner_text('z', tuple(reversed(coefficients)))})"


def _gaussians() -> str:
    """Lines that assign Dawson's integral by Rybicki's sum, with a step of 1/4, to ``sum``."""
    lines = ["n = 2 * rint(2 * x)", "d = x - n / 4", "u0 = exp(d / 2)", "v0 = 1 / u0", "p = u0 * u0", "q = v0 * v0"]
    terms = []
    for i in range(13):
        odd = 2 * i + 1
        if i:
            lines += [f"u{i} = u{i - 1} * p", f"v{i} = v{i - 1} * q"]
        terms.append(f"{math.exp(-((odd / 4) ** 2))} * (u{i} / (n + {odd}) + v{i} / (n - {odd}))")
    lines.append(f"sum = exp(-d * d) * {1 / math.sqrt(math.pi)} * ({' + '.join(terms)})")
    return "\n".join(lines)


_AROUND = (*unary(-2.0, 2.0), sample(Given([-1.0, 0.1, 0.0, 2.5])))
_dawsn = of_branches(
    "dawsn",
    (("abs(x) < 0.2", _near()), ("abs(x) > 1e8", "0.5 / x"), ("", f"{_gaussians()}\nsum")),
    lambda g, x, out: g * (1 - 2 * x * out),
    _AROUND,
)
_erfi = of_branches(
    "erfi",
    (
        ("abs(x) < 0.2", f"{_near()} * {SLOPE} * exp(z)"),
        ("abs(x) > 27", "sign(x) * inf"),
        ("", f"{_gaussians()}\na = abs(x)\n{SQUARE}\nsum * {SLOPE} * exp(square) * (1 + rest)"),
    ),
    lambda g, x: g * SLOPE * exp(x * x),
    _AROUND,
)


def quantile_branches(middle: str, tail: str, scale: float) -> tuple[Branch, ...]:
    """``scale`` times the normal quantile at 1/2 + ``middle``, where ``tail`` is the probability that is left."""
    far = QUANTILE.far
    assert far is not None
    r = f"m = {tail}\nr = sqrt(-log(m))"
    return (
        (
            f"abs({middle}) <= 0.425",
            f"q = {middle}\nz = 0.180625 - q * q\n{scale} * q * {ratio_text('z', QUANTILE.middle)}",
        ),
        (f"{tail} > {math.exp(-25)}", f"{r}\nz = r - 1.6\n{scale} * sign({middle}) * {ratio_text('z', QUANTILE.tail)}"),
        ("", f"{r}\nz = r - 5\n{scale} * sign({middle}) * where(m == 0, inf, {ratio_text('z', far)})"),
    )


_erfinv = of_branches(
    "erfinv",
    quantile_branches("(x / 2)", "((1 - abs(x)) / 2)", math.sqrt(0.5)),
    lambda g, out: g * (1 / SLOPE) * exp(out * out),
    (*unary(-0.8, 0.8), sample(Given([-0.95, 0.0, 0.9]))),
)
_erfcinv = of_branches(
    "erfcinv",
    quantile_branches("(0.5 - x / 2)", "(minimum(x, 2 - x) / 2)", math.sqrt(0.5)),
    lambda g, out: g * (-1 / SLOPE) * exp(out * out),
    (*unary(0.2, 1.8), sample(Given([0.05, 1.0, 1.9]))),
)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ndtr = of_branches(
    "ndtr",
    (("", f"{erfc_lines(f'(-{ROOT} * x)')}\ncomplement / 2"),),
    lambda g, x: g * _DENSITY * exp(x * x * -0.5),
    (*unary(), sample(Given([-6.0, 0.0, 4.0]))),
)


def _log_ndtr_vjp(g: Tensor, x: Tensor) -> Tensor:
    """By ``erfcx`` on the left, where ``ndtr`` rounds to 0, and without it on the right, where it overflows."""
    positive = x > 0
    right, left = where(positive, x, 0.0), where(positive, 0.0, x)
    slope = _DENSITY * exp(right * right * -0.5) / ndtr(right)
    return g * where(positive, slope, math.sqrt(2 / math.pi) / erfcx(left * -ROOT))


_log_ndtr = of_branches(
    "log_ndtr",
    (
        ("x > -1", f"{erfc_lines(f'({ROOT} * x)')}\nlog1p(complement * -0.5)"),
        (f"x > {-DOUBLE.reach / ROOT}", f"a = -{ROOT} * x\nlog((1 - a * {CHORD}) / 2) - x * x / 2"),
        ("", f"a = -{ROOT} * x\n{ASYMPTOTIC.replace(chr(10), chr(10) + 'scaled = ')}\nlog(scaled / 2) - x * x / 2"),
    ),
    _log_ndtr_vjp,
    (*unary(), sample(Given([-50.0, -6.0, 0.0, 4.0]))),
)
_ndtri = of_branches(
    "ndtri",
    quantile_branches("(x - 0.5)", "minimum(x, 1 - x)", 1.0),
    lambda g, out: g * (1 / _DENSITY) * exp(out * out * 0.5),
    (*unary(0.1, 0.9), sample(Given([0.02, 0.5, 0.95]))),
)
