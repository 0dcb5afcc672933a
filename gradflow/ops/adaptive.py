"""Steps of optimizers that are declared by their formulas alone: Adagrad, Adadelta, Adamax, NAdam, RAdam."""

from __future__ import annotations

from gradflow.op import Op, Spec
from gradflow.ops.update import FINITE, alike, counter, descent_text, unless_skipped
from gradflow.ops.update_formula import by_formula
from gradflow.samples import Real, sample


def _adagrad(
    p: Spec, g: Spec, sum: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, lr_decay: float, weight_decay: float, eps: float, maximize: bool,
) -> str:  # fmt: skip
    text = f"""
rate = lr / (1 + step * lr_decay)
step = step + 1
down = {descent_text(weight_decay, maximize)}
sum = sum + down * down
p = p - rate * down / (sqrt(sum) + eps)
"""
    return unless_skipped(text, found_inf, "step", "sum", "p")


def _adadelta(
    p: Spec, g: Spec, square_avg: Spec, acc_delta: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, rho: float, eps: float, weight_decay: float, maximize: bool,
) -> str:  # fmt: skip
    text = f"""
step = step + 1
down = {descent_text(weight_decay, maximize)}
square_avg = rho * square_avg + {1 - rho} * (down * down)
delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * down
acc_delta = rho * acc_delta + {1 - rho} * (delta * delta)
p = p - lr * delta
"""
    return unless_skipped(text, found_inf, "step", "square_avg", "acc_delta", "p")


def _adamax(
    p: Spec, g: Spec, exp_avg: Spec, exp_inf: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, betas: tuple[float, float], eps: float, weight_decay: float, maximize: bool,
) -> str:  # fmt: skip
    beta1, beta2 = betas
    text = f"""
step = step + 1
rate = lr / (1 - {beta1} ** step)
down = {descent_text(weight_decay, maximize)}
exp_avg = {beta1} * exp_avg + {1 - beta1} * down
exp_inf = maximum({beta2} * exp_inf, abs(down) + eps)
p = p - rate * exp_avg / exp_inf
"""
    return unless_skipped(text, found_inf, "step", "exp_avg", "exp_inf", "p")


def _nadam(
    p: Spec, g: Spec, exp_avg: Spec, exp_avg_sq: Spec, mu_product: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, betas: tuple[float, float], eps: float, weight_decay: float, momentum_decay: float,
    decoupled_weight_decay: bool, maximize: bool,
) -> str:  # fmt: skip
    beta1, beta2 = betas
    text = f"""
step = step + 1
mu = {beta1} * (1 - 0.5 * 0.96 ** (step * momentum_decay))
ahead = {beta1} * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
product = mu_product * mu
now = lr * (1 - mu) / (1 - product)
next = lr * ahead / (1 - product * ahead)
whole = 1 - {beta2} ** step
mu_product = product
down = {descent_text(0.0 if decoupled_weight_decay else weight_decay, maximize)}
exp_avg = {beta1} * exp_avg + {1 - beta1} * down
exp_avg_sq = {beta2} * exp_avg_sq + {1 - beta2} * (down * down)
p = {_shrunk(decoupled_weight_decay, weight_decay)} - (now * down + next * exp_avg) / (sqrt(exp_avg_sq / whole) + eps)
"""
    return unless_skipped(text, found_inf, "step", "mu_product", "exp_avg", "exp_avg_sq", "p")


def _radam(
    p: Spec, g: Spec, exp_avg: Spec, exp_avg_sq: Spec, step: Spec, lr: Spec, found_inf: Spec,
    *, betas: tuple[float, float], eps: float, weight_decay: float, decoupled_weight_decay: bool, maximize: bool,
) -> str:  # fmt: skip
    beta1, beta2 = betas
    longest = 2 / (1 - beta2) - 1
    ratio = longest / ((longest - 4) * (longest - 2)) if longest > 5 else 0.0  # otherwise it never is long enough
    text = f"""
step = step + 1
power = {beta2} ** step
whole = 1 - power
length = {longest} - 2 * step * power / whole
known = length > 5
share = (length - 4) * (length - 2) * {ratio} / length
adapted = sqrt(maximum(share * whole, 0))
rate = lr / (1 - {beta1} ** step)
down = {descent_text(0.0 if decoupled_weight_decay else weight_decay, maximize)}
exp_avg = {beta1} * exp_avg + {1 - beta1} * down
exp_avg_sq = {beta2} * exp_avg_sq + {1 - beta2} * (down * down)
longer = where(known, adapted / (sqrt(exp_avg_sq) + eps), 1)
p = {_shrunk(decoupled_weight_decay, weight_decay)} - rate * longer * exp_avg
"""
    return unless_skipped(text, found_inf, "step", "exp_avg", "exp_avg_sq", "p")


def _shrunk(decoupled: bool, weight_decay: float) -> str:
    return "p * (1 - lr * weight_decay)" if decoupled and weight_decay else "p"


_MOMENTS = {"betas": (0.9, 0.999), "eps": 1e-8}
_DECAYS = [(None, 0.0, False), (FINITE, 0.1, True)]

adagrad_update = Op(
    name="adagrad_update",
    forward=by_formula(_adagrad),
    spec=alike,
    mutates=(0, 2, 3),
    scalar=_adagrad,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), counter(3.0), counter(0.1), found,
            lr_decay=decay, weight_decay=decay, eps=1e-10, maximize=maximize,
        )
        for found, decay, maximize in _DECAYS
    ),
)  # fmt: skip

adadelta_update = Op(
    name="adadelta_update",
    forward=by_formula(_adadelta),
    spec=alike,
    mutates=(0, 2, 3, 4),
    scalar=_adadelta,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), Real((7,), 0.1, 1.0), counter(3.0), counter(0.1), found,
            rho=0.9, eps=1e-6, weight_decay=decay, maximize=maximize,
        )
        for found, decay, maximize in _DECAYS
    ),
)  # fmt: skip

adamax_update = Op(
    name="adamax_update",
    forward=by_formula(_adamax),
    spec=alike,
    mutates=(0, 2, 3, 4),
    scalar=_adamax,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), counter(3.0), counter(0.1), found,
            **_MOMENTS, weight_decay=decay, maximize=maximize,
        )
        for found, decay, maximize in _DECAYS
    ),
)  # fmt: skip

nadam_update = Op(
    name="nadam_update",
    forward=by_formula(_nadam),
    spec=alike,
    mutates=(0, 2, 3, 4, 5),
    scalar=_nadam,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), counter(0.5), counter(3.0), counter(0.1), found,
            **_MOMENTS, momentum_decay=4e-3, weight_decay=decay, decoupled_weight_decay=decoupled, maximize=maximize,
        )
        for found, decay, maximize in _DECAYS
        for decoupled in (False, True)
    ),
)  # fmt: skip

radam_update = Op(
    name="radam_update",
    forward=by_formula(_radam),
    spec=alike,
    mutates=(0, 2, 3, 4),
    scalar=_radam,
    samples=tuple(
        sample(
            Real((7,)), Real((7,)), Real((7,)), Real((7,), 0.1, 1.0), counter(step), counter(0.1), found,
            **_MOMENTS, weight_decay=decay, decoupled_weight_decay=step > 3, maximize=maximize,
        )
        for found, decay, maximize in _DECAYS
        for step in (2.0, 9.0)
    ),
)  # fmt: skip
