"""What layers compute, as functions, with PyTorch's names and argument meanings; only ``dim`` is ``axis``."""

from __future__ import annotations

from gradflow import dtypes
from gradflow.errors import ShapeError
from gradflow.ops import create, lookup, shape
from gradflow.ops.activation import sigmoid, silu, softplus
from gradflow.ops.activation_formulas import (
    celu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    logsigmoid,
    mish,
    prelu,
    relu6,
    rrelu,
    softmin,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from gradflow.ops.adaptive_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from gradflow.ops.attention import scaled_dot_product_attention
from gradflow.ops.bags import embedding, embedding_bag
from gradflow.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from gradflow.ops.borders import pad
from gradflow.ops.channels import channel_shuffle, local_response_norm, normalize
from gradflow.ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from gradflow.ops.cross_entropy import cross_entropy
from gradflow.ops.ctc_loss import ctc_loss
from gradflow.ops.distance import (
    cosine_embedding_loss,
    cosine_similarity,
    pairwise_distance,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from gradflow.ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from gradflow.ops.fold import fold, unfold
from gradflow.ops.gelu import gelu
from gradflow.ops.grid_sample import affine_grid, grid_sample
from gradflow.ops.group_norm import group_norm, instance_norm, rms_norm
from gradflow.ops.gumbel import gumbel_softmax
from gradflow.ops.interpolate import interpolate
from gradflow.ops.likelihood_loss import gaussian_nll_loss, kl_div, poisson_nll_loss
from gradflow.ops.linalg import linear
from gradflow.ops.margin_loss import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from gradflow.ops.nll_loss import nll_loss
from gradflow.ops.normalize import batch_norm, layer_norm
from gradflow.ops.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from gradflow.ops.pool import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from gradflow.ops.rectifier import elu, hardtanh, leaky_relu, relu, selu
from gradflow.ops.regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gradflow.ops.softmax import log_softmax, softmax
from gradflow.ops.trigonometric import tanh
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rrelu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
]


def bilinear(x1: TensorLike, x2: TensorLike, weight: TensorLike, bias: TensorLike = None) -> Tensor:
    """``x1 @ row @ x2`` for every row of ``weight`` (out, m, n), plus ``bias``: (..., m), (..., n) -> (..., out).

    Raises ShapeError if the sizes do not fit.

    >>> import gradflow.nn.functional as F
    >>> F.bilinear([1.0, 2.0], [3.0], [[[1.0], [10.0]]])
    tensor([63.])
    """
    a, b, rows = create.asarray(x1), create.asarray(x2), create.asarray(weight)
    fits = rows.ndim == 3 and a.ndim and a.shape[-1] == rows.shape[1] and b.shape == (*a.shape[:-1], rows.shape[2])
    if not fits:
        raise ShapeError(f"bilinear: inputs {a.shape} and {b.shape} do not fit a weight (out, m, n) of {rows.shape}")
    products = shape.expand_dims(a, -1) * shape.expand_dims(b, -2)
    return linear(shape.flatten(products, -2), shape.flatten(rows, 1), bias)


def one_hot(labels: TensorLike, num_classes: int) -> Tensor:
    """For every label a vector of ``num_classes`` with 1 at the label, of int64, as in PyTorch; see ``gf.one_hot``.

    >>> import gradflow.nn.functional as F
    >>> F.one_hot([1, 0], 3)
    tensor([[0, 1, 0],
            [1, 0, 0]])
    """
    return lookup.one_hot(labels, num_classes, dtypes.int64)
