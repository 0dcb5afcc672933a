"""Embedding: a table of vectors, looked up by number."""

from __future__ import annotations

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.create import zeros
from gradflow.ops.lookup import embedding
from gradflow.tensor import Tensor, TensorLike


class Embedding(Module):
    """A vector for each number: integers of shape (...) -> (..., embedding_dim).

    ``weight`` is (num_embeddings, embedding_dim), and begins normal with mean 0 and std 1, as in PyTorch. Raises
    IndexOutOfRange for a number that is negative or not below ``num_embeddings``, DTypeError for one not an integer.

    >>> import gradflow as gf
    >>> gf.nn.Embedding(10, 3)(gf.tensor([[1, 2], [2, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.weight = Parameter(zeros((num_embeddings, embedding_dim), dtype=dtype, device=device))
        init.normal_(self.weight)

    def forward(self, indices: TensorLike) -> Tensor:
        return embedding(self.weight, indices)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
