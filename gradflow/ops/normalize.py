"""Normalisation: zero mean and unit variance, within each sample or within each channel of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import int64
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import THREADS, Launch, Tickets, blocks_over
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.precision import Array, precision, room, stored
from gradflow.ops.shape import reshape
from gradflow.ops.standardize import _standardize, like_x, sum_of_products
from gradflow.ops.teams import alike, blocks_for, groups_of
from gradflow.samples import Given, Real, sample
from gradflow.shapes import Axes, Shape, as_shape
from gradflow.tensor import Tensor, TensorLike


def layer_norm(
    x: TensorLike,
    normalized_shape: SupportsIndex | Iterable[SupportsIndex],
    weight: TensorLike = None,
    bias: TensorLike = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample of ``x`` shifted and scaled to mean 0 and variance 1, then times ``weight`` plus ``bias``.

    A sample is what the last dimensions, ``normalized_shape``, hold; ``weight`` and ``bias`` are of that shape. The
    variance is that of the elements (divided by their number), and ``eps`` is added to it. Raises ShapeError.
    Source: Ba, Kiros & Hinton, "Layer normalization", 2016.

    >>> from gradflow.ops.normalize import layer_norm
    >>> layer_norm([[10.0, 30.0], [200.0, 100.0]], 2)
    tensor([[-1.,  1.],
            [ 1., -1.]])
    """
    x, weight, bias = _tensors(x, weight, bias)
    shape = as_shape("layer_norm", normalized_shape)
    first = x.ndim - len(shape)
    if not shape or first < 0 or x.shape[first:] != shape:
        raise ShapeError(f"layer_norm: the input is {x.shape}; its last sizes must be normalized_shape, {shape}")
    check_parameters("layer_norm", shape, weight=weight, bias=bias)
    return apply(_standardize, x, weight, bias, axes=tuple(range(first, x.ndim)), eps=float(eps))


