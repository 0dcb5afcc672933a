"""Losses as modules, with their settings; ``gradflow.nn.functional`` has them as functions."""

from __future__ import annotations

from gradflow.nn.module import Module
from gradflow.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from gradflow.ops.class_labels import IGNORED
from gradflow.ops.create import asarray
from gradflow.ops.cross_entropy import cross_entropy
from gradflow.ops.loss import REDUCTIONS, check_reduction
from gradflow.ops.nll_loss import nll_loss
from gradflow.ops.regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gradflow.tensor import Tensor, TensorLike


class Loss(Module):
    """What all have: ``reduction``, and weights as buffers."""

    def __init__(self, reduction: str, offered: tuple[str, ...] = REDUCTIONS) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, offered)
        self.reduction = reduction

    def hold(self, name: str, weights: TensorLike) -> None:
        """Keep ``weights`` as the buffer ``name``, which gets no gradient."""
        self.register_buffer(name, None if weights is None else asarray(weights).detach())

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """``mse_loss``, the squared error, as a module; ``reduction`` is "mean", "sum", "none" or "half".

    >>> import gradflow as gf
    >>> gf.nn.MSELoss()(gf.tensor([1.0, 2.0]), gf.tensor([0.0, 4.0]))
    tensor(2.5)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction, (*REDUCTIONS, "half"))

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """``l1_loss``, the absolute error, as a module; ``reduction`` is "mean", "sum" or "none".

    >>> import gradflow as gf
    >>> gf.nn.L1Loss()(gf.tensor([1.0, 2.0]), gf.tensor([0.0, 4.0]))
    tensor(1.5)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """``huber_loss``, squared for errors up to ``delta`` and linear beyond, as a module.

    >>> import gradflow as gf
    >>> gf.nn.HuberLoss(delta=2.0)(gf.tensor([1.0, 4.0]), gf.tensor([0.0, 0.0]))
    tensor(3.25)
    """

    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """``smooth_l1_loss``, the absolute error rounded off where it is below ``beta``, as a module.

    >>> import gradflow as gf
    >>> gf.nn.SmoothL1Loss(beta=2.0)(gf.tensor([1.0, 4.0]), gf.tensor([0.0, 0.0]))
    tensor(1.625)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class BCELoss(Loss):
    """``binary_cross_entropy``, of probabilities, as a module; ``weight`` multiplies the loss of each element.

    >>> import gradflow as gf
    >>> gf.nn.BCELoss()(gf.tensor([0.5, 0.5]), gf.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.hold("weight", weight)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """``binary_cross_entropy_with_logits`` as a module; ``pos_weight`` multiplies the part of positive targets.

    >>> import gradflow as gf
    >>> gf.nn.BCEWithLogitsLoss(pos_weight=[3.0])(gf.tensor([0.0, 0.0]), gf.tensor([0.0, 1.0]))
    tensor(1.3863)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean", pos_weight: TensorLike = None) -> None:
        super().__init__(reduction)
        self.hold("weight", weight)
        self.hold("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class NLLLoss(Loss):
    """``nll_loss``, of log-probabilities and class labels, as a module; ``weight`` has a number for each class.

    >>> import gradflow as gf
    >>> gf.nn.NLLLoss()(gf.tensor([[-0.5, -1.0], [-2.0, -0.1]]), gf.tensor([0, 0]))
    tensor(1.25)
    """

    weight: Tensor | None

    def __init__(self, weight: TensorLike = None, *, ignore_index: int = IGNORED, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.hold("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(Loss):
    """``cross_entropy``, of logits and class labels or probabilities, as a module.

    >>> import gradflow as gf
    >>> gf.nn.CrossEntropyLoss()(gf.tensor([[2.0, 0.0], [0.0, 2.0]]), gf.tensor([0, 0]))
    tensor(1.1269)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: TensorLike = None,
        *,
        ignore_index: int = IGNORED,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.hold("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
