"""Forward mode: values and their tangents, carried along together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError, TransformError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray, zeros_like
from gradflow.tensor import Tensor, TensorLike
from gradflow.transforms import tree
from gradflow.transforms.level import Level
from gradflow.transforms.tangent import Call, tangent_of


class Dual(Traced):
    """A dual number: ``value``, the primal, and ``tangent``, its derivative in a direction, or None where it is 0."""

    __slots__ = ("tangent",)

    def __init__(self, level: Forward, value: Tensor, tangent: Tensor | None) -> None:
        super().__init__(level, value, value.data.shape)
        self.tangent = tangent

    def read(self, attempt: str) -> Any:
        if attempt == "numpy":
            raise TransformError("numpy: inside jvp NumPy would drop the tangent; use .detach().numpy()")
        data = self.value.data
        return data.read(attempt) if isinstance(data, Traced) else backend_of(data).to_numpy(data)

    def detached(self) -> Any:
        return self.value.detach().data


class Forward(Level):
    """A ``jvp`` that runs."""

    name = "jvp"

    def lifted(self, x: Tensor) -> Dual:
        return Dual(self, x, None)

    def compute(
        self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], specs: tuple[Spec, ...], spec: Spec
    ) -> Tensor:
        primals = [x.data.value if self.holds(x) else x for x in inputs]
        tangents = [x.data.tangent if self.holds(x) else None for x in inputs]
        out = apply(op, *primals, **attrs)
        if out.dtype.kind not in "fc":
            return out  # and nothing can be differentiated in it
        return Tensor(Dual(self, out, tangent_of(Call(op, primals, attrs, out), tangents)))

    def taken_apart(self, x: Any) -> tuple[Tensor, Tensor]:
        """The primal and the tangent of something the function returned."""
        if not self.holds(x):
            plain = asarray(x)
            return plain, zeros_like(plain)
        primal, t = x.data.value, x.data.tangent
        return primal, zeros_like(primal) if t is None else t


def jvp(f: Callable[..., Any], xs: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``f(*xs)`` and its derivative in the direction of ``tangents``, by forward mode: one pass, nothing is kept.

    ``xs`` and ``tangents`` are tuples of tensors, or containers of them, of equal structure, shapes and dtypes. The
    derivative is that of the output with respect to t in f(x + t * tangents), at t = 0; it has the output's structure.

    Raises ShapeError, DTypeError or ArgumentError for tangents that do not fit ``xs``, TransformError for a function
    that writes in place.

    Method: dual numbers (Clifford 1873; Wengert 1964).

    >>> import gradflow as gf
    >>> gf.jvp(gf.sin, (gf.tensor(0.0),), (gf.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(xs, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise DTypeError(
            f"jvp: xs and tangents are tuples, one part for each argument of f, not {type(xs).__name__} and "
            f"{type(tangents).__name__}; write jvp(f, (x,), (t,))"
        )
    level = Forward()
    pairs = tree.mapped(_fitting, tuple(xs), tuple(tangents))
    with level.entered():
        given = tree.mapped(lambda pair: Tensor(Dual(level, *pair.both)), pairs)
        out = f(*given)
    found = [level.taken_apart(leaf) for leaf in tree.leaves(out)]
    return tree.filled(out, iter([x for x, _ in found])), tree.filled(out, iter([t for _, t in found]))


class _Pair:  # no tuple, which would be a container
    def __init__(self, *both: Tensor) -> None:
        self.both = both


def _fitting(x: TensorLike, t: TensorLike) -> _Pair:
    primal = asarray(x)
    if primal.dtype.kind not in "fc":
        raise DTypeError(f"jvp: an argument is {primal.dtype}; only floating ones have tangents; close over it")
    tangent = t if isinstance(t, Tensor) else asarray(t, dtype=primal.dtype, device=primal.device)
    if tangent.shape != primal.shape:
        raise ShapeError(f"jvp: a tangent is {tangent.shape}, its argument {primal.shape}; they must be equal")
    if tangent.dtype != primal.dtype:
        raise DTypeError(f"jvp: a tangent is {tangent.dtype}, its argument {primal.dtype}; use .astype")
    return _Pair(primal, tangent)
