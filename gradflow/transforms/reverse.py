"""Reverse mode: gradients and pullbacks of functions of containers of tensors."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, GradientError, ShapeError
from gradflow.mode import mode
from gradflow.ops.create import asarray, ones_like, zeros_like
from gradflow.tape import _numbers
from gradflow.tensor import Tensor
from gradflow.transforms import tree
from gradflow.transforms.nodes import differentiating, here, others_reached, place_of, recorded, swept, variable, wanted


class Differentiated:
    """A run of ``f`` on the tape, some of its arguments being what it is differentiated by."""

    def __init__(self, name: str, f: Callable[..., Any], given: Any, has_aux: bool = False) -> None:
        """``f`` is called with ``given``, a container, its leaves as variables."""
        self.name = name
        self.given = given
        self.level = mode.level
        self.number = here()
        self.outer = recorded()
        began = next(_numbers)
        self.variables = [variable(_floating(name, x), self.outer) for x in tree.leaves(given)]
        with differentiating():
            out = f(tree.filled(given, iter(self.variables)))
            self.aux = None
            if has_aux:
                out, self.aux = _with_aux(name, out)
            self.out = out
            self.results = [asarray(x) for x in tree.leaves(out)]
        self.ends = frozenset(map(place_of, self.variables))
        self.others = any(x.node.parents for x in self.variables if x.node) or others_reached(
            [*self.results, *tree.leaves(self.aux)], self.ends, began
        )

    def released(self, x: Any) -> Any:
        """``x``, which the function returned, without the part of the tape that belongs to this derivative."""
        mine = isinstance(x, Tensor) and (self.level is None or self.level.holds(x))
        if not mine or (self.outer and self.others):
            return x
        return Tensor(x.data)

    def gradients(self, seeds: Sequence[Tensor], retain_graph: bool) -> list[Tensor]:
        """The gradients of the variables, given those of the results."""
        needed = self.others or any(map(wanted, seeds))  # by a derivative outside of this one
        found = swept(self.results, seeds, self.ends, self.number, needed, retain_graph)
        parts = [found.get(place_of(x)) for x in self.variables]
        return [zeros_like(x) if p is None else p for x, p in zip(self.variables, parts, strict=True)]


def _floating(name: str, x: Any) -> Tensor:
    given = asarray(x)
    if given.dtype.kind not in "fc":
        raise DTypeError(
            f"{name}: an argument to differentiate by is {given.dtype}, and only floating tensors have derivatives; "
            "use .to('float32'), or leave it out of argnums"
        )
    return given


def _with_aux(name: str, out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise ArgumentError(f"{name}: with has_aux the function returns a pair (output, aux), not {tree.shown(out)}")
    return out


Argnums = int | Sequence[int]


def positions(name: str, argnums: Argnums, count: int) -> list[int]:
    """The positions that ``argnums`` names, of ``count`` arguments."""
    given = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    try:
        chosen = [range(count)[operator.index(i)] for i in given]
    except TypeError:
        raise DTypeError(f"{name}: argnums is an integer or a tuple of them, not {argnums!r}") from None
    except IndexError:
        raise ArgumentError(f"{name}: argnums {argnums} is out of range for {count} positional arguments") from None
    if not chosen or len(set(chosen)) != len(chosen):
        raise ArgumentError(f"{name}: argnums {argnums} must name at least one argument, each once")
    return chosen


def by_arguments(
    f: Callable[..., Any], chosen: Sequence[int], args: Sequence[Any], kwargs: dict[str, Any]
) -> Callable[[Sequence[Any]], Any]:
    """``f`` as a function of the arguments at ``chosen``, in a list; the others as in ``args``."""

    def call(values: Sequence[Any]) -> Any:
        given = list(args)
        for i, value in zip(chosen, values, strict=True):
            given[i] = value
        return f(*given, **kwargs)

    return call


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns ``f``'s value and its gradient: ``(value, gradient)``, as ``jax.value_and_grad``.

    ``f`` returns a scalar; with ``has_aux`` a pair of it and anything else, and the result is ``((value, aux),
    gradient)``. The gradient is with respect to the argument at ``argnums``, a tensor or a container, and has its
    structure; with a tuple of positions it is a tuple. It can be differentiated, and vectorized, again. If something
    that ``f`` reads requires grad, the gradient is a function of that, too, and on its tape, unless inside ``no_grad``.
    Of complex arguments it is what ``backward`` leaves, the conjugate of JAX's.

    Raises ShapeError if the value is not a scalar, GradientError if it is Python's or NumPy's own, DTypeError for
    arguments that are not floating, ArgumentError for ``argnums`` that are not there.

    >>> import gradflow as gf
    >>> gf.value_and_grad(lambda p, x: (p["w"] * x).sum())({"w": gf.tensor([1.0, 2.0])}, gf.tensor([3.0, 4.0]))
    (tensor(11.), {'w': tensor([3., 4.])})
    """
    name = "value_and_grad"

    def run(*args: Any, **kwargs: Any) -> Any:
        value, gradient, aux = _value_and_grad(name, f, argnums, has_aux, args, kwargs)
        return ((value, aux) if has_aux else value), gradient

    return _like(f, run, name)


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``f``, which returns a scalar; with ``has_aux`` ``(gradient, aux)``.

    All else is as in ``value_and_grad``.

    >>> import gradflow as gf
    >>> gf.grad(gf.grad(lambda x: x**3))(gf.tensor(2.0))
    tensor(12.)
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        _, gradient, aux = _value_and_grad("grad", f, argnums, has_aux, args, kwargs)
        return (gradient, aux) if has_aux else gradient

    return _like(f, run, "grad")


