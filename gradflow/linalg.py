"""Linear algebra with NumPy's and the array API's names: matrices are in the last two dimensions."""

from __future__ import annotations

from gradflow.errors import LinAlgError
from gradflow.ops.contract import outer, tensordot, vecdot
from gradflow.ops.determinant import SlogdetResult, det, slogdet
from gradflow.ops.diagonal import diagonal as _diagonal
from gradflow.ops.eig import EigResult, eig, eigvals
from gradflow.ops.eigen import EighResult, eigh, eigvalsh
from gradflow.ops.linalg import matmul
from gradflow.ops.matrix_exponential import expm, matrix_power
from gradflow.ops.matrix_norm import cond, matrix_norm, norm, vector_norm
from gradflow.ops.matrix_product import cross, kron, matrix_transpose, multi_dot, trace
from gradflow.ops.orthogonal import QRResult, SVDResult, qr, svd, svdvals
from gradflow.ops.pseudoinverse import LstsqResult, lstsq, matrix_rank, pinv
from gradflow.ops.solve import inv, solve
from gradflow.ops.triangular import cholesky, solve_triangular
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "kron",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def diagonal(x: TensorLike, *, offset: int = 0) -> Tensor:
    """The ``offset``-th diagonal of the matrices in the last two dimensions; a copy.

    >>> import gradflow as gf
    >>> gf.linalg.diagonal(gf.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return _diagonal(x, offset, -2, -1)
