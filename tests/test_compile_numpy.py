"""Compiled steps without the extra: NumPy's functions on a plan's buffers, against eager code."""

from __future__ import annotations

import ast

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.compiler import numpy_calls, numpy_cross_entropy, numpy_updates
from gradflow.compiler.works import Direct
from gradflow.dtypes import float64
from gradflow.errors import IndexOutOfRange
from gradflow.loop import ELEMENT, Loop, Operand, Result, Statement
from gradflow.nn.functional import cross_entropy
from gradflow.testing.cases import tolerance

MAKERS = {
    "adam": lambda p: gf.optim.Adam(p, lr=0.01),
    "adam with decay": lambda p: gf.optim.Adam(p, lr=0.01, weight_decay=0.1, maximize=True),
    "adamw": lambda p: gf.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "amsgrad": lambda p: gf.optim.Adam(p, lr=0.01, amsgrad=True),
    "momentum": lambda p: gf.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: gf.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "lion": lambda p: gf.optim.Lion(p, lr=0.01, weight_decay=0.1),
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """NumPy alone, whatever is installed."""
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "failure", lambda: "llvmlite is not installed")


@pytest.fixture
def forwards(monkeypatch):
    """The names of the calls that are left to the ops' own references."""
    names = []
    real = numpy_calls._by_forward

    def counted(call, operands, out):
        do = real(call, operands, out)
        return lambda: names.append(call.name) or do()

    monkeypatch.setattr(numpy_calls, "_by_forward", counted)
    return names


def trained(make, compiled, dtype="float32", steps=4):
    """The losses, parameters and gradients of some steps."""
    gf.manual_seed(0)
    model = gf.nn.Sequential(gf.nn.Linear(6, 5), gf.nn.ReLU(), gf.nn.Linear(5, 3)).to(dtype)
    optimizer = make(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = gf.compile(step) if compiled else step
    rng = np.random.default_rng(1)
    losses = [run(rng.standard_normal((7, 6)).astype(dtype), rng.integers(0, 3, 7)).item() for _ in range(steps)]
    if compiled:
        assert all(isinstance(work.does, Direct) for work in run.plan.works)
    return losses, [x.detach().numpy() for p in model.parameters() for x in (p, p.grad)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_step_is_the_eager_step(name, dtype):
    losses, arrays = trained(MAKERS[name], True, dtype)
    expected_losses, expected = trained(MAKERS[name], False, dtype)
    close = tolerance(np.dtype(dtype), 10)
    np.testing.assert_allclose(losses, expected_losses, rtol=close, atol=close)
    for x, y in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=close, atol=close)


def test_no_call_of_a_plain_step_goes_through_an_op(forwards):
    trained(MAKERS["adam"], True)
    assert forwards == []


@pytest.mark.parametrize("name", ["amsgrad", "lion"])
def test_formulas_with_more_than_arithmetic_are_left_to_the_op(forwards, name):
    trained(MAKERS[name], True)
    assert set(forwards) == {"adam_update" if name == "amsgrad" else "lion_update"}


def test_large_updates_are_left_to_the_op_which_does_them_in_pieces(forwards, monkeypatch):
    monkeypatch.setattr(numpy_updates, "FEW", 50)
    trained(MAKERS["adam"], True)
    assert set(forwards) == {"adam_update"}


def loop(statements, arrays, results):
    """A loop over ``arrays`` by name, whose statements are texts."""
    parts = [Statement(name, float64, ast.parse(text, mode="eval").body) for name, text in statements.items()]
    operands = [Operand(name, ELEMENT, float64, array) for name, array in arrays.items()]
    kept = [Result(name, ELEMENT, float64, arrays[of]) for name, of in results.items()]
    return Loop(1, 3, tuple(operands), tuple(parts), tuple(kept))


def test_values_in_between_lie_in_as_few_arrays_as_they_need():
    arrays = {name: np.arange(1.0, 4.0) for name in "xyz"}
    x, y, z = (each.copy() for each in arrays.values())
    made = loop(
        {"t0": "(x + 1) * (y + 2) - (x - y) / (z + 3)", "t1": "-t0 * t0 + sqrt(z * z)"}, arrays, {"t0": "x", "t1": "z"}
    )
    steps = list(numpy_updates._Writer(made).steps())
    for function, arguments in steps:
        function(*arguments)
    np.testing.assert_allclose(arrays["x"], t0 := (x + 1) * (y + 2) - (x - y) / (z + 3), rtol=1e-15)
    np.testing.assert_allclose(arrays["z"], -t0 * t0 + z, rtol=1e-15)
    rooms = {id(out) for _, (*_, out) in steps} - {id(each) for each in arrays.values()}
    assert len(rooms) == 3  # (x + 1), (y + 2) and then their product and (x - y), (z + 3)


def test_a_result_over_what_is_read_later_is_not_written_early():
    made = loop({"t0": "x + 1", "t1": "x + t0"}, {"x": np.ones(3), "y": np.ones(3)}, {"t0": "x", "t1": "y"})
    with pytest.raises(numpy_updates.Unsupported):
        list(numpy_updates._Writer(made).steps())


LABELS = [0, 2, 1, 1, 2]


def compared(logits, labels, **options):
    """The loss and its gradient, compiled, after a comparison with eager code."""
    of = gf.value_and_grad(lambda x, y: cross_entropy(x, y, **options))
    compiled = gf.compile(of)
    for _ in range(3):
        found = [x.numpy() for x in compiled(gf.tensor(logits), gf.tensor(labels))]
    expected = [x.numpy() for x in of(gf.tensor(logits), gf.tensor(labels))]
    close = tolerance(logits.dtype)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=close, atol=close)
    return compiled


