"""Random tensors, and dropout."""

from __future__ import annotations

import math
import operator
from typing import Any, SupportsIndex

from gradflow import dtypes
from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import ArgumentError, DeviceError, DTypeError
from gradflow.launch import LIMIT, THREADS, Launch, blocks_over, flat
from gradflow.op import Op, Spec
from gradflow.ops import philox, quantile
from gradflow.ops.create import ShapeLike
from gradflow.ops.generator import STATE, Generator, default_generator, draw
from gradflow.samples import SHAPES, Real, sample
from gradflow.shapes import Shape, as_shape
from gradflow.tensor import Tensor, TensorLike, tensor


def uniform(
    shape: ShapeLike = (),
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers uniform on [low, high), in the default dtype unless ``dtype`` says otherwise.

    Rounding can give ``high`` itself, as in NumPy, but not if ``low`` is 0 and ``high`` is 1. Raises
    ArgumentError unless ``low <= high``, DTypeError for a dtype that is not floating.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.uniform((2, 2), -1, 1)
    tensor([[-0.20190716,  0.76104033],
            [ 0.47142553,  0.2109636 ]])
    """
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    attrs = {"shape": as_shape("uniform", shape), "dtype": chosen, "low": float(low), "high": float(high)}
    out = draw(_uniform, _generator(generator, device), **attrs)
    return out.requires_grad_() if requires_grad else out


def normal(
    shape: ShapeLike = (),
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normally distributed numbers, in the default dtype unless ``dtype`` says otherwise.

    Raises ArgumentError for a negative ``std``, DTypeError for a dtype that is not floating. Method: the
    normal quantile (Wichura, Algorithm AS 241, Applied Statistics 37, 1988) of uniform numbers.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.normal((2, 2))
    tensor([[-0.25581595,  1.1775912 ],
            [ 0.63018364,  0.26756224]])
    """
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    attrs = {"shape": as_shape("normal", shape), "dtype": chosen, "mean": float(mean), "std": float(std)}
    out = draw(_normal, _generator(generator, device), **attrs)
    return out.requires_grad_() if requires_grad else out


def randint(
    low: SupportsIndex,
    high: SupportsIndex,
    shape: ShapeLike = (),
    *,
    device: str | Device | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Integers (int64) uniform on [low, high).

    Raises ArgumentError unless the interval has at least one integer and at most 2**32.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.randint(0, 10, 5)
    tensor([8, 6, 3, 0, 3])
    """
    attrs = {"low": operator.index(low), "high": operator.index(high), "shape": as_shape("randint", shape)}
    return draw(_randint, _generator(generator, device), **attrs)


def permutation(n: SupportsIndex, *, device: str | Device | None = None, generator: Generator | None = None) -> Tensor:
    """The integers 0 ... n - 1 (int64) in random order, all orders equally likely.

    Raises ArgumentError for a negative ``n``.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.permutation(5)
    tensor([3, 4, 2, 1, 0])
    """
    return draw(_permutation, _generator(generator, device), n=operator.index(n))


def dropout(x: TensorLike, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """``x`` with each element replaced by 0 with probability ``p``, and divided by ``1 - p`` otherwise.

    Which elements stay is not kept for the gradient but drawn again. Raises ArgumentError unless ``p`` is in
    [0, 1], DTypeError unless ``x`` is floating. Source: Srivastava et al., Dropout, JMLR 15, 2014.

    >>> import gradflow as gf
    >>> gf.manual_seed(0)
    >>> gf.random.dropout(gf.ones(8), p=0.5)
    tensor([0., 2., 2., 2., 2., 0., 2., 0.])
    """
    given = x if isinstance(x, Tensor) else tensor(x)
    return draw(_dropout, generator or default_generator(given.device), given, p=float(p))


def _generator(generator: Generator | None, device: str | Device | None) -> Generator:
    if generator is None:
        return default_generator(CPU if device is None else device)
    if device is not None and as_device(device) != generator.state.device:
        raise DeviceError(
            f"random: the result is to be on {as_device(device)}, and the generator is on "
            f"{generator.state.device}; leave out one of the two, or make a generator on that device"
        )
    return generator


# A state (2,) makes one draw; states (..., 2), which vmap makes, a draw each, with their dimensions in front.


def _bits(xp: Any, state: Any, shape: Shape, width: int) -> Any:
    return philox.random_bits(*_seed_and_counter(state), math.prod(shape), width, xp).reshape(-1)


def _seed_and_counter(state: Any) -> tuple[Any, Any]:
    given = state.reshape(-1, 2) if state.ndim > 1 else state
    return given[..., 0], given[..., 1]


def _shaped(numbers: Any, state: Any, shape: Shape, out: Any) -> Any:
    numbers = numbers.reshape((*state.shape[:-1], *shape))
    if out is None:
        return numbers
    out[...] = numbers
    return out


def _floating(name: str, dtype: Any) -> Any:
    if not dtypes.is_floating(dtype):
        raise DTypeError(f"{name}: {dtype} is not a floating dtype; use float32 or float64")
    return dtype


# Of these two, the product is rounded, then the sum; the numbers they scale by are rounded to the dtype
# first.


def _uniform_forward(
    xp: Any, state: Any, *, shape: Shape, dtype: DType, low: float, high: float, out: Any = None
) -> Any:
    x = philox.uniform(_bits(xp, state, shape, max(32, 8 * dtype.itemsize)), dtype)
    x *= high - low
    x += low
    return _shaped(x, state, shape, out)


def _one(state: Any) -> bool:
    """Whether the kernels take this state: that of one draw."""
    return bool(state.ndim == 1 and state.flags.c_contiguous)


def _filling(kernel: str, state: Any, out: Any, *attributes: Any) -> Launch | None:
    """The launch that fills ``out`` from a draw."""
    if not (flat(out) and _one(state)):
        return None
    arguments = (state, out, *attributes, out.size)
    return Launch(kernel, out.dtype, blocks_over(out.size, out.dtype), THREADS, arguments)


def _uniform_cuda(state: Any, *, shape: Shape, dtype: DType, low: float, high: float, out: Any) -> Launch | None:
    return _filling("uniform", state, out, dtype.type(high - low), dtype.type(low))


def _uniform_spec(state: Spec, *, shape: Shape, dtype: DType, low: float, high: float) -> Spec:
    if not low <= high:
        raise ArgumentError(f"uniform: low is {low} and high is {high}; low must not be above high")
    return Spec((*state.shape[:-1], *shape), _floating("uniform", dtype))


def _normal_forward(
    xp: Any, state: Any, *, shape: Shape, dtype: DType, mean: float, std: float, out: Any = None
) -> Any:
    x = quantile.normal(_bits(xp, state, shape, max(32, 8 * dtype.itemsize)), xp)
    x *= std
    x += mean
    return _shaped(x.astype(dtype, copy=False), state, shape, out)


def _normal_cuda(state: Any, *, shape: Shape, dtype: DType, mean: float, std: float, out: Any) -> Launch | None:
    return _filling("normal", state, out, mean, std)


def _normal_spec(state: Spec, *, shape: Shape, dtype: DType, mean: float, std: float) -> Spec:
    if not std >= 0:
        raise ArgumentError(f"normal: std is {std}; it must not be negative")
    return Spec((*state.shape[:-1], *shape), _floating("normal", dtype))


def _randint_forward(xp: Any, state: Any, *, low: int, high: int, shape: Shape, out: Any = None) -> Any:
    return _shaped(philox.randint(_bits(xp, state, shape, 64), low, high), state, shape, out)


def _randint_cuda(state: Any, *, low: int, high: int, shape: Shape, out: Any) -> Launch | None:
    size = philox.integers_in(low, high)
    if not (0 < out.size < LIMIT and out.flags.c_contiguous and _one(state)):
        return None
    return Launch("randint", None, blocks_over(out.size, out.dtype), THREADS, (state, out, low, size, out.size))


def _permutation_forward(xp: Any, state: Any, *, n: int, out: Any = None) -> Any:
    return _shaped(philox.permutation(n, *_seed_and_counter(state), xp), state, (n,), out)


def _dropout_forward(xp: Any, x: Any, state: Any, *, p: float, out: Any = None) -> Any:
    kept = philox.dropout_mask(_bits(xp, state, x.shape[state.ndim - 1 :], 32), p).reshape(x.shape)
    out = xp.empty(x.shape, x.dtype) if out is None else out
    xp.multiply(x, _scale(p), out=out)
    xp.copyto(out, 0, where=~kept)
    return out


def _scale(p: float) -> float:
    return 1 / (1 - p) if p < 1 else 0.0


def _dropout_cuda(x: Any, state: Any, *, p: float, out: Any) -> Launch | None:
    least = philox.least_kept(p)
    if not (flat(x, out) and _one(state)):
        return None
    arguments = (x, state, out, least, x.dtype.type(_scale(p)), x.size)
    return Launch("dropout", x.dtype, blocks_over(x.size, x.dtype), THREADS, arguments)


FLOATS = (dtypes.float16, dtypes.float32, dtypes.float64)

_uniform = Op(
    name="uniform",
    forward=_uniform_forward,
    spec=_uniform_spec,
    cuda=_uniform_cuda,
    samples=tuple(sample(STATE, shape=shape, dtype=dtype, low=-1.0, high=2.0) for shape in SHAPES for dtype in FLOATS),
    workloads=(sample(STATE, shape=(256, 1024), dtype=dtypes.float32, low=-1.0, high=2.0),),
)
_normal = Op(
    name="normal",
    forward=_normal_forward,
    spec=_normal_spec,
    cuda=_normal_cuda,
    samples=tuple(sample(STATE, shape=shape, dtype=dtype, mean=1.0, std=2.0) for shape in SHAPES for dtype in FLOATS),
    workloads=(sample(STATE, shape=(256, 1024), dtype=dtypes.float32, mean=0.0, std=1.0),),
)
_randint = Op(
    name="randint",
    forward=_randint_forward,
    spec=lambda state, low, high, shape: Spec((*state.shape[:-1], *shape), dtypes.int64),
    cuda=_randint_cuda,
    samples=tuple(sample(STATE, low=-3, high=9, shape=shape) for shape in SHAPES),
    workloads=(sample(STATE, low=-3, high=9, shape=(256, 256)),),
)
_permutation = Op(
    name="permutation",
    forward=_permutation_forward,
    spec=lambda state, n: Spec((*state.shape[:-1], n), dtypes.int64),
    samples=tuple(sample(STATE, n=n) for n in (0, 1, 50)),
)
_dropout: Op = Op(
    name="dropout",
    forward=_dropout_forward,
    spec=lambda x, state, p: Spec(x.shape, _floating("dropout", x.dtype)),
    vjp=(lambda g, state, p: apply(_dropout, g, state, p=p), None),
    cuda=_dropout_cuda,
    samples=tuple(sample(Real(shape), STATE, p=p) for shape in SHAPES for p in (0.25, 1.0)),
    workloads=(sample(Real((256, 1024)), STATE, p=0.25),),
)
