"""Functions become Tensor methods and operators, here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradflow import tape
from gradflow.ops import activation, arithmetic, cast, elementwise, linalg, reduce, shape, update
from gradflow.tensor import Tensor, TensorLike


class Methods:
    """What a Tensor can do. A type checker sees it as a base of Tensor; at run time the loop below puts it there."""

    backward = tape.backward

    __add__ = arithmetic.add
    __sub__ = arithmetic.subtract
    __mul__ = arithmetic.multiply
    __truediv__ = arithmetic.divide
    __floordiv__ = arithmetic.floor_divide
    __mod__ = arithmetic.remainder
    __pow__ = arithmetic.power
    __matmul__ = linalg.matmul
    __neg__ = arithmetic.negative
    __lt__ = arithmetic.less
    __le__ = arithmetic.less_equal
    __gt__ = arithmetic.greater
    __ge__ = arithmetic.greater_equal
    __eq__ = arithmetic.equal  # type: ignore[assignment]
    __ne__ = arithmetic.not_equal  # type: ignore[assignment]

    def __radd__(self, other: TensorLike) -> Tensor:
        return arithmetic.add(other, self)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return arithmetic.subtract(other, self)

    def __rmul__(self, other: TensorLike) -> Tensor:
        return arithmetic.multiply(other, self)

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return arithmetic.divide(other, self)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __rmod__(self, other: TensorLike) -> Tensor:
        return arithmetic.remainder(other, self)

    def __rpow__(self, other: TensorLike) -> Tensor:
        return arithmetic.power(other, self)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return linalg.matmul(other, self)

    astype = cast.astype
    copy_ = update.copy_
    add_ = update.add_
    exp = elementwise.exp
    log = elementwise.log
    sigmoid = activation.sigmoid
    relu = activation.relu
    matmul = linalg.matmul
    sum = reduce.sum
    sum_to = reduce.sum_to
    mean = reduce.mean
    broadcast_to = shape.broadcast_to

    if not TYPE_CHECKING:
        __hash__ = object.__hash__

    def reshape(self, *sizes: Any) -> Tensor:
        """The elements, in order, in another shape, given as a tuple or as sizes."""
        return shape.reshape(self, sizes[0] if len(sizes) == 1 else sizes)

    def transpose(self, *axes: Any) -> Tensor:
        """The dimensions reversed, or in the order of ``axes``, given as a tuple or one by one."""
        return shape.transpose(
            self, (axes[0] if isinstance(axes[0], (tuple, list)) else axes) if axes else None
        )

    @property
    def T(self) -> Tensor:
        """The transpose: dimensions reversed."""
        return shape.transpose(self)


for _name, _value in vars(Methods).items():
    if callable(_value) or isinstance(_value, property):
        setattr(Tensor, _name, _value)
