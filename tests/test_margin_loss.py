"""Losses of margins, distances and likelihoods: values and gradients against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow import nn
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from oracles import against_torch

N, C = 6, 5


def given(rng):
    """Inputs of each loss by name; several calls where there are settings."""
    x, y, z = (rng.standard_normal((N, C)) for _ in range(3))
    signs = np.where(rng.random((N, C)) < 0.5, -1, 1)
    labels = rng.integers(0, C, N)
    several = np.array(
        [[3, 0, -1, 1, 2], [-1] * 5, [4, 3, 2, 1, 0], [2, 2, -1, 0, 0], [1, -1, 3, -1, 0], [0, 1, 2, 3, -1]]
    )
    positive, truth, weight = 0.1 + rng.random((N, C)), rng.random((N, C)), rng.random(C)
    return {
        "hinge_embedding_loss": [(x, signs), (x, signs, {"margin": 0.3})],
        "margin_ranking_loss": [(x, y, signs), (x, y, signs, {"margin": 0.7})],
        "soft_margin_loss": [(x, signs.astype(float)), (50 * x, signs.astype(float))],
        "multilabel_soft_margin_loss": [(x, (signs > 0).astype(float)), (x, truth, weight), (90 * x, truth)],
        "multi_margin_loss": [(x, labels), (x, labels, {"p": 2, "margin": 0.4}), (x, labels, 1, 1.0, weight)],
        "multilabel_margin_loss": [(x, several)],
        "cosine_embedding_loss": [(x, y, signs[:, 0]), (x, y, signs[:, 0], {"margin": 0.3})],
        "triplet_margin_loss": [(x, y, z), (x, y, z, {"swap": True, "p": 3.0, "margin": 0.2})],
        "poisson_nll_loss": [(x, 3 * truth, {"full": True}), (positive, 3 * truth, {"log_input": False})],
        "gaussian_nll_loss": [(x, y, positive), (x, y, positive[:, 0], {"full": True}), (x, y, positive[:, :1] * 1e-6)],
        "kl_div": [(x, truth), (x, truth * (truth > 0.5)), (x, y, {"log_target": True})],
    }


OF_THE_INPUT_ALONE = {"soft_margin_loss", "multi_margin_loss", "kl_div"}  # PyTorch has no other gradients, or NaN
NAMES = list(given(np.random.default_rng(0)))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_a_loss_and_its_gradients_are_torchs(name, reduction, torch, rng):
    for call in given(rng)[name]:
        arrays = [x for x in call if not isinstance(x, dict)]
        settings = next((x for x in call if isinstance(x, dict)), {})
        functions = getattr(F, name), getattr(torch.nn.functional, name)
        wrt = (0,) if name in OF_THE_INPUT_ALONE else None
        against_torch(torch, *functions, *arrays, **settings, reduction=reduction, wrt=wrt)


def test_the_divergence_over_a_batch_and_distances_are_torchs(torch, rng):
    x, y = rng.standard_normal((2, N, C))
    functional = torch.nn.functional
    against_torch(torch, F.kl_div, functional.kl_div, x, np.exp(y), reduction="batchmean")
    against_torch(torch, F.pairwise_distance, functional.pairwise_distance, x, y, 3.0, keepdim=True)
    for axis in (0, 1):
        how = {"renamed": {"dim": axis}}
        against_torch(torch, F.cosine_similarity, functional.cosine_similarity, x, y, axis=axis, **how)
    z = rng.standard_normal((N, C))
    theirs = functional.triplet_margin_with_distance_loss
    against_torch(torch, F.triplet_margin_with_distance_loss, theirs, x, y, z, swap=True)


LAYERS = {
    "HingeEmbeddingLoss": ("hinge_embedding_loss", {"margin": 0.5}),
    "MarginRankingLoss": ("margin_ranking_loss", {"margin": 0.5}),
    "SoftMarginLoss": ("soft_margin_loss", {}),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin_loss", {}),
    "MultiMarginLoss": ("multi_margin_loss", {"p": 2, "margin": 0.5}),
    "MultiLabelMarginLoss": ("multilabel_margin_loss", {}),
    "CosineEmbeddingLoss": ("cosine_embedding_loss", {"margin": 0.2}),
    "TripletMarginLoss": ("triplet_margin_loss", {"margin": 0.5, "swap": True}),
    "TripletMarginWithDistanceLoss": ("triplet_margin_loss", {"margin": 0.5}),
    "PoissonNLLLoss": ("poisson_nll_loss", {"full": True}),
    "GaussianNLLLoss": ("gaussian_nll_loss", {"full": True}),
    "KLDivLoss": ("kl_div", {"reduction": "batchmean"}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_torchs(name, torch, rng):
    function, settings = LAYERS[name]
    arrays = [x for x in given(rng)[function][0] if not isinstance(x, dict)]
    wrt = (0,) if function in OF_THE_INPUT_ALONE else None
    against_torch(torch, getattr(nn, name)(**settings), getattr(torch.nn, name)(**settings), *arrays, wrt=wrt)


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, "the shapes must be equal", lambda: F.hinge_embedding_loss(X, np.ones((2, 1)))),
        (ArgumentError, "reduction is one of", lambda: F.soft_margin_loss(X, X, reduction="max")),
        (ArgumentError, "reduction is one of", lambda: F.kl_div(X, X, reduction="batch")),
        (ArgumentError, "reduction is one of", lambda: nn.KLDivLoss(reduction="batch")),
        (ArgumentError, "p is 1 or 2", lambda: F.multi_margin_loss(X, [0, 1], 3)),
        (ShapeError, r"use \(N, C\) and", lambda: F.multi_margin_loss(X, [0, 1, 2])),
        (DTypeError, "labels are integers", lambda: F.multi_margin_loss(X, [0.0, 1.0])),
        (IndexOutOfRange, "3 is out of range", lambda: F.multi_margin_loss(X, [0, 3])),
        (IndexOutOfRange, "3 is out of range", lambda: F.multilabel_margin_loss(X, np.full((2, 3), 3))),
        (ShapeError, "they must be", lambda: F.cosine_embedding_loss(X, X, [1.0])),
        (ArgumentError, "margin must be positive", lambda: F.triplet_margin_loss(X, X, X, margin=0.0)),
        (ArgumentError, "eps must be positive", lambda: F.gaussian_nll_loss(X, X, X, eps=0.0)),
        (ShapeError, "var is", lambda: F.gaussian_nll_loss(X, X, np.ones(3))),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_a_second_gradient_of_a_likelihood_is_its_closed_form(rng):
    x = gf.tensor(rng.standard_normal(4), requires_grad=True)
    F.poisson_nll_loss(x, rng.random(4), reduction="sum").backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.detach().numpy()))
