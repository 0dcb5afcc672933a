"""Lion: steps of one size in every direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.ops.lion import lion_update
from gradflow.optim.group import ParamGroup, Segment, check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor


class Lion(Optimizer):
    """Steps of ``lr`` in the direction of the sign of ``betas[0] * m + (1 - betas[0]) * g``, with half of Adam's state.

    The momentum ``m`` is averaged with ``betas[1]``. Weight decay is applied to the parameters themselves, as in AdamW.
    ``maximize`` climbs. A learning rate 3 to 10 times below Adam's, and a weight decay as much above, are usual.
    Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = gf.optim.Lion([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.75, -2.75], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"betas": tuple(betas), "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {"lr": lr, **options})

    def check(self, options: dict[str, Any]) -> None:
        for name in ("lr", "weight_decay"):
            check_range(name, options[name], 0.0)
        for i, beta in enumerate(options["betas"]):
            check_range(f"betas[{i}]", beta, 0.0, 1.0)

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg",)

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        beta1, beta2 = group["betas"]
        lion_update(
            [self.arguments(each, group, "exp_avg") for each in segments],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
        )
