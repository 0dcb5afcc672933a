"""Windows as columns, pixels as channels and other sizes: values and gradients against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, ShapeError
from oracles import against_torch, assert_close


def both(torch, name):
    return torch, getattr(F, name), getattr(torch.nn.functional, name)


@pytest.mark.parametrize(
    "settings",
    [{"kernel_size": 2}, {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}],
    ids=str,
)
def test_columns_of_windows_and_back_are_torchs(settings, torch, rng):
    x = rng.standard_normal((2, 3, 7, 6))
    against_torch(*both(torch, "unfold"), x, **settings)
    against_torch(*both(torch, "unfold"), x[0], **settings)
    columns = F.unfold(x, **settings).numpy()
    against_torch(*both(torch, "fold"), columns, output_size=(7, 6), **settings)
    against_torch(*both(torch, "fold"), columns[0], output_size=(7, 6), **settings)


def test_folding_windows_that_do_not_overlap_undoes_unfolding(rng):
    x = rng.standard_normal((2, 3, 6, 4))
    np.testing.assert_array_equal(F.fold(F.unfold(x, 2, stride=2), (6, 4), 2, stride=2).numpy(), x)


def test_pixels_are_shuffled_as_torch_does(torch, rng):
    x = rng.standard_normal((2, 8, 3, 4))
    against_torch(*both(torch, "pixel_shuffle"), x, upscale_factor=2)
    against_torch(*both(torch, "pixel_unshuffle"), rng.standard_normal((2, 3, 6, 4)), downscale_factor=2)
    np.testing.assert_array_equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).numpy(), x)


SIZES = [
    {"size": (7, 11, 5)},
    {"size": (2, 3, 1)},
    {"scale_factor": 2},
    {"scale_factor": (1.7, 0.6, 2.3)},
    {"scale_factor": (1.7, 0.6, 2.3), "recompute_scale_factor": True},
]
MODES = [
    (1, {"mode": "linear"}),
    (1, {"mode": "linear", "align_corners": True}),
    (2, {"mode": "bilinear"}),
    (2, {"mode": "bilinear", "align_corners": True}),
    (2, {"mode": "bicubic"}),
    (2, {"mode": "bicubic", "align_corners": True}),
    (3, {"mode": "trilinear", "align_corners": False}),
    *((rank, {"mode": mode}) for rank in (1, 2, 3) for mode in ("nearest", "nearest-exact", "area")),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("rank", "how"), MODES, ids=str)
def test_resizing_is_torchs(rank, how, sizes, torch, rng):
    x = rng.standard_normal((2, 3, 5, 6, 4)[: rank + 2])
    chosen = {k: v[:rank] if isinstance(v, tuple) else v for k, v in sizes.items()}
    against_torch(*both(torch, "interpolate"), x, **chosen, **how)


@pytest.mark.parametrize("count", [3, 10, 22, 1000])
def test_the_nearest_element_is_torchs_for_factors_that_are_not_exact(count, torch):
    x = np.arange(100.0).reshape(1, 1, 100)
    for how in ({"size": count}, {"scale_factor": count / 100}):
        theirs = torch.nn.functional.interpolate(torch.from_numpy(x), **how)
        assert_close(F.interpolate(x, **how).numpy(), theirs.numpy())


def test_what_is_not_finite_stays_where_it_is():
    x = gf.tensor([[[np.inf, 1.0, 2.0, 3.0]]])
    assert F.interpolate(x, 8, mode="linear").tolist()[0][0][4:] == [1.75, 2.25, 2.75, 3.0]


X = np.ones((1, 4, 4, 4))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, "larger than the padded", lambda: F.unfold(X, 5)),
        (ShapeError, "multiple of 4 rows", lambda: F.fold(np.ones((3, 9)), 4, 2)),
        (ShapeError, "and 9 windows", lambda: F.fold(np.ones((4, 8)), 4, 2)),
        (ShapeError, "multiple of 3 . 3", lambda: F.pixel_shuffle(X, 3)),
        (ShapeError, "multiples of 3", lambda: F.pixel_unshuffle(X, 3)),
        (ArgumentError, "factor must be 1", lambda: F.pixel_shuffle(X, 0)),
        (ArgumentError, "mode is one of", lambda: F.interpolate(X, 2, mode="cubic")),
        (ArgumentError, "linear is for 1", lambda: F.interpolate(X, 2, mode="linear")),
        (ArgumentError, "align_corners is for", lambda: F.interpolate(X, 2, align_corners=True)),
        (ArgumentError, "give size or scale_factor", lambda: F.interpolate(X)),
        (ArgumentError, "positive number", lambda: F.interpolate(X, scale_factor=(1.0, -1.0))),
        (ArgumentError, "nothing would be left", lambda: F.interpolate(X, scale_factor=0.1)),
        (ArgumentError, "not for size", lambda: F.interpolate(X, 3, recompute_scale_factor=True)),
        (ShapeError, "1 to 3 sizes", lambda: F.interpolate(X[0, 0], 2)),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("name", "settings"), [("channel_shuffle", (3,)), ("local_response_norm", (3, 0.5, 0.6, 2.0))])
@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 6, 3, 2), (1, 6, 2, 2, 3)], ids=str)
def test_what_channels_are_given_by_others_is_pytorchs(name, settings, shape, torch, rng):
    data = rng.normal(size=shape)
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    out, expected = (getattr(lib, name)(z, *settings) for lib, z in ((F, x), (torch.nn.functional, y)))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-13)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-11, atol=1e-13)


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="channel_shuffle: 6 channels do not make 4 equal groups"):
        F.channel_shuffle(gf.ones((1, 6, 2)), 4)
    with pytest.raises(ShapeError, match=r"local_response_norm: the input must be \(N, C, sizes...\), got \(2, 3\)"):
        F.local_response_norm(gf.ones((2, 3)), 2)
    with pytest.raises(ArgumentError, match="local_response_norm: size is 0; it must be 1 or more"):
        F.local_response_norm(gf.ones((2, 3, 1)), 0)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_normalized_vectors_are_pytorchs(p, torch, rng):
    data = rng.normal(size=(4, 3))
    data[1] = 0
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    out, expected = F.normalize(x, p), torch.nn.functional.normalize(y, p)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-13)
    (out * np.arange(3)).sum().backward()
    (expected * torch.arange(3)).sum().backward()
    kept = [0, 2, 3]
    np.testing.assert_allclose(x.grad.numpy()[kept], y.grad.numpy()[kept], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "how", [{"size": (3, 4)}, {"size": (5, 20)}, {"scale_factor": (0.4, 0.7)}, {"size": (1, 1)}], ids=str
)
@pytest.mark.parametrize("align_corners", [False, True])
def test_images_are_smoothed_as_they_are_made_smaller(mode, how, align_corners, torch, rng):
    data = rng.normal(size=(2, 3, 11, 9))
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    settings = {**how, "mode": mode, "align_corners": align_corners, "antialias": True}
    out, expected = F.interpolate(x, **settings), torch.nn.functional.interpolate(y, **settings)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_smoothing_is_for_two_modes():
    with pytest.raises(ArgumentError, match="antialias is for bilinear and bicubic, not nearest"):
        F.interpolate(gf.ones((1, 1, 4, 4)), 2, antialias=True)
