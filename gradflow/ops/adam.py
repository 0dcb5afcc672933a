"""A step of Adam, and of its variants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gradflow.op import Op, Spec
from gradflow.ops.pieces import Arguments, apply_all, in_pieces, joined
from gradflow.ops.update import FINITE, alike, chunks, counter, descent, descent_text, skipped, unless_skipped
from gradflow.samples import Real, sample


def adam_update(
    calls: Sequence[Arguments],
    *, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """One step of Adam, AdamW (``decoupled`` weight decay) or AMSGrad, for each of ``calls``.

    A call is ``(p, g, m, v, v_max, step, lr, found_inf)``, of which all but ``g`` and ``lr`` are written in place,
    unless ``found_inf`` (or None) is not zero; with ``v_max`` (or None) it is AMSGrad.
    Sources: Kingma & Ba, ICLR 2015; Loshchilov & Hutter, ICLR 2019; Reddi, Kale & Kumar, ICLR 2018.
    ``eps`` is added to the root of the bias-corrected second moment, as in PyTorch.
    """
    apply_all(
        _adam_update, _adam_update_all, calls,
        beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled, maximize=maximize,
    )  # fmt: skip


def _adam_forward(
    xp: Any, p: Any, g: Any, m: Any, v: Any, v_max: Any, step: Any, lr: Any, found_inf: Any,
    *, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    if skipped(found_inf):
        return
    step += 1
    count, rate = float(step), float(lr)
    # lr / c1 * m / (sqrt(v / c2) + eps) with c = 1 - beta^step, arranged so that an element sees the fewest passes
    root = math.sqrt(1 - beta2**count)
    scale = rate * root / (1 - beta1**count)
    for p_, g_, m_, v_, v_max_, t in chunks(xp, p, g, m, v, v_max):
        if weight_decay and decoupled:
            xp.multiply(p_, 1 - rate * weight_decay, out=p_)
        down = descent(xp, p_, g_, 0.0 if decoupled else weight_decay, maximize)
        xp.multiply(m_, beta1, out=m_)
        xp.multiply(down, 1 - beta1, out=t)
        xp.add(m_, t, out=m_)
        xp.multiply(down, down, out=t)
        xp.multiply(t, 1 - beta2, out=t)
        xp.multiply(v_, beta2, out=v_)
        xp.add(v_, t, out=v_)
        xp.sqrt(v_ if v_max_ is None else xp.maximum(v_max_, v_, out=v_max_), out=t)
        xp.add(t, eps * root, out=t)
        xp.divide(m_, t, out=t)
        xp.multiply(t, scale, out=t)
        xp.subtract(p_, t, out=p_)


def _adam_scalar(
    p: Spec, g: Spec, m: Spec, v: Spec, v_max: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> str:  # fmt: skip
    old = "p * (1 - lr * weight_decay)" if decoupled and weight_decay else "p"
    text = f"""
step = step + 1
root = sqrt(1 - beta2 ** step)
scale = lr * root / (1 - beta1 ** step)
small = eps * root
down = {descent_text(0.0 if decoupled else weight_decay, maximize)}
m = beta1 * m + {1 - beta1} * down
v = beta2 * v + {1 - beta2} * (down * down)
{"" if v_max.absent else "v_max = maximum(v_max, v)"}
p = {old} - scale * (m / (sqrt({"v" if v_max.absent else "v_max"}) + small))
"""
    return unless_skipped(text, found_inf, "step", "m", "v", "v_max", "p")


def _numbers(
    beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool
) -> tuple[float, ...]:
    """The betas for their powers and for the moments, and what is short of one, which float32 could not tell."""
    shrink, decay = (weight_decay, 0.0) if decoupled else (0.0, weight_decay)
    return beta1, beta2, beta1, beta2, 1 - beta1, 1 - beta2, eps, shrink, decay, -1 if maximize else 1


_adam_update = Op(
    name="adam_update",
    forward=_adam_forward,
    cuda=in_pieces("adam_update", 5, 8, _numbers, counted=True),
    spec=alike,
    mutates=(0, 2, 3, 4, 5),
    scalar=_adam_scalar,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), Real((7,), 0.05, 0.06) if amsgrad else None,
            counter(3.0), counter(0.1), found,
            beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=decay, decoupled=decoupled, maximize=maximize,
        )
        for amsgrad, found, decay, decoupled, maximize in [
            (True, None, 0.0, False, False), (True, FINITE, 0.1, False, True), (True, None, 0.1, True, False),
            (False, None, 0.1, True, False),
        ]
    ),
    workloads=tuple(
        sample(
            Real((size,)), Real((size,)), Real((size,)), Real((size,), 0.1, 1.0), None,
            counter(3.0), counter(1e-3), None,
            beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=False, maximize=False,
        )
        for size in (1 << 18, 1 << 22)
    ),
)  # fmt: skip

_adam_update_all = joined(_adam_update)
