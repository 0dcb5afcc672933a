"""Normalisation within each sample: values, gradients and running statistics against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError
from oracles import against_torch, assert_close

SHAPE = (3, 6, 4, 5, 2)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_groups_are_normalized_as_torch_does(rank, groups, torch, rng):
    x = rng.standard_normal((3, 12, 4, 5, 2)[:rank])
    theirs = torch.nn.functional.group_norm
    against_torch(torch, F.group_norm, theirs, x, groups, rng.random(12), rng.random(12), 1e-3)
    against_torch(torch, F.group_norm, theirs, x, groups)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_instances_are_normalized_as_torch_does(rank, torch, rng):
    x = rng.standard_normal(SHAPE[:rank])
    theirs = torch.nn.functional.instance_norm
    against_torch(torch, F.instance_norm, theirs, x, None, None, rng.random(6), rng.random(6))


@pytest.mark.parametrize("shape", [(5,), (4, 5)])
def test_the_root_mean_square_is_torchs(shape, torch, rng):
    x = rng.standard_normal((3, 4, 5))
    theirs = torch.nn.functional.rms_norm
    against_torch(torch, F.rms_norm, theirs, x, shape, rng.random(shape), 1e-2)
    against_torch(torch, F.rms_norm, theirs, x, shape)


def test_numbers_whose_squares_overflow_in_half_precision_are_divided_by_their_size():
    out = F.rms_norm(gf.tensor([[1000.0, 1000.0]], "float16"), 2)
    assert out.tolist() == [[1, 1]]


@pytest.mark.parametrize("name", ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "BatchNorm2d", "BatchNorm3d"])
def test_running_statistics_move_as_torchs_and_are_used_in_evaluation(name, torch, rng):
    how = {"affine": True, "track_running_stats": True}
    ours, theirs = getattr(nn, name)(6, **how, dtype="float64"), getattr(torch.nn, name)(6, **how, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = rng.standard_normal(SHAPE[: int(name[-2]) + 2])
    for _ in range(2):
        assert_close(ours(gf.tensor(x)).detach().numpy(), theirs(torch.from_numpy(x)).detach().numpy())
        x = x * 1.5 + 0.25
    for mine, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert_close(mine.numpy(), other.numpy())
    ours.eval(), theirs.eval()
    assert_close(ours(gf.tensor(x)).detach().numpy(), theirs(torch.from_numpy(x)).detach().numpy())


def test_a_single_sample_needs_no_dimension_for_samples(torch, rng):
    x = rng.standard_normal((6, 5))
    against_torch(torch, nn.InstanceNorm1d(6), torch.nn.InstanceNorm1d(6), x)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ArgumentError, "do not make 4 equal groups", lambda: F.group_norm(np.ones((2, 6)), 4)),
        (ArgumentError, "do not make 4 equal groups", lambda: nn.GroupNorm(4, 6)),
        (ShapeError, "GroupNorm: the input must be", lambda: nn.GroupNorm(2, 6)(gf.ones((2, 4)))),
        (ShapeError, "weight", lambda: F.group_norm(np.ones((2, 6)), 2, np.ones(3))),
        (ShapeError, "more than one value", lambda: F.instance_norm(np.ones((2, 6, 1)))),
        (
            ShapeError,
            r"InstanceNorm2d: the input must be \(N, 6, H, W\)",
            lambda: nn.InstanceNorm2d(6)(gf.ones((6, 2))),
        ),
        (ArgumentError, "give both", lambda: F.instance_norm(np.ones((2, 6, 2)), gf.ones(6))),
        (ShapeError, "its last sizes must be", lambda: F.rms_norm(np.ones((2, 6)), 5)),
        (ShapeError, r"BatchNorm2d: the input must be \(N, 6, H, W\)", lambda: nn.BatchNorm2d(6)(gf.ones((6, 6, 2)))),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()
