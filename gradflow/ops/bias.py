"""A bias and an activation as one op, and as one the gradients of both: what a layer does around its matrix product."""

from __future__ import annotations

import re
from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import accumulator
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import THREADS, Launch, blocks_over, flat
from gradflow.op import Op, Spec
from gradflow.ops.activation import _sigmoid, _sigmoid_grad, _silu, _silu_grad
from gradflow.ops.gelu import _gelu, _gelu_grad, _gelu_tanh, _gelu_tanh_grad
from gradflow.ops.precision import float_dtype, stored
from gradflow.ops.rectifier import _relu, _relu_grad
from gradflow.ops.reduce import total
from gradflow.ops.reduction import strips
from gradflow.ops.trigonometric import _tanh, _tanh_grad
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, TensorLike

# each with its op, the op of its gradient, and whether that is computed from its result, not from its argument;
# kernels/bias.cu numbers them in this order, after "none"
ACTIVATIONS: dict[str, tuple[Op, Op, bool]] = {
    "relu": (_relu, _relu_grad, True),
    "sigmoid": (_sigmoid, _sigmoid_grad, True),
    "tanh": (_tanh, _tanh_grad, True),
    "gelu": (_gelu, _gelu_grad, False),
    "gelu_tanh": (_gelu_tanh, _gelu_tanh_grad, False),
    "silu": (_silu, _silu_grad, False),
}
NUMBERS = {name: number for number, name in enumerate(("none", *ACTIVATIONS))}


def bias_activation(x: TensorLike, bias: TensorLike, activation: str = "none", into: Tensor | None = None) -> Tensor:
    """``activation(x + bias)``, where ``bias`` has the size of the last dimension of ``x``.

    ``activation`` is "none" or a key of ACTIVATIONS; ``into`` may be ``x`` itself, where no gradient is wanted. Raises
    ShapeError for another bias, ArgumentError for another activation.

    >>> bias_activation([[1.0, -3.0]], [0.5, 0.5], "relu")
    tensor([[1.5, 0. ]])
    """
    return apply(_bias_activation, x, bias, activation=activation, into=into)


def _check(name: str, activation: str, known: Any) -> None:
    if activation not in known:
        raise ArgumentError(f"{name}: activation is {activation!r}; it must be one of {', '.join(known)}")


def _spec(x: Spec, bias: Spec, activation: str) -> Spec:
    _check("bias_activation", activation, NUMBERS)
    if not x.shape or bias.shape != x.shape[-1:]:
        raise ShapeError(f"bias_activation: the bias is {bias.shape}, and x is {x.shape}; its last dimension needs one")
    return Spec(x.shape, float_dtype(x.dtype, bias.dtype))


def _forward(xp: Any, x: Any, bias: Any, *, activation: str, out: Any = None) -> Any:
    z = xp.add(x, bias)
    if activation == "none":
        return stored(z, float_dtype(z.dtype), out)
    return ACTIVATIONS[activation][0].forward(xp, z, out=out)


def _cuda(x: Any, bias: Any, *, activation: str, out: Any) -> Launch | None:
    if not (flat(x, out) and bias.dtype == x.dtype and bias.flags.c_contiguous):
        return None
    arguments = x, bias, out, NUMBERS[activation], bias.size, x.size
    return Launch("bias_activation", x.dtype, blocks_over(x.size, x.dtype), THREADS, arguments)


def _gradient(g: Tensor, x: Tensor, bias: Tensor, activation: str) -> Tensor:
    if activation == "none":
        return g
    op, gradient, of_result = ACTIVATIONS[activation]
    z = x + bias
    return apply(gradient, g, apply(op, z) if of_result else z)


def _scalar(x: Spec, bias: Spec, activation: str) -> str | None:
    if activation == "none":
        return "x + bias"
    text = ACTIVATIONS[activation][0].scalar_for((_spec(x, bias, activation),), {})
    return text and "z = x + bias\n" + re.sub(r"\bx\b", "z", text)


