"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.errors import ArgumentError
from gradflow.ops.sgd import sgd_update
from gradflow.optim.group import ParamGroup, Segment, check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor


class SGD(Optimizer):
    """``p := p - lr * g``, with momentum ``v := momentum * v + (1 - dampening) * g; p := p - lr * v``.

    ``nesterov`` looks one step ahead, ``weight_decay`` adds that times ``p`` to the gradient, ``maximize`` climbs.
    Names, defaults and numerics are PyTorch's. Sources: Robbins & Monro 1951; Polyak 1964; Sutskever et al., ICML 2013.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0], requires_grad=True)
    >>> optimizer = gf.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, {"lr": lr, **options, "maximize": maximize})

    def check(self, options: dict[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            check_range(name, options[name], 0.0)
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ArgumentError("nesterov needs a momentum above 0 and no dampening")

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        sgd_update(
            [self.arguments(each, group, "momentum_buffer") for each in segments],
            momentum=group["momentum"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
        )
