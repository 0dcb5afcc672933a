"""How parameters begin: values written in place, on every device the same for a ``gf.manual_seed``."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from gradflow import dtypes
from gradflow.errors import ArgumentError, ShapeError
from gradflow.mode import no_grad
from gradflow.ops import random
from gradflow.ops.generator import Generator
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike, tensor


def constant_(x: Tensor, val: float) -> Tensor:
    """Write ``val`` into every element of ``x``, and return ``x``.

    >>> import gradflow as gf
    >>> constant_(gf.zeros(2), 0.5)
    tensor([0.5, 0.5])
    """
    return _write(x, val)


def zeros_(x: Tensor) -> Tensor:
    """Write 0 into every element of ``x``, and return ``x``."""
    return _write(x, 0)


def ones_(x: Tensor) -> Tensor:
    """Write 1 into every element of ``x``, and return ``x``."""
    return _write(x, 1)


def eye_(x: Tensor) -> Tensor:
    """Write the identity into the matrix ``x``, and return ``x``; ShapeError if it is no matrix.

    >>> import gradflow as gf
    >>> eye_(gf.ones((2, 3)))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if x.ndim != 2:
        raise ShapeError(f"eye_: the identity is a matrix, and the tensor is {x.shape}")
    return _write(x, np.eye(x.shape[0], x.shape[1]))


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers uniform between ``a`` and ``b`` into ``x``, and return ``x``.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> uniform_(gf.zeros(2), -1, 1)
    tensor([-0.20190716,  0.76104033])
    """
    return _write(x, random.uniform(x.shape, a, b, dtype=x.dtype, device=x.device, generator=generator))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write normally distributed numbers into ``x``, and return ``x``.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> normal_(gf.zeros(2), std=0.01)
    tensor([-0.00255816,  0.01177591])
    """
    return _write(x, random.normal(x.shape, mean, std, dtype=x.dtype, device=x.device, generator=generator))


