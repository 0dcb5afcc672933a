"""The rules of ``vmap`` for products, normalization and layers."""

from __future__ import annotations

from gradflow.dispatch import apply
from gradflow.ops.contract import LABELS, terms
from gradflow.ops.linalg import _matmul
from gradflow.ops.shape import reshape
from gradflow.tensor import Tensor
from gradflow.transforms.batching import Batch, merged, one_by_one, rule, shifted


@rule("linear")
def layer(batch: Batch) -> Tensor:
    """With one weight for all, all rows at once."""
    x, weight, bias = batch.values
    if not batch.mapped[1] and not batch.mapped[2]:
        return reshape(batch.do(merged(x), weight, bias), (batch.size, *batch.spec.shape))
    out = apply(_matmul, x, weight, transpose_a=False, transpose_b=True)
    return out if bias is None else out + batch.aligned(2, 2)


@rule("einsum")
def contraction(batch: Batch) -> Tensor:
    """The examples are one more label, of whichever operand has them, and of the result."""
    a, b, result = terms(batch.attrs["subscripts"])
    label = next(each for each in LABELS if each not in a + b + result)
    a, b = (label * mapped + each for mapped, each in zip(batch.mapped, (a, b), strict=True))
    return batch.do(*batch.values, subscripts=f"{a},{b}->{label}{result}")


@rule("bias_activation")
def activation(batch: Batch) -> Tensor:
    """With one bias for all as it is; otherwise example by example along the last dimension, which it has one for."""
    x, bias = batch.front(0), batch.values[1]
    if not batch.mapped[1]:
        return batch.do(x, bias)
    shape = batch.spec.shape
    columns = batch.size * shape[-1]
    rows = reshape(x, (batch.size, -1, shape[-1])) if x.size else reshape(x, (batch.size, 0, shape[-1]))
    side_by_side = reshape(rows.transpose(1, 0, 2), (-1 if columns else 0, columns))
    out = batch.do(side_by_side, reshape(bias, (columns,)))
    back = reshape(out, (rows.shape[1], batch.size, shape[-1])).transpose(1, 0, 2)
    return reshape(back, (batch.size, *shape))


@rule("standardize", "standardize_grad")
def normalized(batch: Batch) -> Tensor:
    """All of one example, as before; weights are aligned at the right."""
    axes = tuple(shifted(axis, batch.rank()) for axis in batch.attrs["axes"])
    rank = len(batch.spec.shape)
    full = [batch.specs[i].shape == batch.spec.shape for i in range(len(batch.values))]
    inputs = [batch.front(i) if whole else batch.aligned(i, rank) for i, whole in enumerate(full)]
    return batch.do(*inputs, axes=axes)


@rule("standardize_weight_grad")
def weight_gradient(batch: Batch) -> Tensor:
    """The weights of all examples are one weight with one more dimension."""
    axes = tuple(shifted(axis, batch.rank(1)) for axis in batch.attrs["axes"])
    shape = batch.attrs["shape"]
    aligned = (batch.size, *(1,) * (batch.rank(1) - len(shape)), *shape)
    out = batch.do(*(batch.front(i) for i in range(2)), axes=axes, shape=aligned)
    return reshape(out, (batch.size, *shape))


@rule("conv", "conv_input_grad", "fold", "unfold", "adaptive_max_index")
def images(batch: Batch) -> Tensor:
    """With one weight for all, the images of all examples are one batch of images."""
    x, *others = batch.values
    if any(batch.mapped[1:]):
        return one_by_one(batch)
    return reshape(batch.do(merged(x), *others), (batch.size, *batch.spec.shape))


@rule("conv_weight_grad", "convolve")
def weight_gradients(batch: Batch) -> Tensor:
    """Every example has sums over its own images, or a filter of its own."""
    return one_by_one(batch)


@rule("attention", "attention_grad")
def attention(batch: Batch) -> Tensor:
    """Queries, keys and values have the same leading dimensions; the mask, the last input, broadcasts."""
    *others, mask = range(len(batch.values))
    return batch.do(*map(batch.front, others), batch.aligned(mask, len(batch.spec.shape)))
