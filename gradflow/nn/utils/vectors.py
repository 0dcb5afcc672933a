"""All parameters of a model as one vector, for optimizers of vectors, and back."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.errors import ShapeError
from gradflow.mode import no_grad
from gradflow.ops.create import asarray
from gradflow.ops.join import concat
from gradflow.ops.shape import ravel, reshape
from gradflow.tensor import Tensor, TensorLike


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all ``parameters``, one after the other.

    >>> from gradflow import nn
    >>> nn.utils.parameters_to_vector(nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return concat([ravel(each) for each in parameters])


def vector_to_parameters(vec: TensorLike, parameters: Iterable[Tensor]) -> None:
    """Write the elements of ``vec`` into ``parameters``, in their order. Raises ShapeError unless all fit.

    >>> from gradflow import nn
    >>> layer = nn.Linear(1, 1)
    >>> nn.utils.vector_to_parameters([2.0, 3.0], layer.parameters())
    >>> layer.weight.item(), layer.bias.item()
    (2.0, 3.0)
    """
    given, into = asarray(vec), list(parameters)
    total = sum(each.size for each in into)
    if given.shape != (total,):
        raise ShapeError(f"vector_to_parameters: vec is {given.shape}; the parameters have {total} elements")
    start = 0
    with no_grad():
        for each in into:
            each.copy_(reshape(given[start : start + each.size], each.shape))
            start += each.size
