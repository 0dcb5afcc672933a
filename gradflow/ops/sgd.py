"""A step of gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.op import Op, Spec
from gradflow.ops.pieces import Arguments, apply_all, in_pieces, joined
from gradflow.ops.update import FINITE, alike, chunks, counter, descent, descent_text, skipped, unless_skipped
from gradflow.samples import Real, sample


def sgd_update(
    calls: Sequence[Arguments],
    *, momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """One step of gradient descent with momentum, as in PyTorch, for each ``(p, g, velocity, step, lr, found_inf)``.

    In place on ``p``, ``velocity`` (or None) and ``step``, unless ``found_inf`` (or None) is not zero.
    """
    apply_all(
        _sgd_update, _sgd_update_all, calls,
        momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay, maximize=maximize,
    )  # fmt: skip


def _sgd_forward(
    xp: Any, p: Any, g: Any, velocity: Any, step: Any, lr: Any, found_inf: Any,
    *, momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    if skipped(found_inf):
        return
    first = float(step) == 0
    step += 1
    rate = float(lr)
    for p_, g_, v_, t in chunks(xp, p, g, velocity):
        down = descent(xp, p_, g_, weight_decay, maximize)
        direction = down
        if v_ is not None:
            if first:
                v_[...] = down
            else:
                xp.multiply(v_, momentum, out=v_)
                xp.multiply(down, 1 - dampening, out=t)
                xp.add(v_, t, out=v_)
            direction = v_
            if nesterov:
                xp.multiply(v_, momentum, out=t)
                direction = xp.add(t, down, out=t)
        xp.multiply(direction, rate, out=t)
        xp.subtract(p_, t, out=p_)


def _sgd_scalar(
    p: Spec, g: Spec, velocity: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool,
) -> str:  # fmt: skip
    direction = "down + momentum * velocity" if nesterov else "velocity"
    moving = f"velocity = where(first, down, momentum * velocity + {1 - dampening} * down)"
    text = f"""
first = step == 0
step = step + 1
down = {descent_text(weight_decay, maximize)}
{"" if velocity.absent else moving}
p = p - lr * ({"down" if velocity.absent else direction})
"""
    return unless_skipped(text, found_inf, "step", "velocity", "p")


def _numbers(
    momentum: float, dampening: float, nesterov: bool, weight_decay: float, maximize: bool
) -> tuple[float, ...]:
    look, ahead = (1.0, momentum) if nesterov else (0.0, 1.0)  # what of the gradient and of the velocity is followed
    return momentum, 1 - dampening, look, ahead, weight_decay, -1 if maximize else 1


_sgd_update = Op(
    name="sgd_update",
    forward=_sgd_forward,
    cuda=in_pieces("sgd_update", 3, 6, _numbers, counted=True),
    spec=alike,
    mutates=(0, 2, 3),
    scalar=_sgd_scalar,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)) if momentum else None, counter(step), counter(0.1), found,
            momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=decay, maximize=maximize,
        )
        for step, found, momentum, dampening, nesterov, decay, maximize in [
            (0.0, None, 0.9, 0.0, False, 0.0, False), (3.0, FINITE, 0.9, 0.5, False, 0.1, True),
            (3.0, None, 0.9, 0.0, True, 0.1, False), (3.0, None, 0.0, 0.0, False, 0.1, False),
        ]
    ),
    workloads=(
        sample(
            Real((1 << 17,)), Real((1 << 17,)), Real((1 << 17,)), counter(3.0), counter(1e-3), None,
            momentum=0.9, dampening=0.0, nesterov=False, weight_decay=0.0, maximize=False,
        ),
    ),
)  # fmt: skip

_sgd_update_all = joined(_sgd_update)
