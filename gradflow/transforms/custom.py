"""Functions with derivatives of the user's own: custom_vjp and custom_jvp."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from gradflow.errors import ArgumentError, ShapeError, TransformError
from gradflow.ops.create import asarray
from gradflow.tensor import Tensor
from gradflow.transforms import tree
from gradflow.transforms.calls import called, differentiable, transposed

Run = Callable[..., tuple[Any, Any]]  # (*args) -> (out, residuals)
Pullback = Callable[[Any, Any], Sequence[Any]]  # (residuals, gradient of out) -> the gradients of args


class Custom:
    """A function whose gradient is declared, not derived."""

    name = ""

    def __init__(self, f: Callable[..., Any]) -> None:
        functools.update_wrapper(self, f)
        self.f = f

    def rule(self) -> tuple[Run, Pullback]:
        """How it is run and pulled back."""
        raise NotImplementedError

    def __call__(self, *args: Any) -> Any:
        run, pullback = self.rule()
        shape: list[Any] = []  # of the output, once it is there

        def flat_run(*leaves: Any) -> tuple[list[Tensor], Any]:
            out, kept = run(*tree.filled(args, iter(leaves)))
            shape[:] = [out]
            return [asarray(x) for x in tree.leaves(out)], kept

        def flat_pullback(kept: Any, gradients: list[Tensor]) -> list[Tensor | None]:
            return _flat(self.name, args, pullback(kept, tree.filled(shape[0], iter(gradients))))

        outs = called(self.name, flat_run, flat_pullback, tree.leaves(args))
        return tree.filled(shape[0], iter(outs))


def _flat(name: str, args: Sequence[Any], gradients: Any) -> list[Tensor | None]:
    """The gradients that a backward pass returned, one for each leaf of ``args``."""
    if not isinstance(gradients, (tuple, list)) or len(gradients) != len(args):
        raise ArgumentError(
            f"{name}: the backward pass returns a tuple, a gradient for each of {len(args)} arguments, and returned "
            f"{tree.shown(gradients)}"
        )
    found = [g if isinstance(g, Tensor) or g is None else asarray(g) for g in tree.spread(list(gradients), list(args))]
    for x, g in zip(tree.leaves(args), found, strict=True):
        if g is not None and g.shape != asarray(x).shape:
            raise ShapeError(f"{name}: the backward pass returned a gradient of {g.shape} for a {asarray(x).shape}")
    return found


class custom_vjp(Custom):
    """Give a function a gradient of its own: ``f.defvjp(forward, backward)``, as in JAX.

    ``forward(*args)`` returns ``(out, residuals)``; ``backward(residuals, gradient)``, given the gradient with respect
    to ``out``, returns a tuple with one for each argument, None for those that have none. Arguments and outputs are
    tensors, or containers of them. Forward mode transposes ``backward``; all transforms nest.

    Raises TransformError if it is called before ``defvjp``.

    >>> import gradflow as gf
    >>> @gf.custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, g: (gf.clip(g, -1.0, 1.0),))
    >>> gf.grad(lambda x: 5 * clipped(x))(gf.tensor(2.0))
    tensor(1.)
    """

    name = "custom_vjp"

    def defvjp(self, forward: Run, backward: Pullback) -> None:
        """Declare the forward pass, which says what the backward pass needs, and the backward pass."""
        self.declared = forward, backward

    def rule(self) -> tuple[Run, Pullback]:
        if not hasattr(self, "declared"):
            raise TransformError(f"custom_vjp: {self.f.__name__} has no gradient yet; call .defvjp(forward, backward)")
        return self.declared


class custom_jvp(Custom):
    """Give a function a derivative of its own in forward mode: ``f.defjvp(rule)``, as in JAX.

    ``rule(primals, tangents)``, two tuples, returns the output and its tangent, which is linear in ``tangents``.
    Reverse mode transposes the rule; all transforms nest. ``defjvp`` is a decorator, too.

    Raises TransformError if it is called before ``defjvp``.

    >>> import gradflow as gf
    >>> @gf.custom_jvp
    ... def log1pexp(x):
    ...     return gf.log(1 + gf.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     return log1pexp(*primals), tangents[0] * gf.sigmoid(primals[0])
    >>> gf.grad(log1pexp)(gf.tensor(0.0))
    tensor(0.5)
    """

    name = "custom_jvp"

    def defjvp(self, rule: Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, Any]]) -> Any:
        """Declare the rule, and return it."""
        self.declared = rule
        return rule

    def rule(self) -> tuple[Run, Pullback]:
        if not hasattr(self, "declared"):
            raise TransformError(f"custom_jvp: {self.f.__name__} has no derivative yet; call .defjvp(rule)")

        def pullback(args: list[Any], gradient: Any) -> list[Any]:
            def pushed(tangents: list[Tensor]) -> list[Tensor]:
                given = iter(tangents)
                filled = tree.mapped(lambda x: next(given) if differentiable(x) else None, args)
                return [asarray(x) for x in tree.leaves(self.declared(tuple(args), tuple(filled))[1])]

            moving = [x for x in tree.leaves(args) if differentiable(x)]
            found = iter(transposed(pushed, moving, tree.leaves(gradient)))
            return tree.mapped(lambda x: next(found) if differentiable(x) else None, args)  # type: ignore[no-any-return]

        return lambda *args: (self.f(*args), list(args)), pullback
