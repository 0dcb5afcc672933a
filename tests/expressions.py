"""Calls of NumPy's functions, written as text, with NumPy's arrays and with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradflow as gf
from gradflow.testing import gradcheck


def calls(text: str) -> list[str]:
    """The calls, each of which begins with np, in a text of many."""
    found = [each.strip() for each in text.replace(" np.", "\nnp.").split("\n") if each.strip()]
    for i in reversed(range(1, len(found))):  # what came apart at a space before np inside of brackets
        if found[i - 1].count("(") > found[i - 1].count(")"):
            found[i - 1 : i + 1] = [f"{found[i - 1]} {found[i]}"]
    return found


def arrays() -> dict[str, Any]:
    """What calls are made with, all float64: a and b (3, 4), v and w (4,), m (4, 4) and s, positive definite."""
    rng = np.random.default_rng(7)
    m = rng.normal(size=(4, 4))
    named = {
        "a": rng.normal(size=(3, 4)),
        "b": rng.normal(size=(3, 4)),
        "v": rng.normal(size=4),
        "w": rng.uniform(0.5, 1, 4),
    }
    return {**named, "m": m, "s": m @ m.T + 4 * np.eye(4)}


def used(call: str) -> list[str]:
    """The names of arrays in a call."""
    return [name for name in arrays() if any(f"{mark}{name}" in call for mark in "( [*-")]


def parts(x: Any) -> list[Any]:
    return list(x) if isinstance(x, tuple | list) else [x]


def check_values(np_like: Any, call: str) -> None:
    """The results of ``call``, with tensors, have the values, shapes and dtypes of NumPy's."""
    given = {name: gf.tensor(x) for name, x in arrays().items()}
    found = parts(eval(call, {"np": np_like, **given}))
    wanted = parts(eval(call, {"np": np, **arrays()}))
    for result, expected in zip(found, map(np.asarray, wanted), strict=True):
        assert isinstance(result, gf.Tensor), call
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9, atol=1e-11)


def check_gradients(call: str, np_like: Any = np) -> None:
    """The gradients of ``call`` are those of finite differences."""
    names, given = used(call), arrays()

    def f(*tensors):
        return eval(call, {"np": np_like, **given, **dict(zip(names, tensors, strict=True))})

    gradcheck(f, *(gf.tensor(given[name], requires_grad=True) for name in names), order=1)
