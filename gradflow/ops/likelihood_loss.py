"""Negative log-likelihoods of counts and of measurements, and how far distributions are apart."""

from __future__ import annotations

import math

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import exp, log
from gradflow.ops.loss import REDUCTIONS, check_reduction, check_same, reduce_losses
from gradflow.ops.reduce import sum
from gradflow.ops.shape import expand_dims
from gradflow.tensor import Tensor, TensorLike


def poisson_nll_loss(
    input: TensorLike,
    target: TensorLike,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of counts: exp(input) - target * input, without what does not depend on the input.

    With ``log_input=False`` the input is the rate: input - target * log(input + eps). ``full`` adds Stirling's
    approximation of log(target!) for targets above 1. Raises ShapeError unless the shapes are equal.

    >>> import gradflow.nn.functional as F
    >>> F.poisson_nll_loss([0.0], [2.0])
    tensor(1.)
    """
    x, t = asarray(input), asarray(target)
    check_same("poisson_nll_loss", input=x, target=t)
    t = t.astype(x.dtype)
    each = exp(x) - t * x if log_input else x - t * log(x + eps)
    if full:
        count = where(t > 1, t, 1.0)
        each = each + where(t > 1, count * log(count) - count + 0.5 * log(2 * math.pi * count), 0.0)
    return reduce_losses("poisson_nll_loss", each, reduction)


def gaussian_nll_loss(
    input: TensorLike,
    target: TensorLike,
    var: TensorLike,
    full: bool = False,
    eps: float = 1e-6,
    *,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of normal numbers: (log(var) + (input - target)**2 / var) / 2.

    ``var`` has the shape of the input, or that without the last dimension or with 1 there, or is one number; below
    ``eps`` it counts as that (its gradient is as if it did not). ``full`` adds log(2 pi) / 2.
    Raises ShapeError for other shapes, ArgumentError unless ``eps`` is positive.
    Source: Nix & Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.

    >>> import gradflow.nn.functional as F
    >>> F.gaussian_nll_loss([1.0], [3.0], [1.0])
    tensor(2.)
    """
    x, t, v = asarray(input), asarray(target), asarray(var)
    check_same("gaussian_nll_loss", input=x, target=t)
    if not eps > 0:
        raise ArgumentError(f"gaussian_nll_loss: eps must be positive, got {eps}")
    if v.ndim and v.shape == x.shape[:-1]:
        v = expand_dims(v, -1)
    if v.ndim and v.shape not in (x.shape, (*x.shape[:-1], 1)):
        raise ShapeError(f"gaussian_nll_loss: var is {v.shape}; it must be {x.shape}, that with 1 last, or ()")
    v = v.astype(x.dtype)
    v = v + (maximum(v, eps) - v).detach()
    each = 0.5 * (log(v) + (x - t) ** 2 / v)
    return reduce_losses("gaussian_nll_loss", each + 0.5 * math.log(2 * math.pi) if full else each, reduction)


def kl_div(input: TensorLike, target: TensorLike, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence of ``target``, probabilities, from ``input``, log-probabilities, elementwise.

    ``target * (log(target) - input)``, 0 where the target is 0; with ``log_target`` the target is logarithms too.
    ``"batchmean"``, the sum over the first size, is the divergence itself; ``"mean"`` is over all elements.
    Raises ShapeError unless the shapes are equal, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.kl_div([[-1.0, -1.0]], [[0.5, 0.5]], reduction="batchmean")
    tensor(0.30685282)
    """
    x, t = asarray(input), asarray(target)
    check_same("kl_div", input=x, target=t)
    check_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean"))
    if log_target:
        each = exp(t) * (t - x)
    else:
        positive = t > 0
        each = where(positive, t * log(where(positive, t, 1.0)), 0.0) - t * x
    if reduction == "batchmean":
        return sum(each) * (1 / x.shape[0] if x.ndim and x.shape[0] else 1.0)
    return reduce_losses("kl_div", each, reduction)
