"""Images and volumes at the points of a grid: values and gradients against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, ShapeError
from oracles import against_torch


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("rank", "mode"), [(2, "bilinear"), (2, "nearest"), (2, "bicubic"), (3, "bilinear"), (3, "nearest")]
)
def test_sampling_is_torchs(rank, mode, padding_mode, align_corners, torch, rng):
    x = rng.standard_normal((2, 3, 4, 5, 6)[: rank + 2])
    grid = rng.uniform(-1.6, 1.6, (2, *(3, 4, 2)[:rank], rank))
    settings = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    against_torch(torch, F.grid_sample, torch.nn.functional.grid_sample, x, grid, **settings)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 3, 2, 3, 4)])
@pytest.mark.filterwarnings("ignore:Since version 1.3.0:UserWarning")
def test_affine_grids_are_torchs(size, align_corners, torch, rng):
    theta = rng.standard_normal((2, len(size) - 2, len(size) - 1))
    against_torch(torch, F.affine_grid, torch.nn.functional.affine_grid, theta, size, align_corners=align_corners)


def test_the_identity_gives_the_image_itself(rng):
    x = rng.standard_normal((1, 2, 3, 4))
    grid = F.affine_grid(np.eye(2, 3)[None], x.shape)
    np.testing.assert_allclose(F.grid_sample(x, grid).numpy(), x, atol=1e-12)


X = np.ones((1, 1, 2, 2))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, "the grid .1, 2, 2, 3.", lambda: F.grid_sample(X, np.ones((1, 2, 2, 3)))),
        (ShapeError, "nothing to see", lambda: F.grid_sample(X[:, :, :0], np.ones((1, 2, 2, 2)))),
        (ArgumentError, "mode is one of", lambda: F.grid_sample(X, np.ones((1, 2, 2, 2)), "linear")),
        (ArgumentError, "padding_mode is one of", lambda: F.grid_sample(X, np.ones((1, 2, 2, 2)), padding_mode="edge")),
        (ShapeError, "theta is", lambda: F.affine_grid(np.ones((1, 2, 2)), (1, 1, 2, 2))),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()
