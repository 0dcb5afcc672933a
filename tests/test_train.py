"""Training: the step, the epochs, the checks on held-out examples, and the file of a model."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import gradflow as gf
from gradflow import data, serialize
from gradflow.data import Dataset
from gradflow.errors import ArgumentError, CheckpointError, DataError, GradientError
from gradflow.ops.generator import manual_seed
from gradflow.train import (
    ACTIVATIONS,
    MLP,
    Epoch,
    Score,
    confusions,
    evaluate,
    fit,
    hold_out,
    load_model,
    logits,
    parse_sizes,
    probabilities,
    save_model,
    stop_early,
    train_step,
)


@pytest.fixture
def moons(rng) -> Dataset:
    """Two classes that a line does not separate well."""

    def part(count):
        y = np.arange(count) % 2
        angle = rng.uniform(0, np.pi, count) + np.pi * y
        x = np.stack([np.cos(angle) + y, np.sin(angle) + y / 2], axis=1) + rng.normal(0, 0.1, (count, 2))
        return x.astype(np.float32), y.astype(np.int64)

    return Dataset("moons", *part(300), *part(101), classes=2)


def model_of(seed=0, sizes=(2, 16, 2), **options):
    manual_seed(seed)
    return MLP(sizes, **options)


def weights(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def trained(data, seed=0, epochs=3, **options):
    model = model_of(seed, dropout=0.1)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)
    return model, list(fit(model, optimizer, data, epochs=epochs, seed=seed, **options))


# the model


@pytest.mark.parametrize(
    ("text", "sizes"), [("64-128-10", (64, 128, 10)), ("2-1", (2, 1)), ("3-4-4-4-2", (3, 4, 4, 4, 2))]
)
def test_sizes_are_numbers_with_hyphens(text, sizes):
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(
    "text", ["64", "64-x-10", "64-0-10", "", "-", "64--10", "64-10-", " 64-10", "64-1e3-10", "64-10\n"]
)
def test_other_sizes_are_refused_with_the_form_they_should_have(text):
    with pytest.raises(ArgumentError, match="such as 64-128-10"):
        parse_sizes(text)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_stands_between_the_layers(activation):
    model = model_of(sizes=(3, 5, 4, 2), activation=activation)
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3)
    value = x
    for i, layer in enumerate(linears := [m for m in model.modules() if isinstance(m, gf.nn.Linear)]):
        value = value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        if i < len(linears) - 1:
            value = ACTIVATIONS[activation]()(gf.tensor(value)).numpy()
    np.testing.assert_allclose(model(gf.tensor(x)).detach().numpy(), value, rtol=1e-5, atol=1e-6)


def test_weights_begin_with_the_gain_of_the_activation_and_biases_at_zero():
    for activation, variance in (("relu", 2), ("gelu", 2), ("sigmoid", 1), ("tanh", 25 / 9)):
        first = next(
            m for m in model_of(sizes=(200, 300, 2), activation=activation).modules() if isinstance(m, gf.nn.Linear)
        )
        assert first.weight.detach().numpy().std() == pytest.approx(math.sqrt(variance / 200), rel=0.02)
        assert not first.bias.detach().numpy().any()


def test_dropout_is_at_work_in_training_alone():
    model = model_of(sizes=(4, 100, 3), dropout=0.5)
    x = gf.ones((1, 4))
    assert not np.array_equal(model(x).detach().numpy(), model(x).detach().numpy())
    model.eval()
    assert np.array_equal(model(x).detach().numpy(), model(x).detach().numpy())


def test_each_feature_is_mapped_from_its_range_to_0_and_1():
    model = MLP((3, 2))
    model.layers = gf.nn.Identity()
    model.learn_range(gf.tensor([[10.0, -1.0, 5.0], [30.0, 1.0, 5.0]]))
    assert model(gf.tensor([[20.0, -1.0, 5.0], [50.0, 0.0, 5.0]])).tolist() == [[0.5, 0.0, 0.0], [2.0, 0.5, 0.0]]


def test_images_are_flattened(rng):
    model, x = MLP((12, 5, 2)), rng.random((7, 3, 4)).astype(np.float32)
    model.learn_range(gf.tensor(x))
    assert model(gf.tensor(x)).tolist() == model(gf.tensor(x.reshape(7, 12))).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((3,),), "at least two"),
        (((3, 0, 2),), "each at least 1"),
        (((3, 2), "swish2"), "'swish2'; use one of elu, gelu"),
        (((3, 2), "relu", 1.5), "dropout is 1.5"),
        (((3, 2), "relu", math.nan), "dropout is nan"),
    ],
)
def test_a_model_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        MLP(*arguments)


# the step and the epochs


def test_a_step_of_sgd_is_the_closed_form_of_softmax_regression(rng):
    model = gf.nn.Linear(4, 3)
    w, b = model.weight.detach().numpy().copy(), model.bias.detach().numpy().copy()
    x, y = rng.random((6, 4)).astype(np.float32), rng.integers(0, 3, 6)
    loss, scores = train_step(model, gf.optim.SGD(model.parameters(), lr=0.5), gf.tensor(x), gf.tensor(y), 0.3)
    targets = 0.7 * np.eye(3)[y] + 0.1
    z = x @ w.T + b
    error = (softmax(z, axis=1) - targets) / 6
    np.testing.assert_allclose(scores.detach().numpy(), z, rtol=1e-5)
    np.testing.assert_allclose(loss.item(), -(targets * log_softmax(z, axis=1)).sum(axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(model.weight.detach().numpy(), w - 0.5 * error.T @ x, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.bias.detach().numpy(), b - 0.5 * error.sum(axis=0), rtol=1e-4, atol=1e-6)


def test_training_learns_what_a_line_cannot_tell_apart(moons):
    model = model_of(sizes=(2, 32, 2))
    epochs = list(fit(model, gf.optim.Adam(model.parameters(), lr=0.03), moons, epochs=40, batch=16))
    assert [epoch.number for epoch in epochs] == list(range(1, 41))
    assert epochs[-1].train.loss < 0.5 * epochs[0].train.loss
    assert epochs[-1].test.accuracy > 0.95
    assert epochs[-1].test == evaluate(model, moons.x_test, moons.y_test)
    assert all(epoch.seconds > 0 and epoch.train.count == 300 for epoch in epochs)


def test_without_steps_the_training_score_is_that_of_the_model(moons):
    model = model_of()
    (epoch,) = fit(model, gf.optim.SGD(model.parameters(), lr=0.0), moons, epochs=1, batch=7)
    held_still = evaluate(model, moons.x_train, moons.y_train)
    assert epoch.train.loss == pytest.approx(held_still.loss, rel=1e-5)
    assert (epoch.train.right, epoch.train.count) == (held_still.right, held_still.count)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(moons):
    first, again, other = (trained(moons, seed) for seed in (3, 3, 4))
    assert same(weights(first[0]), weights(again[0]))
    assert [e.train for e in first[1]] == [e.train for e in again[1]]
    assert not same(weights(first[0]), weights(other[0]))


class Witness(MLP):
    """A model that remembers what it was given, and whether it was in training."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.given = []

    def forward(self, x):
        self.given.append((self.training, x.numpy()))
        return super().forward(x)


