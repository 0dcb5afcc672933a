"""RMSprop: the gradient over the root of its averaged square."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.ops.rmsprop import rmsprop_update
from gradflow.optim.group import ParamGroup, Segment, check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor


class RMSprop(Optimizer):
    """Steps of ``lr * g / (sqrt(v) + eps)``, where ``v`` is the average of ``g * g`` with the weight ``alpha``.

    ``centered`` takes the square of the averaged gradient from ``v``, which makes it a variance; ``momentum`` adds up
    the steps; ``weight_decay`` adds that times ``p`` to the gradient; ``maximize`` climbs. Names, defaults and numerics
    are PyTorch's. Sources: Tieleman & Hinton, lecture 6.5, 2012; Graves, arXiv:1308.0850 (centered, momentum).

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0], requires_grad=True)
    >>> optimizer = gf.optim.RMSprop([w], lr=0.05, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum, "centered": centered}
        super().__init__(params, {"lr": lr, **options, "maximize": maximize})

    def check(self, options: dict[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay", "momentum", "alpha"):
            check_range(name, options[name], 0.0)

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        optional = {"momentum_buffer": options["momentum"], "grad_avg": options["centered"]}
        return ("square_avg", *(name for name, wanted in optional.items() if wanted))

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        rmsprop_update(
            [self.arguments(each, group, "square_avg", "momentum_buffer", "grad_avg") for each in segments],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            maximize=group["maximize"],
        )
