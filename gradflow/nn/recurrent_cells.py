"""One step of a recurrent layer, and cells that do it."""

from __future__ import annotations

import math
from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.activation import sigmoid
from gradflow.ops.create import zeros
from gradflow.ops.linalg import linear
from gradflow.ops.rectifier import relu
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.ops.trigonometric import tanh
from gradflow.shapes import Shape
from gradflow.tensor import Tensor

GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}
State = tuple[Tensor, ...]  # the hidden state, and for an LSTM the cell state


def first(kind: str, shape: Shape, like: Tensor) -> State:
    """Zeros of ``shape`` for each part of a state, beside ``like``."""
    return (zeros(shape, dtype=like.dtype, device=like.device),) * (2 if kind == "lstm" else 1)


def step(
    kind: str, drive: Tensor, state: State, weight: Tensor, bias: Tensor | None, projection: Tensor | None = None
) -> State:
    """The state after one more time: ``drive`` (N, gates * hidden) is what the input gives, W x + b."""
    h = state[0]
    recurrent = linear(h, weight, bias)
    n = state[-1].shape[-1]
    if kind == "lstm":
        gates = drive + recurrent
        opened, kept, shown = (sigmoid(gates[:, i * n : (i + 1) * n]) for i in (0, 1, 3))
        c = kept * state[1] + opened * tanh(gates[:, 2 * n : 3 * n])
        h = shown * tanh(c)
        return h if projection is None else linear(h, projection), c
    if kind == "gru":
        both = sigmoid(drive[:, : 2 * n] + recurrent[:, : 2 * n])
        new = tanh(drive[:, 2 * n :] + both[:, :n] * recurrent[:, 2 * n :])
        return (new + both[:, n:] * (h - new),)
    total = drive + recurrent
    return (relu(total) if kind == "relu" else tanh(total),)


class _Cell(Module):
    kind: str = "tanh"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ArgumentError(
                f"{type(self).__name__}: input_size and hidden_size must be 1 or more, got {input_size}, {hidden_size}"
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = GATES[self.kind] * hidden_size, 1 / math.sqrt(hidden_size)

        def begun(*shape: int) -> Parameter:
            weight = Parameter(zeros(shape, dtype=dtype, device=device))
            init.uniform_(weight, -bound, bound)
            return weight

        self.weight_ih = begun(rows, input_size)
        self.weight_hh = begun(rows, hidden_size)
        self.bias_ih = begun(rows) if bias else None
        self.bias_hh = begun(rows) if bias else None

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            shape = f"(N, {self.input_size}) or ({self.input_size},)"
            raise ShapeError(f"{type(self).__name__}: the input must be {shape}, got {input.shape}")
        single = input.ndim == 1
        x = expand_dims(input, 0) if single else input
        state = self._begin(hx, x, single)
        found = step(self.kind, linear(x, self.weight_ih, self.bias_ih), state, self.weight_hh, self.bias_hh)
        if single:
            found = tuple(squeeze(each, 0) for each in found)
        return found if self.kind == "lstm" else found[0]

    def _begin(self, hx: Any, x: Tensor, single: bool) -> State:
        shape = (x.shape[0], self.hidden_size)
        if hx is None:
            return first(self.kind, shape, x)
        given = tuple(hx) if self.kind == "lstm" else (hx,)
        parts = tuple(expand_dims(each, 0) for each in given) if single else given
        if any(each.shape != shape for each in parts):
            wanted = shape[1:] if single else shape
            raise ShapeError(f"{type(self).__name__}: the state is {given[0].shape}; it must be {wanted}")
        return parts

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class LSTMCell(_Cell):
    """One step of an ``LSTM``: input (N, input_size), state (h, c), each (N, hidden_size) -> the next h and c.

    ``weight_ih`` is (4 hidden_size, input_size), gates in the order input, forget, cell, output. Raises ShapeError.

    >>> import gradflow as gf
    >>> h, c = gf.nn.LSTMCell(3, 5)(gf.ones((4, 3)))
    >>> h.shape, c.shape
    ((4, 5), (4, 5))
    """

    kind = "lstm"


class GRUCell(_Cell):
    """One step of a ``GRU``: input (N, input_size), state (N, hidden_size) -> the next state.

    >>> import gradflow as gf
    >>> gf.nn.GRUCell(3, 5)(gf.ones((4, 3))).shape
    (4, 5)
    """

    kind = "gru"


class RNNCell(_Cell):
    """One step of an ``RNN``: input (N, input_size), state (N, hidden_size) -> the next state.

    >>> import gradflow as gf
    >>> gf.nn.RNNCell(3, 5)(gf.ones((4, 3))).shape
    (4, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f'RNNCell: nonlinearity is "tanh" or "relu", got {nonlinearity!r}')
        super().__init__(input_size, hidden_size, bias, device=device, dtype=dtype)
        self.kind = nonlinearity
