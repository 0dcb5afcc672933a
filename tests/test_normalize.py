"""Batch and layer normalisation: against PyTorch, by their definition, and their running statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.normalize import track_statistics

few = settings(max_examples=60, deadline=None)


def agree_with_torch(ours, theirs, *arrays, tolerance=1e-12):
    """The same result, and the same gradient in every input that is not None."""
    torch = pytest.importorskip("torch")
    mine = [x if x is None else gf.tensor(x, requires_grad=True) for x in arrays]
    other = [x if x is None else torch.tensor(x, requires_grad=True) for x in arrays]
    out, expected = ours(*mine), theirs(torch.nn.functional, *other)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    seed = np.cos(np.arange(out.size)).reshape(out.shape)
    out.backward(seed)
    expected.backward(torch.tensor(seed))
    for x, y in zip(mine, other, strict=True):
        if x is not None:
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=tolerance, atol=tolerance)


@st.composite
def normals(draw, shape):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.normal(draw(st.floats(-3, 3)), draw(st.floats(0.5, 5)), shape)


@st.composite
def layers(draw):
    normalized = draw(st.sampled_from([(3,), (5,), (2, 3), (4, 1, 2)]))
    x = draw(normals(draw(st.sampled_from([(), (1,), (4,), (2, 3)])) + normalized))
    weight = draw(st.none() | normals(normalized))
    bias = draw(st.none() | normals(normalized))
    return x, normalized, weight, bias, draw(st.sampled_from([1e-5, 1e-2]))


@few
@given(layers())
def test_layer_norm_agrees_with_torch(problem):
    x, shape, weight, bias, eps = problem
    agree_with_torch(
        lambda x, w, b: F.layer_norm(x, shape, w, b, eps),
        lambda theirs, x, w, b: theirs.layer_norm(x, shape, w, b, eps),
        *(x, weight, bias),
        tolerance=1e-11,
    )


@st.composite
def batches(draw):
    channels = draw(st.integers(1, 4))
    x = draw(normals((draw(st.integers(2, 5)), channels, *draw(st.sampled_from([(), (1,), (3,), (2, 3)])))))
    weight = draw(st.none() | normals(channels))
    bias = draw(st.none() | normals(channels))
    mean, var = draw(normals(channels)), draw(normals(channels)) ** 2
    return x, mean, var, weight, bias, draw(st.sampled_from([0.1, 0.0, 1.0])), draw(st.sampled_from([1e-5, 1e-2]))


@few
@given(batches())
def test_batch_norm_in_training_agrees_with_torch_running_statistics_included(problem):
    torch = pytest.importorskip("torch")
    x, mean, var, weight, bias, momentum, eps = problem
    ours, theirs = (gf.tensor(mean.copy()), gf.tensor(var.copy())), (torch.tensor(mean), torch.tensor(var))
    agree_with_torch(
        lambda x, w, b: F.batch_norm(x, *ours, w, b, training=True, momentum=momentum, eps=eps),
        lambda f, x, w, b: f.batch_norm(x, *theirs, w, b, training=True, momentum=momentum, eps=eps),
        *(x, weight, bias),
        tolerance=1e-11,
    )
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)


@few
@given(batches())
def test_batch_norm_in_evaluation_agrees_with_torch(problem):
    torch = pytest.importorskip("torch")
    x, mean, var, weight, bias, _, eps = problem
    agree_with_torch(
        lambda x, w, b: F.batch_norm(x, gf.tensor(mean), gf.tensor(var), w, b, eps=eps),
        lambda f, x, w, b: f.batch_norm(x, torch.tensor(mean), torch.tensor(var), w, b, eps=eps),
        *(x, weight, bias),
        tolerance=1e-11,
    )


def test_every_sample_gets_mean_0_and_variance_1(rng):
    out = F.layer_norm(rng.normal(5, 3, (4, 100)), 100).numpy()
    np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=1), 1, rtol=1e-5)


def test_every_channel_gets_mean_0_and_variance_1(rng):
    out = F.batch_norm(rng.normal(5, 3, (50, 2, 20)), None, None, training=True).numpy()
    np.testing.assert_allclose(out.mean(axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=(0, 2)), 1, rtol=1e-5)


def test_values_by_hand():
    x = [[1.0, 3.0], [2.0, 6.0]]
    assert F.layer_norm(x, 2, [2.0, 2.0], [1.0, 0.0], eps=0.0).tolist()[0] == [-1, 2]
    out = F.batch_norm(x, None, None, [2.0, 5.0], [1.0, 7.0], training=True, eps=0.0)
    np.testing.assert_allclose(out.numpy(), [[-1, 2], [3, 12]], rtol=1e-5)


def test_equal_elements_become_zero_and_have_a_finite_gradient():
    x = gf.full((3, 4), 7.0, requires_grad=True)
    out = F.layer_norm(x, 4)
    out.backward(np.ones((3, 4), "float32"))
    assert out.tolist() == [[0, 0, 0, 0]] * 3 and np.isfinite(x.grad.numpy()).all()


def test_a_large_offset_does_not_drown_the_variance():
    x = 1e6 + np.arange(8.0)
    exact = (np.arange(8) - 3.5) / math.sqrt(5.25 + 1e-5)
    np.testing.assert_allclose(F.layer_norm(x.astype("float32"), 8).numpy(), exact, rtol=1e-4)
    by_running = F.batch_norm(x.astype("float32")[:, None], gf.tensor([1e6 + 3.5]), gf.tensor([5.25]))
    np.testing.assert_allclose(by_running.numpy()[:, 0], exact, rtol=1e-5)


def test_float16_is_computed_in_float32():
    x = np.full((1, 4096), 200.0, "float16")  # the sum, and every square, is beyond float16
    x[0, ::2] = 600.0
    out = F.layer_norm(x, 4096)
    assert out.dtype == gf.float16
    np.testing.assert_array_equal(out.numpy()[0, :2], [1, -1])
    mean, var = gf.zeros(1), gf.ones(1)
    column = F.batch_norm(x.reshape(-1, 1), mean, var, training=True, momentum=1.0)
    assert column.dtype == gf.float16 and mean.item() == 400
    assert var.item() == pytest.approx(40000 * 4096 / 4095, rel=1e-6)


def test_a_nan_spoils_its_sample_only():
    out = F.layer_norm(np.array([[1.0, math.nan], [1.0, 2.0]]), 2).numpy()
    assert np.isnan(out).tolist() == [[True, True], [False, False]]


def test_an_empty_batch_is_normalised_to_an_empty_batch():
    assert F.layer_norm(gf.zeros((0, 3)), 3).shape == (0, 3)
    assert F.batch_norm(gf.zeros((0, 3)), gf.zeros(3), gf.ones(3)).shape == (0, 3)


def test_gradients_flow_into_statistics_that_are_given(rng):
    gf.testing.gradcheck(
        F.batch_norm,
        *(gf.tensor(rng.uniform(0.5, 2, shape)) for shape in [(4, 3), (3,), (3,)]),
    )


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5)])
def test_gradients_of_batch_norm_of_second_order_agree_with_finite_differences(rng, shape):
    gf.testing.gradcheck(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        *(gf.tensor(rng.standard_normal(each)) for each in [shape, (3,), (3,)]),
    )


# What is refused


def test_one_value_per_channel_is_too_few_for_training():
    mean, var = gf.zeros(3), gf.ones(3)
    with pytest.raises(ShapeError, match=r"more than one value per channel, and the input is \(1, 3\); use a larger"):
        F.batch_norm(gf.ones((1, 3)), mean, var, training=True)
    assert mean.tolist() == [0, 0, 0] and var.tolist() == [1, 1, 1]
    assert F.batch_norm(gf.ones((1, 3, 2)), mean, var, training=True).shape == (1, 3, 2)
    assert F.batch_norm(gf.ones((1, 3)), mean, var).shape == (1, 3)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("wrong", ["running_mean", "running_var", "weight", "bias"])
def test_what_does_not_have_a_number_for_each_channel_is_named_and_nothing_is_changed(wrong, training):
    given = {"running_mean": gf.zeros(3), "running_var": gf.ones(3)} | {wrong: gf.ones(4)}
    with pytest.raises(ShapeError, match=rf"batch_norm: {wrong} is \(4,\); for this input it must be \(3,\)"):
        F.batch_norm(gf.tensor([[1.0, 2.0, 3.0]] * 2), **given, training=training)
    assert wrong == "running_mean" or given["running_mean"].tolist() == [0, 0, 0]


def test_an_input_without_channels_is_refused():
    with pytest.raises(ShapeError, match=r"must be \(N, C\) or \(N, C, ...\), got \(3,\)"):
        F.batch_norm(gf.zeros(3), None, None, training=True)


def test_evaluation_needs_running_statistics():
    with pytest.raises(ArgumentError, match="without running_mean and running_var there is only training=True"):
        F.batch_norm(gf.zeros((2, 3)), None, None)
    with pytest.raises(ArgumentError, match="both running_mean and running_var, or neither"):
        F.batch_norm(gf.zeros((2, 3)), gf.zeros(3), None, training=True)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (5, 2, 3), ()])
def test_layer_norm_refuses_a_shape_that_the_input_does_not_end_in(shape):
    with pytest.raises(ShapeError, match=r"the input is \(2, 3\); its last sizes must be normalized_shape"):
        F.layer_norm(gf.zeros((2, 3)), shape)


@pytest.mark.parametrize("wrong", ["weight", "bias"])
def test_layer_norm_names_the_parameter_that_does_not_fit(wrong):
    with pytest.raises(ShapeError, match=rf"layer_norm: {wrong} is \(2,\); for this input it must be \(3,\)"):
        F.layer_norm(gf.zeros((2, 3)), 3, **{wrong: gf.ones(2)})


# Modules


def test_the_running_mean_and_unbiased_variance_move_by_momentum():
    layer = gf.nn.BatchNorm1d(1, momentum=0.25)
    layer(gf.tensor([[1.0], [3.0]]))
    assert layer.running_mean.tolist() == [0.5] and layer.running_var.tolist() == [1.25]
    assert layer.num_batches_tracked.item() == 1


def test_without_momentum_the_running_statistics_are_averages_over_all_batches(rng):
    layer = gf.nn.BatchNorm1d(2, momentum=None)
    data = rng.standard_normal((5, 10, 2)).astype("float32")
    for x in data:
        layer(gf.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), data.mean(axis=1).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), data.var(axis=1, ddof=1).mean(axis=0), rtol=1e-5)


def test_averaging_over_all_batches_needs_their_number():
    with pytest.raises(ArgumentError, match="momentum=None averages over all batches, and needs their number"):
        track_statistics(gf.ones((2, 1)), gf.zeros(1), gf.ones(1), None, None)


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}])
def test_a_trained_batch_norm_layer_is_that_of_torch(rng, options):
    torch = pytest.importorskip("torch")
    ours, theirs = (
        gf.nn.BatchNorm1d(3, dtype="float64", **options),
        torch.nn.BatchNorm1d(3, dtype=torch.float64, **options),
    )
    for _ in range(3):
        x = rng.standard_normal((6, 3, 2))
        np.testing.assert_allclose(ours(gf.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach(), rtol=1e-11)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-12)
    ours.eval(), theirs.eval()
    x = rng.standard_normal((4, 3))
    np.testing.assert_allclose(ours(gf.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach(), rtol=1e-11)


def test_evaluation_leaves_the_running_statistics_alone():
    layer = gf.nn.BatchNorm1d(2).eval()
    layer(gf.ones((4, 2)))
    assert layer.running_mean.tolist() == [0, 0] and layer.num_batches_tracked.item() == 0


def test_running_statistics_do_not_stand_in_the_way_of_backward():
    layer = gf.nn.BatchNorm1d(2)
    x = gf.tensor([[1.0, 2.0], [3.0, 5.0], [2.0, 2.0]], requires_grad=True)
    (layer(layer(x)) * x).sum().backward()
    assert layer.num_batches_tracked.item() == 2 and not layer.running_mean.requires_grad
    assert np.isfinite(x.grad.numpy()).all() and layer.weight.grad is not None


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 2, 2), (3,), (4, 2, 3)])
def test_a_batch_norm_layer_says_which_inputs_it_takes(shape):
    with pytest.raises(ShapeError, match=r"BatchNorm1d: the input must be \(N, 3\) or \(N, 3, L\), got"):
        gf.nn.BatchNorm1d(3)(gf.zeros(shape))


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}])
def test_a_layer_norm_layer_is_that_of_torch(rng, options):
    torch = pytest.importorskip("torch")
    ours, theirs = (
        gf.nn.LayerNorm((2, 3), dtype="float64", **options),
        torch.nn.LayerNorm((2, 3), dtype=torch.float64, **options),
    )
    x = rng.standard_normal((4, 2, 3))
    np.testing.assert_allclose(ours(gf.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach(), rtol=1e-12)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_a_forward_pass_is_one_node():
    x = gf.ones((4, 3), requires_grad=True)
    for layer in (gf.nn.LayerNorm(3), gf.nn.BatchNorm1d(3)):
        assert layer(x).node.parents[0] is x


def test_a_norm_may_have_no_bias():
    for layer in (gf.nn.BatchNorm1d(4, bias=False), gf.nn.GroupNorm(2, 4, bias=False)):
        assert layer.bias is None and layer.weight.shape == (4,)
        assert layer(gf.ones((3, 4))).shape == (3, 4)
