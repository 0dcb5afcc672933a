"""``numpy.random`` for tensors: what NumPy's Generator draws from gradflow's own numbers by a formula.

Its older functions, without a generator, draw from gradflow's default one, which ``seed`` and ``gf.manual_seed`` begin.
"""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.linalg import cholesky
from gradflow.numpy.creation import asarray
from gradflow.numpy.queries import shape
from gradflow.ops import random as ours
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.elementwise import exp, expm1, log, log1p, sqrt
from gradflow.ops.generator import Generator as Numbers
from gradflow.ops.generator import manual_seed as seed
from gradflow.ops.linalg import matmul
from gradflow.ops.lookup import take
from gradflow.ops.order import searchsorted
from gradflow.ops.scan import cumsum
from gradflow.ops.trigonometric import tan
from gradflow.tensor import Tensor, TensorLike

DRAWN = (
    "choice", "exponential", "gumbel", "laplace", "logistic", "lognormal", "multivariate_normal", "normal", "pareto",
    "permutation", "power", "random", "rayleigh", "shuffle", "standard_cauchy", "standard_exponential",
    "standard_normal", "triangular", "uniform", "weibull",
)  # fmt: skip
__all__ = [*DRAWN, "Generator", "default_rng", "rand", "randint", "randn", "random_sample", "seed"]  # noqa: PLE0604

Size = Any  # None, a number, or a tuple of numbers
LEAST = 2.0**-54  # for 0, which is as likely, where a logarithm is taken