def test_steps_are_made_in_training_mode_on_the_batches_of_the_seed_and_the_epoch(moons):
    model = Witness((2, 2)).eval()
    list(fit(model, gf.optim.SGD(model.parameters()), moons, epochs=2, batch=64, seed=5))
    steps = [x for training, x in model.given if training]
    expected = [x for e in (0, 1) for x, _ in data.batches(moons.x_train, moons.y_train, 64, seed=5, epoch=e)]
    assert len(steps) == len(expected) == 10
    assert all(np.array_equal(x, y) for x, y in zip(steps, expected, strict=True))
    assert [x.shape for training, x in model.given if not training] == [(101, 2)] * 2


def test_learning_rates_fall_along_half_a_cosine(moons):
    model = model_of()
    parts = [{"params": [p], "lr": lr} for p, lr in zip(model.parameters(), (0.1, 0.2, 0.3, 0.4), strict=True)]
    optimizer = gf.optim.SGD(parts)
    seen = [[g["lr"] for g in optimizer.param_groups] for _ in fit(model, optimizer, moons, epochs=4)]
    falling = 0.5 * (1 + np.cos(np.pi * np.arange(4) / 4))
    np.testing.assert_allclose(seen, np.outer(falling, [0.1, 0.2, 0.3, 0.4]))


