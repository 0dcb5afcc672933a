"""The rules of ``vmap`` for losses: elementwise ones are reduced afterwards, those of rows are done one by one."""

from __future__ import annotations

from gradflow.ops.shape import broadcast_to, reshape
from gradflow.shapes import broadcast, size_of
from gradflow.tensor import Tensor
from gradflow.transforms.batching import Batch, elementwise, one_by_one, rule

SUMS = {"sum": 1, "half": 0.5}  # what sums are multiplied by
ELEMENTWISE = ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


@rule(*ELEMENTWISE)
def reduced(batch: Batch) -> Tensor:
    """A loss for each element, then the sum or the mean of those of an example."""
    how = batch.attrs["reduction"]
    shape = broadcast("vmap", *(spec.shape for spec in batch.specs if not spec.absent))
    each = elementwise(
        batch._replace(attrs={**batch.attrs, "reduction": "none"}, spec=batch.spec._replace(shape=shape))
    )
    if how == "none":
        return each
    axes = tuple(range(1, each.ndim))
    return each.mean(axes) if how == "mean" else each.sum(axes) * SUMS[how]


@rule(*(f"{name}_grad" for name in ELEMENTWISE))
def gradient_of_reduced(batch: Batch) -> Tensor:
    """The gradient of a mean or sum is that of each element, times the gradient of the mean or sum."""
    how = batch.attrs["reduction"]
    shape = broadcast("vmap", *(spec.shape for spec in batch.specs[1:] if not spec.absent))
    values, specs = list(batch.values), list(batch.specs)
    if how != "none":
        g = values[0] / (size_of(shape) or 1) if how == "mean" else values[0] * SUMS[how]
        values[0] = g
        if not batch.rank(0):
            values[0] = broadcast_to(reshape(g, (*g.shape, *(1,) * len(shape))), (*g.shape, *shape))
            specs[0] = specs[0]._replace(shape=shape)
    attrs = {**batch.attrs, "reduction": "none"}
    return elementwise(batch._replace(values=values, specs=specs, attrs=attrs, spec=batch.spec._replace(shape=shape)))


@rule(
    "cross_entropy", "cross_entropy_grad", "soft_cross_entropy", "soft_cross_entropy_grad",
    "nll_loss", "nll_loss_grad", "class_targets",
)  # fmt: skip
def weighed_by_labels(batch: Batch) -> Tensor:
    """A loss over labelled rows is weighed by the labels of its own example."""
    return one_by_one(batch)
