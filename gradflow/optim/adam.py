"""Adam, and its variants with decoupled weight decay and with a maximum over second moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradflow.ops.adam import adam_update
from gradflow.optim.group import ParamGroup, Segment, check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor


class Adam(Optimizer):
    """Steps of about ``lr`` in the direction of the averaged gradient, over the root of its averaged square.

    ``weight_decay`` adds that times ``p`` to the gradient (AdamW is usually what is wanted), ``amsgrad`` keeps the
    largest second moment, ``maximize`` climbs. Names, defaults and numerics are PyTorch's, ``eps`` included.
    Sources: Kingma & Ba, "Adam", ICLR 2015; Reddi, Kale & Kumar, "On the convergence of Adam", ICLR 2018.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0], requires_grad=True)
    >>> optimizer = gf.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, {"lr": lr, **options, "maximize": maximize})

    def check(self, options: dict[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            check_range(name, options[name], 0.0)
        for i, beta in enumerate(options["betas"]):
            check_range(f"betas[{i}]", beta, 0.0, 1.0)

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if options["amsgrad"] else []))

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        beta1, beta2 = group["betas"]
        adam_update(
            [self.arguments(each, group, "exp_avg", "exp_avg_sq", "max_exp_avg_sq") for each in segments],
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.decoupled,
            maximize=group["maximize"],
        )


class AdamW(Adam):
    """Adam with weight decay applied to the parameters themselves: ``p := p - lr * weight_decay * p`` first.

    Names, defaults and numerics are PyTorch's. Source: Loshchilov & Hutter, "Decoupled weight decay", ICLR 2019.

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0], requires_grad=True)
    >>> optimizer = gf.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.85], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