def logits_of(rows=5, classes=3, dtype="float32"):
    return (4 * np.random.default_rng(0).standard_normal((rows, classes))).astype(dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("labels", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_and_its_gradient_are_those_of_the_op(forwards, dtype, labels, reduction):
    compared(logits_of(dtype=dtype), np.array(LABELS, labels), reduction=reduction)
    assert "cross_entropy_with_grad" not in forwards


def test_large_logits_do_not_overflow(forwards):
    compared(np.array([[0, 1e30, -1e30], [-3e38, -3e38, -3e38]], "float32"), np.array([0, 1]))
    assert forwards == []


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5, 3), {"label_smoothing": 0.1}),
        ((5, 3), {"ignore_index": 1}),
        ((5, numpy_cross_entropy.CLASSES + 1), {}),
        ((numpy_cross_entropy.ROWS + 1, 3), {}),
    ],
    ids=["smoothed", "a class is ignored", "many classes", "many rows"],
)
def test_other_losses_are_left_to_the_op(forwards, shape, options):
    compared(logits_of(*shape), np.resize(LABELS, shape[0]), **options)
    assert forwards != []


def test_ignored_labels_are_left_to_the_op_in_the_calls_that_have_them(forwards):
    compiled = compared(logits_of(), np.array(LABELS))
    assert forwards == []
    loss, gradient = compiled(gf.tensor(logits_of()), gf.tensor([0, -100, 1, 1, -100]))
    assert forwards == ["cross_entropy_with_grad"]
    kept = [0, 2, 3]
    expected = cross_entropy(gf.tensor(logits_of()[kept]), gf.tensor([0, 1, 1]))
    np.testing.assert_allclose(loss.numpy(), expected.numpy(), rtol=1e-6)
    assert not gradient.numpy()[[1, 4]].any()


@pytest.mark.parametrize("label", [3, -1, 2**40])
def test_a_label_out_of_range_is_the_error_of_eager_code(label):
    compiled = compared(logits_of(), np.array(LABELS))
    with pytest.raises(IndexOutOfRange, match=rf"label {label} at position 1 is out of range for 3 classes"):
        compiled(gf.tensor(logits_of()), gf.tensor([0, label, 1, 1, 2]))


@pytest.mark.parametrize("y", [[1.0, -1.0, 0.0, -0.0], [np.nan, np.inf, -np.inf, 1.0]])
def test_relu_and_its_gradient_treat_zeros_and_nan_as_the_op_does(y):
    x = np.array([y], "float32")
    of = gf.value_and_grad(lambda x: (gf.nn.functional.relu(x) * gf.tensor([[2.0, np.nan, 3.0, np.inf]])).sum())
    compiled = gf.compile(of)
    with np.errstate(invalid="ignore"):
        for _ in range(3):
            found = [each.numpy() for each in compiled(gf.tensor(x))]
        np.testing.assert_equal(found, [each.numpy() for each in of(gf.tensor(x))])
