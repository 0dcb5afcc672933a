"""Jacobians, Hessians, and their products with vectors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from gradflow.ops.create import asarray, zeros
from gradflow.ops.join import split, stack
from gradflow.ops.ranges import eye
from gradflow.ops.shape import reshape
from gradflow.shapes import size_of
from gradflow.tensor import Tensor
from gradflow.transforms import tree
from gradflow.transforms.forward import jvp
from gradflow.transforms.level import NoRule
from gradflow.transforms.reverse import Argnums, by_arguments, grad, positions, tupled, vjp
from gradflow.transforms.vectorized import vmap


def jacfwd(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f`` by forward mode, all columns at once: for few inputs.

    For an output of shape S and an argument of shape T it is of shape (*S, *T). Where the output, or the argument at
    ``argnums``, is a container, the Jacobian has the structure of the output, with that of the argument in the place
    of each tensor; with a tuple of positions, tuples.

    Raises DTypeError for arguments that are not floating, ArgumentError for ``argnums`` that are not there.

    >>> import gradflow as gf
    >>> gf.jacfwd(lambda x: x**2)(gf.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        chosen = positions("jacfwd", argnums, len(args))
        call = by_arguments(f, chosen, args, kwargs)
        given = tree.mapped(asarray, [args[i] for i in chosen])

        def column(direction: Any) -> Any:
            return jvp(lambda *values: call(values), given, direction)[1]

        columns = _for_each(column, _basis(given), -1)

        def block(part: Tensor) -> Any:
            return tupled(tree.filled(given, iter(_cut(part, -1, given))), argnums)

        return tree.mapped(block, columns)

    return run


def jacrev(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f`` by reverse mode, all rows at once: for few outputs.

    Shapes, structure and errors are those of ``jacfwd``. ``jacobian`` is another name of it.

    >>> import gradflow as gf
    >>> gf.jacrev(lambda x, y: {"sum": x + y}, argnums=(0, 1))(gf.tensor(1.0), gf.tensor([2.0]))
    {'sum': (tensor([1.]), tensor([[1.]]))}
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        chosen = positions("jacrev", argnums, len(args))
        call = by_arguments(f, chosen, args, kwargs)
        out, pullback = vjp(lambda *values: call(values), *(args[i] for i in chosen))
        rows = _for_each(lambda row: list(pullback(row)), _basis(out), 0)
        parts = [_cut(x, 0, out) for x in tree.leaves(rows)]
        blocks = [tupled(tree.filled(rows, iter(each)), argnums) for each in zip(*parts, strict=True)]
        return tree.filled(out, iter(blocks))

    return run


jacobian = jacrev


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of ``f``, by forward over reverse mode.

    For a scalar of an argument of shape T they are of shape (*T, *T); containers nest as in ``jacfwd``.

    >>> import gradflow as gf
    >>> gf.hessian(lambda x: (x**3).sum())(gf.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(f, argnums), argnums)


def hvp(f: Callable[..., Any], xs: Sequence[Any], vectors: Sequence[Any]) -> Any:
    """The Hessian of ``f``, a scalar function, at ``xs``, times ``vectors``, without the Hessian itself.

    ``xs`` and ``vectors`` are tuples, as those of ``jvp``; the result is like ``xs``, for one argument like that.

    Method: forward over reverse mode (Pearlmutter 1994).

    >>> import gradflow as gf
    >>> gf.hvp(lambda x: (x**3).sum(), (gf.tensor([1.0, 2.0]),), (gf.tensor([1.0, 1.0]),))
    tensor([ 6., 12.])
    """
    argnums = 0 if len(xs) == 1 else tuple(range(len(xs)))
    return jvp(grad(f, argnums), xs, vectors)[1]


def _basis(container: Any) -> Any:
    """All unit vectors of the space that ``container`` is from, one after another along a new first dimension."""
    parts = [asarray(x) for x in tree.leaves(container)]
    total, before = sum(x.size for x in parts), 0
    basis = []
    for x in parts:
        rows = zeros((total, x.size), dtype=x.dtype, device=x.device)
        unit = eye(x.size, dtype=x.dtype, device=x.device)
        basis.append(reshape(rows.at[before : before + x.size].set(unit), (total, *x.shape)))
        before += x.size
    return tree.filled(container, iter(basis))


def _for_each(f: Callable[[Any], Any], basis: Any, axis: int) -> Any:
    """``f`` of every vector of ``basis``, the results along ``axis``; in a loop if an op has no batching rule."""
    try:
        return vmap(f, out_axes=axis, randomness="same")(basis)
    except NoRule:
        count = tree.leaves(basis)[0].shape[0]
        results = [f(tree.mapped(lambda x, i=i: x[i], basis)) for i in range(count)]
        return tree.mapped(lambda *each: stack(each, axis), results[0], *results[1:])


def _cut(x: Tensor, axis: int, container: Any) -> list[Tensor]:
    """``x`` cut along ``axis``, its first or last, into a block for each leaf of ``container``, in the leaf's shape."""
    shapes = [asarray(each).shape for each in tree.leaves(container)]
    cuts = list(itertools.accumulate(map(size_of, shapes)))[:-1]
    blocks = zip(split(x, cuts, axis), shapes, strict=True)
    return [reshape(b, (*shape, *x.shape[1:]) if axis == 0 else (*x.shape[:-1], *shape)) for b, shape in blocks]
