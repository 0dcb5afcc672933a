"""Losses as modules, with their settings; ``gradflow.nn.functional`` has them as functions."""

from __future__ import annotations

from typing import Any, ClassVar

from gradflow.nn.applied import Applied
from gradflow.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from gradflow.ops.class_labels import IGNORED
from gradflow.ops.create import asarray
from gradflow.ops.cross_entropy import cross_entropy
from gradflow.ops.loss import REDUCTIONS, check_reduction
from gradflow.ops.nll_loss import nll_loss
from gradflow.ops.regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gradflow.tensor import TensorLike


class Loss(Applied):
    """What all have: ``reduction``, and weights as buffers."""

    offered: ClassVar[tuple[str, ...]] = REDUCTIONS
    reduction: str

    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(type(self).__name__, reduction, self.offered)
        super().__init__(reduction=reduction)

    def hold(self, name: str, weights: TensorLike) -> None:
        """Keep ``weights`` as the buffer ``name``, which gets no gradient."""
        self.register_buffer(name, None if weights is None else asarray(weights).detach())
        self.settings += (name,)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return type(self).function(*inputs, **named, **dict(zip(self.settings, self.values(), strict=True)))

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(Loss, of=mse_loss):
    """``mse_loss``, the squared error, as a module; ``reduction`` is "mean", "sum", "none" or "half".

    >>> import gradflow as gf
    >>> gf.nn.MSELoss()(gf.tensor([1.0, 2.0]), gf.tensor([0.0, 4.0]))
    tensor(2.5)
    """

    offered = (*REDUCTIONS, "half")


class L1Loss(Loss, of=l1_loss):
    """``l1_loss``, the absolute error, as a module; ``reduction`` is "mean", "sum" or "none".

    >>> import gradflow as gf
    >>> gf.nn.L1Loss()(gf.tensor([1.0, 2.0]), gf.tensor([0.0, 4.0]))
    tensor(1.5)
    """


class HuberLoss(Loss, of=huber_loss):
    """``huber_loss``, squared for errors up to ``delta`` and linear beyond, as a module.

    >>> import gradflow as gf
    >>> gf.nn.HuberLoss(delta=2.0)(gf.tensor([1.0, 4.0]), gf.tensor([0.0, 0.0]))
    tensor(3.25)
    """

    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.keep(delta=delta)


class SmoothL1Loss(Loss, of=smooth_l1_loss):
    """``smooth_l1_loss``, the absolute error rounded off where it is below ``beta``, as a module.

    >>> import gradflow as gf
    >>> gf.nn.SmoothL1Loss(beta=2.0)(gf.tensor([1.0, 4.0]), gf.tensor([0.0, 0.0]))
    tensor(1.625)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.keep(beta=beta)


class BCELoss(Loss, of=binary_cross_entropy):
    """``binary_cross_entropy``, of probabilities, as a module; ``weight`` multiplies the loss of each element.

    >>> import gradflow as gf
    >>> gf.nn.BCELoss()(gf.tensor([0.5, 0.5]), gf.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.hold("weight", weight)


class BCEWithLogitsLoss(Loss, of=binary_cross_entropy_with_logits):
    """``binary_cross_entropy_with_logits`` as a module; ``pos_weight`` multiplies the part of positive targets.

    >>> import gradflow as gf
    >>> gf.nn.BCEWithLogitsLoss(pos_weight=[3.0])(gf.tensor([0.0, 0.0]), gf.tensor([0.0, 1.0]))
    tensor(1.3863)
    """

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean", pos_weight: TensorLike = None) -> None:
        super().__init__(reduction=reduction)
        self.hold("weight", weight)
        self.hold("pos_weight", pos_weight)


class NLLLoss(Loss, of=nll_loss):
    """``nll_loss``, of log-probabilities and class labels, as a module; ``weight`` has a number for each class.

    >>> import gradflow as gf
    >>> gf.nn.NLLLoss()(gf.tensor([[-0.5, -1.0], [-2.0, -0.1]]), gf.tensor([0, 0]))
    tensor(1.25)
    """

    def __init__(self, weight: TensorLike = None, *, ignore_index: int = IGNORED, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(ignore_index=ignore_index)
        self.hold("weight", weight)


class CrossEntropyLoss(Loss, of=cross_entropy):
    """``cross_entropy``, of logits and class labels or probabilities, as a module.

    >>> import gradflow as gf
    >>> gf.nn.CrossEntropyLoss()(gf.tensor([[2.0, 0.0], [0.0, 2.0]]), gf.tensor([0, 0]))
    tensor(1.1269)
    """

    def __init__(
        self,
        weight: TensorLike = None,
        *,
        ignore_index: int = IGNORED,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction=reduction)
        self.keep(ignore_index=ignore_index, label_smoothing=label_smoothing)
        self.hold("weight", weight)
