"""What a backward pass begins with."""

from __future__ import annotations

from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.errors import DeviceError, GradientError, ShapeError
from gradflow.tensor import Tensor, TensorLike, tensor


def seed_of(of: Tensor, grad: TensorLike) -> Tensor:
    """The gradient of the final result with respect to ``of``: ``grad``, or 1 for a real number."""
    if isinstance(of.data, Traced):
        raise GradientError("backward: inside vmap and jvp gradients are taken by gf.grad or gf.vjp, which nest")
    if not of.requires_grad:
        raise GradientError(
            "backward: this tensor does not depend on anything that requires grad; "
            "create its inputs with requires_grad=True, and compute it outside no_grad(), where w -= d makes another "
            "tensor that does not require it: write w.add_(-d)"
        )
    if grad is None:
        if of.data.size != 1:
            raise GradientError(
                f"backward: a tensor of shape {of.shape} has no single gradient; reduce it with .sum() or .mean(), "
                f"or pass grad, the gradient of the final result, of the same shape"
            )
        if of.dtype.kind == "c":
            raise GradientError(
                "backward: a complex number has no least or largest; make it real with .real or abs(...) ** 2, "
                "or pass grad, the gradient of the final, real result"
            )
        backend = backend_of(of.data)
        with backend.on(of.device):
            return Tensor(backend.xp.ones(of.data.shape, of.data.dtype))
    seed = grad if isinstance(grad, Tensor) else tensor(grad, of.dtype)
    if seed.shape != of.shape:
        raise ShapeError(f"backward: grad has shape {seed.shape}, the tensor {of.shape}; they must be equal")
    if type(seed.data) is not type(of.data):
        raise DeviceError(f"backward: grad is on {seed.device}, the tensor on {of.device}; use grad.to('{of.device}')")
    return seed if seed.dtype == of.dtype else seed.astype(of.dtype)
