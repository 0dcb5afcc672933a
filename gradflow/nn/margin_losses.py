"""Losses of margins, distances, likelihoods and unaligned sequences as modules, with their settings."""

from __future__ import annotations

from collections.abc import Callable

from gradflow.nn.losses import Loss
from gradflow.ops.ctc_loss import Lengths, ctc_loss
from gradflow.ops.distance import cosine_embedding_loss, triplet_margin_loss, triplet_margin_with_distance_loss
from gradflow.ops.likelihood_loss import gaussian_nll_loss, kl_div, poisson_nll_loss
from gradflow.ops.loss import REDUCTIONS
from gradflow.ops.margin_loss import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from gradflow.tensor import Tensor, TensorLike


class HingeEmbeddingLoss(Loss):
    """``hinge_embedding_loss``, for distances with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.HingeEmbeddingLoss()(gf.tensor([0.5, 0.5]), gf.tensor([1, -1]))
    tensor(0.5)
    """

    def __init__(self, *, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """``margin_ranking_loss``, for pairs of scores with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MarginRankingLoss()(gf.tensor([1.0]), gf.tensor([2.0]), gf.tensor([1]))
    tensor(1.)
    """

    def __init__(self, *, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: TensorLike, target: TensorLike) -> Tensor:
        return margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """``soft_margin_loss``, for scores with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.SoftMarginLoss()(gf.tensor([0.0]), gf.tensor([1.0]))
    tensor(0.6931472)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(Loss):
    """``multilabel_soft_margin_loss``, for logits of several classes at once, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiLabelSoftMarginLoss()(gf.tensor([[0.0, 0.0]]), gf.tensor([[1.0, 0.0]]))
    tensor(0.6931472)
    """

    weight: Tensor | None

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.hold("weight", weight)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class MultiMarginLoss(Loss):
    """``multi_margin_loss``, for scores of classes and labels, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiMarginLoss()(gf.tensor([[0.1, 0.2, 0.4, 0.8]]), gf.tensor([3]))
    tensor(0.325)
    """

    weight: Tensor | None

    def __init__(self, p: int = 1, margin: float = 1.0, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.p = p
        self.margin = margin
        self.hold("weight", weight)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return multi_margin_loss(
            input, target, weight=self.weight, p=self.p, margin=self.margin, reduction=self.reduction
        )


class MultiLabelMarginLoss(Loss):
    """``multilabel_margin_loss``, for scores of classes and several labels, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiLabelMarginLoss()(gf.tensor([[0.1, 0.2, 0.4, 0.8]]), gf.tensor([[3, 0, -1, 1]]))
    tensor(0.85)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return multilabel_margin_loss(input, target, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """``cosine_embedding_loss``, for pairs of vectors with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.CosineEmbeddingLoss()(gf.tensor([[1.0, 0.0]]), gf.tensor([[0.0, 1.0]]), gf.tensor([1]))
    tensor(1.)
    """

    def __init__(self, *, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: TensorLike, target: TensorLike) -> Tensor:
        return cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """``triplet_margin_loss``, for an anchor, a positive and a negative, as a module.

    >>> import gradflow as gf
    >>> gf.nn.TripletMarginLoss()(gf.tensor([[0.0]]), gf.tensor([[1.0]]), gf.tensor([[4.0]]))
    tensor(0.)
    """

    def __init__(
        self, *, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: TensorLike, negative: TensorLike) -> Tensor:
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(Loss):
    """``triplet_margin_with_distance_loss``, with a distance of one's own, as a module.

    >>> import gradflow as gf
    >>> gf.nn.TripletMarginWithDistanceLoss()(gf.tensor([[0.0]]), gf.tensor([[1.0]]), gf.tensor([[4.0]]))
    tensor(0.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: TensorLike, negative: TensorLike) -> Tensor:
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class PoissonNLLLoss(Loss):
    """``poisson_nll_loss``, for logarithms of rates, or rates, and counts, as a module.

    >>> import gradflow as gf
    >>> gf.nn.PoissonNLLLoss()(gf.tensor([0.0]), gf.tensor([2.0]))
    tensor(1.)
    """

    def __init__(
        self, *, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """``gaussian_nll_loss``, for means and variances, and measurements, as a module.

    >>> import gradflow as gf
    >>> gf.nn.GaussianNLLLoss()(gf.tensor([1.0]), gf.tensor([3.0]), gf.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: TensorLike, var: TensorLike) -> Tensor:
        return gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class KLDivLoss(Loss):
    """``kl_div``, for log-probabilities and probabilities, as a module.

    >>> import gradflow as gf
    >>> gf.nn.KLDivLoss(reduction="batchmean")(gf.tensor([[-1.0, -1.0]]), gf.tensor([[0.5, 0.5]]))
    tensor(0.30685282)
    """

    def __init__(self, *, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction, (*REDUCTIONS, "batchmean"))
        self.log_target = log_target

    def forward(self, input: Tensor, target: TensorLike) -> Tensor:
        return kl_div(input, target, log_target=self.log_target, reduction=self.reduction)


class CTCLoss(Loss):
    """``ctc_loss``, for label sequences that are not aligned with time, as a module.

    >>> import gradflow as gf
    >>> log_probs = gf.log_softmax(gf.zeros((4, 1, 3)), -1)
    >>> gf.nn.CTCLoss(reduction="sum")(log_probs, gf.tensor([[1, 2]]), [4], [2])
    tensor(1.686399)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: TensorLike, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        how = self.blank, self.reduction, self.zero_infinity
        return ctc_loss(log_probs, targets, input_lengths, target_lengths, *how)
