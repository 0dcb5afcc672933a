"""What one does wrong in the first hour: each answer says what was given and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, DTypeError, GradflowError, GradientError

MODEL = nn.Linear(2, 2)
X = gf.ones((2, 4, 8))
MASK = gf.ones((4, 4), dtype=gf.int64)


class Listed(nn.Module):
    """A module whose layers are in a list of Python's, so that it has no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(2, 2)]


def no_gradient_yet() -> Any:
    w = gf.tensor([1.0, 2.0], requires_grad=True)
    return w - w.grad


def steps_that_leave_the_leaf() -> Any:
    w = gf.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):
        (w * w).sum().backward()
        with gf.no_grad():
            w -= 0.1 * w.grad


def masked(**masks: gf.Tensor) -> Any:
    return nn.MultiheadAttention(8, 2, batch_first=True)(X, X, X, **masks)


MISTAKES: dict[str, tuple[Callable[[], Any], type[GradflowError], str]] = {
    "a name of PyTorch's": (lambda: gf.cat, AttributeError, "no attribute 'cat'.*gf.numpy.*gf.nn.functional"),  # type: ignore[dict-item]
    "a learning rate that is text": (
        lambda: gf.optim.SGD(MODEL.parameters(), lr="1e-3"),
        DTypeError,
        "lr is '1e-3'.*number",
    ),  # type: ignore[arg-type]
    "a module for its parameters": (lambda: gf.optim.SGD(MODEL), DTypeError, r"a Linear.*\.parameters\(\)"),  # type: ignore[arg-type]
    "a module to be clipped": (
        lambda: nn.utils.clip_grad_norm_(MODEL, 1.0),  # type: ignore[arg-type]
        DTypeError,
        r"a Linear.*\.parameters\(\)",
    ),
    "layers in a list": (lambda: gf.optim.SGD(Listed().parameters()), ArgumentError, "nn.ModuleList"),
    "arithmetic with None": (no_gradient_yet, DTypeError, r"subtract: an operand is None.*\.grad.*backward"),
    "a step that makes another tensor": (steps_that_leave_the_leaf, GradientError, r"w -= d.*w\.add_\(-d\)"),
    "a tuple for a tensor": (lambda: MODEL((X, X)), DTypeError, "a tuple of tensors; take one of them"),
    "a path first": (lambda: gf.serialize.save("a", MODEL), DTypeError, "save: takes a model.*then a path.*str"),  # type: ignore[arg-type]
    "a file's tensors and metadata": (
        lambda: MODEL.load_state_dict((MODEL.state_dict(), {})),  # type: ignore[arg-type]
        DTypeError,
        r"load_state_dict: .* not a tuple.*state, metadata = gf\.serialize\.load",
    ),
    "a layer's class": (lambda: nn.Sequential(MODEL, nn.ReLU), DTypeError, r"not the class ReLU; write ReLU\(\)"),  # type: ignore[arg-type]
    "a gradient of a float": (
        lambda: gf.grad(lambda p: float((p**2).sum()))(gf.ones(2)),
        GradientError,
        r"grad: the function returned a float.*item\(\)",
    ),
    "a mask of 0 and 1": (lambda: masked(attn_mask=MASK), DTypeError, r"attn_mask is int64.*astype\('bool'\)"),
    "padding of 0 and 1": (
        lambda: masked(key_padding_mask=gf.ones((2, 4), dtype=gf.int64)),
        DTypeError,
        r"key_padding_mask is int64.*astype\('bool'\)",
    ),
    "a mask of 0 and 1 for attention": (
        lambda: nn.functional.scaled_dot_product_attention(X, X, X, MASK),
        DTypeError,
        r"attn_mask is int64.*astype\('bool'\)",
    ),
    "a compiled number": (lambda: gf.compile(3), DTypeError, "gf.compile: takes a function or a module, not int"),
    "a value that was read, minimized": (
        lambda: gf.optimize.minimize(lambda p: (p**2).sum().item(), [1.0, 2.0]),
        GradientError,
        r"minimize: what fun returns does not depend on x.*item\(\)",
    ),
    "residuals that were detached": (
        lambda: gf.optimize.least_squares(lambda p: p.detach() - 1, [1.0, 2.0]),
        GradientError,
        r"least_squares: what fun returns does not depend on x.*detach\(\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_answer_says_what_was_given_and_what_to_do(mistake: str) -> None:
    make, error, said = MISTAKES[mistake]
    with pytest.raises(error) as caught:
        make()
    assert re.search(said, str(caught.value)), str(caught.value)


def test_every_public_name_is_offered_for_completion() -> None:
    assert set(gf.__all__) <= set(dir(gf))


def test_a_path_first_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(DTypeError):
        gf.serialize.save(str(tmp_path / "a"), MODEL)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_start_where_the_gradient_is_zero_is_no_mistake() -> None:
    assert gf.optimize.minimize(lambda p: (p**2).sum(), [0.0, 0.0]).success
    assert gf.optimize.least_squares(lambda p: p**2, [0.0, 0.0]).success


def test_a_constant_has_a_gradient_of_zero() -> None:
    assert gf.grad(lambda p: gf.tensor(1.0))(gf.ones(2)).tolist() == [0.0, 0.0]


def test_a_function_that_exec_made_and_that_has_no_module_is_compiled() -> None:
    made: dict[str, Any] = {"__name__": None}
    exec("def twice(x): return x * 2", made)
    twice = gf.compile(made["twice"])
    assert [twice(gf.tensor(3.0)).item() for _ in range(3)] == [6.0, 6.0, 6.0]
