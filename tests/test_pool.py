"""Pooling: values and gradients against PyTorch, ties, and what is refused."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow import nn
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from oracles import against_torch, assert_close

SHAPE = (2, 3, 9, 8, 7)
MAXIMA = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "dilation": 2, "stride": 1},
]
MEANS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True, "count_include_pad": False},
]


def both(torch, name):
    return torch, getattr(F, name), getattr(torch.nn.functional, name)


@pytest.mark.parametrize("settings", MAXIMA, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_maxima_their_gradients_and_places_are_torchs(rank, settings, torch, rng):
    x = rng.standard_normal(SHAPE[: rank + 2])
    name = f"max_pool{rank}d"
    against_torch(*both(torch, name), x, **settings)
    found = getattr(F, name)(x, **settings, return_indices=True)
    expected = getattr(torch.nn.functional, name)(torch.from_numpy(x), **settings, return_indices=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("settings", MEANS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_means_and_their_gradients_are_torchs(rank, settings, torch, rng):
    x = rng.standard_normal(SHAPE[: rank + 2])
    against_torch(*both(torch, f"avg_pool{rank}d"), x, **settings)


def test_a_mean_may_be_divided_by_a_given_number_and_windows_need_not_be_square(torch, rng):
    x = rng.standard_normal(SHAPE[:4])
    against_torch(*both(torch, "avg_pool2d"), x, kernel_size=(3, 2), stride=(1, 3), padding=(1, 0), divisor_override=5)
    against_torch(*both(torch, "max_pool2d"), x[0], kernel_size=(3, 2), stride=(1, 3), padding=(1, 0))


@pytest.mark.parametrize("settings", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "ceil_mode": True}], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_norms_of_windows_are_torchs(rank, settings, torch, rng):
    x = 0.1 + rng.random(SHAPE[: rank + 2])
    against_torch(*both(torch, f"lp_pool{rank}d"), x, norm_type=3.0, **settings)


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("sizes", [1, 3, (4, 2, 7), (None, 3, 10)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling_to_a_size_is_torchs(rank, sizes, kind, torch, rng):
    target = sizes[:rank] if isinstance(sizes, tuple) else sizes
    if rank == 1 and isinstance(sizes, tuple):
        target = sizes[1]
    x = rng.standard_normal(SHAPE[: rank + 2])
    against_torch(*both(torch, f"adaptive_{kind}_pool{rank}d"), x, output_size=target)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_maxima_go_back_to_their_places(rank, torch, rng):
    x = rng.standard_normal(SHAPE[: rank + 2])
    out, places = getattr(F, f"max_pool{rank}d")(x, 2, return_indices=True)
    how = {"kernel_size": 2, "output_size": SHAPE[2 : rank + 2]}
    against_torch(*both(torch, f"max_unpool{rank}d"), out.numpy(), places.numpy(), **how)
    _, again = getattr(F, f"adaptive_max_pool{rank}d")(x, 3, return_indices=True)
    theirs = getattr(torch.nn.functional, f"adaptive_max_pool{rank}d")(torch.from_numpy(x), 3, return_indices=True)
    assert_close(again.numpy(), theirs[1].numpy())


def test_of_equal_maxima_the_first_has_the_gradient():
    x = gf.ones((1, 1, 4), requires_grad=True)
    F.max_pool1d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1, 0, 1, 0]]]


def test_a_window_with_nan_is_nan_and_one_of_minus_infinity_has_a_place(torch):
    x = np.array([[[1.0, np.nan, 2.0, 3.0, -np.inf, -np.inf]]])
    values, places = F.max_pool1d(x, 2, return_indices=True)
    theirs = torch.nn.functional.max_pool1d(torch.from_numpy(x), 2, return_indices=True)
    np.testing.assert_array_equal(values.numpy(), theirs[0].numpy())
    np.testing.assert_array_equal(places.numpy(), theirs[1].numpy())


X = np.ones((1, 1, 4, 4))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, r"max_pool2d: the input must be \(N, C, H, W\)", lambda: F.max_pool2d(np.ones(4), 2)),
        (ShapeError, "larger than the padded input", lambda: F.avg_pool2d(X, 5)),
        (ArgumentError, "more than half", lambda: F.max_pool2d(X, 2, padding=2)),
        (ArgumentError, "kernel_size must be 1", lambda: F.max_pool2d(X, 0)),
        (ArgumentError, "divisor_override cannot be 0", lambda: F.avg_pool2d(X, 2, divisor_override=0)),
        (ArgumentError, "norm_type cannot be 0", lambda: F.lp_pool2d(X, 0, 2)),
        (ArgumentError, "output_size must be 1", lambda: F.adaptive_avg_pool2d(X, 0)),
        (ShapeError, "must be a number, or 2", lambda: F.adaptive_max_pool2d(X, (1, 2, 3))),
        (ShapeError, "nothing in an empty dimension", lambda: F.adaptive_max_pool2d(np.ones((1, 1, 0, 4)), 2)),
        (DTypeError, "must be floating", lambda: F.max_pool2d(np.ones((1, 1, 4, 4), int), 2)),
        (IndexOutOfRange, "index 4 is out", lambda: F.max_unpool1d(np.ones((1, 1, 1)), np.full((1, 1, 1), 4), 2)),
        (ShapeError, "they must be the same", lambda: F.max_unpool2d(X, np.ones((1, 1, 2, 2), int), 2)),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()


LAYERS = [
    ("MaxPool2d", (3, 2), {"padding": 1, "ceil_mode": True}),
    ("AvgPool1d", (3,), {"stride": 2}),
    ("AvgPool3d", (2,), {"count_include_pad": False, "padding": 1}),
    ("LPPool2d", (2, 3), {}),
    ("AdaptiveAvgPool2d", ((3, None),), {}),
    ("AdaptiveMaxPool1d", (4,), {}),
]


@pytest.mark.parametrize(("name", "sizes", "settings"), LAYERS, ids=[each[0] for each in LAYERS])
def test_layers_are_torchs(name, sizes, settings, torch, rng):
    x = rng.random(SHAPE[: int(name[-2]) + 2])
    against_torch(torch, getattr(nn, name)(*sizes, **settings), getattr(torch.nn, name)(*sizes, **settings), x)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_function_of_some_dimensions_says_which_and_takes_the_arguments_by_name(rank):
    function = getattr(F, f"avg_pool{rank}d")
    assert function.__name__ == f"avg_pool{rank}d"
    assert ["(N, C, L)", "(N, C, H, W)", "(N, C, D, H, W)"][rank - 1] in function.__doc__
    assert list(inspect.signature(function).parameters)[:3] == ["input", "kernel_size", "stride"]
    assert function(input=np.ones((1,) + (4,) * rank), kernel_size=2, stride=1).shape == (1,) + (3,) * rank
