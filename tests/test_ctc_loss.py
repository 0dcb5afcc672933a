"""ctc_loss: values and gradients against PyTorch, and against the sum over all alignments."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.testing import gradcheck
from oracles import assert_close

TARGETS = np.array([[1, 2, 2, 3], [3, 3, 1, 0], [2, 0, 0, 0], [4, 0, 0, 0]])
TIMES, LENGTHS = [9, 7, 5, 9], [4, 3, 1, 0]


def both(torch, logits, targets=TARGETS, times=TIMES, lengths=LENGTHS, **how):
    x, y = gf.tensor(logits, requires_grad=True), torch.from_numpy(logits).requires_grad_()
    found = F.ctc_loss(F.log_softmax(x, -1), targets, times, lengths, **how)
    expected = torch.nn.functional.ctc_loss(
        torch.log_softmax(y, -1), torch.from_numpy(targets), torch.tensor(times), torch.tensor(lengths), **how
    )
    assert_close(found.detach().numpy(), expected.detach().numpy())
    weights = np.arange(1.0, found.size + 1).reshape(found.shape)
    found.backward(gf.tensor(weights))
    expected.backward(torch.from_numpy(np.asarray(weights)))
    return x.grad.numpy(), y.grad.numpy()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("blank", [0, 5])
def test_a_loss_and_the_gradient_of_logits_are_torchs(blank, reduction, torch, rng):
    assert_close(*both(torch, rng.standard_normal((9, 4, 6)), blank=blank, reduction=reduction))


def test_targets_may_follow_one_another_and_a_sample_may_be_alone(torch, rng):
    joined = np.concatenate([row[:n] for row, n in zip(TARGETS, LENGTHS, strict=True)])
    assert_close(*both(torch, rng.standard_normal((9, 4, 6)), joined))
    assert_close(*both(torch, rng.standard_normal((9, 6)), TARGETS[0], [9], [4], reduction="none"))


def test_a_target_that_does_not_fit_has_infinite_loss_or_none_and_no_gradient(torch, rng):
    logits, times = rng.standard_normal((9, 4, 6)), [4, 7, 5, 9]  # 1, 2, 2, 3 needs a blank between: 5 times
    assert_close(*both(torch, logits, times=times, zero_infinity=True, reduction="none"))
    x = gf.tensor(logits, requires_grad=True)
    out = F.ctc_loss(F.log_softmax(x, -1), TARGETS, times, LENGTHS, reduction="none")
    out.sum().backward()
    assert out.tolist()[0] == np.inf and np.isfinite(out.tolist()[1:]).all()
    assert np.isfinite(x.grad.numpy()).all() and not x.grad.numpy()[:, 0].any()


def test_the_probability_is_the_sum_over_all_alignments(rng):
    probabilities = rng.dirichlet(np.ones(3), 5)
    total = 0.0
    for path in product(range(3), repeat=5):
        if [label for label, _ in groupby(path) if label] == [1, 2, 2]:
            total += np.prod(probabilities[np.arange(5), path])
    found = F.ctc_loss(np.log(probabilities)[:, None], [[1, 2, 2]], [5], [3], reduction="sum").item()
    assert found == pytest.approx(-np.log(total), rel=1e-12)


def test_gradients_of_both_orders_agree_with_finite_differences(rng):
    x = gf.tensor(rng.standard_normal((4, 2, 3)))
    gradcheck(lambda x: F.ctc_loss(x, [[1, 2], [2, 0]], [4, 3], [2, 1]), x)


X = np.zeros((4, 2, 3))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, "log_probs must be", lambda: F.ctc_loss(X[0, 0], [[1]], [4], [1])),
        (ShapeError, "one for each of 2", lambda: F.ctc_loss(X, [[1], [1]], [4], [1, 1])),
        (ShapeError, "targets are", lambda: F.ctc_loss(X, [[1], [1], [1]], [4, 4], [1, 1])),
        (ShapeError, "add up to 2", lambda: F.ctc_loss(X, [1, 1, 1], [4, 4], [1, 1])),
        (DTypeError, "targets are integers", lambda: F.ctc_loss(X, [[1.0], [1.0]], [4, 4], [1, 1])),
        (DTypeError, "input_lengths are integers", lambda: F.ctc_loss(X, [[1], [1]], [4.0, 4.0], [1, 1])),
        (ArgumentError, "input_lengths must be from 1 to 4", lambda: F.ctc_loss(X, [[1], [1]], [4, 5], [1, 1])),
        (ArgumentError, "target_lengths must be from 0 to 1", lambda: F.ctc_loss(X, [[1], [1]], [4, 4], [1, 2])),
        (ArgumentError, "blank is 3", lambda: F.ctc_loss(X, [[1], [1]], [4, 4], [1, 1], blank=3)),
        (IndexOutOfRange, "index 3", lambda: F.ctc_loss(X, [[1], [3]], [4, 4], [1, 1])),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()
