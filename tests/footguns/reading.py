"""Elements that are read inside a step."""

from __future__ import annotations

import warnings

import numpy as np

import gradflow as gf
from footguns import batches, each, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy

READS = "reads a tensor's elements"
TWICE = "run twice, the step did not do the same"


@each(
    {
        "item inside": lambda x: x.item(),
        "bool inside": bool,
        "a branch on a comparison": lambda x: 1 if x > 0 else 2,
        "float inside": float,
        "int inside": int,
        "an integer tensor as an index of a list": lambda x: [1, 2][x.argmax()],
        "tolist inside": lambda x: x.tolist(),
        "numpy inside": lambda x: x.numpy(),
        "asarray inside": np.asarray,
        "repr inside": repr,
        "an f string inside": lambda x: f"{x:.3f}",
        "min of tensors by python": lambda x: min([x, x + 1]),
        "a tensor in a list": lambda x: x in [x + 1, x + 2],
    },
    raises=READS,
)
def something_of_a_tensor_is_read(compile, read):
    @compile
    def step(x):
        y = x * 2
        read(y.sum())
        return y

    for i in range(4):
        yield step(numbers(3, seed=i))


def _written_by_a_mask(x):
    y = x * 2
    y[y > 0] = 0
    return y


MASKS = {
    "a mask as an index": lambda x: x[x > 0],
    "a mask to write by": _written_by_a_mask,
    "a mask as an index with the same batch twice": lambda x: x[x > 0].sum(),
}
BEHIND_THE_DOOR = {
    "the array itself read behind the door": lambda x: x * float(np.sum((x * 2).data)),
    "an array computed by numpy behind the door": lambda x: x + gf.tensor(np.sqrt(np.abs(x.data))),
}


@each(BEHIND_THE_DOOR, raises=TWICE)
@each(MASKS, raises=READS)
def elements_decide(compile, function):
    step = compile(function)
    for i in (0, 0, 1, 2) if function is MASKS["a mask as an index with the same batch twice"] else range(4):
        yield step(numbers(9, seed=i))


@raises(READS)
def an_argument_read_as_a_number(compile):
    @compile
    def step(x, k):
        return x * int(k)

    for i in range(4):
        yield step(numbers(3, seed=i), gf.tensor(i))


@raises(READS)
def an_assertion_about_a_loss(compile):
    model = net(4, 3)

    @compile
    def step(x, y):
        loss = cross_entropy(model(x), y)
        assert loss < 100
        return loss

    for x, y in batches(4):
        yield step(x, y).detach()


@raises(READS)
def clipping_that_raises_for_nonfinite_norms(compile):
    model = net(4, 3)

    @compile
    def step(x, y):
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        return gf.optim.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)

    for x, y in batches(4):
        yield step(x, y)


@equal(replays=0)
def a_read_with_fallback(compile):
    @compile(fallback=True)
    def step(x):
        return x * 2 if x.sum() > 0 else x * 3

    for i in range(5):
        with warnings.catch_warnings(action="ignore"):
            yield step(numbers(3, seed=i))
