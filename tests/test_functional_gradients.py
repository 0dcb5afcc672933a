"""Functions of nn.functional that are made of several ops: gradients of two orders, and the same on both devices."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.testing import gradcheck, parity

IMAGE, POINTS, ROWS = (1, 2, 4, 5), (1, 2, 3, 2), (3, 4)
SEEN = np.array([[True, False, True], [True, True, True], [False, True, False]])
CALLS = {
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 3), [IMAGE]),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, 3), [IMAGE]),
    "affine_grid": (lambda theta: F.affine_grid(theta, (1, 2, 2, 3)), [(1, 2, 3)]),
    "avg_pool2d, of what is there": (lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), [IMAGE]),
    "cosine_similarity": (F.cosine_similarity, [ROWS, ROWS]),
    "conv_transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1), [IMAGE, (2, 3, 3, 3), (3,)]),
    "gaussian_nll_loss": (lambda x, v: F.gaussian_nll_loss(x, np.ones(ROWS), 1 + v * v), [ROWS, ROWS]),
    "grid_sample": (F.grid_sample, [IMAGE, POINTS]),
    "grid_sample, bicubic": (lambda x, g: F.grid_sample(x, g, "bicubic", "border"), [IMAGE, POINTS]),
    "group_norm": (lambda x, w, b: F.group_norm(x, 1, w, b), [IMAGE, (2,), (2,)]),
    "instance_norm": (F.instance_norm, [IMAGE]),
    "interpolate, bicubic": (lambda x: F.interpolate(x, (3, 7), mode="bicubic"), [IMAGE]),
    "interpolate, nearest": (lambda x: F.interpolate(x, (3, 7)), [IMAGE]),
    "kl_div": (lambda x, t: F.kl_div(x, t, log_target=True), [ROWS, ROWS]),
    "lp_pool2d": (lambda x: F.lp_pool2d(x * x + 1, 3, 2), [IMAGE]),
    "multi_margin_loss": (lambda x: F.multi_margin_loss(x, gf.tensor([0, 3, 1], device=x.device), 2, 9.0), [ROWS]),
    "multilabel_soft_margin_loss": (lambda x: F.multilabel_soft_margin_loss(x, np.eye(3, 4)), [ROWS]),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), [(1, 4, 2, 2)]),
    "poisson_nll_loss": (lambda x: F.poisson_nll_loss(x, np.ones(ROWS) * 2, full=True), [ROWS]),
    "rms_norm": (lambda x, w: F.rms_norm(x, 4, w), [ROWS, (4,)]),
    "scaled_dot_product_attention, masked": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, gf.tensor(SEEN, device=q.device)),
        [ROWS, ROWS, ROWS],
    ),
    "triplet_margin_loss": (lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=20.0), [ROWS, ROWS, ROWS]),
}


def inputs(shapes):
    rng = np.random.default_rng(3)
    return [gf.tensor(rng.uniform(-0.9, 0.9, shape)) for shape in shapes]


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_both_orders_agree_with_finite_differences(name):
    function, shapes = CALLS[name]
    gradcheck(function, *inputs(shapes))


@pytest.mark.parametrize("name", [name for name in CALLS if "loss" not in name])
def test_parity_of_a_function_and_its_gradient(name, cuda):
    function, shapes = CALLS[name]
    results = []
    for device in ("cpu", "cuda"):
        given = [x.to("float32").to(device).detach().requires_grad_() for x in inputs(shapes)]
        out = function(*given)
        (out * out).sum().backward()
        results.append([each.detach().cpu().numpy() for each in (out, *(x.grad for x in given))])
    for found, expected in zip(*results[::-1], strict=True):
        error, allowed = parity.distance(found, expected)
        assert error <= allowed
