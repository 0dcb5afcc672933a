"""Recurrent layers: cells that carry a state along a sequence, and stacks of them."""

from __future__ import annotations

import math
from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.nn.recurrent_cells import GATES, State, first, step
from gradflow.ops.create import zeros
from gradflow.ops.join import concat, stack
from gradflow.ops.linalg import linear
from gradflow.ops.random import dropout
from gradflow.ops.shape import expand_dims, squeeze, swapaxes
from gradflow.tensor import Tensor


class _Recurrent(Module):
    kind: str = "tanh"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if min(input_size, hidden_size, num_layers) < 1:
            sizes = f"{input_size}, {hidden_size} and {num_layers}"
            raise ArgumentError(f"{name}: input_size, hidden_size and num_layers must be 1 or more, got {sizes}")
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"{name}: dropout is a probability, got {dropout}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.directions = ("", "_reverse") if bidirectional else ("",)
        rows, bound = GATES[self.kind] * hidden_size, 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            for direction in self.directions:
                width = input_size if not layer else hidden_size * len(self.directions)
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
                for part, shape in shapes.items():
                    weight = Parameter(zeros(shape, dtype=dtype, device=device))
                    setattr(self, f"{part}_l{layer}{direction}", init.uniform_(weight, -bound, bound))
        self.bias = bias

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        x, single = self._sequence(input)
        states = self._states(hx, x, single)
        last: list[State] = []
        for layer in range(self.num_layers):
            outs = []
            for i, direction in enumerate(self.directions):
                out, state = self._run(x, states[layer * len(self.directions) + i], f"_l{layer}{direction}", bool(i))
                outs.append(out)
                last.append(state)
            x = outs[0] if len(outs) == 1 else concat(outs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = dropout(x, self.dropout)
        final = tuple(stack([state[i] for state in last]) for i in range(len(last[0])))
        if single:
            final = tuple(squeeze(each, 1) for each in final)
            x = squeeze(x, 1)
        elif self.batch_first:
            x = swapaxes(x, 0, 1)
        return x, final if self.kind == "lstm" else final[0]

    def _run(self, x: Tensor, state: State, suffix: str, backwards: bool) -> tuple[Tensor, State]:
        """One layer in one direction over ``x`` (L, N, features): its outputs (L, N, hidden), and the last state."""
        weight, bias = getattr(self, f"weight_ih{suffix}"), getattr(self, f"bias_ih{suffix}", None)
        recurrent, shift = getattr(self, f"weight_hh{suffix}"), getattr(self, f"bias_hh{suffix}", None)
        drive = linear(x, weight, bias)  # of all times at once
        outs: list[Tensor] = []
        for t in range(len(x))[:: -1 if backwards else 1]:
            state = step(self.kind, drive[t], state, recurrent, shift)
            outs.append(state[0])
        return stack(outs[::-1] if backwards else outs), state

    def _sequence(self, input: Tensor) -> tuple[Tensor, bool]:
        """The input as (L, N, features), and whether it had no N."""
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            order = "N, L" if self.batch_first else "L, N"
            raise ShapeError(
                f"{type(self).__name__}: the input must be ({order}, {self.input_size}) or (L, {self.input_size}), "
                f"got {input.shape}"
            )
        if input.ndim == 2:
            x = expand_dims(input, 1)
        elif self.batch_first:
            x = swapaxes(input, 0, 1)
        else:
            x = input
        if not x.shape[0]:
            raise ShapeError(f"{type(self).__name__}: the sequence is empty: the input is {input.shape}")
        return x, input.ndim == 2

    def _states(self, hx: Any, x: Tensor, single: bool) -> list[State]:
        """The state that each layer and direction begins with; zeros unless given."""
        count = self.num_layers * len(self.directions)
        shape = (count, x.shape[1], self.hidden_size)
        if hx is None:
            return [first(self.kind, shape[1:], x)] * count
        given = tuple(hx) if self.kind == "lstm" else (hx,)
        parts = tuple(expand_dims(each, 1) for each in given) if single else given
        if any(each.shape != shape for each in parts):
            wanted = (count, self.hidden_size) if single else shape
            raise ShapeError(f"{type(self).__name__}: the state is {given[0].shape}; it must be {wanted}")
        return [tuple(each[i] for each in parts) for i in range(count)]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


class LSTM(_Recurrent):
    """Long short-term memory: (L, N, input_size) -> (L, N, hidden_size), and the last state (h, c).

    h and c are (num_layers, N, hidden_size), zeros unless given as a pair. With ``batch_first`` input and output are
    (N, L, ...); without N it is left out everywhere. Layers are stacked, with ``dropout`` between them in training;
    ``bidirectional`` ones also read the sequence from its end, and both outputs are joined. Parameters are PyTorch's:
    ``weight_ih_l0`` (4 hidden_size, input_size), ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``, ..., gates in the
    order input, forget, cell, output. Raises ShapeError and ArgumentError.
    Source: Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers et al., 2000.

    >>> import gradflow as gf
    >>> out, (h, c) = gf.nn.LSTM(3, 5, num_layers=2)(gf.ones((7, 4, 3)))
    >>> out.shape, h.shape, c.shape
    ((7, 4, 5), (2, 4, 5), (2, 4, 5))
    """

    kind = "lstm"


class GRU(_Recurrent):
    """Gated recurrent units: (L, N, input_size) -> (L, N, hidden_size), and the last state (num_layers, N, ...).

    As ``LSTM``, with gates in the order reset, update, new; the reset gate multiplies the product with the state and
    its bias, as in PyTorch. Source: Cho et al., "Learning phrase representations ...", EMNLP 2014.

    >>> import gradflow as gf
    >>> out, h = gf.nn.GRU(3, 5, bidirectional=True)(gf.ones((7, 4, 3)))
    >>> out.shape, h.shape
    ((7, 4, 10), (2, 4, 5))
    """

    kind = "gru"


class RNN(_Recurrent):
    """Elman's network, h = tanh(W x + b + V h + c): (L, N, input_size) -> (L, N, hidden_size), and the last state.

    As ``LSTM``; ``nonlinearity`` is "tanh" or "relu". Source: Elman, "Finding structure in time", 1990.

    >>> import gradflow as gf
    >>> out, h = gf.nn.RNN(3, 5)(gf.ones((7, 4, 3)))
    >>> out.shape, h.shape
    ((7, 4, 5), (1, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", **settings: Any
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f'RNN: nonlinearity is "tanh" or "relu", got {nonlinearity!r}')
        super().__init__(input_size, hidden_size, num_layers, **settings)
        self.kind = nonlinearity
