"""Losses of margins, distances, likelihoods and unaligned sequences as modules, with their settings."""

from __future__ import annotations

from collections.abc import Callable

from gradflow.nn.losses import Loss
from gradflow.ops.ctc_loss import ctc_loss
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


class HingeEmbeddingLoss(Loss, of=hinge_embedding_loss):
    """``hinge_embedding_loss``, for distances with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.HingeEmbeddingLoss()(gf.tensor([0.5, 0.5]), gf.tensor([1, -1]))
    tensor(0.5)
    """

    def __init__(self, *, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(margin=margin)


class MarginRankingLoss(Loss, of=margin_ranking_loss):
    """``margin_ranking_loss``, for pairs of scores with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MarginRankingLoss()(gf.tensor([1.0]), gf.tensor([2.0]), gf.tensor([1]))
    tensor(1.)
    """

    def __init__(self, *, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(margin=margin)


class SoftMarginLoss(Loss, of=soft_margin_loss):
    """``soft_margin_loss``, for scores with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.SoftMarginLoss()(gf.tensor([0.0]), gf.tensor([1.0]))
    tensor(0.6931472)
    """


class MultiLabelSoftMarginLoss(Loss, of=multilabel_soft_margin_loss):
    """``multilabel_soft_margin_loss``, for logits of several classes at once, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiLabelSoftMarginLoss()(gf.tensor([[0.0, 0.0]]), gf.tensor([[1.0, 0.0]]))
    tensor(0.6931472)
    """

    def __init__(self, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.hold("weight", weight)


class MultiMarginLoss(Loss, of=multi_margin_loss):
    """``multi_margin_loss``, for scores of classes and labels, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiMarginLoss()(gf.tensor([[0.1, 0.2, 0.4, 0.8]]), gf.tensor([3]))
    tensor(0.325)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: TensorLike = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(p=p, margin=margin)
        self.hold("weight", weight)


class MultiLabelMarginLoss(Loss, of=multilabel_margin_loss):
    """``multilabel_margin_loss``, for scores of classes and several labels, as a module.

    >>> import gradflow as gf
    >>> gf.nn.MultiLabelMarginLoss()(gf.tensor([[0.1, 0.2, 0.4, 0.8]]), gf.tensor([[3, 0, -1, 1]]))
    tensor(0.85)
    """


class CosineEmbeddingLoss(Loss, of=cosine_embedding_loss):
    """``cosine_embedding_loss``, for pairs of vectors with targets 1 and -1, as a module.

    >>> import gradflow as gf
    >>> gf.nn.CosineEmbeddingLoss()(gf.tensor([[1.0, 0.0]]), gf.tensor([[0.0, 1.0]]), gf.tensor([1]))
    tensor(1.)
    """

    def __init__(self, *, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(margin=margin)


class TripletMarginLoss(Loss, of=triplet_margin_loss):
    """``triplet_margin_loss``, for an anchor, a positive and a negative, as a module.

    >>> import gradflow as gf
    >>> gf.nn.TripletMarginLoss()(gf.tensor([[0.0]]), gf.tensor([[1.0]]), gf.tensor([[4.0]]))
    tensor(0.)
    """

    def __init__(
        self, *, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.keep(margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(Loss, of=triplet_margin_with_distance_loss):
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
        super().__init__(reduction=reduction)
        self.keep(distance_function=distance_function, margin=margin, swap=swap)


class PoissonNLLLoss(Loss, of=poisson_nll_loss):
    """``poisson_nll_loss``, for logarithms of rates, or rates, and counts, as a module.

    >>> import gradflow as gf
    >>> gf.nn.PoissonNLLLoss()(gf.tensor([0.0]), gf.tensor([2.0]))
    tensor(1.)
    """

    def __init__(
        self, *, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.keep(log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(Loss, of=gaussian_nll_loss):
    """``gaussian_nll_loss``, for means and variances, and measurements, as a module.

    >>> import gradflow as gf
    >>> gf.nn.GaussianNLLLoss()(gf.tensor([1.0]), gf.tensor([3.0]), gf.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(full=full, eps=eps)


class KLDivLoss(Loss, of=kl_div):
    """``kl_div``, for log-probabilities and probabilities, as a module.

    >>> import gradflow as gf
    >>> gf.nn.KLDivLoss(reduction="batchmean")(gf.tensor([[-1.0, -1.0]]), gf.tensor([[0.5, 0.5]]))
    tensor(0.30685282)
    """

    offered = (*REDUCTIONS, "batchmean")

    def __init__(self, *, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.keep(log_target=log_target)


class CTCLoss(Loss, of=ctc_loss):
    """``ctc_loss``, for label sequences that are not aligned with time, as a module.

    >>> import gradflow as gf
    >>> log_probs = gf.log_softmax(gf.zeros((4, 1, 3)), -1)
    >>> gf.nn.CTCLoss(reduction="sum")(log_probs, gf.tensor([[1, 2]]), [4], [2])
    tensor(1.686399)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.keep(blank=blank, zero_infinity=zero_infinity)
