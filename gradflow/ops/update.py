"""The steps of optimizers: ops that write into their inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor

CHUNK = 32768  # elements updated at a time, so that the passes over them find them in the L2 cache


def _alike(p: Spec, g: Spec, *others: Spec, **attrs: Any) -> None:
    if p != g:
        raise ShapeError(f"update: the parameters are {p.shape} of {p.dtype}, their gradient {g.shape} of {g.dtype}")


def _chunks(xp: Any, p: Any, *others: Any) -> Iterator[tuple[Any, ...]]:
    """Chunks of flat arrays, each with a scratch array of its length; the whole at once if they are not flat."""
    if p.ndim != 1 or p.size <= CHUNK:
        yield (p, *others, xp.empty_like(p))
        return
    scratch = xp.empty(CHUNK, p.dtype)
    for start in range(0, p.size, CHUNK):
        part = slice(start, start + CHUNK)
        chunk = p[part]
        yield (chunk, *(None if x is None else x[part] for x in others), scratch[: chunk.size])


def sgd_update(
    p: Tensor, g: Tensor, velocity: Tensor | None, step: Tensor, lr: Tensor,
    *, momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """One step of gradient descent with momentum, in place on ``p``, ``velocity`` and ``step``, as in PyTorch."""
    apply(
        _sgd_update, p, g, velocity, step, lr,
        momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay, maximize=maximize,
    )  # fmt: skip


def _sgd_forward(
    xp: Any, p: Any, g: Any, velocity: Any, step: Any, lr: Any,
    *, momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    first = float(step) == 0
    step += 1
    rate = float(lr)
    for p_, g_, v_, t in _chunks(xp, p, g, velocity):
        descent = _descent(xp, p_, g_, weight_decay, maximize)
        direction = descent
        if v_ is not None:
            if first:
                v_[...] = descent
            else:
                xp.multiply(v_, momentum, out=v_)
                xp.multiply(descent, 1 - dampening, out=t)
                xp.add(v_, t, out=v_)
            direction = v_
            if nesterov:
                xp.multiply(v_, momentum, out=t)
                direction = xp.add(t, descent, out=t)
        xp.multiply(direction, rate, out=t)
        xp.subtract(p_, t, out=p_)


def _descent(xp: Any, p: Any, g: Any, weight_decay: float, maximize: bool) -> Any:
    """The gradient of what is minimised: ``g``, or of minus that, and of weight decay's penalty."""
    if maximize:
        g = xp.negative(g)
    return xp.add(xp.multiply(p, weight_decay), g) if weight_decay else g


