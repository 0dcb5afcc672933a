"""Gradients and training for the arrays you already have: NumPy on the CPU, CuPy on CUDA."""

from gradflow import nn, optim, serialize, testing
from gradflow.device import Device, device
from gradflow.dtypes import float16, float32, float64, get_default_dtype, int32, int64, set_default_dtype
from gradflow.explain import explain
from gradflow.mode import enable_grad, no_grad
from gradflow.ops import methods as _methods
from gradflow.ops.activation import relu, sigmoid
from gradflow.ops.arithmetic import (
    add,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    remainder,
    subtract,
    where,
)
from gradflow.ops.cast import astype
from gradflow.ops.create import full, ones, zeros
from gradflow.ops.elementwise import exp, log
from gradflow.ops.linalg import linear, matmul
from gradflow.ops.reduce import mean, sum
from gradflow.ops.shape import broadcast_to, expand_dims, permute_dims, reshape, transpose
from gradflow.tensor import Tensor, tensor

__all__ = sorted(n for n in globals() if not n.startswith("_"))
