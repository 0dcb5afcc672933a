"""A Parameter: a tensor that a module trains."""

from __future__ import annotations

from gradflow.tensor import Tensor, TensorLike, check_differentiable, copied, tensor


class Parameter(Tensor):
    """A tensor that requires grad, and that a module finds when it is assigned to one of its attributes.

    ``data`` is what ``gf.tensor`` takes; it is copied, because training writes into a parameter. An optimizer
    moves the elements into memory of its own, so that ``.data`` is another array afterwards: keep the
    parameter, not its array. Raises DTypeError for data that is not floating, unless ``requires_grad`` is
    False.

    >>> Parameter([1.0, 2.0])
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: TensorLike, requires_grad: bool = True) -> None:
        given = tensor(data)
        if requires_grad:
            check_differentiable(given.dtype)
        super().__init__(copied(given.data), requires_grad)
