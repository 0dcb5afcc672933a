"""Activation functions as layers, for ``nn.Sequential``: without parameters, and they keep the shape."""

from __future__ import annotations

from gradflow.nn.module import Module
from gradflow.ops.activation import sigmoid, silu, softplus
from gradflow.ops.gelu import gelu
from gradflow.ops.rectifier import elu, hardtanh, leaky_relu, relu, selu
from gradflow.ops.softmax import log_softmax, softmax
from gradflow.ops.trigonometric import tanh
from gradflow.tensor import Tensor


class ReLU(Module):
    """``gf.relu``, max(x, 0), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ReLU()(gf.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


class LeakyReLU(Module):
    """``gf.leaky_relu``, max(x, negative_slope x), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LeakyReLU(0.1)(gf.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    keeps_shape = True

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"{self.negative_slope}"


class ELU(Module):
    """``gf.elu``, x above 0 and alpha (exp(x) - 1) below, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ELU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.63212,  2.     ])
    """

    keeps_shape = True

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"{self.alpha}"


class SELU(Module):
    """``gf.selu``, the self-normalising unit, as a layer; it wants LeCun's initialisation (see ``init``).

    >>> import gradflow as gf
    >>> gf.nn.SELU()(gf.tensor([-1.0, 2.0]))
    tensor([-1.11133,  2.1014 ])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return selu(x)


class GELU(Module):
    """``gf.gelu``, x times the probability of a normal number below x, as a layer; or "tanh", its approximation.

    >>> import gradflow as gf
    >>> gf.nn.GELU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.15866,  1.9545 ])
    """

    keeps_shape = True

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return "" if self.approximate == "none" else repr(self.approximate)


class SiLU(Module):
    """``gf.silu``, x sigmoid(x), as a layer; also known as swish.

    >>> import gradflow as gf
    >>> gf.nn.SiLU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.26894,  1.76159 ])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return silu(x)


class Sigmoid(Module):
    """``gf.sigmoid``, 1 / (1 + exp(-x)), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Sigmoid()(gf.tensor([0.0, 2.0]))
    tensor([0.5    , 0.8808])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(x)


class Tanh(Module):
    """``gf.tanh`` as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Tanh()(gf.tensor([0.0, 2.0]))
    tensor([0.     , 0.96403])
    """

    keeps_shape = True

    def forward(self, x: Tensor) -> Tensor:
        return tanh(x)


class Hardtanh(Module):
    """``gf.hardtanh``, x within [min_val, max_val], as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Hardtanh(0.0, 6.0)(gf.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """

    keeps_shape = True

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, x: Tensor) -> Tensor:
        return hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"{self.min_val}, {self.max_val}"


class Softplus(Module):
    """``gf.softplus``, log(1 + exp(beta x)) / beta, as a layer; x itself where beta x is above ``threshold``.

    >>> import gradflow as gf
    >>> gf.nn.Softplus()(gf.tensor([0.0, 30.0]))
    tensor([ 0.69315, 30.     ])
    """

    keeps_shape = True

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"{self.beta}, {self.threshold}"


class Softmax(Module):
    """``gf.softmax``, exp(x) over its sum along ``dim``, as a layer.

    Not before ``nn.CrossEntropyLoss``, which takes the scores themselves.

    >>> import gradflow as gf
    >>> gf.nn.Softmax()(gf.tensor([[0.0, 0.0], [0.0, 1000.0]]))
    tensor([[0.5, 0.5],
            [0. , 1. ]])
    """

    keeps_shape = True

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """``gf.log_softmax``, the logarithm of softmax along ``dim``, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LogSoftmax()(gf.tensor([0.0, 100.0]))
    tensor([-100.,    0.])
    """

    keeps_shape = True

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
