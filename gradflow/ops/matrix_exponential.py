"""The exponential of a matrix, and powers of it."""

from __future__ import annotations

from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.create import asarray, zeros_like
from gradflow.ops.join import concat
from gradflow.ops.matrix import EMPTY, GENERAL, GENERALS, adjoint, by_lapack, check_matrix, multiplied, square
from gradflow.ops.precision import float_dtype
from gradflow.ops.ranges import eye
from gradflow.ops.shape import broadcast_to
from gradflow.ops.slicing import integer
from gradflow.ops.solve import inv
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike

# The Pade approximation of degree 13, and up to which norm it is exact to double precision
PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
REACH = 5.371920351148152


def expm(x: TensorLike) -> Tensor:
    """The exponential ``I + x + x @ x / 2 + ...`` of the square matrices (..., n, n) in ``x``.

    By scaling, a Pade approximation and squaring: Higham, "The scaling and squaring method for the matrix exponential
    revisited" (2005). The gradient is the exponential of a block matrix (Van Loan 1978), and so are those of higher
    order. Raises ShapeError unless the matrices are square.

    >>> import gradflow as gf
    >>> gf.linalg.expm(gf.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return apply(_expm, x)


@by_lapack("expm", "the approximation has a singular denominator")
def _expm_forward(xp: Any, x: Any) -> Any:
    if not x.size:
        return xp.zeros(x.shape, x.dtype)
    size = xp.absolute(x).sum(axis=-2).max(axis=-1)[..., None, None]
    halvings = xp.ceil(xp.log2(xp.maximum(size / REACH, 1)))
    halvings = xp.where(xp.isfinite(halvings), halvings, 0)  # what is not finite stays so
    result = _pade(xp, (x * xp.exp2(-halvings)).astype(x.dtype))
    for done in range(int(halvings.max())):
        result = xp.where(halvings > done, xp.matmul(result, result), result)
    return result


def _pade(xp: Any, x: Any) -> Any:
    b = [coefficient / PADE[0] for coefficient in PADE]
    one = xp.eye(x.shape[-1], dtype=x.dtype)
    x2 = xp.matmul(x, x)
    x4 = xp.matmul(x2, x2)
    x6 = xp.matmul(x2, x4)
    odd = xp.matmul(x6, b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * one
    even = xp.matmul(x6, b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * one
    odd = xp.matmul(x, odd)
    return xp.linalg.solve(even - odd, even + odd)


def _moved(x: Tensor, change: Tensor) -> Tensor:
    """How the exponential of ``x`` moves with a small ``change``."""
    size = x.shape[-1]
    above = concat([x, change], axis=-1)
    below = concat([zeros_like(x.detach()), x], axis=-1)
    return apply(_expm, concat([above, below], axis=-2))[..., :size, size:]


_expm: Op = Op(
    name="expm",
    forward=_expm_forward,
    spec=square("expm"),
    vjp=(lambda g, x: _moved(adjoint(x), g),),
    jvp=lambda tangents, inputs, out: _moved(inputs[0], tangents[0]),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(EMPTY), sample(Given([[3.0, 9.0], [-8.0, -2.0]]))),
)


def matrix_power(x: TensorLike, n: SupportsIndex) -> Tensor:
    """``n`` factors ``x`` (..., m, m) multiplied as matrices, by squaring; of a negative ``n`` those of the inverse.

    Raises ShapeError unless the matrices are square, LinAlgError for a negative power of a singular one.

    >>> import gradflow as gf
    >>> gf.linalg.matrix_power(gf.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    base = asarray(x)
    check_matrix("matrix_power", base.spec, square=True)
    left = integer("matrix_power", "n", n)
    if left < 0:
        base, left = inv(base), -left
    if not left:
        dtype = base.dtype if base.dtype.kind != "b" else float_dtype(base.dtype)
        return broadcast_to(eye(base.shape[-1], dtype=dtype, device=base.device), base.shape)
    result = None
    while True:
        if left & 1:
            result = base if result is None else multiplied(result, base)
        left >>= 1
        if result is not None and not left:
            return result
        base = multiplied(base, base)
