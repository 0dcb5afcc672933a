"""Einstein's summation convention, brought down to contractions of two tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops import reduce
from gradflow.ops.contract import ELLIPSIS, _einsum
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import diagonal
from gradflow.ops.shape import permute_dims, reshape
from gradflow.tensor import Tensor, TensorLike


def einsum(subscripts: str, *operands: TensorLike) -> Tensor:
    """The sum of products that ``subscripts`` describes, in NumPy's notation: ``"ij,jk->ik"`` is a matrix product.

    A letter names a dimension. Letters that are not in the result are summed over; a letter repeated in one operand
    means its diagonal; ``...`` stands for dimensions that broadcast. Without ``->``, the result has the letters that
    occur once, in alphabetical order. Operands are multiplied in pairs, first the pair with the smallest product.

    Raises ArgumentError for subscripts that make no sense, ShapeError for operands that do not fit them.

    >>> import gradflow as gf
    >>> a = gf.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> gf.einsum("ij,j->i", a, gf.tensor([1.0, 10.0])), gf.einsum("ii", a)
    (tensor([21., 43.]), tensor(5.))
    """
    given = [asarray(x) for x in operands]
    inputs, result = parse(subscripts, [x.ndim for x in given])
    sizes = _sizes(inputs, given)
    terms = [_each_once(x, labels, sizes) for x, labels in zip(given, inputs, strict=True)]
    terms = [_shared(term, terms[:i] + terms[i + 1 :], result) for i, term in enumerate(terms)]
    while len(terms) > 1:
        i, j = _cheapest(terms, result, sizes)
        pair = terms[i], terms[j]
        rest = [term for n, term in enumerate(terms) if n not in (i, j)]
        kept = _kept(pair, rest, result)
        joined = apply(_einsum, pair[0].x, pair[1].x, subscripts=f"{pair[0].labels},{pair[1].labels}->{kept}")
        terms = [*rest, Term(joined, kept)]
    (last,) = terms
    return last.x if last.labels == result else permute_dims(last.x, [last.labels.index(i) for i in result])


class Term(NamedTuple):
    x: Tensor
    labels: str


def parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, one for each dimension.

    >>> parse("...ij,jk", [3, 2])
    (['αij', 'jk'], 'αik')
    """
    if not isinstance(subscripts, str):
        raise DTypeError(f"einsum: the subscripts come first and are a string, not {type(subscripts).__name__}")
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    for part in (*parts, right):
        letters = part.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            raise ArgumentError(f"einsum: {subscripts!r} may have letters, commas, one '->' and '...' only")
    if len(parts) != len(ranks):
        raise ArgumentError(f"einsum: {subscripts!r} is for {len(parts)} operands, got {len(ranks)}")
    inputs = [_spelled_out(subscripts, part, rank) for part, rank in zip(parts, ranks, strict=True)]
    broad = "".join(reversed(ELLIPSIS[: max(sum(c in ELLIPSIS for c in labels) for labels in inputs)]))
    if not arrow:
        once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
        return inputs, broad + "".join(once)
    result = right.replace("...", broad)
    if "..." not in right and broad:
        raise ArgumentError(f"einsum: {subscripts!r} has '...' on the left and must have it on the right")
    for c in result:
        if result.count(c) > 1 or not any(c in labels for labels in inputs):
            raise ArgumentError(f"einsum: {c!r} is in the result of {subscripts!r} twice, or in no operand")
    return inputs, result


def _spelled_out(subscripts: str, part: str, rank: int) -> str:
    """``part`` with labels in the place of its ellipsis, as many as a tensor of ``rank`` needs."""
    letters = len(part.replace("...", ""))
    if not letters <= rank <= letters + len(ELLIPSIS) or (letters < rank and "..." not in part):
        raise ShapeError(f"einsum: {part!r} in {subscripts!r} is for another number of dimensions than {rank}")
    return part.replace("...", "".join(reversed(ELLIPSIS[: rank - letters])))


def _sizes(inputs: list[str], operands: list[Tensor]) -> dict[str, int]:
    """The size that each label stands for; a dimension of size 1 fits any."""
    sizes: dict[str, int] = {}
    for labels, x in zip(inputs, operands, strict=True):
        for label, size in zip(labels, x.shape, strict=True):
            if sizes.get(label, 1) not in (1, size) and size != 1:
                raise ShapeError(
                    f"einsum: {label!r} is of size {sizes[label]} and of size {size}; "
                    f"the operands are {', '.join(str(each.shape) for each in operands)}"
                )
            sizes[label] = size if size != 1 else sizes.get(label, 1)
    return sizes


def _each_once(x: Tensor, labels: str, sizes: dict[str, int]) -> Term:
    """The term with the diagonal in place of a repeated label, and without dimensions of size 1 that broadcast."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, second = labels.index(label), labels.rindex(label)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(f"einsum: {label!r} is of size {x.shape[first]} and of size {x.shape[second]}")
            x = diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    full = [i for i, label in enumerate(labels) if x.shape[i] == sizes[label]]
    if len(full) < x.ndim:
        x = reshape(x, tuple(x.shape[i] for i in full))
    return Term(x, "".join(labels[i] for i in full))


def _shared(term: Term, others: Sequence[Term], result: str) -> Term:
    """The term summed over the labels that neither the result nor another term has."""
    kept = _kept([term], others, result)
    alone = tuple(i for i, label in enumerate(term.labels) if label not in kept)
    if not alone:
        return term
    labels = "".join(label for label in term.labels if label in kept)
    return Term(reduce.sum(term.x, alone).astype(term.x.dtype), labels)


def _kept(pair: Sequence[Term], rest: Sequence[Term], result: str) -> str:
    """The labels of the product of a pair: those that the result or another term has, the result's first."""
    wanted = dict.fromkeys(result + "".join(term.labels for term in rest))
    return "".join(label for label in wanted if any(label in term.labels for term in pair))


def _cheapest(terms: Sequence[Term], result: str, sizes: dict[str, int]) -> tuple[int, int]:
    """The pair of terms with the smallest product."""
    pairs = [(i, j) for j in range(len(terms)) for i in range(j)]

    def size(pair: tuple[int, int]) -> int:
        rest = [term for n, term in enumerate(terms) if n not in pair]
        return math.prod(sizes[label] for label in _kept([terms[n] for n in pair], rest, result))

    return min(pairs, key=size)