def test_a_loss_that_is_not_finite_ends_the_training(moons):
    model = model_of()
    with np.errstate(all="ignore"), pytest.raises(GradientError, match=r"nan in epoch \d.*began at 1e\+30"):
        list(fit(model, gf.optim.SGD(model.parameters(), lr=1e30), moons, epochs=5))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epochs": 0}, "epochs is 0"), ({"batch": 0}, "batch 0"), ({"label_smoothing": 2.0}, "label_smoothing is 2.0")],
)
def test_options_are_checked_before_the_first_epoch(moons, options, message):
    model = model_of()
    with pytest.raises(ArgumentError, match=message):
        fit(model, gf.optim.SGD(model.parameters()), moons, **options)


# what a model says


def test_logits_of_many_rows_are_those_of_each_row(rng):
    model, x = model_of(dropout=0.5), rng.random((2500, 2)).astype(np.float32)
    assert model.training
    z = logits(model, x)
    assert model.training
    assert all(module.training for module in model.modules())
    np.testing.assert_allclose(z[[0, 1023, 1024, 2499]], logits(model, x[[0, 1023, 1024, 2499]]), rtol=1e-5)


def test_probabilities_are_the_softmax_of_the_logits(rng):
    model, x = model_of(), 100 * rng.normal(size=(50, 2)).astype(np.float32)
    np.testing.assert_allclose(probabilities(model, x), softmax(logits(model, x), axis=1), rtol=1e-5, atol=1e-7)


def test_a_score_is_the_mean_cross_entropy_and_the_count_of_right_answers(rng):
    model, x, y = model_of(), rng.random((40, 2)).astype(np.float32), rng.integers(0, 2, 40)
    z = logits(model, x)
    score = evaluate(model, x, y)
    assert score.loss == pytest.approx(-log_softmax(z, axis=1)[np.arange(40), y].mean(), rel=1e-5)
    assert (score.right, score.count) == ((z.argmax(axis=1) == y).sum(), 40)
    assert score.accuracy == score.right / 40


def test_confusions_count_each_pair_of_classes():
    labels, predicted = np.array([1, 1, 1, 2, 0, 3, 3]), np.array([2, 2, 1, 1, 0, 0, 0])
    assert confusions(labels, predicted) == [(1, 2, 2), (3, 0, 2), (2, 1, 1)]
    assert confusions(labels, labels) == []


# early stopping


def test_held_out_examples_are_a_tenth_of_the_training_examples(moons):
    held = hold_out(moons, seed=1)
    assert (len(held.y_train), len(held.y_test), held.classes) == (270, 30, 2)
    rows = np.concatenate([held.x_train, held.x_test])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, moons.x_train.tolist()))
    assert np.array_equal(hold_out(moons, seed=1).x_test, held.x_test)
    assert not np.array_equal(hold_out(moons, seed=2).x_test, held.x_test)


def test_one_example_cannot_be_held_out(moons):
    single = replace(moons, x_train=moons.x_train[:1], y_train=moons.y_train[:1])
    with pytest.raises(DataError, match="one training example"):
        hold_out(single, seed=0)


def epochs_with(model, losses):
    """Epochs whose losses on the held-out examples are given; each of them changes the model."""
    for number, loss in enumerate(losses, 1):
        with gf.no_grad():
            for parameter in model.parameters():
                parameter.copy_(np.full(parameter.shape, number, np.float32))
        yield Epoch(number, Score(0.0, 0, 1), Score(loss, 0, 1), 0.0)


