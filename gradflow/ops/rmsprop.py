"""A step of RMSprop: the gradient over the root of its averaged square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.op import Op, Spec
from gradflow.ops.pieces import Arguments, apply_all, in_pieces, joined
from gradflow.ops.update import FINITE, alike, chunks, counter, descent, descent_text, skipped, unless_skipped
from gradflow.samples import Real, sample


def rmsprop_update(
    calls: Sequence[Arguments], *, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool
) -> None:
    """One step of RMSprop, as in PyTorch, for each ``(p, g, square, velocity, mean, step, lr, found_inf)``.

    In place on ``p``, ``square``, ``velocity`` (or None: no momentum), ``mean`` (or None: not centered) and ``step``,
    unless ``found_inf`` (or None) is not zero. Sources: Tieleman & Hinton, lecture 6.5, 2012; Graves 2013 (centered).
    A variance that rounding made negative counts as zero.
    """
    apply_all(
        _rmsprop_update, _rmsprop_update_all, calls,
        alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, maximize=maximize,
    )  # fmt: skip


def _rmsprop_forward(
    xp: Any, p: Any, g: Any, square: Any, velocity: Any, mean: Any, step: Any, lr: Any, found_inf: Any,
    *, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> None:  # fmt: skip
    if skipped(found_inf):
        return
    step += 1
    rate = float(lr)
    for p_, g_, s_, v_, mean_, t in chunks(xp, p, g, square, velocity, mean):
        down = descent(xp, p_, g_, weight_decay, maximize)
        xp.multiply(s_, alpha, out=s_)
        xp.multiply(down, down, out=t)
        xp.multiply(t, 1 - alpha, out=t)
        xp.add(s_, t, out=s_)
        if mean_ is None:
            xp.sqrt(s_, out=t)
        else:
            xp.multiply(mean_, alpha, out=mean_)
            xp.add(mean_, xp.multiply(down, 1 - alpha), out=mean_)
            xp.subtract(s_, xp.multiply(mean_, mean_), out=t)
            xp.sqrt(xp.maximum(t, 0, out=t), out=t)
        xp.add(t, eps, out=t)
        xp.divide(down, t, out=t)
        if v_ is not None:
            xp.multiply(v_, momentum, out=v_)
            xp.add(v_, t, out=v_)
            t[...] = v_
        xp.multiply(t, rate, out=t)
        xp.subtract(p_, t, out=p_)


def _rmsprop_scalar(
    p: Spec, g: Spec, square: Spec, velocity: Spec, mean: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> str:  # fmt: skip
    text = f"""
step = step + 1
down = {descent_text(weight_decay, maximize)}
square = alpha * square + {1 - alpha} * (down * down)
{"" if mean.absent else f"mean = alpha * mean + {1 - alpha} * down"}
spread = {"square" if mean.absent else "maximum(square - mean * mean, 0)"}
direction = down / (sqrt(spread) + eps)
{"" if velocity.absent else "velocity = momentum * velocity + direction"}
p = p - lr * {"direction" if velocity.absent else "velocity"}
"""
    return unless_skipped(text, found_inf, "step", "square", "mean", "velocity", "p")


def _numbers(alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool) -> tuple[float, ...]:
    return alpha, 1 - alpha, eps, weight_decay, momentum, -1 if maximize else 1


_rmsprop_update = Op(
    name="rmsprop_update",
    forward=_rmsprop_forward,
    cuda=in_pieces("rmsprop_update", 5, 8, _numbers),
    spec=alike,
    mutates=(0, 2, 3, 4, 5),
    scalar=_rmsprop_scalar,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,), 1.0, 2.0), Real((7,)) if momentum else None,
            Real((7,), -0.5, 0.5) if centered else None, counter(3.0), counter(0.1), found,
            alpha=0.99, eps=1e-8, weight_decay=decay, momentum=momentum, maximize=maximize,
        )
        for found, decay, momentum, centered, maximize in [
            (None, 0.0, 0.0, False, False), (FINITE, 0.1, 0.9, False, True), (None, 0.1, 0.9, True, False),
        ]
    ),
    workloads=(
        sample(
            Real((1 << 17,)), Real((1 << 17,)), Real((1 << 17,), 1.0, 2.0), None, None,
            counter(3.0), counter(1e-3), None,
            alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, maximize=False,
        ),
    ),
)  # fmt: skip

_rmsprop_update_all = joined(_rmsprop_update)
