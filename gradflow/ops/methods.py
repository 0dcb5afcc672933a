"""Functions become Tensor methods and operators, here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex

from gradflow import tape
from gradflow.device import device as as_device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError
from gradflow.ops import (
    activation,
    arithmetic,
    cast,
    comparison,
    conjugate,
    contract,
    create,
    diagonal,
    elementwise,
    erf,
    extremum,
    floor_division,
    index,
    linalg,
    logic,
    lookup,
    norm,
    product,
    rearrange,
    rectifier,
    reduce,
    rounding,
    scan,
    shape,
    softmax,
    statistics,
    transfer,
    trigonometric,
    write,
)
from gradflow.tensor import Tensor, TensorLike

# written out, since mypy infers no types for lambdas in a module that it checks before this one
Unary = Callable[[Any], Tensor]
Binary = Callable[[Any, TensorLike], Tensor]


def _later(module: str, name: str) -> Callable[..., Any]:
    """The function ``name`` of ``gradflow.ops.<module>`` as a method, imported when it is called."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(f"gradflow.ops.{module}"), name)(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"See ``gf.{name}``."
    return method


class Methods:
    """What a Tensor can do. A type checker sees it as a base of Tensor; at run time the loop below puts it there."""

    backward = tape.backward

    __add__: ClassVar[Binary] = arithmetic.add
    __sub__: ClassVar[Binary] = arithmetic.subtract
    __mul__: ClassVar[Binary] = arithmetic.multiply
    __truediv__: ClassVar[Binary] = arithmetic.divide
    __floordiv__: ClassVar[Binary] = floor_division.floor_divide
    __mod__: ClassVar[Binary] = floor_division.remainder
    __pow__: ClassVar[Binary] = arithmetic.power
    __matmul__: ClassVar[Binary] = linalg.matmul
    __neg__: ClassVar[Unary] = arithmetic.negative
    __abs__: ClassVar[Unary] = elementwise.abs
    __invert__: ClassVar[Unary] = logic.bitwise_invert
    __and__: ClassVar[Binary] = logic.bitwise_and
    __or__: ClassVar[Binary] = logic.bitwise_or
    __xor__: ClassVar[Binary] = logic.bitwise_xor
    __lshift__: ClassVar[Binary] = logic.bitwise_left_shift
    __rshift__: ClassVar[Binary] = logic.bitwise_right_shift
    __lt__: ClassVar[Binary] = comparison.less
    __le__: ClassVar[Binary] = comparison.less_equal
    __gt__: ClassVar[Binary] = comparison.greater
    __ge__: ClassVar[Binary] = comparison.greater_equal
    __eq__: ClassVar[Binary] = comparison.equal  # type: ignore[assignment]
    __ne__: ClassVar[Binary] = comparison.not_equal  # type: ignore[assignment]

    def __radd__(self, other: TensorLike) -> Tensor:
        return arithmetic.add(other, self)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return arithmetic.subtract(other, self)

    def __rmul__(self, other: TensorLike) -> Tensor:
        return arithmetic.multiply(other, self)

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return arithmetic.divide(other, self)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return floor_division.floor_divide(other, self)

    def __rmod__(self, other: TensorLike) -> Tensor:
        return floor_division.remainder(other, self)

    def __rpow__(self, other: TensorLike) -> Tensor:
        return arithmetic.power(other, self)

    def __divmod__(self, other: TensorLike) -> tuple[Tensor, Tensor]:
        return floor_division.floor_divide(self, other), floor_division.remainder(self, other)

    def __rdivmod__(self, other: TensorLike) -> tuple[Tensor, Tensor]:
        return floor_division.floor_divide(other, self), floor_division.remainder(other, self)

    def __rand__(self, other: TensorLike) -> Tensor:
        return logic.bitwise_and(other, self)

    def __ror__(self, other: TensorLike) -> Tensor:
        return logic.bitwise_or(other, self)

    def __rxor__(self, other: TensorLike) -> Tensor:
        return logic.bitwise_xor(other, self)

    def __rlshift__(self, other: TensorLike) -> Tensor:
        return logic.bitwise_left_shift(other, self)

    def __rrshift__(self, other: TensorLike) -> Tensor:
        return logic.bitwise_right_shift(other, self)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return linalg.matmul(other, self)

    astype = cast.astype
    to = transfer.to
    cpu = transfer.cpu
    cuda = transfer.cuda
    copy_ = write.copy_
    add_ = write.add_
    multiply_ = write.multiply_
    exp = elementwise.exp
    expm1 = elementwise.expm1
    log = elementwise.log
    log1p = elementwise.log1p
    log2 = elementwise.log2
    log10 = elementwise.log10
    sqrt = elementwise.sqrt
    square = elementwise.square
    reciprocal = elementwise.reciprocal
    abs = elementwise.abs
    conj = conjugate.conj
    real = property(conjugate.real)
    imag = property(conjugate.imag)
    sign = elementwise.sign
    clip = elementwise.clip
    erf = erf.erf
    sin = trigonometric.sin
    cos = trigonometric.cos
    tan = trigonometric.tan
    arcsin = trigonometric.arcsin
    arccos = trigonometric.arccos
    arctan = trigonometric.arctan
    sinh = trigonometric.sinh
    cosh = trigonometric.cosh
    tanh = trigonometric.tanh
    floor = rounding.floor
    ceil = rounding.ceil
    round = rounding.round
    isnan = logic.isnan
    isinf = logic.isinf
    isfinite = logic.isfinite
    sigmoid = activation.sigmoid
    relu = rectifier.relu
    log_softmax = softmax.log_softmax
    logsumexp = softmax.logsumexp
    softmax = softmax.softmax
    matmul = linalg.matmul
    sum = reduce.sum
    sum_to = reduce.sum_to
    mean = reduce.mean
    all = reduce.all
    any = reduce.any
    count_nonzero = reduce.count_nonzero
    prod = product.prod
    max = extremum.max
    min = extremum.min
    argmax = extremum.argmax
    argmin = extremum.argmin
    var = statistics.var
    std = statistics.std
    norm = norm.norm
    cumsum = scan.cumsum
    broadcast_to = shape.broadcast_to
    __getitem__ = index.getitem
    __setitem__ = index.setitem
    at = property(index.At)
    take = lookup.take
    ravel = shape.ravel
    flatten = shape.flatten
    squeeze = shape.squeeze
    swapaxes = shape.swapaxes
    repeat = rearrange.repeat
    diagonal = diagonal.diagonal
    dot = contract.dot
    argpartition: ClassVar[Callable[..., Tensor]] = _later("order", "argpartition")
    choose: ClassVar[Callable[..., Tensor]] = _later("selection", "choose")
    searchsorted: ClassVar[Callable[..., Tensor]] = _later("order", "searchsorted")
    conjugate = conjugate.conj

    if not TYPE_CHECKING:
        __hash__ = object.__hash__

    def __pos__(self) -> Tensor:
        from gradflow.ops.sign_bit import positive

        return positive(self)

    def __contains__(self, value: TensorLike) -> bool:
        return bool(reduce.any(comparison.equal(self, value)))

    def __round__(self, digits: int = 0) -> Tensor:
        return rounding.round(self, digits)

    def copy(self, order: str = "C") -> Tensor:
        """A copy, through which the gradient flows; in C order, as all results."""
        return create.asarray(self, copy=True)

    def fill(self: Any, value: TensorLike) -> None:
        """Write ``value`` over every element, in place."""
        self[...] = value

    def compress(self, condition: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
        """The parts along ``axis`` (the elements, for None) for which ``condition``, a vector, is true."""
        from gradflow.ops.distinct import flatnonzero

        return lookup.take(self, flatnonzero(condition), axis)

    itemsize = property(lambda self: self.dtype.itemsize, doc="The bytes of one element.")
    nbytes = property(lambda self: self.size * self.dtype.itemsize, doc="The bytes of all elements.")

    def to_device(self: Any, device: Any, /, *, stream: None = None) -> Tensor:
        """``x`` on another device; itself if it is there. Named by the array API standard; work is in order anyway."""
        if stream is not None:
            raise ArgumentError("to_device: takes no stream; the work on a device is done in order")
        return transfer.to(self, as_device(device))

    def reshape(self, *sizes: Any) -> Tensor:
        """The elements, in order, in another shape, given as a tuple or as sizes."""
        return shape.reshape(self, sizes[0] if len(sizes) == 1 else sizes)

    def transpose(self, *axes: Any) -> Tensor:
        """The dimensions reversed, or in the order of ``axes``, given as a tuple or one by one."""
        return shape.transpose(self, (axes[0] if isinstance(axes[0], (tuple, list)) else axes) if axes else None)

    def argsort(self, axis: int | None = -1, kind: str = "stable", *, descending: bool = False) -> Tensor:
        """The indices, int64, of the elements along ``axis`` in ascending order, always stable: see ``gf.argsort``."""
        from gradflow.ops.order import argsort

        return argsort(self, axis, descending=descending)

    def cumprod(self, axis: int | None = None, *, dtype: DTypeLike = None) -> Tensor:
        """The products of the elements up to each one along ``axis``: see ``gf.cumprod``."""
        from gradflow.ops.recurrence import cumprod

        return cumprod(self, axis, dtype=dtype)

    def nonzero(self) -> tuple[Tensor, ...]:
        """The indices, int64, of the elements that are not 0, a vector for each dimension: see ``gf.nonzero``."""
        from gradflow.ops.distinct import nonzero

        return nonzero(self)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """The sum of the ``offset``-th diagonal of the matrices in two dimensions: see ``gf.trace``."""
        from gradflow.ops.vector_product import trace

        return trace(self, offset, axis1, axis2)

    @property
    def mT(self) -> Tensor:
        """The transpose of each matrix: the last two dimensions exchanged."""
        return shape.swapaxes(self, -1, -2)

    @property
    def T(self) -> Tensor:
        """The transpose: dimensions reversed."""
        return shape.transpose(self)


for _name, _value in vars(Methods).items():
    if callable(_value) or isinstance(_value, property):
        setattr(Tensor, _name, _value)