def batch_norm(
    x: TensorLike,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: TensorLike = None,
    bias: TensorLike = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of ``x`` shifted and scaled to mean 0 and variance 1, then times ``weight`` plus ``bias``.

    ``x`` is (N, C) or (N, C, ...); everything else is (C,). In ``training`` mean and variance are those of the batch,
    and the running ones, unless None, move towards them, in place: ``momentum`` of the new value, the rest of the old
    one. What they move to is the unbiased variance, as in PyTorch. Otherwise the running ones are used.

    Raises ShapeError, also for a batch with one value per channel, whose variance is nothing to divide by, and
    ArgumentError if running statistics are needed and absent.
    Source: Ioffe & Szegedy, "Batch normalization", ICML 2015.

    >>> import gradflow as gf
    >>> from gradflow.ops.normalize import batch_norm
    >>> mean, var = gf.zeros(1), gf.ones(1)
    >>> batch_norm([[1.0], [3.0]], mean, var, training=True)
    tensor([[-1.],
            [ 1.]])
    >>> mean, var
    (tensor([0.2]), tensor([1.1]))
    """
    x, weight, bias = _tensors(x, weight, bias)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("batch_norm: give both running_mean and running_var, or neither")
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: the input must be (N, C) or (N, C, ...), got {x.shape}")
    channels = x.shape[1:2]
    check_parameters(
        "batch_norm", channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    column = channels + (1,) * (x.ndim - 2)
    scale, shift = _shaped(weight, column), _shaped(bias, column)
    if training:
        out = _by_batch(x, scale, shift, float(eps))
        if running_mean is not None and running_var is not None:
            track_statistics(x, running_mean, running_var, None, momentum)
        return out
    if running_mean is None or running_var is None:
        raise ArgumentError("batch_norm: without running_mean and running_var there is only training=True")
    return apply(_rescale, x, _shaped(running_mean, column), _shaped(running_var, column), scale, shift, eps=float(eps))


def _by_batch(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    if x.size <= x.shape[1]:
        raise ShapeError(
            f"batch_norm: training needs more than one value per channel, and the input is {x.shape}; use a larger "
            "batch (drop_last=True leaves out a rest of one), or .eval()"
        )
    return apply(_standardize, x, weight, bias, axes=_all_but_channels(x.shape), eps=eps)


def track_statistics(
    x: Tensor, running_mean: Tensor, running_var: Tensor, batches: Tensor | None, momentum: float | None
) -> None:
    """Move running statistics, in place, towards the mean and unbiased variance of each channel of ``x``.

    ``batches``, unless None, counts the calls; with ``momentum`` None the statistics are the average of all of them.
    """
    apply(
        _track_statistics,
        running_mean,
        running_var,
        batches,
        x.detach(),
        momentum=None if momentum is None else float(momentum),
    )


def _tensors(x: TensorLike, weight: TensorLike, bias: TensorLike) -> tuple[Tensor, Tensor | None, Tensor | None]:
    return asarray(x), None if weight is None else asarray(weight), None if bias is None else asarray(bias)


def check_parameters(name: str, shape: Shape, **given: Tensor | None) -> None:
    """Raise ShapeError, naming it, for what is given and not of ``shape``."""
    for what, x in given.items():
        if x is not None and x.shape != shape:
            raise ShapeError(f"{name}: {what} is {x.shape}; for this input it must be {shape}")


def _shaped(x: Tensor | None, shape: Shape) -> Tensor | None:
    return x if x is None or x.shape == shape else reshape(x, shape)


def _all_but_channels(shape: Shape) -> Axes:
    return (0, *range(2, len(shape)))


def _rescale_forward(
    xp: Any, x: Array, mean: Array, var: Array, weight: Array, bias: Array, *, eps: float, out: Array | None = None
) -> Array:
    dtype, working = precision(x, mean, var, weight, bias)
    z = xp.subtract(x, mean, dtype=working, out=room(out, working))
    factor = 1 / xp.sqrt(xp.add(var, eps, dtype=working))
    z *= factor if weight is None else factor * weight
    if bias is not None:
        z += bias
    return stored(z, dtype, out)


def _rescale_cuda(
    x: Array, mean: Array, var: Array, weight: Array, bias: Array, *, eps: float, out: Array
) -> Launch | None:
    found = groups_of(x.shape, _all_but_channels(x.shape))
    if found is None or not alike(x.dtype, x, mean, var, weight, bias, out) or not found.fits(mean, var, weight, bias):
        return None
    arguments = (x, mean, var, weight, bias, out, eps, x.size, found.groups, found.inner)
    return Launch("rescale", x.dtype, blocks_over(x.size, x.dtype), THREADS, arguments)


def _rescale_scalar(x: Spec, mean: Spec, var: Spec, weight: Spec, bias: Spec, eps: float) -> str:
    factor = "1 / sqrt(var + eps)" if weight.absent else "1 / sqrt(var + eps) * weight"
    return f"factor = {factor}\n(x - mean) * factor" + ("" if bias.absent else " + bias")


def _factor(var: Tensor, weight: Any, eps: float, power: float = -0.5) -> Tensor:
    factor: Tensor = (var + eps) ** power
    return factor if weight is None else factor * weight


# batch_norm with statistics that are given, and do not depend on x
_rescale = Op(
    name="rescale",
    forward=_rescale_forward,
    spec=lambda x, mean, var, weight, bias, eps: like_x(x, mean, var, weight, bias),
    cuda=_rescale_cuda,
    vjp=(
        lambda g, var, weight, eps: g * _factor(var, weight, eps),
        lambda g, var, weight, eps: -g * _factor(var, weight, eps),
        lambda g, x, mean, var, weight, eps: g * (x - mean) * (-0.5 * _factor(var, weight, eps, -1.5)),
        lambda g, x, mean, var, eps: g * (x - mean) * _factor(var, None, eps),
        lambda g: g,
    ),
    scalar=_rescale_scalar,
    samples=(
        sample(Real((5, 3)), Real((3,)), Real((3,), 0.2, 2), Real((3,)), Real((3,)), eps=1e-5),
        sample(Real((2, 3, 4)), Real((3, 1)), Real((3, 1), 0.2, 2), None, None, eps=1e-3),
        sample(Real((0, 3)), Real((3,)), Real((3,), 0.2, 2), Real((3,)), None, eps=1e-5),
    ),
    workloads=(sample(Real((1024, 256)), *2 * (Real((256,), 0.2, 2),), *2 * (Real((256,)),), eps=1e-5),),
)


def _track_forward(xp: Any, mean: Array, var: Array, batches: Array, x: Array, *, momentum: float | None) -> None:
    _, working = precision(x)
    axes = _all_but_channels(x.shape)
    count = x.size // x.shape[1]
    new_mean = x.sum(axis=axes, dtype=working, keepdims=True) / count
    distance = xp.subtract(x, new_mean, dtype=working)
    new_var = sum_of_products(xp, distance, distance, axes) / (count - 1)
    if batches is not None:
        batches += 1
    share = 1 / float(batches) if momentum is None else momentum
    mean *= 1 - share
    mean += share * new_mean.reshape(mean.shape)
    var *= 1 - share
    var += share * new_var.reshape(var.shape)


def _track_cuda(
    mean: Array, var: Array, batches: Array, x: Array, *, momentum: float | None, out: None
) -> Launch | None:
    found = groups_of(x.shape, _all_but_channels(x.shape))
    if found is None or found.length == 1 or not alike(x.dtype, mean, var, x):
        return None
    if batches is not None and batches.dtype != int64:
        return None
    _, _, *sizes = found
    team, step = found.teams(x.dtype)
    share = 0.0 if momentum is None else momentum
    arguments = (
        mean, var, batches, x, share, 1 - share, momentum is None, 1 / found.length, found.length / (found.length - 1),
        Tickets(1), *sizes, team, step,
    )  # fmt: skip
    return Launch("track_statistics", x.dtype, blocks_for(found.groups, team), THREADS, arguments)


def _track_spec(mean: Spec, var: Spec, batches: Spec, x: Spec, momentum: float | None) -> None:
    if momentum is None and batches.dtype is type(None):
        raise ArgumentError("batch_norm: momentum=None averages over all batches, and needs their number")


_track_statistics = Op(
    name="track_statistics",
    forward=_track_forward,
    spec=_track_spec,
    cuda=_track_cuda,
    mutates=(0, 1, 2),
    samples=tuple(
        sample(Real((3,)), Real((3,), 0.2, 2), Given(2, "int64"), Real(shape), momentum=momentum)
        for shape, momentum in [((5, 3), 0.1), ((2, 3, 4), None)]
    ),
    workloads=(sample(Real((256,)), Real((256,), 0.2, 2), None, Real((512, 256)), momentum=0.1),),
)