class Generator:
    """Random tensors under the names that NumPy's Generator has; the numbers are gradflow's (Philox).

    Parameters may be tensors: gradients flow to them, since all numbers are made of uniform or normal ones by the
    inverse of the distribution function (Devroye, Non-Uniform Random Variate Generation, 1986, chapter II).

    >>> rng = Generator(0)
    >>> rng.normal(size=(2, 3)).shape, rng.integers(10).dtype
    ((2, 3), dtype('int64'))
    """

    def __init__(self, seed: SupportsIndex | None = None, device: str | Device = "cpu") -> None:
        self._numbers: Numbers | None = Numbers(seed, device)
        self._device = device

    def _kind(self, dtype: DTypeLike) -> Any:
        chosen = dtypes.as_dtype(dtype)
        if chosen not in (dtypes.float32, dtypes.float64):
            raise DTypeError(f"random numbers are float32 or float64, not {chosen}; convert them with .astype")
        return {"dtype": chosen, "device": self._device, "generator": self._numbers}

    def random(self, size: Size = None, dtype: DTypeLike = float) -> Tensor:
        """Numbers evenly spread over [0, 1)."""
        return ours.uniform(() if size is None else size, **self._kind(dtype))

    def standard_normal(self, size: Size = None, dtype: DTypeLike = float) -> Tensor:
        """Normal numbers with mean 0 and standard deviation 1."""
        return ours.normal(() if size is None else size, **self._kind(dtype))

    def uniform(self, low: TensorLike = 0.0, high: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Numbers evenly spread over [low, high)."""
        return asarray(low + (high - low) * self.random(_size(size, low, high)))

    def normal(self, loc: TensorLike = 0.0, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Normal numbers with mean ``loc`` and standard deviation ``scale``."""
        return asarray(loc + scale * self.standard_normal(_size(size, loc, scale)))

    def _unit(self, size: Size, *parameters: TensorLike) -> Tensor:
        """Numbers evenly spread over (0, 1), as many as there are parameters if ``size`` does not say."""
        return maximum(self.random(_size(size, *parameters)), LEAST)

    def standard_exponential(self, size: Size = None, dtype: DTypeLike = float) -> Tensor:
        """Numbers that decay exponentially from 0, with mean 1."""
        return -log(maximum(self.random(size, dtype), LEAST))

    def exponential(self, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Numbers that decay exponentially from 0, with mean ``scale``."""
        return asarray(scale * self.standard_exponential(_size(size, scale)))

    def gumbel(self, loc: TensorLike = 0.0, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Gumbel's extreme values with their peak at ``loc``."""
        return asarray(loc - scale * log(-log(self._unit(size, loc, scale))))

    def logistic(self, loc: TensorLike = 0.0, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Logistic numbers with mean ``loc``."""
        u = self._unit(size, loc, scale)
        return asarray(loc + scale * (log(u) - log1p(-u)))

    def laplace(self, loc: TensorLike = 0.0, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Numbers that decay exponentially to both sides of ``loc``."""
        u = self._unit(size, loc, scale)
        return asarray(loc + scale * where(u < 0.5, log(2 * u), -log(2 - 2 * u)))

    def lognormal(self, mean: TensorLike = 0.0, sigma: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Numbers whose logarithms are normal, with this mean and standard deviation."""
        return exp(self.normal(mean, sigma, size))

    def rayleigh(self, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """The lengths of vectors of two normal numbers with standard deviation ``scale``."""
        return asarray(scale * sqrt(-2 * log(self._unit(size, scale))))

    def weibull(self, a: TensorLike, size: Size = None) -> Tensor:
        """Weibull's distribution with shape ``a`` and scale 1."""
        return asarray((-log(self._unit(size, a))) ** (1 / asarray(a)))

    def pareto(self, a: TensorLike, size: Size = None) -> Tensor:
        """Pareto's second distribution (Lomax's) with shape ``a``, from 0."""
        return expm1(-log(self._unit(size, a)) / a)

    def power(self, a: TensorLike, size: Size = None) -> Tensor:
        """Numbers in [0, 1] with density ``a * x**(a - 1)``."""
        return asarray(self._unit(size, a) ** (1 / asarray(a)))

    def standard_cauchy(self, size: Size = None) -> Tensor:
        """Cauchy's distribution about 0."""
        return tan(np.pi * (self._unit(size) - 0.5))

    def triangular(self, left: TensorLike, mode: TensorLike, right: TensorLike, size: Size = None) -> Tensor:
        """Numbers from ``left`` to ``right`` whose density rises to ``mode`` and falls from it."""
        u, width = self._unit(size, left, mode, right), asarray(right) - left
        up, down = (
            left + sqrt(u * width * (asarray(mode) - left)),
            right - sqrt((1 - u) * width * (asarray(right) - mode)),
        )
        return where(u * width < asarray(mode) - left, up, down)

    def multivariate_normal(self, mean: TensorLike, cov: TensorLike, size: Size = None) -> Tensor:
        """Vectors of normal numbers with this mean (n,) and covariance (n, n), positive definite; by Cholesky."""
        center, count = asarray(mean), () if size is None else np.empty(size, bool).shape
        numbers = self.standard_normal((*count, center.shape[-1]))
        return center + matmul(numbers, cholesky(asarray(cov)).T)

    def choice(
        self, a: Any, size: Size = None, replace: bool = True, p: TensorLike | None = None, axis: int = 0
    ) -> Tensor:
        """Elements of ``a`` along ``axis``, or numbers below it, each as likely or with probabilities ``p``.

        Raises ArgumentError for ``p`` that is none, if it is on the CPU, ShapeError unless there is one for each.
        """
        given = None if _is_number(a) else asarray(a)
        count = a.__index__() if given is None else given.shape[axis]
        shape = () if size is None else np.empty(size, bool).shape
        if not replace and math.prod(shape) > count:
            raise ArgumentError(f"choice: {math.prod(shape)} of {count} elements without replacement")
        shares = None if p is None else _shares(p, count, 0 if replace else math.prod(shape))
        if shares is not None and not replace:
            waiting = self.standard_exponential(count) / where(shares > 0, shares, 1.0)  # who comes first, is next
            places = where(shares > 0, waiting, np.inf).argsort()[: math.prod(shape)].reshape(shape)
        elif shares is not None:
            limits = cumsum(shares)
            places = searchsorted(limits / limits[-1], self.random(shape), side="right")
        elif replace:
            places = self.integers(count, size=shape)
        else:
            places = self.permutation(count)[: math.prod(shape)].reshape(shape)
        return places if given is None else take(given, places, axis)

    def shuffle(self, x: Tensor, axis: int = 0) -> None:
        """Bring what lies along ``axis`` into random order, in place."""
        x[...] = self.permutation(x, axis)

    def integers(self, low: SupportsIndex, high: SupportsIndex | None = None, size: Size = None) -> Tensor:
        """Whole numbers, int64, from ``low`` to below ``high``; with one argument, from 0 to below it."""
        first, last = (0, low) if high is None else (low, high)
        return ours.randint(first, last, () if size is None else size, device=self._device, generator=self._numbers)

    def permutation(self, x: Any, axis: int = 0) -> Tensor:
        """The numbers below ``x`` in random order, or ``x`` with what lies along ``axis`` in random order."""
        if _is_number(x):
            return ours.permutation(x, device=self._device, generator=self._numbers)
        given = asarray(x)
        order = ours.permutation(given.shape[axis], device=self._device, generator=self._numbers)
        return take(given, order, axis)


def _is_number(x: Any) -> bool:
    """Whether ``x`` is how many there are, and not what there is; arrays of any shape have ``__index__``."""
    return isinstance(x, SupportsIndex) and not isinstance(x, Tensor | np.ndarray)


def _shares(p: TensorLike, count: int, apart: int) -> Tensor:
    """``p`` as probabilities of ``count`` things, of which ``apart`` different ones are to be drawn."""
    shares = asarray(p).detach()
    if shares.shape != (count,):
        raise ShapeError(f"choice: p is {shares.shape}; there must be a probability for each of {count}")
    known = shares.data
    if isinstance(known, np.ndarray):  # on a GPU looking would be a wait
        if not ((known >= 0).all() and abs(known.sum() - 1) <= math.sqrt(np.finfo(np.result_type(known, 0.0)).eps)):
            raise ArgumentError(f"choice: probabilities are not negative and sum to 1; p is {known.tolist()}")
        if np.count_nonzero(known) < apart:
            raise ArgumentError(
                f"choice: {apart} without replacement, and {np.count_nonzero(known)} have a probability above 0"
            )
    return shares


def _size(size: Size, *parameters: TensorLike) -> Size:
    """The size asked for, or what the parameters broadcast to."""
    return np.broadcast_shapes(*map(shape, parameters)) if size is None else size


def default_rng(seed: SupportsIndex | None = None) -> Generator:
    """A Generator of its own, the same numbers for the same ``seed``."""
    return Generator(seed)


_common = Generator(0)
_common._numbers = None  # the default generator's
globals().update({name: getattr(_common, name) for name in DRAWN})
random_sample = _common.random


def rand(*sizes: SupportsIndex) -> Tensor:
    """Numbers evenly spread over [0, 1), of this shape."""
    return _common.random(sizes)


def randn(*sizes: SupportsIndex) -> Tensor:
    """Normal numbers with mean 0 and standard deviation 1, of this shape."""
    return _common.standard_normal(sizes)


def randint(low: SupportsIndex, high: SupportsIndex | None = None, size: Size = None, dtype: DTypeLike = int) -> Tensor:
    """Whole numbers from ``low`` to below ``high``; with one argument, from 0 to below it."""
    return _common.integers(low, high, size).astype(dtype)