def trunc_normal_(
    x: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Write numbers of the normal distribution between ``a`` and ``b`` into ``x``, and return ``x``.

    The bounds are values, not multiples of ``std``. Raises ArgumentError unless ``std > 0`` and ``a < b``, or
    if the distribution has nothing between them. Method: the quantiles of uniform numbers.

    >>> import gradflow as gf
    >>> x = trunc_normal_(gf.zeros(1000), std=0.02, a=-0.03, b=0.03)
    >>> float(abs(x.numpy()).max()) <= 0.03
    True
    """
    if not (std > 0 and a < b):
        raise ArgumentError(f"trunc_normal_: std is {std}, a {a} and b {b}; needs std > 0 and a < b")
    normal = NormalDist(mean, std)
    low, high = normal.cdf(a), normal.cdf(b)
    if low == high:
        raise ArgumentError(f"trunc_normal_: a normal of mean {mean} and std {std} has nothing in [{a}, {b}]")
    chosen = random.uniform(x.shape, low, high, dtype=dtypes.float64, device=x.device, generator=generator)
    within = np.clip(chosen.cpu().numpy(), 2.0**-1022, 1 - 2.0**-53)  # the quantiles of 0 and 1 are infinite
    return _write(x, np.clip(np.vectorize(normal.inv_cdf, otypes=[np.float64])(within), a, b))


def orthogonal_(x: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write a random orthogonal matrix, times ``gain``, into ``x``, and return ``x``.

    The first dimension counts rows, all others together columns; the rows are orthonormal, or the columns if
    there are more rows. Raises ShapeError below two dimensions. Source: Saxe, McClelland & Ganguli, ICLR
    2014. Method: the QR decomposition of a normal matrix, with signs fixed so that every orthogonal matrix is
    equally likely (Mezzadri, Notices of the AMS 54, 2007).

    >>> import gradflow as gf
    >>> x = orthogonal_(gf.zeros((2, 3)))
    >>> np.allclose((x @ x.T).numpy(), np.eye(2), atol=1e-6)
    True
    """
    _check_rank("orthogonal_", x.shape)
    drawn = random.normal(x.shape, dtype=dtypes.float64, device=x.device, generator=generator)
    matrix = drawn.cpu().numpy().reshape(x.shape[0], math.prod(x.shape[1:]))
    wide = matrix.shape[0] < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _write(x, gain * (q.T if wide else q).reshape(x.shape))


def xavier_uniform_(x: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers uniform within gain * sqrt(6 / (fan_in + fan_out)) into ``x``, and return ``x``.

    Raises ShapeError below two dimensions. Source: Glorot & Bengio, AISTATS 2010.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> xavier_uniform_(gf.zeros((1, 2)))
    tensor([[-0.28554,  1.07627 ]])
    """
    bound = gain * math.sqrt(6 / max(sum(_fans("xavier_uniform_", x.shape)), 1))
    return uniform_(x, -bound, bound, generator=generator)


def xavier_normal_(x: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write normal numbers of std gain * sqrt(2 / (fan_in + fan_out)) into ``x``, and return ``x``.

    Raises ShapeError below two dimensions. Source: Glorot & Bengio, AISTATS 2010.
    """
    std = gain * math.sqrt(2 / max(sum(_fans("xavier_normal_", x.shape)), 1))
    return normal_(x, 0.0, std, generator=generator)


def kaiming_uniform_(
    x: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Write numbers uniform within gain * sqrt(3 / fan) into ``x``, and return ``x``.

    ``fan`` is ``mode``, "fan_in" or "fan_out"; the gain is ``calculate_gain(nonlinearity, a)``. Raises
    ShapeError below two dimensions, ArgumentError for other names. Source: He, Zhang, Ren & Sun, ICCV 2015.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> kaiming_uniform_(gf.zeros((1, 2)), nonlinearity="relu")
    tensor([[-0.34971,  1.31816 ]])
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", x.shape, a, mode, nonlinearity)
    return uniform_(x, -bound, bound, generator=generator)


def kaiming_normal_(
    x: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Write normal numbers of std gain / sqrt(fan) into ``x``, and return ``x``.

    ``fan`` is ``mode``, "fan_in" or "fan_out"; the gain is ``calculate_gain(nonlinearity, a)``. With
    ``nonlinearity="linear"`` this is LeCun's initialisation, which self-normalising networks (SELU) need.
    Raises ShapeError below two dimensions, ArgumentError for other names. Source: He, Zhang, Ren & Sun, ICCV
    2015.
    """
    return normal_(x, 0.0, _kaiming_std("kaiming_normal_", x.shape, a, mode, nonlinearity), generator=generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What weights are multiplied with to keep the size of signals through ``nonlinearity``, as in PyTorch.

    ``param`` is the negative slope of "leaky_relu", 0.01 if left out. Raises ArgumentError for other names.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    if nonlinearity not in gains:
        known = ", ".join([*gains, "leaky_relu"])
        raise ArgumentError(f"calculate_gain: {nonlinearity!r} is not a nonlinearity known here: {known}")
    return gains[nonlinearity]


def _write(x: Tensor, values: TensorLike) -> Tensor:
    with no_grad():
        return x.copy_(tensor(values, x.dtype, x.device))


def _check_rank(name: str, shape: Shape) -> None:
    if len(shape) < 2:
        raise ShapeError(f"{name}: needs a weight of at least 2 dimensions, (outputs, inputs, ...), got {shape}")


def _fans(name: str, shape: Shape) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input."""
    _check_rank(name, shape)
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _kaiming_std(name: str, shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    fans = dict(zip(("fan_in", "fan_out"), _fans(name, shape), strict=True))
    if mode not in fans:
        raise ArgumentError(f"{name}: mode is {mode!r}; use 'fan_in' or 'fan_out'")
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fans[mode], 1))