@pytest.mark.parametrize(
    ("losses", "ran", "best"),
    [
        ([5, 4, 3, 2, 1], 5, 5),  # never stops
        ([3, 2, 2.5, 2, 9, 1], 5, 2),  # three in a row without progress; equal is none
        ([3, 2, 2.5, 1, 9, 9], 6, 4),  # ends before patience does
        ([1, 2, 3, 4, 5], 4, 1),
    ],
)
def test_training_stops_without_progress_and_the_best_weights_return(losses, ran, best):
    model = model_of()
    assert len(list(stop_early(epochs_with(model, losses), model, patience=3))) == ran
    assert all((parameter.detach().numpy() == best).all() for parameter in model.parameters())


def test_patience_is_at_least_one():
    with pytest.raises(ArgumentError, match="patience is 0"):
        stop_early([], model_of(), 0)


# the file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "moons.safetensors"


def test_a_saved_model_says_the_same(moons, path):
    model, _ = trained(moons)
    model.learn_range(gf.tensor(moons.x_train))
    save_model(model, path, data="moons")
    again = load_model(path)
    assert (again.sizes, again.activation, again.dropout, again.training) == ((2, 16, 2), "relu", 0.1, False)
    assert same(weights(again), weights(model))
    assert np.array_equal(logits(again, moons.x_test), logits(model, moons.x_test))


def test_the_metadata_say_what_the_model_is(path):
    save_model(model_of(activation="tanh", dropout=0.25), path, data="moons")
    _, metadata = serialize.load(path)
    described = json.loads(metadata["gradflow"])
    assert described == {
        "version": gf.__version__,
        "model": "2-16-2",
        "activation": "tanh",
        "dropout": 0.25,
        "classes": 2,
        "input": "(x - low) / width",
        "data": "moons",
    }


def test_the_same_model_makes_the_same_file(path, tmp_path):
    for name in ("a", "b"):
        save_model(model_of(), tmp_path / f"{name}.safetensors", data="moons")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_save_leaves_the_old_file_whole(path, monkeypatch, call, error):
    save_model(model_of(1), path, data="moons")
    before = path.read_bytes()

    def stop(*arguments):
        raise error

    monkeypatch.setattr(os, call, stop)
    with pytest.raises((KeyboardInterrupt, CheckpointError)):
        save_model(model_of(2), path, data="moons")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_named_in_the_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere.*cannot be written"):
        save_model(model_of(), tmp_path / "nowhere" / "model.safetensors", data="moons")


def described_as(path, **changes):
    described = {"model": "2-16-2", "activation": "relu", "dropout": 0.0} | changes
    serialize.save(model_of(), path, {"gradflow": json.dumps({k: v for k, v in described.items() if v is not None})})


def test_a_description_that_fits_is_enough(path):
    described_as(path)
    assert load_model(path).sizes == (2, 16, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "2-17-2"}, r"layers\.0\.weight is \(17, 2\)"),
        ({"model": "2-16-16-2"}, "the state lacks layers"),
        ({"model": "two"}, "such as 64-128-10"),
        ({"model": 5}, "TypeError"),
        ({"model": None}, "KeyError: 'model'"),
        ({"activation": "magic"}, "'magic'"),
        ({"activation": ["relu"]}, "TypeError"),
        ({"dropout": "a little"}, "TypeError"),
        ({"dropout": -1}, "dropout is -1"),
    ],
)
def test_a_description_that_does_not_fit_is_an_error_that_names_the_file(path, changes, message):
    described_as(path, **changes)
    with pytest.raises(CheckpointError, match=message) as raised:
        load_model(path)
    assert str(raised.value).startswith(f"{path} is not a model that gradflow train saved")


@pytest.mark.parametrize("metadata", [None, {"model": "2-16-2"}, {"gradflow": "no json"}, {"gradflow": "[1]"}])
def test_another_safetensors_file_is_refused(path, metadata):
    serialize.save(model_of(), path, metadata)
    with pytest.raises(CheckpointError, match="not a model that gradflow train saved"):
        load_model(path)
