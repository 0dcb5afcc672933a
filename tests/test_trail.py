"""Errors inside modules: they name the layer, its parameters, its input and what made the input."""

from __future__ import annotations

import gc
import traceback
import weakref

import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import DTypeError, IndexOutOfRange, ShapeError


class Relu(nn.Module):
    keeps_shape = True

    def forward(self, x):
        return gf.relu(x)


class Model(nn.Module):
    """An encoder and a head; ``between`` is what happens to the input before, ``through`` after the encoder."""

    def __init__(self, encoder, before=lambda x: x, head=None):
        super().__init__()
        self.encoder = encoder
        self.head = head or nn.Identity()
        self.before = before

    def forward(self, x):
        return self.head(self.encoder(self.before(x)))


def message(model: nn.Module, *inputs, error: type[Exception] = ShapeError, **options) -> str:
    """The last line of the error that calling ``model`` raises: where it happened."""
    with pytest.raises(error) as caught:
        model(*inputs, **options)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and str(caught.value) == caught.value.args[0]
    return lines[1].strip()


X = gf.ones((3, 4))


def test_a_layer_its_weight_its_input_and_where_that_came_from_are_named():
    model = Model(nn.Sequential(nn.Linear(4, 8), Relu(), nn.Linear(2, 9)))
    assert message(model, X) == (
        "in encoder.2, Linear(2, 9): encoder.2.weight is (9, 2); its input is (3, 8) from encoder.0, Linear(4, 8)"
    )
    model.encoder = nn.Sequential(nn.Linear(4, 5), Relu(), nn.Linear(5, 8), Relu(), Relu(), nn.Linear(2, 9))
    assert message(model, X) == (
        "in encoder.5, Linear(2, 9): encoder.5.weight is (9, 2); its input is (3, 8) from encoder.2, Linear(5, 8)"
    )


def test_the_message_begins_with_what_the_operation_said():
    with pytest.raises(ShapeError, match=r"^linear: weight is \(9, 2\), the input \(3, 4\)") as caught:
        nn.Linear(2, 9)(X)
    assert str(caught.value).endswith("\n  in Linear(2, 9): weight is (9, 2); its input is (3, 4)")


def test_the_input_is_followed_through_nested_sequences():
    wide, narrow, tall = nn.Linear(4, 8), nn.Linear(2, 9), nn.Linear(9, 1)
    deep = nn.Sequential({"body": nn.Sequential(wide, Relu()), "head": nn.Sequential(Relu(), nn.Sequential(narrow))})
    where = "in head.1.0, Linear(2, 9): head.1.0.weight is (9, 2); its input is (3, 8) from body.0, Linear(4, 8)"
    assert message(deep, X) == where
    assert message(nn.Sequential(Relu(), tall), X) == "in 1, Linear(9, 1): 1.weight is (1, 9); its input is (3, 4)"
    expected = "in head.1, Linear(9, 1): head.1.weight is (1, 9); its input is (3, 4)"
    assert message(Model(nn.Identity(), head=nn.Sequential(Relu(), tall)), X) == expected


def test_a_module_that_hands_its_input_on_hides_nothing():
    inner = Model(nn.Linear(2, 9))
    model = nn.Sequential(nn.Linear(4, 8), inner)
    where = "in 1.encoder, Linear(2, 9): 1.encoder.weight is (9, 2); its input is (3, 8)"
    assert message(model, X) == f"{where} from 0, Linear(4, 8)"
    inner.before = lambda x: x[:2]
    assert message(model, X) == where.replace("(3, 8)", "(2, 8)")


def test_a_layer_called_twice_is_not_said_to_have_its_input_from_anywhere():
    layer = nn.Linear(4, 8)
    assert (
        message(nn.Sequential(layer, Relu(), layer), X) == "in 0, Linear(4, 8): 0.weight is (8, 4); its input is (3, 8)"
    )
    outer = nn.Sequential(nn.Linear(4, 4), nn.Sequential(layer, Relu(), layer))
    assert message(outer, X) == "in 1.0, Linear(4, 8): 1.0.weight is (8, 4); its input is (3, 8)"
    assert message(outer, X[:, :3]).endswith("0.weight is (4, 4); its input is (3, 3)")
    third = nn.Sequential(nn.Linear(4, 3), nn.Sequential(layer, Relu(), layer))
    assert message(third, X).endswith("1.0.weight is (8, 4); its input is (3, 3) from 0, Linear(4, 3)")


def test_a_layer_in_a_plain_list_has_no_name():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Sequential(Relu(), nn.Linear(2, 9))]

        def forward(self, x):
            return self.layers[0](x)

    assert message(Plain(), X) == "in ?.1, Linear(2, 9): ?.1.weight is (9, 2); its input is (3, 4)"


def test_several_inputs_named_inputs_and_modules_without_parameters():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Parameter([1.0]), nn.Parameter([[1.0, 2.0]])

        def forward(self, a, b=None):
            return a + b * self.left

    y = gf.ones((2, 5))
    assert message(Mixed(), X, b=y) == ("in Mixed(): left is (1,), right is (1, 2); its inputs are (3, 4) and (2, 5)")
    assert (
        message(nn.Sequential(nn.Flatten(0)), X[0, 0], error=IndexOutOfRange) == "in 0, Flatten(0, -1): its input is ()"
    )


def test_an_error_without_inputs_is_located_too():
    class Constant(nn.Module):
        def forward(self):
            return gf.ones(2) + gf.ones(3)

    assert message(Constant()) == "in Constant(): called without an array"


def test_the_kind_of_error_is_kept():
    model = nn.Sequential({"words": nn.Embedding(5, 2)})
    where = "in words, Embedding(5, 2): words.weight is (5, 2); its input is (1,)"
    assert message(model, gf.tensor([5]), error=IndexOutOfRange) == where
    assert message(model, gf.tensor([0.5]), error=DTypeError) == where


def test_other_errors_pass_as_they_are():
    error = ValueError("mine")

    class Broken(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(ValueError, match=r"^mine$") as caught:
        nn.Sequential(Broken())(X)
    assert caught.value is error and error.args == ("mine",)


def test_the_traceback_still_ends_at_the_users_line():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 9)

        def forward(self, x):
            return self.layer(x)  # the line to find

    with pytest.raises(ShapeError) as caught:
        nn.Sequential(nn.Identity(), Block())(X)
    mine = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename == __file__]
    assert mine[-1].line == "return self.layer(x)  # the line to find"
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_an_error_that_is_kept_keeps_no_model_alive():
    model = Model(nn.Sequential(nn.Linear(4, 8), nn.Linear(2, 9)))
    alive = weakref.ref(model)
    kept = []
    try:
        model(X)
    except ShapeError as error:
        kept.append(error.with_traceback(None))
    del model
    gc.collect()
    assert alive() is None and "encoder.1" in str(kept[0])
