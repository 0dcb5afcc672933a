"""Gradients and training for the arrays you already have: NumPy on the CPU, CuPy on CUDA."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from gradflow.backend.matmul_precision import get_float32_matmul_precision, set_float32_matmul_precision
from gradflow.determinism import are_deterministic_algorithms_enabled, use_deterministic_algorithms
from gradflow.device import Device, device
from gradflow.dtypes import bool_ as bool
from gradflow.dtypes import (
    complex64,
    complex128,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from gradflow.mode import enable_grad, no_grad
from gradflow.ops import methods as _methods  # noqa: F401 - gives Tensor its methods
from gradflow.ops.activation import sigmoid, silu, softplus
from gradflow.ops.arithmetic import (
    add,
    divide,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    subtract,
    where,
)
from gradflow.ops.cast import astype
from gradflow.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from gradflow.ops.conjugate import angle, complex, conj, imag, real
from gradflow.ops.contract import dot, outer, tensordot, vecdot
from gradflow.ops.create import asarray, from_numpy, full, full_like, ones, ones_like, zeros, zeros_like
from gradflow.ops.diagonal import diag, diagonal, tril, triu
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
from gradflow.ops.floor_division import floor_divide, remainder
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

if _TYPE_CHECKING:
    from gradflow import cuda, data, linalg, nn, optim, serialize, testing, train
    from gradflow.backend.native.threads import get_num_threads, set_num_threads
    from gradflow.compiler import compile
    from gradflow.explanation import explain
    from gradflow.ops import random
    from gradflow.ops.einsum import einsum
    from gradflow.ops.gelu import gelu
    from gradflow.ops.generator import manual_seed
    from gradflow.ops.join import concat, split, stack
    from gradflow.ops.matrix_product import kron
    from gradflow.ops.ranges import arange, eye, linspace
    from gradflow.profiling import profile
    from gradflow.transforms.checkpoint import checkpoint
    from gradflow.transforms.custom import custom_jvp, custom_vjp
    from gradflow.transforms.forward import jvp
    from gradflow.transforms.jacobians import hessian, hvp, jacfwd, jacobian, jacrev
    from gradflow.transforms.reverse import grad, value_and_grad, vjp
    from gradflow.transforms.vectorized import vmap

__version__ = "0.1.0"

__all__ = [
    "Device",
    "Tensor",
    "abs",
    "add",
    "all",
    "angle",
    "any",
    "arange",
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "are_deterministic_algorithms_enabled",
    "argmax",
    "argmin",
    "asarray",
    "astype",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bool",
    "broadcast_arrays",
    "broadcast_to",
    "ceil",
    "checkpoint",
    "clip",
    "compile",
    "complex",
    "complex128",
    "complex64",
    "concat",
    "conj",
    "cos",
    "cosh",
    "count_nonzero",
    "cuda",
    "cumsum",
    "custom_jvp",
    "custom_vjp",
    "data",
    "device",
    "diag",
    "diagonal",
    "divide",
    "dot",
    "einsum",
    "elu",
    "embedding",
    "enable_grad",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "explain",
    "expm1",
    "eye",
    "flatten",
    "flip",
    "float16",
    "float32",
    "float64",
    "floor",
    "floor_divide",
    "from_numpy",
    "full",
    "full_like",
    "gelu",
    "get_default_dtype",
    "get_float32_matmul_precision",
    "get_num_threads",
    "grad",
    "greater",
    "greater_equal",
    "hardtanh",
    "hessian",
    "hvp",
    "hypot",
    "imag",
    "int16",
    "int32",
    "int64",
    "int8",
    "isfinite",
    "isinf",
    "isnan",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "kron",
    "leaky_relu",
    "less",
    "less_equal",
    "linalg",
    "linear",
    "linspace",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "manual_seed",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "norm",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "optim",
    "outer",
    "pad",
    "permute_dims",
    "power",
    "prod",
    "profile",
    "random",
    "ravel",
    "real",
    "reciprocal",
    "relu",
    "remainder",
    "repeat",
    "reshape",
    "roll",
    "round",
    "selu",
    "serialize",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_num_threads",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensor",
    "tensordot",
    "testing",
    "tile",
    "train",
    "transpose",
    "tril",
    "triu",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "use_deterministic_algorithms",
    "value_and_grad",
    "var",
    "vecdot",
    "vjp",
    "vmap",
    "where",
    "zeros",
    "zeros_like",
]

# loaded when first used, so that importing gradflow costs little more than importing NumPy
_LATER = {
    "arange": "gradflow.ops.ranges:arange",
    "concat": "gradflow.ops.join:concat",
    "cuda": "gradflow.cuda",
    "data": "gradflow.data",
    "einsum": "gradflow.ops.einsum:einsum",
    "compile": "gradflow.compiler:compile",
    "explain": "gradflow.explanation:explain",
    "eye": "gradflow.ops.ranges:eye",
    "gelu": "gradflow.ops.gelu:gelu",
    "get_num_threads": "gradflow.backend.native.threads:get_num_threads",
    "kron": "gradflow.ops.matrix_product:kron",
    "linalg": "gradflow.linalg",
    "linspace": "gradflow.ops.ranges:linspace",
    "manual_seed": "gradflow.ops.generator:manual_seed",
    "nn": "gradflow.nn",
    "optim": "gradflow.optim",
    "profile": "gradflow.profiling:profile",
    "random": "gradflow.ops.random",
    "serialize": "gradflow.serialize",
    "set_num_threads": "gradflow.backend.native.threads:set_num_threads",
    "split": "gradflow.ops.join:split",
    "stack": "gradflow.ops.join:stack",
    "testing": "gradflow.testing",
    "train": "gradflow.train",
    "checkpoint": "gradflow.transforms.checkpoint:checkpoint",
    "custom_jvp": "gradflow.transforms.custom:custom_jvp",
    "custom_vjp": "gradflow.transforms.custom:custom_vjp",
    "grad": "gradflow.transforms.reverse:grad",
    "hessian": "gradflow.transforms.jacobians:hessian",
    "hvp": "gradflow.transforms.jacobians:hvp",
    "jacfwd": "gradflow.transforms.jacobians:jacfwd",
    "jacobian": "gradflow.transforms.jacobians:jacobian",
    "jacrev": "gradflow.transforms.jacobians:jacrev",
    "jvp": "gradflow.transforms.forward:jvp",
    "value_and_grad": "gradflow.transforms.reverse:value_and_grad",
    "vjp": "gradflow.transforms.reverse:vjp",
    "vmap": "gradflow.transforms.vectorized:vmap",
}


def __getattr__(name: str) -> _Any:
    if name not in _LATER:
        raise AttributeError(f"module 'gradflow' has no attribute {name!r}")
    from importlib import import_module

    path, _, attribute = _LATER[name].partition(":")
    module = import_module(path)
    globals()[name] = value = getattr(module, attribute) if attribute else module
    return value
