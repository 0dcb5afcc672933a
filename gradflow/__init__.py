"""Gradients and training for the arrays you already have: NumPy on the CPU, CuPy on CUDA."""

from math import e, inf, nan, pi
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
    from gradflow import cuda, data, fft, linalg, nn, optim, serialize, special, testing, train
    from gradflow.backend.native.threads import get_num_threads, set_num_threads
    from gradflow.compiler import compile
    from gradflow.explanation import explain
    from gradflow.ops import random
    from gradflow.ops.angle import arccosh, arcsinh, arctanh, deg2rad, rad2deg, sinc
    from gradflow.ops.einsum import einsum
    from gradflow.ops.exponential import cbrt, exp2, float_power, logaddexp, logaddexp2
    from gradflow.ops.gelu import gelu
    from gradflow.ops.generator import manual_seed
    from gradflow.ops.join import concat, split, stack
    from gradflow.ops.matrix_product import kron
    from gradflow.ops.missing import nan_to_num, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar
    from gradflow.ops.ranges import arange, eye, linspace
    from gradflow.ops.rounding import rint, trunc
    from gradflow.ops.sign_bit import copysign, fmax, fmin, fmod, heaviside, ldexp, nextafter, positive, signbit
    from gradflow.profiling import profile
    from gradflow.widening import PromotionWarning, promotion

__version__ = "0.1.0"

__all__ = [
    "Device",
    "PromotionWarning",
    "Tensor",
    "abs",
    "add",
    "all",
    "angle",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
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
    "cbrt",
    "ceil",
    "clip",
    "compile",
    "complex",
    "complex128",
    "complex64",
    "concat",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "cuda",
    "cumsum",
    "data",
    "deg2rad",
    "device",
    "diag",
    "diagonal",
    "divide",
    "dot",
    "e",
    "einsum",
    "elu",
    "embedding",
    "enable_grad",
    "equal",
    "erf",
    "exp",
    "exp2",
    "expand_dims",
    "explain",
    "expm1",
    "eye",
    "fft",
    "flatten",
    "flip",
    "float16",
    "float32",
    "float64",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "from_numpy",
    "full",
    "full_like",
    "gelu",
    "get_default_dtype",
    "get_float32_matmul_precision",
    "get_num_threads",
    "greater",
    "greater_equal",
    "hardtanh",
    "heaviside",
    "hypot",
    "imag",
    "inf",
    "int16",
    "int32",
    "int64",
    "int8",
    "isfinite",
    "isinf",
    "isnan",
    "kron",
    "ldexp",
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
    "logaddexp",
    "logaddexp2",
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
    "nan",
    "nan_to_num",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "negative",
    "nextafter",
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
    "pi",
    "positive",
    "power",
    "prod",
    "profile",
    "promotion",
    "rad2deg",
    "random",
    "ravel",
    "real",
    "reciprocal",
    "relu",
    "remainder",
    "repeat",
    "reshape",
    "rint",
    "roll",
    "round",
    "selu",
    "serialize",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_num_threads",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "sin",
    "sinc",
    "sinh",
    "softmax",
    "softplus",
    "special",
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
    "trunc",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "use_deterministic_algorithms",
    "var",
    "vecdot",
    "where",
    "zeros",
    "zeros_like",
]

# loaded when first used, so that importing gradflow costs little more than importing NumPy
_LATER = {
    "arange": "gradflow.ops.ranges:arange",
    "arccosh": "gradflow.ops.angle:arccosh",
    "arcsinh": "gradflow.ops.angle:arcsinh",
    "arctanh": "gradflow.ops.angle:arctanh",
    "cbrt": "gradflow.ops.exponential:cbrt",
    "compile": "gradflow.compiler:compile",
    "concat": "gradflow.ops.join:concat",
    "copysign": "gradflow.ops.sign_bit:copysign",
    "cuda": "gradflow.cuda",
    "data": "gradflow.data",
    "deg2rad": "gradflow.ops.angle:deg2rad",
    "einsum": "gradflow.ops.einsum:einsum",
    "exp2": "gradflow.ops.exponential:exp2",
    "explain": "gradflow.explanation:explain",
    "eye": "gradflow.ops.ranges:eye",
    "float_power": "gradflow.ops.exponential:float_power",
    "fmax": "gradflow.ops.sign_bit:fmax",
    "fmin": "gradflow.ops.sign_bit:fmin",
    "fmod": "gradflow.ops.sign_bit:fmod",
    "fft": "gradflow.fft",
    "gelu": "gradflow.ops.gelu:gelu",
    "get_num_threads": "gradflow.backend.native.threads:get_num_threads",
    "heaviside": "gradflow.ops.sign_bit:heaviside",
    "kron": "gradflow.ops.matrix_product:kron",
    "ldexp": "gradflow.ops.sign_bit:ldexp",
    "linalg": "gradflow.linalg",
    "linspace": "gradflow.ops.ranges:linspace",
    "logaddexp": "gradflow.ops.exponential:logaddexp",
    "logaddexp2": "gradflow.ops.exponential:logaddexp2",
    "manual_seed": "gradflow.ops.generator:manual_seed",
    "nan_to_num": "gradflow.ops.missing:nan_to_num",
    "nanmax": "gradflow.ops.missing:nanmax",
    "nanmean": "gradflow.ops.missing:nanmean",
    "nanmin": "gradflow.ops.missing:nanmin",
    "nanprod": "gradflow.ops.missing:nanprod",
    "nanstd": "gradflow.ops.missing:nanstd",
    "nansum": "gradflow.ops.missing:nansum",
    "nanvar": "gradflow.ops.missing:nanvar",
    "nextafter": "gradflow.ops.sign_bit:nextafter",
    "nn": "gradflow.nn",
    "optim": "gradflow.optim",
    "positive": "gradflow.ops.sign_bit:positive",
    "profile": "gradflow.profiling:profile",
    "promotion": "gradflow.widening:promotion",
    "PromotionWarning": "gradflow.widening:PromotionWarning",
    "rad2deg": "gradflow.ops.angle:rad2deg",
    "random": "gradflow.ops.random",
    "rint": "gradflow.ops.rounding:rint",
    "serialize": "gradflow.serialize",
    "set_num_threads": "gradflow.backend.native.threads:set_num_threads",
    "signbit": "gradflow.ops.sign_bit:signbit",
    "sinc": "gradflow.ops.angle:sinc",
    "special": "gradflow.special",
    "split": "gradflow.ops.join:split",
    "stack": "gradflow.ops.join:stack",
    "testing": "gradflow.testing",
    "train": "gradflow.train",
    "trunc": "gradflow.ops.rounding:trunc",
}


def __getattr__(name: str) -> _Any:
    if name not in _LATER:
        raise AttributeError(f"module 'gradflow' has no attribute {name!r}")
    from importlib import import_module

    path, _, attribute = _LATER[name].partition(":")
    module = import_module(path)
    globals()[name] = value = getattr(module, attribute) if attribute else module
    return value
