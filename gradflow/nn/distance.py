"""How far vectors are apart, as layers of two inputs."""

from __future__ import annotations

from gradflow.nn.applied import Applied
from gradflow.ops.distance import cosine_similarity, pairwise_distance


class PairwiseDistance(Applied, of=pairwise_distance):
    """``pairwise_distance``, the p-norm of the difference of vectors, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.PairwiseDistance(eps=0.0)(gf.tensor([[3.0, 4.0]]), gf.zeros((1, 2)))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p=p, eps=eps, keepdim=keepdim)


class CosineSimilarity(Applied, of=cosine_similarity):
    """``cosine_similarity``, the cosine of the angle between vectors along ``axis``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.CosineSimilarity()(gf.tensor([[1.0, 0.0]]), gf.tensor([[0.0, 2.0]]))
    tensor([0.])
    """

    def __init__(self, axis: int = 1, eps: float = 1e-8) -> None:
        super().__init__(axis=axis, eps=eps)
