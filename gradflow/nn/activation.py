"""Activation functions as layers: without parameters (but for PReLU), and they keep the shape."""

from __future__ import annotations

from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.nn.applied import Applied
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops import activation_formulas as formulas
from gradflow.ops.activation import sigmoid, silu, softplus
from gradflow.ops.create import full
from gradflow.ops.gelu import gelu
from gradflow.ops.rectifier import elu, hardtanh, leaky_relu, relu, selu
from gradflow.ops.trigonometric import tanh
from gradflow.tensor import Tensor


class _Activation(Applied):
    keeps_shape = True


class ReLU(_Activation, of=relu):
    """``gf.relu``, max(x, 0), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ReLU()(gf.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """


class ReLU6(_Activation, of=formulas.relu6):
    """``relu6``, x within [0, 6], as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ReLU6()(gf.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """


class LeakyReLU(_Activation, of=leaky_relu):
    """``gf.leaky_relu``, max(x, negative_slope x), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LeakyReLU(0.1)(gf.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)


class RReLU(_Activation, of=formulas.rrelu):
    """``rrelu``, x above 0 and x times a number in [lower, upper] below, random in training, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.RReLU(0.25, 0.75).eval()(gf.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        super().__init__(lower=lower, upper=upper)

    def values(self) -> list[Any]:
        return [*super().values(), self.training]


class ELU(_Activation, of=elu):
    """``gf.elu``, x above 0 and alpha (exp(x) - 1) below, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.ELU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.63212,  2.     ])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)


class CELU(_Activation, of=formulas.celu):
    """``celu``, x above 0 and alpha (exp(x / alpha) - 1) below, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.CELU(2.0)(gf.tensor([-1.0, 2.0]))
    tensor([-0.7869387,  2.       ])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)


class SELU(_Activation, of=selu):
    """``gf.selu``, the self-normalising unit, as a layer; it wants LeCun's initialisation (see ``init``).

    >>> import gradflow as gf
    >>> gf.nn.SELU()(gf.tensor([-1.0, 2.0]))
    tensor([-1.11133,  2.1014 ])
    """


class GELU(_Activation, of=gelu):
    """``gf.gelu``, x times the probability of a normal number below x, as a layer; or "tanh", its approximation.

    >>> import gradflow as gf
    >>> gf.nn.GELU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.15866,  1.9545 ])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class SiLU(_Activation, of=silu):
    """``gf.silu``, x sigmoid(x), as a layer; also known as swish.

    >>> import gradflow as gf
    >>> gf.nn.SiLU()(gf.tensor([-1.0, 2.0]))
    tensor([-0.26894,  1.76159 ])
    """


class Mish(_Activation, of=formulas.mish):
    """``mish``, x tanh(softplus(x)), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Mish()(gf.tensor([0.0, 2.0]))
    tensor([0.      , 1.943959])
    """


class Sigmoid(_Activation, of=sigmoid):
    """``gf.sigmoid``, 1 / (1 + exp(-x)), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Sigmoid()(gf.tensor([0.0, 2.0]))
    tensor([0.5    , 0.8808])
    """


class LogSigmoid(_Activation, of=formulas.logsigmoid):
    """``logsigmoid``, the logarithm of sigmoid(x), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.LogSigmoid()(gf.tensor([-100.0, 0.0]))
    tensor([-100.       ,   -0.6931472])
    """


class Hardsigmoid(_Activation, of=formulas.hardsigmoid):
    """``hardsigmoid``, x / 6 + 1 / 2 within [0, 1], as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Hardsigmoid()(gf.tensor([-4.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75])
    """


class Hardswish(_Activation, of=formulas.hardswish):
    """``hardswish``, x hardsigmoid(x), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Hardswish()(gf.tensor([-4.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """


class Tanh(_Activation, of=tanh):
    """``gf.tanh`` as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Tanh()(gf.tensor([0.0, 2.0]))
    tensor([0.     , 0.96403])
    """


class Hardtanh(_Activation, of=hardtanh):
    """``gf.hardtanh``, x within [min_val, max_val], as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Hardtanh(0.0, 6.0)(gf.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__(min_val=min_val, max_val=max_val)


class Softplus(_Activation, of=softplus):
    """``gf.softplus``, log(1 + exp(beta x)) / beta, as a layer; x itself where beta x is above ``threshold``.

    >>> import gradflow as gf
    >>> gf.nn.Softplus()(gf.tensor([0.0, 30.0]))
    tensor([ 0.69315, 30.     ])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class Softsign(_Activation, of=formulas.softsign):
    """``softsign``, x / (1 + abs(x)), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Softsign()(gf.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """


class Tanhshrink(_Activation, of=formulas.tanhshrink):
    """``tanhshrink``, x - tanh(x), as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Tanhshrink()(gf.tensor([0.0, 2.0]))
    tensor([0.        , 1.0359724])
    """


class Softshrink(_Activation, of=formulas.softshrink):
    """``softshrink``, x moved by ``lambd`` towards 0, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Softshrink()(gf.tensor([-2.0, 0.25]))
    tensor([-1.5,  0. ])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Hardshrink(_Activation, of=formulas.hardshrink):
    """``hardshrink``, x but 0 where it is within ``lambd`` of 0, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Hardshrink()(gf.tensor([-2.0, 0.25]))
    tensor([-2.,  0.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Threshold(_Activation, of=formulas.threshold):
    """``threshold``, x above ``threshold`` and ``value`` elsewhere, as a layer.

    >>> import gradflow as gf
    >>> gf.nn.Threshold(1.0, -5.0)(gf.tensor([0.0, 2.0]))
    tensor([-5.,  2.])
    """

    def __init__(self, threshold: float, value: float) -> None:
        super().__init__(threshold=threshold, value=value)


class PReLU(Module):
    """``prelu``, x above 0 and ``weight`` x below, with one weight to learn or ``num_parameters``, one for a channel.

    ``weight`` is (num_parameters,), and begins as ``init``. Raises ShapeError for another number of channels.

    >>> import gradflow as gf
    >>> gf.nn.PReLU()(gf.tensor([-1.0, 2.0])).detach()
    tensor([-0.25,  2.  ])
    """

    keeps_shape = True

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full(num_parameters, float(init), dtype=dtype, device=device))

    def forward(self, x: Tensor) -> Tensor:
        return formulas.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_parameters}"
