"""Optimizers whose steps depend on what gradients have been: Adagrad, Adadelta, Adamax, NAdam, RAdam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from gradflow.dispatch import apply
from gradflow.mode import recording
from gradflow.op import Op
from gradflow.ops.adaptive import adadelta_update, adagrad_update, adamax_update, nadam_update, radam_update
from gradflow.optim.arena import Run
from gradflow.optim.group import ParamGroup, Segment, check_range
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]
Betas = tuple[float, float]


class _Declared(Optimizer):
    """An optimizer whose update is the op ``declared``, with the options of a group as attributes."""

    declared: ClassVar[Op]
    kept: ClassVar[tuple[str, ...]]  # for each element

    def check(self, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if name == "betas":
                for i, beta in enumerate(value):
                    check_range(f"betas[{i}]", beta, 0.0, 1.0)
            elif not isinstance(value, bool):
                check_range(name, value, 0.0)

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        return self.kept

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        attributes = {name: group[name] for name in self.declared.attribute_names}
        for segment in segments:
            apply(self.declared, *self.arguments(segment, group, *self.kept, *self.numbers), **attributes)


class Adagrad(_Declared):
    """Steps of ``lr * g`` over the root of the sum of all squares of gradients, which begins as given.

    ``lr`` falls as ``lr / (1 + t * lr_decay)``; ``weight_decay`` adds that times ``p`` to the gradient; ``maximize``
    climbs. Names, defaults and numerics are PyTorch's. Source: Duchi, Hazan & Singer, JMLR 12 (2011).

    >>> import gradflow as gf
    >>> w = gf.tensor([1.0], requires_grad=True)
    >>> optimizer = gf.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5], requires_grad=True)
    """

    declared, kept = adagrad_update, ("sum",)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        options["initial_accumulator_value"] = initial_accumulator_value
        super().__init__(params, {"lr": lr, **options, "maximize": maximize})

    def segment(self, run: Run, options: dict[str, Any]) -> Segment:
        made = super().segment(run, options)
        with recording(False):
            made.state["sum"].copy_(options["initial_accumulator_value"])
        return made


class Adadelta(_Declared):
    """Steps of ``lr * g`` times the root of the averaged square of steps over that of gradients: without a unit.

    ``rho`` is how much of the averages is kept, ``eps`` is added to both. ``weight_decay`` adds that times ``p`` to the
    gradient; ``maximize`` climbs. Names, defaults and numerics are PyTorch's. Source: Zeiler, arXiv:1212.5701.
    """

    declared, kept = adadelta_update, ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        check_range("rho", options["rho"], 0.0, 1.0)


class Adamax(_Declared):
    """Adam with the largest of the decaying gradients in the place of the root of their averaged square.

    ``weight_decay`` adds that times ``p`` to the gradient; ``maximize`` climbs. Names, defaults and numerics are
    PyTorch's. Source: Kingma & Ba, "Adam", ICLR 2015, algorithm 2.
    """

    declared, kept = adamax_update, ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {"lr": lr, **options})


class NAdam(_Declared):
    """Adam that looks one step ahead, as Nesterov's momentum does, with a momentum that grows by ``momentum_decay``.

    ``weight_decay`` adds that times ``p`` to the gradient, or with ``decoupled_weight_decay`` shrinks ``p`` as AdamW
    does; ``maximize`` climbs. Names, defaults and numerics are PyTorch's.
    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    declared, kept, numbers = nadam_update, ("exp_avg", "exp_avg_sq"), {"mu_product": 1.0}

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        decoupled = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {"lr": lr, **options, **decoupled, "maximize": maximize})


class RAdam(_Declared):
    """Adam whose adaptive rates wait until their variance is known, and are rectified by that: it needs no warm-up.

    ``weight_decay`` adds that times ``p`` to the gradient, or with ``decoupled_weight_decay`` shrinks ``p`` as AdamW
    does; ``maximize`` climbs. Names, defaults and numerics are PyTorch's.
    Source: Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
    """

    declared, kept = radam_update, ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        decoupled = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {"lr": lr, **options, **decoupled, "maximize": maximize})
