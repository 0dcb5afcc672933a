"""Convolutions: values and gradients against PyTorch, closed forms, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow import nn
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops import columns
from gradflow.testing.cases import tolerance
from oracles import against_torch

IMAGE, KERNEL = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
SETTINGS = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "stride": 2},
    {"padding": "same", "dilation": 2},
    {"padding": "valid"},
    {"padding": "same"},  # of kernels of even size too
    {"groups": 4, "padding": 1},
]
TRANSPOSED = [
    {},
    {"stride": 2, "padding": 1, "output_padding": 1},
    {"dilation": 2, "padding": 1},
    {"groups": 2, "stride": 3, "output_padding": 2},
    {"dilation": 3, "output_padding": 2},  # for which there would be more windows than elements
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_convolution_and_its_gradients_are_torchs(rank, settings, torch, rng):
    x = rng.standard_normal((2, 4, 8, 7, 6)[: rank + 2])
    weight = rng.standard_normal((8, 4 // settings.get("groups", 1), 3, 2, 3)[: rank + 2])
    if settings.get("padding") == 1 and rank > 1:
        settings = {**settings, "padding": (1,) * rank}
    name = f"conv{rank}d"
    against_torch(torch, getattr(F, name), getattr(torch.nn.functional, name), x, weight, rng.random(8), **settings)


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2, "padding": 1}, {"stride": 2, "dilation": 2}, {"stride": 3}], ids=str
)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_kernels_of_single_channels_and_their_gradients_are_torchs(rank, settings, torch, rng):
    x, weight = rng.standard_normal((2, 3, 8, 7, 9)[: rank + 2]), rng.standard_normal((3, 1, 3, 2, 3)[: rank + 2])
    convolve, transpose = f"conv{rank}d", f"conv_transpose{rank}d"
    for name in (convolve, transpose):
        ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
        against_torch(torch, ours, theirs, x, weight, rng.random(3), groups=3, **settings)


@pytest.mark.parametrize("settings", TRANSPOSED, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_transposed_convolution_and_its_gradients_are_torchs(rank, settings, torch, rng):
    x = rng.standard_normal((2, 4, 5, 4, 3)[: rank + 2])
    groups = settings.get("groups", 1)
    weight = rng.standard_normal((4, 6 // groups, 3, 2, 3)[: rank + 2])
    name = f"conv_transpose{rank}d"
    against_torch(torch, getattr(F, name), getattr(torch.nn.functional, name), x, weight, rng.random(6), **settings)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": (1, 0)}, {"groups": 2, "padding": 1}], ids=str)
def test_of_many_small_images_samples_lie_in_rows_which_changes_nothing(settings, torch, rng):
    x, weight = rng.standard_normal((17, 4, 6, 7)), rng.standard_normal((2, 4 // settings.get("groups", 1), 3, 3))
    against_torch(torch, F.conv2d, torch.nn.functional.conv2d, x, weight, rng.random(2), **settings)
    weight = rng.standard_normal((4, 2, 3, 3))
    against_torch(torch, F.conv_transpose2d, torch.nn.functional.conv_transpose2d, x, weight, None, **settings)


def test_a_single_sample_needs_no_dimension_for_samples(torch, rng):
    x, weight = rng.standard_normal((3, 6, 5)), rng.standard_normal((2, 3, 3, 3))
    against_torch(torch, F.conv2d, torch.nn.functional.conv2d, x, weight, None)
    against_torch(torch, F.conv_transpose2d, torch.nn.functional.conv_transpose2d, x, weight.swapaxes(0, 1), None)


@pytest.mark.parametrize("room", [1, 100, 500, 1 << 20])
def test_windows_in_blocks_of_any_size_give_the_same(room, monkeypatch, torch, rng):
    monkeypatch.setattr(columns, "CPU_ROOM", room)
    x, weight = rng.standard_normal((5, 2, 7, 6)), rng.standard_normal((4, 2, 3, 3))
    against_torch(torch, F.conv2d, torch.nn.functional.conv2d, x, weight, None, stride=(2, 1), padding=(1, 0))
    against_torch(torch, F.conv2d, torch.nn.functional.conv2d, x, weight, None, padding=1)


def test_a_kernel_with_one_element_that_is_one_shifts_the_image(rng):
    x, kernel = rng.standard_normal((1, 1, 5, 5)), np.zeros((1, 1, 3, 3))
    kernel[0, 0, 2, 0] = 1
    out = F.conv2d(x, kernel, padding=1).numpy()
    expected = np.zeros((5, 5))
    expected[:4, 1:] = x[0, 0, 1:, :4]
    np.testing.assert_array_equal(out[0, 0], expected)


def test_copies_of_windows_stay_within_a_block(rng):
    import tracemalloc

    x, weight = gf.tensor(rng.random((4, 32, 64, 64)), "float32"), gf.tensor(rng.random((8, 32, 3, 3)), "float32")
    F.conv2d(x, weight, padding=1)
    tracemalloc.start()
    F.conv2d(x, weight, padding=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    windows = 4 * 4 * 32 * 9 * 64 * 64  # bytes, if all were copied at once
    assert peak < windows / 2


def test_half_precision_adds_up_in_single(rng):
    x, weight = rng.random((1, 64, 4, 4)).astype("float16"), rng.random((2, 64, 3, 3)).astype("float16")
    found = F.conv2d(gf.tensor(x), gf.tensor(weight))
    exact = F.conv2d(gf.tensor(x.astype("float64")), gf.tensor(weight.astype("float64"))).numpy()
    assert found.dtype == gf.float16
    np.testing.assert_allclose(found.numpy(), exact, rtol=tolerance(gf.float16))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, r"conv2d: the input must be \(N, C, H, W\)", lambda: F.conv2d(np.ones((3, 3)), KERNEL)),
        (ShapeError, "weight is .2, 3, 2, 2.", lambda: F.conv2d(np.ones((1, 2, 3, 3)), np.ones((2, 3, 2, 2)))),
        (ShapeError, "weight must have 4", lambda: F.conv2d(np.ones((1, 2, 3, 3)), np.ones((2, 2, 2)))),
        (ShapeError, "larger than the padded", lambda: F.conv2d(IMAGE, np.ones((1, 1, 4, 2)))),
        (ShapeError, "bias is", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), np.ones(2))),
        (ShapeError, "stride .1, 2, 3.", lambda: F.conv2d(IMAGE, KERNEL, stride=(1, 2, 3))),
        (ArgumentError, "stride must be 1 or", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), stride=0)),
        (ArgumentError, "padding must be 0 or", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), padding=-1)),
        (ArgumentError, "needs stride 1", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), None, 2, "same")),
        (ArgumentError, "not 'full'", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), padding="full")),
        (ArgumentError, "groups must be", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), groups=0)),
        (DTypeError, "stride is an integer", lambda: F.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), stride=1.5)),
        (
            ArgumentError,
            "output_padding",
            lambda: F.conv_transpose1d(np.ones((1, 1, 3)), np.ones((1, 1, 2)), stride=2, output_padding=2),
        ),
        (ShapeError, "less padding", lambda: F.conv_transpose1d(np.ones((1, 1, 1)), np.ones((1, 1, 2)), padding=3)),
        (ArgumentError, "padding_mode is one", lambda: nn.Conv1d(1, 1, 2, padding_mode="edge")),
        (ArgumentError, "multiples of groups", lambda: nn.Conv1d(3, 4, 2, groups=2)),
        (ArgumentError, "needs stride 1", lambda: nn.Conv1d(3, 4, 2, stride=2, padding="same", padding_mode="reflect")),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()


LAYERS = [
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1}),
    ("Conv2d", (4, 6, (3, 2)), {"dilation": 2, "groups": 2}),
    ("Conv2d", (4, 6, 3), {"padding": "same", "padding_mode": "reflect", "bias": False}),
    ("Conv2d", (4, 6, 3), {"padding": 2, "padding_mode": "circular"}),
    ("Conv3d", (4, 6, 2), {"padding": (1, 0, 1), "padding_mode": "replicate"}),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2, "bias": False}),
    ("ConvTranspose3d", (4, 6, 2), {"dilation": 2}),
]


@pytest.mark.parametrize(("name", "sizes", "settings"), LAYERS, ids=[f"{name}-{how}" for name, _, how in LAYERS])
def test_a_layer_takes_torchs_weights_and_gives_its_results(name, sizes, settings, torch, rng):
    theirs = getattr(torch.nn, name)(*sizes, **settings)
    ours = getattr(nn, name)(*sizes, **settings)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = rng.standard_normal((2, 4, 6, 5, 6)[: len(theirs.weight.shape)]).astype(np.float32)
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    found = ours(gf.tensor(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(gf.float32, float(np.abs(expected).max())))


def test_layers_begin_uniform_within_the_bound_of_their_inputs():
    gf.manual_seed(0)
    for layer, fan_in in [(nn.Conv2d(8, 16, 3, groups=2), 36), (nn.ConvTranspose2d(8, 16, 3), 144)]:
        for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
            assert 0.8 * fan_in**-0.5 < np.abs(values).max() <= fan_in**-0.5


def test_what_is_in_between_is_kept_by_each_thread_and_never_handed_out(rng):
    x, w = (gf.tensor(rng.standard_normal(shape, np.float32)) for shape in ((20, 3, 9, 9), (4, 3, 3, 3)))
    first = F.conv2d(x, w, stride=2, padding=1)
    before = first.numpy().copy()
    F.conv2d(x * 2, w, stride=2, padding=1)
    np.testing.assert_array_equal(first.numpy(), before)
    kept = columns._rooms.last.values()
    assert kept
    assert not any(np.shares_memory(first.data, room) for room in kept)
    assert all(room.size <= columns.KEPT for room in kept)
