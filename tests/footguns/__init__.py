"""Ways in which a replay could differ from the step it stands for: cases, each of them equal or an error.

A case is a generator that is given ``compile``, gf.compile or nothing but the function itself, and yields what it sees
after each call: tensors, modules, optimizers, generators, numbers, containers of them. The test runs it both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import gradflow as gf
from gradflow.errors import CompileError
from gradflow.nn.functional import cross_entropy
from gradflow.ops.generator import Generator, defaults
from gradflow.testing import tolerance

Run = Callable[[Any], Iterator[Any]]


class Case(NamedTuple):
    """One way: what it is called, how it is run, and which of the two it must be."""

    name: str
    run: Run
    raises: str | None = None  # a part of the message; None if both ways are to be equal
    error: type[Exception] = CompileError
    replays: int = 1  # how many calls of it are replays, at least


CASES: list[Case] = []


def equal(replays: int = 1) -> Callable[[Run], Run]:
    """The case must come to the same both ways, with as many ``replays`` at least."""

    def add(run: Run) -> Run:
        CASES.append(Case(_name(run), run, replays=replays))
        return run

    return add


def raises(message: str, error: type[Exception] = CompileError) -> Callable[[Run], Run]:
    """The case runs as it is, and raises ``error``, with ``message`` in it, when compiled."""

    def add(run: Run) -> Run:
        CASES.append(Case(_name(run), run, raises=message, error=error))
        return run

    return add


def each(
    of: Mapping[str, Any], replays: int = 1, raises: str | None = None
) -> Callable[[Callable[[Any, Any], Iterator[Any]]], Any]:
    """Cases that differ in one thing: by their names, what the decorated function is given beside ``compile``."""

    def add(run: Callable[[Any, Any], Iterator[Any]]) -> Any:
        for name, thing in of.items():

            @wraps(run)
            def bound(compile: Any, thing: Any = thing) -> Iterator[Any]:
                return run(compile, thing)

            CASES.append(Case(name, bound, raises, replays=replays))
        return run

    return add


def called(count: int = 5, shape: tuple[int, ...] = (3, 4)) -> Callable[[Callable[[], Any]], Run]:
    """The case that calls a step with numbers: ``make`` returns the step, and what there is to see beside its result.

    That is nothing, or a function without parameters.
    """

    def around(make: Callable[[], Any]) -> Run:
        @wraps(make)
        def run(compile: Any) -> Iterator[Any]:
            made = make()
            step, seen = made if isinstance(made, tuple) else (made, lambda: None)
            for out in calls(compile, step, count, shape):
                yield out, seen()

        return run

    return around


def changed(make: Callable[[], tuple[Callable[..., Any], Callable[[], Any]]]) -> Run:
    """The case that calls a step, changes something, and calls it again: ``make`` returns the step and the change."""

    @wraps(make)
    def run(compile: Any) -> Iterator[Any]:
        function, change = make()
        step = compile(function)
        for _ in range(2):
            for i in range(4):
                yield step(numbers(3, seed=i))
            change()

    return run


def calls(
    compile: Any, function: Any, count: int = 5, shape: tuple[int, ...] = (3, 4), dtype: Any = np.float32
) -> Iterator[Any]:
    """What ``count`` calls of a step give, with numbers that are others each time."""
    step = compile(function)
    for i in range(count):
        yield step(numbers(*shape, seed=i, dtype=dtype))


def trained(compile: Any, model: Any, optimizer: Any, **options: Any) -> Any:
    """The compiled step of training a classifier."""

    @compile(**options)
    def step(x: gf.Tensor, y: gf.Tensor) -> gf.Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def training(
    compile: Any, model: Any, optimizer: Any = None, between: Callable[..., Any] = lambda i, *both: None, count: int = 8
) -> Iterator[Any]:
    """Steps of training, with something done ``between`` them."""
    optimizer = optimizer or gf.optim.SGD(model.parameters(), lr=0.1)
    step = trained(compile, model, optimizer)
    for i, (x, y) in enumerate(batches(count)):
        between(i, model, optimizer)
        yield step(x, y).detach(), model, optimizer


def _name(run: Run) -> str:
    return run.__name__.replace("_", " ").strip()


def observed(run: Run, compile: Any) -> list[list[tuple[str, Any]]]:
    """What ``run`` sees after each call, and where the random numbers are: leaves with their paths."""
    gf.manual_seed(0)
    np.random.seed(0)
    return [list(_leaves("", (seen, list(defaults.values())))) for seen in run(compile)]


def _leaves(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(x, gf.Tensor):
        yield path, x.data.copy()
        yield f"{path}.requires_grad", x.requires_grad
        if x.is_leaf:
            yield from _leaves(f"{path}.grad", x.grad)
    elif isinstance(x, np.ndarray):
        yield path, x.copy()
    elif isinstance(x, gf.nn.Module):
        yield from _leaves(path, dict(x.named_parameters()))
        yield from _leaves(path, dict(x.named_buffers()))
    elif isinstance(x, gf.optim.Optimizer):
        yield from _leaves(f"{path}.state", x.state_dict())
        yield from _leaves(f"{path}.params", [group["params"] for group in x.param_groups])
    elif isinstance(x, Generator):
        yield f"{path}.state", x.state.data.copy()
    elif isinstance(x, dict):
        for key, each in x.items():
            yield from _leaves(f"{path}.{key}", each)
    elif isinstance(x, (list, tuple)):
        yield f"{path}'s type", type(x)
        for i, each in enumerate(x):
            yield from _leaves(f"{path}[{i}]", each)
    else:
        yield path, x


def assert_same(found: Any, expected: Any, exact: bool) -> None:
    """Every leaf of every call: bit for bit if ``exact``, else within the tolerance of its dtype."""
    for call, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert [path for path, _ in ours] == [path for path, _ in theirs], f"call {call}"
        for (path, x), (_, y) in zip(ours, theirs, strict=True):
            where = f"call {call}: {path}"
            if not isinstance(y, np.ndarray):
                assert x == y, where
            elif exact or y.dtype.kind != "f":
                assert (x.shape, x.dtype) == (y.shape, y.dtype), where
                np.testing.assert_array_equal(x, y, where)
            else:
                assert (x.shape, x.dtype) == (y.shape, y.dtype), where
                size = float(np.max(np.abs(y[np.isfinite(y)], dtype="float64"), initial=1.0))
                np.testing.assert_allclose(x, y, rtol=0, atol=tolerance(y.dtype, size), err_msg=where)


def net(*sizes: int, dtype: Any = None) -> gf.nn.Sequential:
    """Linear layers with tanh between them."""
    layers: list[Any] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        layers += [gf.nn.Tanh()] * (i > 0) + [gf.nn.Linear(fan_in, fan_out, dtype=dtype)]
    return gf.nn.Sequential(*layers)


def batches(count: int, features: int = 4, classes: int = 3, size: int = 6) -> Iterator[tuple[gf.Tensor, gf.Tensor]]:
    """Batches of numbers and of labels, the same each time."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        x = rng.standard_normal((size, features)).astype(np.float32)
        yield gf.tensor(x), gf.tensor(rng.integers(0, classes, size))


def numbers(*shape: int, seed: int = 0, dtype: Any = np.float32, requires_grad: bool = False) -> gf.Tensor:
    """Normally distributed numbers, the same for the same seed."""
    return gf.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=requires_grad)


def normalizing(**options: Any) -> gf.nn.Sequential:
    """Linear layers with batch norm between them."""
    return gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.BatchNorm1d(5, **options), gf.nn.ReLU(), gf.nn.Linear(5, 3))