_bias_activation = Op(
    name="bias_activation",
    forward=_forward,
    spec=_spec,
    vjp=(_gradient, _gradient),
    cuda=_cuda,
    scalar=_scalar,
    samples=(
        *(sample(Real((3, 4), -3, 3, gap=0.1), Real((4,), -1, 1), activation=name) for name in NUMBERS),
        sample(Real((2, 5, 3)), Real((3,)), activation="tanh"),
        sample(Real((7,)), Real((7,)), activation="silu"),
        sample(Real((0, 2)), Real((2,)), activation="gelu"),
    ),
    workloads=(sample(Real((256, 1024)), Real((1024,)), activation="relu"),),
)


def activation_bias_grad(dz: Tensor, db: Tensor, g: TensorLike, saved: TensorLike, activation: str) -> None:
    """Write into ``dz`` the gradient of ``activation`` where that of its result is ``g``, into ``db`` its column sums.

    ``saved`` is the result of the activation for relu, sigmoid and tanh, its argument for the others. ``dz`` may be
    ``g`` or ``saved``. All are of one shape (rows, columns), but for ``db`` (columns,).

    >>> import gradflow as gf
    >>> dz, db = gf.zeros((2, 2)), gf.zeros(2)
    >>> activation_bias_grad(dz, db, gf.ones((2, 2)), gf.tensor([[1.0, 0.0], [2.0, 3.0]]), "relu")
    >>> dz, db
    (tensor([[1., 0.],
            [1., 1.]]), tensor([2., 1.]))
    """
    apply(_activation_bias_grad, dz, db, g, saved, activation=activation)


def _grad_spec(dz: Spec, db: Spec, g: Spec, saved: Spec, activation: str) -> None:
    _check("activation_bias_grad", activation, ACTIVATIONS)
    if len(dz.shape) != 2 or not dz.shape == g.shape == saved.shape or db.shape != dz.shape[1:]:
        given = ", ".join(str(each.shape) for each in (dz, db, g, saved))
        raise ShapeError(
            f"activation_bias_grad: got {given}; it needs (rows, columns) for dz, g and saved and (columns,) for db"
        )


def _grad_forward(xp: Any, dz: Any, db: Any, g: Any, saved: Any, *, activation: str) -> None:
    d = ACTIVATIONS[activation][1].forward(xp, g, saved)
    dz[...] = d
    db[...] = total(d, (0,), False, accumulator(d.dtype))


def _grad_cuda(dz: Any, db: Any, g: Any, saved: Any, *, activation: str, out: Any) -> Launch | None:
    if not (flat(dz, g, saved) and db.dtype == dz.dtype and db.flags.c_contiguous):
        return None
    rows, columns = dz.shape
    grid, memory, sizes = strips(1, rows, columns, dz.dtype)
    arguments = dz, db, g, saved, NUMBERS[activation], *memory, *sizes
    return Launch("activation_bias_grad", dz.dtype, grid, THREADS, arguments)


_activation_bias_grad = Op(
    name="activation_bias_grad",
    forward=_grad_forward,
    spec=_grad_spec,
    mutates=(0, 1),
    cuda=_grad_cuda,
    samples=(
        *(
            sample(Real((5, 6)), Real((6,)), Real((5, 6)), Real((5, 6), -0.9, 0.9, (0.0,)), activation=name)
            for name in ACTIVATIONS
        ),
        sample(Real((600, 8)), Real((8,)), Real((600, 8)), Real((600, 8), kinks=(0.0,)), activation="relu"),
        sample(Real((0, 2)), Real((2,)), Real((0, 2)), Real((0, 2)), activation="gelu"),
    ),
    workloads=(
        sample(Real((4096, 128)), Real((128,)), Real((4096, 128)), Real((4096, 128), kinks=(0.0,)), activation="relu"),
    ),
)
