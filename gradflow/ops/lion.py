"""A step of Lion: the sign of a momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.op import Op, Spec
from gradflow.ops.pieces import Arguments, apply_all, in_pieces, joined
from gradflow.ops.update import FINITE, alike, chunks, counter, descent_text, skipped, unless_skipped
from gradflow.samples import Real, sample


def lion_update(calls: Sequence[Arguments], *, beta1: float, beta2: float, weight_decay: float, maximize: bool) -> None:
    """One step of Lion with decoupled weight decay, for each ``(p, g, m, step, lr, found_inf)``.

    In place on ``p``, ``m`` and ``step``, unless ``found_inf`` (or None) is not zero.
    Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, program 1.
    """
    apply_all(
        _lion_update, _lion_update_all, calls, beta1=beta1, beta2=beta2, weight_decay=weight_decay, maximize=maximize
    )


def _lion_forward(
    xp: Any, p: Any, g: Any, m: Any, step: Any, lr: Any, found_inf: Any,
    *, beta1: float, beta2: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    if skipped(found_inf):
        return
    step += 1
    rate = float(lr)
    for p_, g_, m_, t in chunks(xp, p, g, m):
        down = xp.negative(g_) if maximize else g_
        xp.multiply(m_, beta1, out=t)
        xp.add(t, xp.multiply(down, 1 - beta1), out=t)
        xp.sign(t, out=t)
        xp.multiply(t, rate, out=t)
        xp.multiply(p_, 1 - rate * weight_decay, out=p_)
        xp.subtract(p_, t, out=p_)
        xp.multiply(m_, beta2, out=m_)
        xp.multiply(down, 1 - beta2, out=t)
        xp.add(m_, t, out=m_)


def _lion_scalar(
    p: Spec, g: Spec, m: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, beta1: float, beta2: float, weight_decay: float, maximize: bool,
) -> str:  # fmt: skip
    text = f"""
step = step + 1
shrink = 1 - lr * weight_decay
down = {descent_text(0.0, maximize)}
p = shrink * p - lr * sign(beta1 * m + {1 - beta1} * down)
m = beta2 * m + {1 - beta2} * down
"""
    return unless_skipped(text, found_inf, "step", "p", "m")


def _numbers(beta1: float, beta2: float, weight_decay: float, maximize: bool) -> tuple[float, ...]:
    return beta1, 1 - beta1, beta2, 1 - beta2, weight_decay, -1 if maximize else 1


_lion_update = Op(
    name="lion_update",
    forward=_lion_forward,
    cuda=in_pieces("lion_update", 3, 6, _numbers),
    spec=alike,
    mutates=(0, 2, 3),
    scalar=_lion_scalar,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), counter(step), counter(0.1), found,
            beta1=0.9, beta2=0.99, weight_decay=decay, maximize=maximize,
        )
        for step, found, decay, maximize in [(0.0, None, 0.0, False), (3.0, FINITE, 0.1, True)]
    ),
    workloads=(
        sample(
            Real((1 << 17,)), Real((1 << 17,), 1.0, 2.0), Real((1 << 17,), 1.0, 2.0), counter(3.0), counter(1e-3), None,
            beta1=0.9, beta2=0.99, weight_decay=0.0, maximize=False,
        ),
    ),
)  # fmt: skip

_lion_update_all = joined(_lion_update)
