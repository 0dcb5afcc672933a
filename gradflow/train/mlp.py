"""The multi-layer perceptron, and the short way to write its layer sizes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from gradflow import nn
from gradflow.backend import backend_of
from gradflow.errors import ArgumentError
from gradflow.nn import init
from gradflow.ops.create import ones, zeros
from gradflow.ops.shape import reshape
from gradflow.tensor import Tensor

ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class MLP(nn.Module):
    """Linear layers of ``sizes`` with an activation and dropout between them: (N, features) -> (N, classes).

    What each feature ranges over is mapped to [0, 1] first, so that data in any units train alike: by
    ``learn_range``, or not at all. Weights begin normal with the gain of the activation (He, Zhang, Ren & Sun,
    ICCV 2015), biases 0. Examples may have more dimensions; they are flattened. Raises ArgumentError for fewer
    than two sizes, a size below 1, an activation that is not in ACTIVATIONS and a dropout outside [0, 1].

    >>> import gradflow as gf
    >>> model = MLP((64, 128, 10), "tanh")
    >>> model(gf.zeros((5, 8, 8))).shape
    (5, 10)
    """

    low: Tensor
    width: Tensor

    def __init__(self, sizes: Sequence[int], activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.activation = activation
        self.dropout = dropout
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ArgumentError(f"MLP: sizes are {self.sizes}; give at least two, each at least 1")
        if activation not in ACTIVATIONS:
            raise ArgumentError(f"MLP: activation is {activation!r}; use one of {', '.join(ACTIVATIONS)}")
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"MLP: dropout is {dropout}; a probability is in [0, 1]")
        self.register_buffer("low", zeros(self.sizes[0]))
        self.register_buffer("width", ones(self.sizes[0]))
        self.layers = nn.Sequential(*self._hidden_layers(), self._linear(*self.sizes[-2:]))

    def _hidden_layers(self) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(self.sizes[:-1]):
            layers += [self._linear(inputs, outputs), ACTIVATIONS[self.activation]()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
        return layers

    def _linear(self, inputs: int, outputs: int) -> nn.Linear:
        layer = nn.Linear(inputs, outputs)
        saturating = self.activation in ("selu", "sigmoid", "tanh")
        init.kaiming_normal_(layer.weight, nonlinearity=self.activation if saturating else "relu")
        if layer.bias is not None:
            init.zeros_(layer.bias)
        return layer

    def learn_range(self, x: Tensor) -> None:
        """Map each feature from the range that it has in ``x`` to [0, 1]; one that never varies, to 0."""
        xp = backend_of(x.data).xp
        rows = x.data.reshape(len(x.data), -1)
        low, high = rows.min(axis=0), rows.max(axis=0)
        self.low = Tensor(low)
        self.width = Tensor(xp.where(high > low, high - low, 1).astype(low.dtype))

    def forward(self, x: Tensor) -> Tensor:
        rows = reshape(x, (len(x), -1))
        scores: Tensor = self.layers((rows - self.low) / self.width)
        return scores

    def extra_repr(self) -> str:
        return "-".join(map(str, self.sizes))


def parse_sizes(text: str) -> tuple[int, ...]:
    """The layer sizes that ``text`` names, inputs first, outputs last; ArgumentError if it names none.

    >>> parse_sizes("64-128-10")
    (64, 128, 10)
    """
    if not re.fullmatch(r"[1-9][0-9]{0,8}(-[1-9][0-9]{0,8})+", text):
        raise ArgumentError(
            f"model {text!r}: write the layer sizes, each at least 1, with hyphens between them, "
            "from the number of features to the number of classes, such as 64-128-10"
        )
    return tuple(map(int, text.split("-")))
