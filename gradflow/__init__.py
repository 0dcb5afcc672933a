"""Gradients and training for the arrays you already have: NumPy on the CPU, CuPy on CUDA."""

from typing import TYPE_CHECKING, Any

from gradflow.device import Device, device
from gradflow.dtypes import float16, float32, float64, get_default_dtype, int32, int64, set_default_dtype
from gradflow.mode import enable_grad, no_grad
from gradflow.ops import methods as _methods
from gradflow.ops import random
from gradflow.ops.activation import sigmoid, silu, softplus
from gradflow.ops.arithmetic import (
    add,
    divide,
    floor_divide,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    remainder,
    subtract,
    where,
)
from gradflow.ops.cast import astype
from gradflow.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from gradflow.ops.contract import dot, outer, tensordot, vecdot
from gradflow.ops.create import asarray, from_numpy, full, full_like, ones, ones_like, zeros, zeros_like
from gradflow.ops.diagonal import diag, diagonal, tril, triu
from gradflow.ops.einsum import einsum
from gradflow.ops.elementwise import (
    abs,
    clip,
    exp,
    expm1,
    log,
    log1p,
    log2,
    log10,
    reciprocal,
    sign,
    sqrt,
    square,
)
from gradflow.ops.erf import erf
from gradflow.ops.extremum import argmax, argmin, max, min
from gradflow.ops.gelu import gelu
from gradflow.ops.generator import manual_seed
from gradflow.ops.join import concat, split, stack
from gradflow.ops.linalg import linear, matmul
from gradflow.ops.logic import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    isfinite,
    isinf,
    isnan,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
)
from gradflow.ops.lookup import embedding, one_hot, take, take_along_axis
from gradflow.ops.norm import norm
from gradflow.ops.product import prod
from gradflow.ops.ranges import arange, eye, linspace
from gradflow.ops.rearrange import flip, pad, repeat, roll, tile
from gradflow.ops.rectifier import elu, hardtanh, leaky_relu, relu, selu
from gradflow.ops.reduce import all, any, count_nonzero, mean, sum
from gradflow.ops.rounding import ceil, floor, round
from gradflow.ops.scan import cumsum
from gradflow.ops.shape import (
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    flatten,
    moveaxis,
    permute_dims,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    transpose,
)
from gradflow.ops.softmax import log_softmax, logsumexp, softmax
from gradflow.ops.statistics import std, var
from gradflow.ops.trigonometric import (
    arccos,
    arcsin,
    arctan,
    arctan2,
    cos,
    cosh,
    hypot,
    sin,
    sinh,
    tan,
    tanh,
)
from gradflow.tensor import Tensor, tensor

if TYPE_CHECKING:
    from gradflow import data, nn, optim, serialize, testing, train
    from gradflow.explanation import explain

__version__ = "0.1.0"

# loaded when first used, so that importing gradflow costs little more than importing NumPy
_LATER = {
    "data": "gradflow.data",
    "explain": "gradflow.explanation",
    "nn": "gradflow.nn",
    "optim": "gradflow.optim",
    "serialize": "gradflow.serialize",
    "testing": "gradflow.testing",
    "train": "gradflow.train",
}

__all__ = sorted([name for name in globals() if not name.startswith("_")] + list(_LATER))


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'gradflow' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LATER[name])
    globals()[name] = value = module if _LATER[name].endswith(f".{name}") else getattr(module, name)
    return value
