"""Single operations on large arrays of a GPU, and the bytes that each must move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np


class Operation(NamedTuple):
    """One operation in gradflow, the same in PyTorch (None if there is none), and the bytes that must be moved."""

    name: str
    bytes: int
    ours: Callable[[], object]
    theirs: Callable[[Any], Callable[[], object]] | None = None  # given torch


ELEMENTWISE = ("relu", "tanh", "sigmoid", "gelu", "silu", "exp", "log1p")


def operations(rows: int, columns: int) -> Iterator[Operation]:
    """The operations on float32 matrices of that shape."""
    import gradflow as gf

    n = rows * columns
    host = np.random.default_rng(0).random((rows, columns), np.float32)
    x, g, bias = (
        gf.tensor(host, device="cuda"),
        gf.ones((rows, columns), device="cuda"),
        gf.ones(columns, device="cuda"),
    )

    def given(torch: Any) -> Any:
        return torch.from_numpy(host).cuda()

    for name in ELEMENTWISE:
        yield Operation(name, 8 * n, _ours(name, x), lambda torch, name=name: _theirs(torch, name, given(torch)))
    yield Operation("x * g", 12 * n, lambda: x * g, lambda torch: _twice(given(torch)))
    yield Operation("x + bias", 8 * n, lambda: x + bias, lambda torch: _plus(given(torch), torch.ones(columns).cuda()))
    for axis in (0, 1, None):
        yield Operation(f"sum, axis {axis}", 4 * n, lambda axis=axis: gf.sum(x, axis=axis),
                        lambda torch, axis=axis: _summed(given(torch), axis))  # fmt: skip
    for name in ("softmax", "log_softmax"):
        function = getattr(gf.nn.functional, name)
        yield Operation(name, 8 * n, lambda function=function: function(x, axis=-1),
                        lambda torch, name=name: _along(torch, name, given(torch)))  # fmt: skip
    norm = gf.nn.LayerNorm(columns).to("cuda").requires_grad_(False)
    yield Operation("layer norm", 8 * n, lambda: norm(x), lambda torch: _norm(torch, given(torch)))
    yield from (_adam(size) for size in (n, n // 64))


def _ours(name: str, x: Any) -> Callable[[], object]:
    import gradflow as gf

    function = getattr(gf.nn.functional, name, None) or getattr(gf, name)
    return lambda: function(x)


def _theirs(torch: Any, name: str, x: Any) -> Callable[[], object]:
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    return lambda: function(x)


def _twice(x: Any) -> Callable[[], object]:
    g = x.clone()
    return lambda: x * g


def _plus(x: Any, bias: Any) -> Callable[[], object]:
    return lambda: x + bias


def _summed(x: Any, axis: int | None) -> Callable[[], object]:
    return lambda: x.sum() if axis is None else x.sum(axis)


def _along(torch: Any, name: str, x: Any) -> Callable[[], object]:
    function = getattr(torch, name)
    return lambda: function(x, -1)


def _norm(torch: Any, x: Any) -> Callable[[], object]:
    norm = torch.nn.LayerNorm(x.shape[1]).cuda().requires_grad_(False)
    return lambda: norm(x)


def _adam(size: int) -> Operation:
    import gradflow as gf

    p = gf.nn.Parameter(gf.zeros(size, device="cuda"))
    optimizer = gf.optim.Adam([p])
    p.grad = gf.ones(size, device="cuda")

    def theirs(torch: Any) -> Callable[[], object]:
        q = torch.nn.Parameter(torch.zeros(size, device="cuda"))
        other = torch.optim.Adam([q], fused=True)
        q.grad = torch.ones(size, device="cuda")
        return other.step

    return Operation(f"Adam of {size:,}", 28 * size, optimizer.step, theirs)
