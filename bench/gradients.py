"""Expressions and linear algebra with their gradients, side by side: each library in a process of its own.

``python -m bench.gradients LIBRARY`` is such a process; requests are lines ``task seconds`` on standard input.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.child import reply_of, replying, start, stop
from bench.conv import PAUSE, median
from bench.table import Table, duration

LIBRARIES = {
    "gradflow": "gradflow",
    "gradflow compiled": "gradflow",
    "autograd": "autograd",
    "mygrad": "mygrad",
    "torch": "torch",
    "jax": "jax",
}
ELEMENTS, SIDE = 1_000_000, 200
Call = Callable[[], Any]


def expression(xp: Any, x: Any) -> Any:
    """Twelve operations on each element, and their mean."""
    y = xp.exp(-x * x) * xp.sin(3 * x) + xp.tanh(x) / (1 + x * x)
    return xp.mean(xp.sqrt(1 + y * y))


def solve(xp: Any, a: Any) -> Any:
    """The sum of the solution of a linear system."""
    return xp.sum(xp.linalg.solve(a, a[:, :4] * 0 + 1))


def cholesky(xp: Any, a: Any) -> Any:
    """The trace of a Cholesky factor."""
    return xp.trace(xp.linalg.cholesky(a))


TASKS = {"12 operations on 1e6": expression, "solve, 200 x 200": solve, "Cholesky, 200 x 200": cholesky}
LACKING = {("mygrad", "solve, 200 x 200"), ("mygrad", "Cholesky, 200 x 200")}  # it has no linear algebra of that kind


def argument(task: str) -> Any:
    """A new float32 array for ``task``: numbers, or a symmetric positive definite matrix."""
    rng = np.random.default_rng(0)
    if TASKS[task] is expression:
        return rng.standard_normal(ELEMENTS, np.float32)
    a = rng.standard_normal((SIDE, SIDE), np.float32)
    return a @ a.T / SIDE + np.eye(SIDE, dtype=np.float32)


def _gradflow(task: str) -> Call:
    import gradflow as gf

    step, x = gf.grad(lambda x: TASKS[task](gf, x)), gf.tensor(argument(task))
    return lambda: step(x).numpy()


def _gradflow_compiled(task: str) -> Call:
    import gradflow as gf

    step, x = gf.compile(gf.grad(lambda x: TASKS[task](gf, x))), gf.tensor(argument(task))
    return lambda: step(x).numpy()


def _autograd(task: str) -> Call:
    import autograd
    import autograd.numpy as xp

    step, x = autograd.grad(lambda x: TASKS[task](xp, x)), argument(task)
    return lambda: step(x)


def _mygrad(task: str) -> Call:
    import mygrad as xp

    def call() -> Any:
        x = xp.tensor(given)
        TASKS[task](xp, x).backward()
        return x.grad

    given = argument(task)
    return call


def _torch(task: str) -> Call:
    import torch

    def call() -> Any:
        x.grad = None
        TASKS[task](torch, x).backward()
        return x.grad.numpy()

    x = torch.from_numpy(argument(task)).requires_grad_()
    return call


def _jax(task: str) -> Call:
    import jax
    import jax.numpy as xp

    step, x = jax.jit(jax.grad(lambda x: TASKS[task](xp, x))), xp.asarray(argument(task))
    return lambda: np.asarray(step(x))


BUILDS = dict(zip(LIBRARIES, (_gradflow, _gradflow_compiled, _autograd, _mygrad, _torch, _jax), strict=True))


def _serve(library: str) -> None:
    """Answer requests: the median time, and a number that tells whether the gradient is right."""
    with replying() as reply:
        reply(ready=True)
        for line in sys.stdin:
            task, seconds = line.rsplit(" ", 1)
            call = BUILDS[library](task)
            size = [float(np.abs(call()).sum(dtype=np.float64)) for _ in range(3)][-1]
            reply(seconds=median(call, float(seconds))[0], size=size)


def compare(rounds: int, seconds: float, tasks: Sequence[str] = tuple(TASKS)) -> Table:
    """Every task in every library that is installed, in turn, ``rounds`` times for ``seconds``: medians and ratios."""
    there = [name for name, package in LIBRARIES.items() if find_spec(package) is not None]
    running = {name: start("bench.gradients", name, environment={}) for name in there}
    notes = [f"{name}: not installed" for name in LIBRARIES if name not in there]
    try:
        for process in running.values():
            reply_of(process)
        rows = []
        for task in tasks:
            taken: dict[str, list[float]] = {name: [] for name in there if (name, task) not in LACKING}
            sizes: dict[str, float] = {}
            for _ in range(rounds):
                for name, times in taken.items():
                    time.sleep(PAUSE)
                    print(task, seconds, file=running[name].stdin, flush=True)
                    reply = reply_of(running[name])
                    if "problem" in reply:
                        raise RuntimeError(f"{task}, {name}: {reply['problem']}")
                    times.append(reply["seconds"])
                    sizes[name] = reply["size"]
            wrong = [name for name, size in sizes.items() if not np.isclose(size, sizes["gradflow"], rtol=1e-3)]
            notes += [f"{task}: {name} has another gradient" for name in wrong]
            medians = {name: statistics.median(times) for name, times in taken.items()}
            rows += [
                [task if name == there[0] else "", name, duration(each), f"{each / medians['gradflow']:.2f}"]
                for name, each in medians.items()
            ]
        return Table("gradients", ["task", "library", "a call", "/ gradflow"], rows, notes)
    finally:
        for process in running.values():
            stop(process)


if __name__ == "__main__":
    _serve(sys.argv[1])
