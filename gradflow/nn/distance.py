"""How far vectors are apart, as layers of two inputs."""

from __future__ import annotations

from gradflow.nn.module import Module
from gradflow.ops.distance import cosine_similarity, pairwise_distance
from gradflow.tensor import Tensor


class PairwiseDistance(Module):
    """``pairwise_distance``, the p-norm of the difference of vectors, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.PairwiseDistance(eps=0.0)(gf.tensor([[3.0, 4.0]]), gf.zeros((1, 2)))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.how = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return pairwise_distance(x1, x2, *self.how)


class CosineSimilarity(Module):
    """``cosine_similarity``, the cosine of the angle between vectors along ``axis``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.CosineSimilarity()(gf.tensor([[1.0, 0.0]]), gf.tensor([[0.0, 2.0]]))
    tensor([0.])
    """

    def __init__(self, axis: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.axis = axis
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return cosine_similarity(x1, x2, self.axis, self.eps)
