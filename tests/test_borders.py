"""Padding with PyTorch's names, against PyTorch; ``gf.pad``, which does the work, is tested against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.nn import functional as F

WIDTHS = [(1, 2), (2, 0, 1, 3), (-1, 2), (-1, -1, 0, -2), (-2, 3), (0, 0)]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_borders_and_their_gradients_are_pytorchs(mode, widths, torch, rng):
    data = rng.normal(size=(2, 3, 5, 4))
    if len(widths) == 2:
        data = data[0]
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    if mode == "circular" and widths == (-2, 3):  # of two that are left there are not three
        with pytest.raises(ShapeError, match=r"pad: widths \(-2, 3\) do not fit a dimension of 4"):
            F.pad(x, widths, mode)
        return
    out, expected = F.pad(x, widths, mode), torch.nn.functional.pad(y, widths, mode)
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)


def test_a_constant_is_added_of_any_dtype_around_any_dimensions(torch):
    for data, value in (
        (np.arange(4).reshape(2, 2), 7),
        (np.ones((2, 2), np.float16), 0.5),
        (np.ones((2, 2), bool), 0),
    ):
        out = F.pad(data, (0, 1, 1, 0), value=value)
        assert out.dtype == data.dtype
        assert out.tolist() == torch.nn.functional.pad(torch.tensor(data), (0, 1, 1, 0), value=value).tolist()
    assert F.pad(gf.ones((2, 2, 2)), (1, 1, 1, 1, 1, 1)).shape == (4, 4, 4)


def test_widths_that_do_not_fit_are_named():
    x = gf.ones((2, 3, 4))
    with pytest.raises(ShapeError, match=r"pad: 3 widths are no pairs for the last dimensions of \(2, 3, 4\)"):
        F.pad(x, (1, 1, 1))
    with pytest.raises(ShapeError, match=r"pad: 8 widths are no pairs"):
        F.pad(x, (1,) * 8)
    with pytest.raises(ShapeError, match=r"pad: widths \(4, 0\) do not fit a dimension of 4, of \(2, 3, 4\), in"):
        F.pad(x, (4, 0), "reflect")
    with pytest.raises(ShapeError, match=r"pad: widths \(5, 0\) .* in mode 'circular'"):
        F.pad(x, (5, 0), "circular")
    with pytest.raises(ShapeError, match=r"pad: widths \(-3, -2\) do not fit a dimension of 4"):
        F.pad(x, (-3, -2))
    with pytest.raises(ShapeError, match="is empty, so there is nothing to pad with"):
        F.pad(gf.ones((2, 0)), (1, 1), "replicate")
    with pytest.raises(ArgumentError, match="pad: mode is one of constant, reflect, replicate, circular; got 'edge'"):
        F.pad(x, (1, 1), "edge")
    with pytest.raises(ArgumentError, match="pad: value is for mode 'constant', not for 'reflect'"):
        F.pad(x, (1, 1), "reflect", 1.0)
    with pytest.raises(DTypeError, match="pad: a width"):
        F.pad(x, (1.5, 1))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
def test_layers_are_pytorchs(family, rank, torch, rng):
    data = rng.normal(size=(2, 3, 4, 3, 5)[: rank + 2])
    for padding in (1, (2, 1, 0, 2, 1, 1)[: 2 * rank]):
        settings = (padding, 0.5) if family == "ConstantPad" else (padding,)
        ours, theirs = (getattr(lib, f"{family}{rank}d")(*settings) for lib in (nn, torch.nn))
        np.testing.assert_array_equal(ours(gf.tensor(data)).numpy(), theirs(torch.tensor(data)).numpy())
        assert ours.padding == tuple(theirs.padding)


def test_a_layer_of_paddings_says_how_many_there_are():
    with pytest.raises(ShapeError, match=r"ZeroPad2d: padding \(1, 2, 3\) has 3 numbers; it must be one, or 4"):
        nn.ZeroPad2d((1, 2, 3))
    assert (
        repr(nn.ZeroPad1d(2)) == "ZeroPad1d((2, 2))" and repr(nn.ConstantPad1d(1, 3.5)) == "ConstantPad1d((1, 1), 3.5)"
    )
