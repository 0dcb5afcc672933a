"""Losses: against PyTorch where it is installed, against closed forms where it is not, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError

REDUCTIONS = ["mean", "sum", "none"]
few = settings(max_examples=80, deadline=None)


def agree_with_torch(ours, theirs, *arrays, tolerance=1e-12, **options):
    """The same loss, and the same gradient in every floating input, for inputs that are arrays or None."""
    torch = pytest.importorskip("torch")
    mine = [x if x is None else gf.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    other = [x if x is None else torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    loss, expected = ours(*mine, **options), theirs(*other, **options)
    assert loss.shape == tuple(expected.shape)
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    seed = np.linspace(0.5, 1.5, loss.size).reshape(loss.shape)
    loss.backward(seed)
    expected.backward(torch.tensor(seed))
    for x, y in zip(mine, other, strict=True):
        if x is not None and y.grad is not None:
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=tolerance, atol=tolerance)
    return loss


def torch_functional():
    return pytest.importorskip("torch").nn.functional


def of_fixed_weights(loss):
    """A loss of PyTorch with the weight a constant: it has no gradient in it."""
    return lambda x, t, weight, **options: loss(x, t, None if weight is None else weight.detach(), **options)


# Regression


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.3}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.3}),
        ("smooth_l1_loss", {"beta": 0.0}),
    ],
)
def test_regression_losses_agree_with_torch(rng, name, options, shape, reduction):
    x, t = 2 * rng.standard_normal(shape), rng.standard_normal(shape)
    theirs = getattr(torch_functional(), name)
    agree_with_torch(getattr(F, name), theirs, np.asarray(x), np.asarray(t), reduction=reduction, **options)


def test_losses_of_known_values():
    y, t = gf.tensor([1.0, -2.0, 4.0]), gf.tensor([0.0, 0.0, 1.0])
    assert F.mse_loss(y, t).item() == pytest.approx(14 / 3)
    assert F.mse_loss(y, t, reduction="sum").item() == 14
    assert F.mse_loss(y, t, reduction="none").tolist() == [1, 4, 9]
    assert F.l1_loss(y, t).item() == 2
    assert F.huber_loss(y, t, delta=2.0, reduction="none").tolist() == [0.5, 2, 4]
    assert F.smooth_l1_loss(y, t, beta=2.0, reduction="none").tolist() == [0.25, 1, 2]


def test_half_is_the_squared_error_of_textbooks_whose_gradient_is_prediction_less_target():
    y = gf.tensor([0.7, 0.2], requires_grad=True)
    t = gf.tensor([1.0, 0.0], requires_grad=True)
    loss = F.mse_loss(y, t, reduction="half")
    assert loss.item() == pytest.approx((0.3**2 + 0.2**2) / 2)
    loss.backward()
    np.testing.assert_allclose(y.grad.numpy(), [-0.3, 0.2], rtol=1e-6)
    np.testing.assert_allclose(t.grad.numpy(), [0.3, -0.2], rtol=1e-6)


def test_a_python_number_is_the_target_of_every_prediction():
    y = gf.tensor([1.0, 3.0], requires_grad=True)
    F.mse_loss(y, 1.0).backward()
    assert y.grad.tolist() == [0, 2]
    assert F.mse_loss(y, 1.0).dtype == gf.float32


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy])
def test_predictions_are_not_compared_with_the_targets_of_others(loss):
    with pytest.raises(ShapeError, match=r"the input is \(3, 1\), the target \(3,\); they must agree"):
        loss(gf.zeros((3, 1)), gf.zeros(3))


def test_the_gradient_of_the_absolute_error_is_zero_where_there_is_none():
    y = gf.tensor([1.0, 2.0], requires_grad=True)
    F.l1_loss(y, [1.0, 5.0], reduction="sum").backward()
    assert y.grad.tolist() == [0, -1]


@pytest.mark.parametrize(("loss", "option"), [(F.huber_loss, "delta"), (F.smooth_l1_loss, "beta")])
def test_a_negative_threshold_is_refused(loss, option):
    with pytest.raises(ArgumentError, match=f"{option} .* got -1"):
        loss(gf.zeros(2), gf.zeros(2), **{option: -1})


def test_float16_losses_add_up_in_float32():
    y, t = gf.full((4096,), 0.5, dtype="float16"), gf.zeros(4096, dtype="float16")
    for loss, value in [(F.mse_loss, 1024), (F.l1_loss, 2048), (F.huber_loss, 512)]:
        out = loss(y, t, reduction="sum")
        assert out.dtype == gf.float16 and out.item() == value


def test_a_float16_error_whose_square_overflows_has_a_finite_mean_and_gradient():
    y = gf.tensor(np.array([256.0, 0.0], "float16"), requires_grad=True)
    loss = F.mse_loss(y, gf.zeros(2, dtype="float16"))
    loss.backward()
    assert loss.item() == 32768 and y.grad.tolist() == [256, 0]


def test_integers_are_compared_as_float64():
    loss = F.mse_loss(np.array([1, 255], "uint8"), np.array([2, 0], "uint8"))
    assert loss.dtype == gf.float64 and loss.item() == (1 + 255**2) / 2


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss, F.binary_cross_entropy_with_logits])
def test_the_mean_of_no_losses_is_nan_and_their_sum_zero(loss):
    x = gf.zeros((0, 3), requires_grad=True)
    mean = loss(x, gf.zeros((0, 3)))
    assert math.isnan(mean.item()) and loss(x, gf.zeros((0, 3)), reduction="sum").item() == 0
    mean.backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize(
    "loss",
    [
        F.mse_loss,
        F.l1_loss,
        F.huber_loss,
        F.smooth_l1_loss,
        F.binary_cross_entropy,
        F.binary_cross_entropy_with_logits,
    ],
)
def test_a_nan_in_the_predictions_is_a_nan_in_the_loss(loss):
    assert math.isnan(loss(gf.tensor([0.5, math.nan]), gf.tensor([0.0, 1.0])).item())


# Binary cross-entropy

FLOATS = st.floats(-4, 4)


def arrays(size, elements):
    return st.lists(elements, min_size=size, max_size=size).map(lambda xs: np.array(xs, "float64"))


@st.composite
def binary_problems(draw, inputs):
    shape = draw(st.sampled_from([(), (4,), (3, 2)]))
    size = math.prod(shape)
    x = draw(arrays(size, inputs)).reshape(shape)
    t = draw(arrays(size, st.floats(0, 1))).reshape(shape)
    weight = draw(st.none() | st.sampled_from([shape, shape[-1:], (1,) * len(shape)]))
    weight = weight if weight is None else draw(arrays(math.prod(weight), st.floats(0.1, 3))).reshape(weight)
    return x, t, weight, draw(st.sampled_from(REDUCTIONS))


@few
@given(binary_problems(st.floats(1e-3, 1 - 1e-3)))
def test_binary_cross_entropy_agrees_with_torch(problem):
    x, t, weight, reduction = problem
    theirs = of_fixed_weights(torch_functional().binary_cross_entropy)
    agree_with_torch(F.binary_cross_entropy, theirs, x, t, weight, reduction=reduction, tolerance=1e-11)


@few
@given(binary_problems(FLOATS), st.booleans(), st.data())
def test_binary_cross_entropy_with_logits_agrees_with_torch(problem, positive, data):
    x, t, weight, reduction = problem
    pos_weight = data.draw(arrays(math.prod(x.shape[-1:]), st.floats(0.1, 5))) if positive and x.ndim else None
    theirs = of_fixed_weights(torch_functional().binary_cross_entropy_with_logits)

    def ours(x, t, weight, pos_weight, **options):
        return F.binary_cross_entropy_with_logits(x, t, weight, pos_weight=pos_weight, **options)

    def of_torch(x, t, weight, pos_weight, **options):
        return theirs(x, t, weight, pos_weight=None if pos_weight is None else pos_weight.detach(), **options)

    agree_with_torch(ours, of_torch, x, t, weight, pos_weight, reduction=reduction)


def test_a_sure_and_wrong_probability_costs_100_as_in_torch():
    p = gf.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, [1.0, 0.0, 0.0, 1.0], reduction="none")
    assert loss.tolist() == [100, 100, 0, 0]
    loss.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()


def test_the_gradient_in_sure_and_wrong_probabilities_agrees_with_torch():
    p, t = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.5, 0.25])
    theirs = torch_functional().binary_cross_entropy
    # PyTorch's smallest variance is 1e-12 as a float32
    agree_with_torch(
        lambda x: F.binary_cross_entropy(x, t),
        lambda x: theirs(x, x.detach().new_tensor(t)),
        p,
        tolerance=1e-8,
    )


@pytest.mark.parametrize("x", [-0.1, 1.1])
def test_what_is_not_a_probability_is_refused(x):
    with pytest.raises(ArgumentError, match=r"must be probabilities, in \[0, 1\]; for logits use .*_with_logits"):
        F.binary_cross_entropy(gf.tensor([0.5, x]), gf.tensor([0.0, 1.0]))


def test_logits_of_any_size_have_an_exact_loss():
    x = gf.tensor([1000.0, -1000.0, 1000.0, -1000.0, -50.0], dtype="float64", requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, [1.0, 0.0, 0.0, 1.0, 0.0], reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), [0, 0, 1000, 1000, math.exp(-50)], rtol=1e-14)
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, 0, 1, -1, 0], atol=1e-15)


def test_a_weight_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"a weight of \(2, 3\) does not broadcast to the input, \(3,\)"):
        F.binary_cross_entropy(gf.full(3, 0.5), gf.zeros(3), gf.ones((2, 3)))


# Class labels


@st.composite
def classifications(draw):
    classes = draw(st.integers(1, 5))
    outer = draw(st.sampled_from([None, (1,), (4,), (2, 3), (2, 1, 2)]))
    shape = () if outer is None else outer
    logits = (classes,) if outer is None else (outer[0], classes, *outer[1:])
    x = draw(arrays(math.prod(logits), FLOATS)).reshape(logits)
    ignore_index = draw(st.sampled_from([-100, -1, 0, 7]))
    label = st.integers(0, classes - 1) | st.just(ignore_index)
    labels = draw(st.lists(label, min_size=math.prod(shape), max_size=math.prod(shape)))
    weight = draw(st.none() | arrays(classes, st.floats(0.1, 3)))
    options = {"ignore_index": ignore_index, "reduction": draw(st.sampled_from(REDUCTIONS))}
    return x, np.array(labels, "int64").reshape(shape), weight, options


@few
@given(classifications())
def test_nll_loss_agrees_with_torch(problem):
    x, labels, weight, options = problem
    agree_with_torch(F.nll_loss, of_fixed_weights(torch_functional().nll_loss), x, labels, weight, **options)


@few
@given(classifications(), st.sampled_from([0.0, 0.1, 1.0]))
def test_cross_entropy_of_labels_agrees_with_torch(problem, smoothing):
    x, labels, weight, options = problem
    theirs = of_fixed_weights(torch_functional().cross_entropy)
    agree_with_torch(F.cross_entropy, theirs, x, labels, weight, label_smoothing=smoothing, **options)


@few
@given(classifications(), st.sampled_from([0.0, 0.3]), st.randoms(use_true_random=False))
def test_cross_entropy_of_probabilities_agrees_with_torch(problem, smoothing, random):
    x, _, weight, options = problem
    p = np.random.default_rng(random.randrange(2**32)).dirichlet(np.ones(x.shape[min(1, x.ndim - 1)]), x.size)
    p = np.ascontiguousarray(p.reshape(-1)[: x.size].reshape(x.shape))
    theirs = of_fixed_weights(torch_functional().cross_entropy)
    options = {"reduction": options["reduction"], "label_smoothing": smoothing}
    agree_with_torch(F.cross_entropy, theirs, x, p, weight, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_many_classes_agree_with_torch(rng, smoothing, reduction):
    x, labels = 3 * rng.standard_normal((20, 100)), rng.integers(0, 100, 20)
    probabilities, theirs = rng.dirichlet(np.ones(100), 20), torch_functional().cross_entropy
    for target in (labels, probabilities):
        agree_with_torch(F.cross_entropy, theirs, x, target, reduction=reduction, label_smoothing=smoothing)


@pytest.mark.parametrize("classes", [3, 100])
def test_float16_logits_give_a_float16_loss_computed_in_float32(rng, classes):
    x = gf.tensor((3 * rng.standard_normal((2000, classes))).astype("float16"), requires_grad=True)
    labels = rng.integers(0, classes, 2000)
    loss = F.cross_entropy(x, labels, reduction="mean")
    exact = F.cross_entropy(x.detach().astype("float64"), labels)
    assert loss.dtype == gf.float16 and loss.item() == pytest.approx(exact.item(), rel=1e-3)
    loss.backward()
    assert x.grad.dtype == gf.float16 and np.abs(x.grad.numpy()).sum() > 0


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(classes):
    x = gf.zeros((4, classes), requires_grad=True)
    loss = F.cross_entropy(x, [0, 1, 0, 1])
    assert loss.item() == pytest.approx(math.log(classes), rel=1e-6)
    loss.backward()
    expected = np.full((4, classes), 1 / classes)
    expected[range(4), [0, 1, 0, 1]] -= 1
    np.testing.assert_allclose(x.grad.numpy(), expected / 4, rtol=1e-5)


def test_the_gradient_is_softmax_less_target():
    x = gf.tensor([[1.0, 2.0, 3.0]], dtype="float64", requires_grad=True)
    F.cross_entropy(x, [2], reduction="sum").backward()
    e = np.exp([1.0, 2.0, 3.0])
    np.testing.assert_allclose(x.grad.numpy(), [e / e.sum() - [0, 0, 1]], rtol=1e-14)


def test_smoothing_and_weights_by_hand():
    x = np.log([[0.7, 0.2, 0.1]])
    loss = F.cross_entropy(x, [1], np.array([1.0, 2.0, 4.0]), label_smoothing=0.3, reduction="sum")
    by_hand = -(0.1 * 1 * math.log(0.7) + 0.8 * 2 * math.log(0.2) + 0.1 * 4 * math.log(0.1))
    assert loss.item() == pytest.approx(by_hand, rel=1e-14)


def test_labels_and_their_one_hot_probabilities_cost_the_same(rng):
    x, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    probabilities = F.one_hot(labels, 4).astype("float64")
    for options in ({}, {"label_smoothing": 0.2}, {"reduction": "none"}):
        hard, soft = F.cross_entropy(x, labels, **options), F.cross_entropy(x, probabilities, **options)
        np.testing.assert_allclose(hard.numpy(), soft.numpy(), rtol=1e-13)


def test_huge_logits_neither_overflow_nor_lose_the_loss():
    x = gf.tensor([[1e4, 0.0], [-1e4, 0.0], [3e4, 3e4]], dtype="float32", requires_grad=True)
    loss = F.cross_entropy(x, [1, 0, 0], reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), [1e4, 1e4, math.log(2)], rtol=1e-6)
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[1, -1], [-1, 1], [-0.5, 0.5]], atol=1e-6)


def test_a_class_masked_with_minus_infinity_gets_no_gradient():
    x = gf.tensor([[0.0, 0.0, -math.inf]], requires_grad=True)
    loss = F.cross_entropy(x, [0])
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), [[-0.5, 0.5, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("target", [[0, 1], [[1.0, 0.0], [0.0, 1.0]]])
def test_a_nan_logit_makes_the_loss_and_the_gradient_of_its_row_nan(target):
    x = gf.tensor([[0.0, math.nan], [0.0, 1.0]], requires_grad=True)
    loss = F.cross_entropy(x, target)
    assert math.isnan(loss.item())
    loss.backward()
    assert np.isnan(x.grad.numpy()).tolist() == [[True, True], [False, False]]


def test_rows_to_be_ignored_neither_cost_nor_learn_whatever_is_in_them():
    x = gf.tensor([[0.0, 1.0], [math.nan, 0.0]], requires_grad=True)
    loss = F.cross_entropy(x, [0, -100])
    assert loss.item() == pytest.approx(math.log(1 + math.e))
    loss.backward()
    assert x.grad.tolist()[1] == [0, 0]


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_the_mean_over_rows_that_are_all_ignored_is_nan_and_nothing_is_learnt_from_it(loss):
    x = gf.zeros((2, 3), requires_grad=True)
    out = loss(x, [-100, -100])
    assert math.isnan(out.item())
    out.backward()
    assert x.grad.tolist() == [[0, 0, 0]] * 2
    assert loss(x, [-100, -100], reduction="sum").item() == 0


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_the_mean_over_no_rows_is_nan_and_their_sum_zero(loss):
    x, labels = gf.zeros((0, 3)), gf.zeros(0, dtype="int64")
    assert math.isnan(loss(x, labels).item())
    assert loss(x, labels, reduction="sum").item() == 0


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint64"])
def test_labels_may_be_of_any_integer_type(dtype):
    x = gf.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0]], requires_grad=True)
    labels = np.array([2, 1], dtype)
    F.cross_entropy(x, labels).backward()
    first, x.grad = x.grad, None
    F.cross_entropy(x, [2, 1]).backward()
    np.testing.assert_array_equal(first.numpy(), x.grad.numpy())


def test_a_weight_that_requires_grad_gets_one(rng):
    labels = gf.tensor(rng.integers(0, 3, 5))
    for loss in (F.cross_entropy, F.nll_loss):
        gf.testing.gradcheck(
            lambda x, w, loss=loss: loss(x, labels, w),
            gf.tensor(rng.standard_normal((5, 3))),
            gf.tensor(rng.uniform(0.5, 2, 3)),
        )


def test_a_loss_is_one_node_that_keeps_the_logits_and_not_their_softmax():
    x = gf.zeros((100, 10), requires_grad=True)
    node = F.cross_entropy(x, gf.zeros(100, dtype="int64")).node
    assert node.op.name == "cross_entropy" and node.parents[0] is x
    assert sum(array.data.nbytes for array in node.inputs if array is not None) == x.data.nbytes + 800


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
class TestWhatIsRefused:
    """Labels and options that do not fit."""

    @pytest.mark.parametrize("label", [10, -1, 255])
    def test_a_label_out_of_range(self, loss, label):
        message = rf"label {label} at position 3 is out of range for 10 classes; labels must be 0 to 9"
        with pytest.raises(IndexOutOfRange, match=message):
            loss(gf.zeros((5, 10)), [0, 9, 0, label, 0])

    def test_a_negative_label_of_few_bits_is_not_mistaken_for_a_large_one(self, loss):
        with pytest.raises(IndexOutOfRange, match="label -1 at position 1 is out of range for 300 classes"):
            loss(gf.zeros((2, 300)), gf.tensor([0, -1], "int8"))

    def test_a_label_out_of_range_beside_rows_to_be_ignored(self, loss):
        with pytest.raises(IndexOutOfRange, match=r"label 3 at position 2 .* or ignore_index \(-100\)"):
            loss(gf.zeros((3, 3)), [0, -100, 3])

    def test_labels_that_are_columns(self, loss):
        with pytest.raises(ShapeError, match=r"input of \(3, 4\) are \(3,\), .* \(3, 1\); use .reshape\(\(3,\)\)"):
            loss(gf.zeros((3, 4)), gf.zeros((3, 1), dtype="int64"))

    def test_labels_that_are_one_hot(self, loss):
        with pytest.raises(ShapeError, match=r"take .argmax\(axis=1\) of one-hot rows, or convert them to floats"):
            loss(gf.zeros((3, 4)), gf.zeros((3, 4), dtype="int64"))

    def test_too_few_labels(self, loss):
        with pytest.raises(ShapeError, match=r"are \(3, 5\), and these are \(2, 5\); there must be one for each row"):
            loss(gf.zeros((3, 4, 5)), gf.zeros((2, 5), dtype="int64"))

    def test_float_labels(self, loss):
        with pytest.raises((DTypeError, ShapeError), match=r"convert .*with .astype\('int64'\)"):
            loss(gf.zeros((3, 4)), gf.zeros(3))

    def test_a_weight_that_is_not_one_number_for_each_class(self, loss):
        with pytest.raises(ShapeError, match=r"weight is \(3,\); it must be a number for each class, \(4,\)"):
            loss(gf.zeros((3, 4)), [0, 1, 2], gf.ones(3))

    def test_an_input_without_classes(self, loss):
        with pytest.raises(ShapeError, match=r"must be \(N, C\), \(C,\) or \(N, C, ...\) for C classes, got \(3, 0\)"):
            loss(gf.zeros((3, 0)), [0, 0, 0])

    def test_an_unknown_reduction(self, loss):
        with pytest.raises(ArgumentError, match="reduction is one of mean, sum, none; got 'max'"):
            loss(gf.zeros((3, 4)), [0, 1, 2], reduction="max")


@pytest.mark.parametrize("smoothing", [-0.1, 1.5])
@pytest.mark.parametrize("target", [[0, 1], [[0.5, 0.5], [1.0, 0.0]]])
def test_smoothing_that_is_not_a_probability_is_refused(target, smoothing):
    with pytest.raises(ArgumentError, match=r"label_smoothing must be in \[0, 1\], got"):
        F.cross_entropy(gf.zeros((2, 2)), target, label_smoothing=smoothing)


def test_ignore_index_with_probabilities_is_refused():
    with pytest.raises(ArgumentError, match="ignore_index is for integer labels"):
        F.cross_entropy(gf.zeros((2, 2)), gf.zeros((2, 2)), ignore_index=0)


def test_a_label_that_is_refused_in_backward_of_a_changed_label_array():
    labels = np.array([0, 1])
    x = gf.zeros((2, 2), requires_grad=True)
    loss = F.cross_entropy(x, gf.tensor(labels))
    labels[0] = 2
    with pytest.raises(IndexOutOfRange, match="label 2 at position 0"):
        loss.backward()


# Modules


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("module", "function", "options", "classes"),
    [
        (gf.nn.MSELoss, F.mse_loss, {}, False),
        (gf.nn.L1Loss, F.l1_loss, {}, False),
        (gf.nn.HuberLoss, F.huber_loss, {"delta": 0.5}, False),
        (gf.nn.SmoothL1Loss, F.smooth_l1_loss, {"beta": 0.5}, False),
        (gf.nn.BCELoss, F.binary_cross_entropy, {"weight": [1.0, 2.0, 3.0]}, False),
        (
            gf.nn.BCEWithLogitsLoss,
            F.binary_cross_entropy_with_logits,
            {"weight": [1.0, 2.0, 3.0], "pos_weight": [3.0]},
            False,
        ),
        (gf.nn.NLLLoss, F.nll_loss, {"weight": [1.0, 2.0, 3.0], "ignore_index": 1}, True),
        (
            gf.nn.CrossEntropyLoss,
            F.cross_entropy,
            {"weight": [1.0, 2.0, 3.0], "ignore_index": 1, "label_smoothing": 0.1},
            True,
        ),
    ],
)
def test_a_module_is_its_function_with_settings(rng, module, function, options, classes, reduction):
    x = rng.uniform(0.1, 0.9, (4, 3))
    target = np.array([0, 1, 2, 2]) if classes else rng.uniform(0, 1, (4, 3))
    out = module(reduction=reduction, **options)(gf.tensor(x), target)
    np.testing.assert_array_equal(out.numpy(), function(x, target, reduction=reduction, **options).numpy())


def test_the_weights_of_a_loss_are_part_of_its_state():
    loss = gf.nn.CrossEntropyLoss([1.0, 2.0])
    assert [*loss.state_dict()] == ["weight"] and not [*loss.parameters()]
    assert [*gf.nn.CrossEntropyLoss().state_dict()] == []
    loss.load_state_dict({"weight": [3.0, 4.0]})
    assert loss.weight.tolist() == [3, 4]


def test_a_module_refuses_an_unknown_reduction_when_it_is_made():
    with pytest.raises(ArgumentError, match="L1Loss: reduction is one of mean, sum, none; got 'half'"):
        gf.nn.L1Loss(reduction="half")
    assert repr(gf.nn.MSELoss(reduction="half")) == "MSELoss(reduction='half')"
