"""The scaling of losses, which keeps small gradients from vanishing in float16, undone in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.launch import Array, Launch
from gradflow.op import Op, written
from gradflow.ops.pieces import apply_all, in_pieces, joined
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor


def unscale(gradients: Sequence[Tensor], scale: Tensor, found_inf: Tensor) -> None:
    """Divide ``gradients``, in place, by ``scale``; ``found_inf`` becomes 1 if an element was inf or NaN."""
    apply_all(_unscale, _unscale_all, [(g, scale, found_inf) for g in gradients])


def _unscale_forward(xp: Any, g: Any, scale: Any, found_inf: Any) -> None:
    found_inf[...] = xp.maximum(found_inf, ~xp.isfinite(g).all())
    factor = (1 / scale).astype(dtypes.accumulator(g.dtype))
    xp.multiply(g, factor, out=g, casting="same_kind")


_unscale = Op(
    name="unscale",
    forward=_unscale_forward,
    cuda=in_pieces("unscale", 1, 3, tuple),
    spec=written,
    mutates=(0, 2),
    samples=tuple(
        sample(Given(values), Given(4.0, "float32"), Given(0.0, "float32"))
        for values in [[1.0, -float("inf"), 3.0], [[float("nan"), 2.0], [3.0, 4.0]]]
    ),
    workloads=(sample(Real((1 << 17,)), Given(4.0, "float32"), Given(0.0, "float32")),),
)

_unscale_all = joined(_unscale)


def update_scale(
    scale: Tensor, tracker: Tensor, found_inf: Tensor,
    *, growth_factor: float, backoff_factor: float, growth_interval: int,
) -> None:  # fmt: skip
    """The scale after a step, in place: smaller if ``found_inf``, larger after ``growth_interval`` steps without.

    ``tracker`` (int32) counts the steps since the last change. A scale that would overflow stays.
    """
    apply(
        _update_scale, scale, tracker, found_inf,
        growth_factor=growth_factor, backoff_factor=backoff_factor, growth_interval=growth_interval,
    )  # fmt: skip


def _update_scale_forward(
    xp: Any, scale: Any, tracker: Any, found_inf: Any,
    *, growth_factor: float, backoff_factor: float, growth_interval: int,
) -> None:  # fmt: skip
    found = found_inf != 0
    steps = xp.where(found, 0, tracker + 1)
    grown = scale * growth_factor
    grows = (steps == growth_interval) & xp.isfinite(grown)
    scale[...] = xp.where(found, scale * backoff_factor, xp.where(grows, grown, scale))
    tracker[...] = xp.where(steps == growth_interval, 0, steps)


def _update_scale_cuda(
    *arrays: Array, out: None, growth_factor: float, backoff_factor: float, growth_interval: int
) -> Launch:
    return Launch("update_scale", None, 1, 1, (*arrays, growth_factor, backoff_factor, growth_interval))


_update_scale = Op(
    name="update_scale",
    forward=_update_scale_forward,
    cuda=_update_scale_cuda,
    spec=written,
    mutates=(0, 1),
    samples=tuple(
        sample(
            Given(8.0, "float32"), Given(steps, "int32"), Given(found, "float32"),
            growth_factor=2.0, backoff_factor=0.5, growth_interval=3,
        )
        for steps, found in [(2, 0.0), (2, 1.0)]
    ),
)  # fmt: skip
