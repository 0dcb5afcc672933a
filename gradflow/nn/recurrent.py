"""Recurrent layers: cells that carry a state along a sequence, and stacks of them."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import init
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.nn.recurrent_cells import GATES, State, step
from gradflow.nn.utils.rnn import PackedSequence
from gradflow.ops.create import zeros
from gradflow.ops.join import concat, stack
from gradflow.ops.linalg import linear
from gradflow.ops.lookup import take
from gradflow.ops.random import dropout
from gradflow.ops.shape import expand_dims, reshape, squeeze, swapaxes
from gradflow.shapes import Shape
from gradflow.tensor import Tensor

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


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
        proj_size: int = 0,
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
        if proj_size and not (self.kind == "lstm" and 0 < proj_size < hidden_size):
            raise ArgumentError(f"{name}: proj_size is for an LSTM, and less than hidden_size; got {proj_size}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.proj_size = proj_size
        self.widths = (proj_size or hidden_size, hidden_size) if self.kind == "lstm" else (hidden_size,)
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.directions = ("", "_reverse") if bidirectional else ("",)
        rows, bound = GATES[self.kind] * hidden_size, 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            for direction in self.directions:
                width = input_size if not layer else self.widths[0] * len(self.directions)
                matrices = (rows, width), (rows, self.widths[0])
                shapes: list[Shape] = [*matrices, (rows,), (rows,), (proj_size, hidden_size)]
                kept = {k: v for k, v in zip(PARTS, shapes, strict=True) if all(v) and (bias or "bias" not in k)}
                for part, shape in kept.items():
                    weight = Parameter(zeros(shape, dtype=dtype, device=device))
                    setattr(self, f"{part}_l{layer}{direction}", init.uniform_(weight, -bound, bound))
        self.bias = bias

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        packed = input if isinstance(input, PackedSequence) else None
        x, sizes, single = self._packed(input) if isinstance(input, PackedSequence) else self._sequence(input)
        states = self._states(hx, x, sizes[0], single, None if packed is None else packed.sorted_indices)
        last: list[State] = []
        for layer in range(self.num_layers):
            outs = []
            for i, direction in enumerate(self.directions):
                begun = states[layer * len(self.directions) + i]
                out, state = self._run(x, sizes, begun, f"_l{layer}{direction}", bool(i))
                outs.append(out)
                last.append(state)
            x = outs[0] if len(outs) == 1 else concat(outs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = dropout(x, self.dropout)
        final = tuple(stack([state[i] for state in last]) for i in range(len(last[0])))
        if packed is not None:
            if packed.unsorted_indices is not None:
                final = tuple(take(each, packed.unsorted_indices, 1) for each in final)
            return packed._replace(data=x), final if self.kind == "lstm" else final[0]
        x = reshape(x, (len(sizes), sizes[0], x.shape[-1]))
        if single:
            final = tuple(squeeze(each, 1) for each in final)
            x = squeeze(x, 1)
        elif self.batch_first:
            x = swapaxes(x, 0, 1)
        return x, final if self.kind == "lstm" else final[0]

    def _run(
        self, x: Tensor, sizes: tuple[int, ...], begun: State, suffix: str, backwards: bool
    ) -> tuple[Tensor, State]:
        """One layer in one direction over ``x`` (elements, features), of which ``sizes`` are at each time.

        Its outputs (elements, hidden), and the last state of each sequence: those that end earlier are last.
        """
        own = {each: getattr(self, f"{each}{suffix}", None) for each in PARTS}
        drive = linear(x, own["weight_ih"], own["bias_ih"])  # of all times at once
        recurrent: Any = own["weight_hh"], own["bias_hh"], own["weight_hr"]
        ends = list(accumulate(sizes))
        outs: list[Tensor] = []
        state, ended = begun, [begun][:0]
        if backwards:
            state = tuple(each[: sizes[-1]] for each in begun)
        for t in range(len(sizes))[:: -1 if backwards else 1]:
            size, before = sizes[t], state[0].shape[0]
            if size < before:
                ended.append(tuple(each[size:] for each in state))
                state = tuple(each[:size] for each in state)
            elif size > before:
                state = tuple(concat([each, first[before:size]]) for each, first in zip(state, begun, strict=True))
            state = step(self.kind, drive[ends[t] - size : ends[t]], state, *recurrent)
            outs.append(state[0])
        if ended:
            state = tuple(concat(parts) for parts in zip(state, *ended[::-1], strict=True))
        return concat(outs[::-1] if backwards else outs), state

    def _packed(self, input: PackedSequence) -> tuple[Tensor, tuple[int, ...], bool]:
        if input.data.ndim != 2 or input.data.shape[1] != self.input_size or not input.batch_sizes:
            raise ShapeError(
                f"{type(self).__name__}: packed data must be (elements, {self.input_size}), got {input.data.shape}"
            )
        return input.data, input.batch_sizes, False

    def _sequence(self, input: Tensor) -> tuple[Tensor, tuple[int, ...], bool]:
        """The input as (L * N, features), N for each time, and whether it had no N."""
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
        length, count, _ = x.shape
        return reshape(x, (length * count, self.input_size)), (count,) * length, input.ndim == 2

    def _states(self, hx: Any, x: Tensor, samples: int, single: bool, order: Any) -> list[State]:
        """The state that each layer and direction begins with; zeros unless given, in ``order`` if there is one."""
        count = self.num_layers * len(self.directions)
        if hx is None:
            return [tuple(zeros((samples, width), dtype=x.dtype, device=x.device) for width in self.widths)] * count
        given = tuple(hx) if self.kind == "lstm" else (hx,)
        for each, width in zip(given, self.widths, strict=True):
            wanted = (count, width) if single else (count, samples, width)
            if each.shape != wanted:
                raise ShapeError(f"{type(self).__name__}: the state is {each.shape}; it must be {wanted}")
        parts = tuple(expand_dims(each, 1) for each in given) if single else given
        if order is not None:
            parts = tuple(take(each, order, 1) for each in parts)
        return [tuple(each[i] for each in parts) for i in range(count)]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


class LSTM(_Recurrent):
    """Long short-term memory: (L, N, input_size) -> (L, N, hidden_size), and the last state (h, c).

    h and c are (num_layers, N, hidden_size), zeros unless given as a pair. With ``batch_first`` input and output are
    (N, L, ...); without N it is left out everywhere. Layers are stacked, with ``dropout`` between them in training;
    ``bidirectional`` ones also read the sequence from its end, and both outputs are joined. Parameters are PyTorch's:
    ``weight_ih_l0`` (4 hidden_size, input_size), ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``, ..., gates in the
    order input, forget, cell, output. With ``proj_size`` h is multiplied by ``weight_hr_l0`` (proj_size, hidden_size).
    The input may be a ``nn.utils.rnn.PackedSequence``, and then the output is. Raises ShapeError and ArgumentError.
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
