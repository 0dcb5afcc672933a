"""Spherical Bessel functions of whole order, elementwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.branches import Branch, of_orders
from gradflow.ops.numbers import order
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike


def spherical_jn(n: SupportsIndex, z: TensorLike) -> Tensor:
    """The spherical Bessel function of the first kind of order ``n``, elementwise: sin(z) / z for 0.

    Method: the power series up to about ``n``, beyond recurrence; for orders above 30 both lose digits where they meet.
    Raises ArgumentError unless ``n`` is from 0 to 60.

    >>> import gradflow as gf
    >>> gf.special.spherical_jn(1, gf.tensor([0.0, 1.0]))
    tensor([0.        , 0.30116868])
    """
    return apply(_spherical_jn, z, n=order("spherical_jn", n))


def spherical_yn(n: SupportsIndex, z: TensorLike) -> Tensor:
    """The spherical Bessel function of the second kind of order ``n``, elementwise: -cos(z) / z for 0, -inf at 0.

    Method: recurrence. Raises ArgumentError unless ``n`` is from 0 to 60.

    >>> import gradflow as gf
    >>> gf.special.spherical_yn(1, gf.tensor([1.0]))
    tensor([-1.3817732])
    """
    return apply(_spherical_yn, z, n=order("spherical_yn", n))


def _upward(n: int, first: str, second: str) -> str:
    lines = [f"y0 = {first}", f"y1 = {second}"]
    lines += [f"y{k + 1} = {2 * k + 1} / x * y{k} - y{k - 1}" for k in range(1, n)]
    return "\n".join(lines)


@cache
def _first_kind(n: int) -> tuple[Branch, ...]:
    reach, terms = 0.7 * n + 1, [1.0]
    for k in range(1, 24 + n):
        terms.append(terms[-1] * reach * reach / (-2 * k * (2 * n + 2 * k + 1)))
    power = "".join(f" * (x / {k})" for k in range(3, 2 * n + 2, 2))  # no power and no coefficient alone underflows
    series = f"part = x / {reach}\nz = part * part\n({horner_text('z', tuple(reversed(terms)))}){power}"
    recurrence = f"{_upward(n, 'sin(x) / x', 'sin(x) / x / x - cos(x) / x')}\nwhere(isinf(x), 0, y{n})"
    return (f"abs(x) < {reach}", series), ("", recurrence)


@cache
def _second_kind(n: int) -> tuple[Branch, ...]:
    recurrence = _upward(n, "-cos(x) / x", "-cos(x) / x / x - sin(x) / x")
    end = "-inf" if n % 2 else "sign(x) * -inf"  # where the recurrence overflows
    inside = f"where(isnan(y{n}) & (x == x), {end}, y{n})"
    return (("", f"{recurrence}\nwhere(x == 0, -inf, where(isinf(x), 0, {inside}))"),)


def _function(name: str, branches: Callable[[int], tuple[Branch, ...]], low: float) -> Op:
    def vjp(g: Tensor, x: Tensor, n: int) -> Tensor:
        above = apply(made, x, n=n + 1)
        return g * (apply(made, x, n=n - 1) * n - above * (n + 1)) / (2 * n + 1) if n else -g * above

    points = (*unary(low, 3.0), sample(Given([1.5, 4.0, 9.0])))
    made: Op = of_orders(name, branches, vjp, [each._replace(attrs={"n": n}) for n in (0, 1, 3) for each in points])
    return made


_spherical_jn = _function("spherical_jn", _first_kind, -3.0)
_spherical_yn = _function("spherical_yn", _second_kind, 0.7)