def adam_update(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, v_max: Tensor | None, step: Tensor, lr: Tensor,
    *, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """One step of Adam, AdamW (``decoupled`` weight decay) or AMSGrad (with ``v_max``), in place on all but ``g``.

    Sources: Kingma & Ba, ICLR 2015; Loshchilov & Hutter, ICLR 2019; Reddi, Kale & Kumar, ICLR 2018.
    ``eps`` is added to the root of the bias-corrected second moment, as in PyTorch.
    """
    apply(
        _adam_update, p, g, m, v, v_max, step, lr,
        beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled, maximize=maximize,
    )  # fmt: skip


def _adam_forward(
    xp: Any, p: Any, g: Any, m: Any, v: Any, v_max: Any, step: Any, lr: Any,
    *, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    step += 1
    count, rate = float(step), float(lr)
    # lr / c1 * m / (sqrt(v / c2) + eps) with c = 1 - beta^step, arranged so that an element sees the fewest passes
    root = math.sqrt(1 - beta2**count)
    scale = rate * root / (1 - beta1**count)
    for p_, g_, m_, v_, v_max_, t in _chunks(xp, p, g, m, v, v_max):
        if weight_decay and decoupled:
            xp.multiply(p_, 1 - rate * weight_decay, out=p_)
        descent = _descent(xp, p_, g_, 0.0 if decoupled else weight_decay, maximize)
        xp.multiply(m_, beta1, out=m_)
        xp.multiply(descent, 1 - beta1, out=t)
        xp.add(m_, t, out=m_)
        xp.multiply(descent, descent, out=t)
        xp.multiply(t, 1 - beta2, out=t)
        xp.multiply(v_, beta2, out=v_)
        xp.add(v_, t, out=v_)
        xp.sqrt(v_ if v_max_ is None else xp.maximum(v_max_, v_, out=v_max_), out=t)
        xp.add(t, eps * root, out=t)
        xp.divide(m_, t, out=t)
        xp.multiply(t, scale, out=t)
        xp.subtract(p_, t, out=p_)


def _adam_loop(
    p: Any, g: Any, m: Any, v: Any, v_max: Any, step: Any, lr: Any,
    beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    step[()] += 1
    root = math.sqrt(1 - beta2 ** step[()])
    number = p.dtype.type  # what numbers must be for float32 to be computed in float32
    scale = number(lr[()] * root / (1 - beta1 ** step[()]))
    shrink = number(1 - lr[()] * weight_decay if decoupled else 1)
    decay = number(0 if decoupled else weight_decay)
    sign = number(-1 if maximize else 1)
    b1, b2, c1, c2, e = number(beta1), number(beta2), number(1 - beta1), number(1 - beta2), number(eps * root)
    for i in range(p.size):  # everything is read before anything is written: arrays that might overlap are slow
        old = p[i]
        descent = sign * g[i] + decay * old
        first = b1 * m[i] + c1 * descent
        second = b2 * v[i] + c2 * (descent * descent)
        m[i] = first
        v[i] = second
        if v_max is not None:
            if second > v_max[i] or np.isnan(second):
                v_max[i] = second
            second = v_max[i]
        p[i] = shrink * old - scale * (first / (np.sqrt(second) + e))


def _sgd_loop(
    p: Any, g: Any, velocity: Any, step: Any, lr: Any,
    momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    number = p.dtype.type
    first = step[()] == 0
    step[()] += 1
    keep, gain = number(0 if first else momentum), number(1 if first else 1 - dampening)
    ahead, rate = number(momentum), number(lr[()])
    decay, sign = number(weight_decay), number(-1 if maximize else 1)
    for i in range(p.size):
        old = p[i]
        descent = sign * g[i] + decay * old
        if velocity is not None:
            moving = keep * velocity[i] + gain * descent
            velocity[i] = moving
            descent = descent + ahead * moving if nesterov else moving
        p[i] = old - rate * descent


def _counter(value: float) -> Given:
    return Given(value, "float64")


_sgd_update = Op(
    name="sgd_update",
    forward=_sgd_forward,
    loop=_sgd_loop,
    spec=_alike,
    mutates=(0, 2, 3),
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), _counter(step), _counter(0.1),
            momentum=0.9, dampening=dampening, nesterov=nesterov, weight_decay=decay, maximize=maximize,
        )
        for step, dampening, nesterov, decay, maximize in [
            (0.0, 0.0, False, 0.0, False), (3.0, 0.5, False, 0.1, True), (3.0, 0.0, True, 0.1, False),
        ]
    ),
)  # fmt: skip

_adam_update = Op(
    name="adam_update",
    forward=_adam_forward,
    loop=_adam_loop,
    spec=_alike,
    mutates=(0, 2, 3, 4, 5),
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), Real((7,), 0.05, 0.06),
            _counter(3.0), _counter(0.1),
            beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=decay, decoupled=decoupled, maximize=maximize,
        )
        for decay, decoupled, maximize in [(0.0, False, False), (0.1, False, True), (0.1, True, False)]
    ),
    workloads=tuple(
        sample(
            Real((size,)), Real((size,)), Real((size,)), Real((size,), 0.1, 1.0), None, _counter(3.0), _counter(1e-3),
            beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=False, maximize=False,
        )
        for size in (1 << 18, 1 << 22)
    ),
)  # fmt: skip
