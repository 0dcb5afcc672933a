"""Embedding: a table of vectors, looked up by number."""

from __future__ import annotations

from typing import Any, Self

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ShapeError
from gradflow.mode import no_grad
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops import bags
from gradflow.ops.create import asarray, zeros
from gradflow.tensor import Tensor, TensorLike


class _Table(Module):
    """``weight``, (num_embeddings, embedding_dim), which begins normal with mean 0 and std 1."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = bags.padding_row(type(self).__name__, padding_idx, num_embeddings)
        self.weight = Parameter(zeros((num_embeddings, embedding_dim), dtype=dtype, device=device))
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: TensorLike, freeze: bool = True, **settings: Any) -> Self:
        """A layer with ``embeddings`` (num_embeddings, embedding_dim) as weight, which is not trained if ``freeze``."""
        table = asarray(embeddings)
        if table.ndim != 2:
            raise ShapeError(f"{cls.__name__}: embeddings are (num_embeddings, embedding_dim), got {table.shape}")
        made = cls(*table.shape, device=table.device, dtype=table.dtype, **settings)
        made.weight = Parameter(table.detach(), requires_grad=not freeze)
        return made

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Embedding(_Table):
    """A vector for each number: integers of shape (...) -> (..., embedding_dim).

    ``weight`` is (num_embeddings, embedding_dim), and begins normal with mean 0 and std 1, as in PyTorch. The row
    ``padding_idx`` begins as 0 and is not trained. Raises IndexOutOfRange for a number that is negative or not below
    ``num_embeddings``, DTypeError for one not an integer.

    >>> import gradflow as gf
    >>> gf.nn.Embedding(10, 3)(gf.tensor([[1, 2], [2, 9]])).shape
    (2, 2, 3)
    """

    def forward(self, indices: TensorLike) -> Tensor:
        return bags.embedding(indices, self.weight, self.padding_idx)


class EmbeddingBag(_Table):
    """``embedding_bag``, the "sum", "mean" or "max" of the vectors of a bag of numbers, as a layer: (bags, D).

    Called with (bags, L), or with (n,) and the ``offsets`` where bags begin. ``weight`` is as in ``Embedding``;
    ``padding_idx`` is left out of bags. Raises ArgumentError, ShapeError and IndexOutOfRange.

    >>> import gradflow as gf
    >>> gf.nn.EmbeddingBag(10, 3, mode="sum")(gf.tensor([1, 2, 2, 9]), gf.tensor([0, 3])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, device=device, dtype=dtype)
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(self, input: TensorLike, offsets: TensorLike = None, per_sample_weights: TensorLike = None) -> Tensor:
        return bags.embedding_bag(
            input,
            self.weight,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )
