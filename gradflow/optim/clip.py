"""Gradients kept within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.device import Device
from gradflow.dtypes import DType
from gradflow.errors import ArgumentError, GradientError
from gradflow.mode import recording
from gradflow.ops.joint_norm import clip_by_norm, joint_norm
from gradflow.optim.arena import flat_gradients
from gradflow.tensor import Tensor, tensor


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, *, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients together, in place, so that their joint 2-norm is at most ``max_norm``; return the old norm.

    Gradients in one optimizer's arena are one flat array; on a GPU the norm of any number of arrays is one launch, and
    so is their scaling, and nothing waits for either unless ``error_if_nonfinite`` asks.
    Raises ArgumentError for a negative ``max_norm``, GradientError for a norm that is not finite if so asked.
    Source: Pascanu, Mikolov & Bengio, ICML 2013; the factor is ``max_norm / (norm + 1e-6)``, at most 1, as in PyTorch.

    >>> import gradflow as gf
    >>> w = gf.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> gf.optim.clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> [round(g, 4) for g in w.grad.tolist()]
    [0.6, 0.8]
    """
    if not max_norm >= 0:
        raise ArgumentError(f"clip_grad_norm_: max_norm is {max_norm}; it must be at least 0")
    flat = flat_gradients(parameters)
    if not flat:
        return tensor(0.0)
    alike: dict[tuple[Device, DType], list[Tensor]] = {}
    for grad in flat:
        alike.setdefault((grad.device, grad.dtype), []).append(grad)
    device, dtype = next(iter(alike))
    with recording(False):
        norms = [joint_norm(*grads) for grads in alike.values()]
        norm = norms[0] if len(norms) == 1 else joint_norm(*(each.to(device).to(dtype) for each in norms))
        if error_if_nonfinite and not bool(norm < float("inf")):
            raise GradientError(f"clip_grad_norm_: the norm of the gradients is {norm.item()}; nothing was scaled")
        for where, grads in alike.items():
            clip_by_norm(grads, norm.to(where[0]).to(where[1]), max_norm=max_norm)
    return norm


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Clip every element of every gradient, in place, to at most ``clip_value`` in size.

    >>> import gradflow as gf
    >>> w = gf.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> gf.optim.clip_grad_value_([w], 3.5)
    >>> w.grad
    tensor([3. , 3.5])
    """
    if not clip_value >= 0:
        raise ArgumentError(f"clip_grad_value_: clip_value is {clip_value}; it must be at least 0")
    with recording(False):
        for grad in flat_gradients(parameters):
            grad.copy_(grad.clip(-clip_value, clip_value))
