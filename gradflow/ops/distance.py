"""How far vectors are apart, and losses that ask for some to be near and others far."""

from __future__ import annotations

from collections.abc import Callable
from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import maximum, minimum, where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import sqrt
from gradflow.ops.loss import check_same, reduce_losses
from gradflow.ops.norm import norm
from gradflow.ops.rectifier import relu
from gradflow.ops.reduce import sum
from gradflow.tensor import Tensor, TensorLike

SMALL = 1e-12  # added to squares in cosine_embedding_loss, as in PyTorch


def pairwise_distance(
    x1: TensorLike, x2: TensorLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` over the last dimension: (..., D) and (..., D) -> (...).

    >>> import gradflow.nn.functional as F
    >>> F.pairwise_distance([[3.0, 4.0]], [[0.0, 0.0]], eps=0.0)
    tensor([5.])
    """
    return norm(asarray(x1) - asarray(x2) + eps, p, -1, keepdims=keepdim)


def cosine_similarity(x1: TensorLike, x2: TensorLike, axis: SupportsIndex = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``axis``; norms below ``eps`` count as that.

    >>> import gradflow.nn.functional as F
    >>> F.cosine_similarity([[1.0, 0.0]], [[2.0, 2.0]])
    tensor([0.70710677])
    """
    a, b = asarray(x1), asarray(x2)
    lengths = [maximum(norm(x, 2, axis, keepdims=True), eps) for x in (a, b)]
    return sum((a / lengths[0]) * (b / lengths[1]), axis)


def cosine_embedding_loss(
    input1: TensorLike, input2: TensorLike, target: TensorLike, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos for pairs with ``target`` 1, max(0, cos - margin) for those with -1: (N, D), (N, D), (N,), or without N.

    Raises ShapeError for other shapes, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.cosine_embedding_loss([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [1, -1], reduction="none")
    tensor([1., 1.])
    """
    a, b, t = asarray(input1), asarray(input2), asarray(target)
    if a.shape != b.shape or a.ndim not in (1, 2) or t.shape != a.shape[:-1]:
        raise ShapeError(
            f"cosine_embedding_loss: the inputs are {a.shape} and {b.shape}, the target {t.shape}; they must be "
            "(N, D), (N, D) and (N,), or (D,), (D,) and ()"
        )
    cos = sum(a * b, -1) / sqrt((sum(a * a, -1) + SMALL) * (sum(b * b, -1) + SMALL))
    far = where(t == -1, relu(cos - margin), 0.0)
    return reduce_losses("cosine_embedding_loss", where(t == 1, 1 - cos, far), reduction)


def triplet_margin_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with d the ``pairwise_distance``: (N, D) each.

    With ``swap`` the negative's distance to the positive counts where it is the smaller one.
    Raises ShapeError unless the shapes are equal, ArgumentError for a margin that is not positive.
    Source: Balntas et al., "Learning local feature descriptors with triplets", BMVC 2016.

    >>> import gradflow.nn.functional as F
    >>> F.triplet_margin_loss([[0.0]], [[1.0]], [[1.5]], eps=0.0)
    tensor(0.5)
    """

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``triplet_margin_loss`` with a distance of one's own, by default ``pairwise_distance``.

    >>> import gradflow.nn.functional as F
    >>> far = lambda a, b: 3 * abs(a - b).sum(-1)
    >>> F.triplet_margin_with_distance_loss([[0.0]], [[1.0]], [[1.25]], distance_function=far)
    tensor(0.25)
    """
    distance = distance_function or pairwise_distance
    name = "triplet_margin_with_distance_loss"
    return _triplet(name, anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    name: str,
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if not margin > 0:
        raise ArgumentError(f"{name}: margin must be positive, got {margin}")
    a, near, far = (asarray(x) for x in (anchor, positive, negative))
    check_same(name, anchor=a, positive=near, negative=far)
    apart = distance(a, far)
    if swap:
        apart = minimum(apart, distance(near, far))
    return reduce_losses(name, relu(distance(a, near) - apart + margin), reduction)
