"""How an op that is defined for one example is done for a batch: the rules of ``vmap``, declared by family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

from gradflow.dispatch import apply
from gradflow.dtypes import float64
from gradflow.op import Op, Spec
from gradflow.ops.arithmetic import add
from gradflow.ops.elementwise import sqrt, square
from gradflow.ops.join import stack
from gradflow.ops.reduce import sum
from gradflow.ops.shape import broadcast_to, moveaxis, reshape
from gradflow.tensor import Tensor
from gradflow.transforms.tangent import ELEMENTWISE, is_elementwise


class Batch(NamedTuple):
    """A call of ``op`` on a batch of ``size`` examples.

    Of each input, ``values`` has the tensor, with the examples along its first dimension if it is ``mapped``, or what
    is the same for all; ``specs`` and ``spec`` are of the inputs and the result of one example.
    """

    op: Op
    values: Sequence[Any]
    mapped: Sequence[bool]
    attrs: dict[str, Any]
    specs: Sequence[Spec]
    spec: Spec
    size: int

    def rank(self, i: int = 0) -> int:
        """The dimensions of one example of input ``i``."""
        return len(self.specs[i].shape)

    def front(self, i: int) -> Any:
        """Input ``i`` with the examples in front, repeated if it is the same for all."""
        value = self.values[i]
        if self.mapped[i] or not isinstance(value, Tensor):
            return value
        return broadcast_to(value, (self.size, *value.shape))

    def all_in_front(self) -> list[Any]:
        """The inputs with the examples in front."""
        return [self.front(i) for i in range(len(self.values))]

    def aligned(self, i: int, rank: int) -> Any:
        """Input ``i`` with new dimensions after that of the examples, so that the others broadcast to ``rank``."""
        value, missing = self.values[i], rank - self.rank(i)
        if not self.mapped[i] or missing <= 0:
            return value
        return reshape(value, (self.size, *(1,) * missing, *self.specs[i].shape))

    def do(self, *inputs: Any, **attrs: Any) -> Tensor:
        """The op of ``inputs``, with its attributes but for those given anew."""
        return apply(self.op, *inputs, **{**self.attrs, **attrs})


Rule = Callable[[Batch], Tensor]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declare a function to be the rule of the ops with these ``names``."""

    def declare(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return declare


def rule_for(op: Op, specs: Sequence[Spec], attrs: dict[str, Any], spec: Spec) -> Rule | None:
    """The rule for a call of ``op``, whose inputs and result are, for one example, like ``specs`` and ``spec``.

    Elementwise ops need no declaration, nor do those that name dimensions of their inputs ``axis`` or ``axes``.
    """
    declared = RULES.get(op.name)
    if declared is not None:
        return declared
    if is_elementwise(op, specs, attrs, spec.shape):
        return elementwise
    by_convention = {"axes": over_axes, "axis": along_axis}
    named = [name for name in op.attribute_names if name in by_convention]
    of_one_rank = len({len(each.shape) for each in specs if not each.absent}) == 1
    return by_convention[named[0]] if len(named) == 1 and of_one_rank else None


@rule(*ELEMENTWISE)
def elementwise(batch: Batch) -> Tensor:
    """Dimensions of examples that broadcast are aligned at the right, as ever."""
    rank = len(batch.spec.shape)
    inputs = [batch.aligned(i, rank) for i in range(len(batch.values))]
    if not batch.op.partials:  # the result may take its shape from an input that is the same for all
        whole = [batch.specs[i].shape == batch.spec.shape for i in range(len(inputs))]
        inputs = [batch.front(i) if whole[i] else x for i, x in enumerate(inputs)]
    return batch.do(*inputs)


@rule(
    "astype", "tril", "triu", "one_hot", "to_device",
    "basis_inv", "cholesky", "cofactor", "complement", "det", "eig", "eigh", "eigvals", "eigvalsh", "expm", "inv",
    "pinv", "qr", "slogdet", "svd", "svdvals", "window_sum", "window_spread", "max_pool", "max_pool_index",
)  # fmt: skip
def unchanged(batch: Batch) -> Tensor:
    """What is done along the last dimensions of one input, or to every element of it."""
    return batch.do(*batch.values)


@rule("dropout", "normal", "permutation", "randint", "uniform")
def random(batch: Batch) -> Tensor:
    """A draw for each example, from states of their own or from the same."""
    return batch.do(*batch.all_in_front())


@rule("joint_norm")
def norm_of_all(batch: Batch) -> Tensor:
    """Added up in float64 as ever; what is the same for all is part of every norm."""
    squares = [square(x.astype(float64)) for x in batch.values]
    sums = [sum(x, tuple(range(mapped, x.ndim))) for x, mapped in zip(squares, batch.mapped, strict=True)]
    return sqrt(reduce(add, sums)).astype(batch.spec.dtype)


def one_by_one(batch: Batch) -> Tensor:
    """A call for each example."""
    parts = []
    for number in range(batch.size):
        inputs = [x[number] if mapped else x for x, mapped in zip(batch.values, batch.mapped, strict=True)]
        parts.append(batch.do(*inputs))
    return stack(parts)


@rule("solve", "solve_triangular")
def equations(batch: Batch) -> Tensor:
    """A stack of equations: whatever matrices there are, aligned at the right."""
    rank = max(batch.rank(0), batch.rank(1))
    return batch.do(batch.aligned(0, rank), batch.aligned(1, rank))


@rule("matmul")
def matrices(batch: Batch) -> Tensor:
    """A stack of products; by one matrix, the same for all, one product of all rows."""
    a, b = batch.values
    rows_alone = not (batch.mapped[1] or batch.attrs["transpose_a"]) and batch.rank(1) == 2
    if rows_alone and batch.rank(0) >= 2:
        out = batch.do(reshape(a, (-1, a.shape[-1])) if a.size else a, b)
        return reshape(out, (batch.size, *batch.spec.shape))
    rank = max(batch.rank(0), batch.rank(1))
    return batch.do(batch.aligned(0, rank), batch.aligned(1, rank))


def shifted(axis: int, rank: int) -> int:
    """Where ``axis``, of an example of ``rank`` dimensions, is in a batch."""
    return axis % rank + 1


def over_axes(batch: Batch) -> Tensor:
    """Reductions, and whatever else has ``axes``: they are one further back."""
    axes = tuple(shifted(axis, batch.rank()) for axis in batch.attrs["axes"])
    return batch.do(*batch.all_in_front(), axes=axes)


def along_axis(batch: Batch) -> Tensor:
    """Along one axis, of inputs of one rank: it is one further back."""
    return batch.do(*batch.all_in_front(), axis=shifted(batch.attrs["axis"], batch.rank()))


@rule("stack")
def along_new_axis(batch: Batch) -> Tensor:
    """Along an axis that the inputs have not got."""
    return batch.do(*batch.all_in_front(), axis=shifted(batch.attrs["axis"], batch.rank() + 1))


@rule("argmax", "argmin")
def place_along_axis(batch: Batch) -> Tensor:
    """Along one axis, or over all of an example."""
    if batch.attrs["axis"] is not None:
        return along_axis(batch)
    out = batch.do(reshape(batch.values[0], (batch.size, -1)), axis=1)
    return reshape(out, (batch.size, *batch.spec.shape))


def merged(x: Tensor) -> Tensor:
    """``x`` with its first two dimensions made one."""
    return reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def in_front(x: Tensor, axis: int) -> Tensor:
    """``x`` with ``axis`` moved to the front."""
    return x if axis == 0 else moveaxis(x, axis, 0)