def _like(f: Callable[..., Any], run: Callable[..., Any], name: str) -> Callable[..., Any]:
    if not callable(f):
        raise DTypeError(f"{name}: takes a function, not {type(f).__name__}; write {name}(f)(x)")
    functools.update_wrapper(run, f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    return run


def _value_and_grad(
    name: str, f: Callable[..., Any], argnums: Argnums, has_aux: bool, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Any, Any, Any]:
    chosen = positions(name, argnums, len(args))
    done = Differentiated(name, by_arguments(f, chosen, args, kwargs), [args[i] for i in chosen], has_aux)
    if isinstance(done.out, int | float | np.generic):
        raise GradientError(
            f"{name}: the function returned a {type(done.out).__name__}, to which no gradient leads; float(), .item() "
            "and .numpy() leave it behind: return the tensor, or gf.tensor(...) of a constant"
        )
    shapes = [x.shape for x in done.results]
    if shapes != [()] or done.results[0].dtype.kind != "f":
        what = f"shape {shapes[0]}, {done.results[0].dtype}" if len(shapes) == 1 else f"{len(shapes)} tensors"
        raise ShapeError(
            f"{name}: the function must return a floating scalar, shape (), and returned {what}; reduce it with .sum() "
            "or .mean(), or use gf.jacobian"
        )
    (value,) = done.results
    found = done.gradients([ones_like(value)], retain_graph=False)
    gradients = tree.filled(done.given, iter(found))
    aux = tree.mapped(done.released, done.aux) if has_aux else None
    return done.released(value), tupled(gradients, argnums), aux


def tupled(parts: list[Any], argnums: Argnums) -> Any:
    """A part for each position that ``argnums`` names: a tuple if that is one, otherwise the only part."""
    return tuple(parts) if isinstance(argnums, (tuple, list)) else parts[0]


def vjp(f: Callable[..., Any], *xs: Any, has_aux: bool = False) -> Any:
    """``f(*xs)`` and its pullback: ``(out, pullback)``, with ``has_aux`` ``(out, pullback, aux)``.

    ``pullback(gradient)``, given the gradient of the final result with respect to the output, in the output's
    structure, returns a tuple of the gradients with respect to each of ``xs``. It may be called any number of times.

    Raises DTypeError for arguments that are not floating, ShapeError or ArgumentError for a gradient that does not fit.

    >>> import gradflow as gf
    >>> out, pullback = gf.vjp(lambda x, y: x * y, gf.tensor([1.0, 2.0]), gf.tensor([3.0, 4.0]))
    >>> pullback(gf.tensor([1.0, 10.0]))
    (tensor([ 3., 40.]), tensor([ 1., 20.]))
    """
    done = Differentiated("vjp", lambda given: f(*given), list(xs), has_aux)

    def pullback(gradient: Any) -> tuple[Any, ...]:
        seeds = tree.leaves(tree.mapped(_seed, tree.filled(done.out, iter(done.results)), gradient))
        return tuple(tree.filled(done.given, iter(done.gradients(seeds, retain_graph=True))))

    out = tree.filled(done.out, iter(map(done.released, done.results)))
    return (out, pullback, tree.mapped(done.released, done.aux)) if has_aux else (out, pullback)


def _seed(out: Tensor, gradient: Any) -> Tensor:
    g = gradient if isinstance(gradient, Tensor) else asarray(gradient, dtype=out.dtype, device=out.device)
    if g.shape != out.shape:
        raise ShapeError(f"vjp: a gradient is {g.shape}, and the output it belongs to {out.shape}; they must be equal")
    return g if g.dtype == out.dtype else g.astype(out.dtype)
