"""Tensors that outlive the step that made them."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, net, numbers, raises

HELD = "is still held"
CHANGED = "the step changed "


@raises(CHANGED)
def a_tensor_kept_in_an_attribute(compile):
    class Holder:
        last = None

    @compile
    def step(x):
        Holder.last = x * 2
        return x * 3

    for i in range(4):
        yield step(numbers(3, seed=i)), Holder.last


@raises(CHANGED)
def a_tensor_kept_in_a_list(compile):
    kept = []

    @compile
    def step(x):
        kept.append(x * 2)
        return x * 3

    for i in range(4):
        yield step(numbers(3, seed=i)), kept


@raises(CHANGED)
def a_tensor_kept_in_a_closure(compile):
    kept = gf.zeros(3)

    @compile
    def step(x):
        nonlocal kept
        kept = kept + x
        return x * 3

    for i in range(4):
        yield step(numbers(3, seed=i)), kept


@raises(CHANGED)
def a_tensor_kept_as_a_module_attribute(compile):
    model = net(4, 3)

    @compile
    def step(x):
        out = model(x)
        model.features = out * 2
        return out.sum().detach()

    for x, _ in batches(4):
        yield step(x), model.features.detach()


@raises(CHANGED)
def the_view_of_an_argument_kept(compile):
    kept = {}

    @compile
    def step(x):
        kept["row"] = x[0]
        return x * 3

    for i in range(4):
        yield step(numbers(3, 3, seed=i)), kept


@raises(CHANGED)
def the_argument_itself_kept(compile):
    kept = {}

    @compile
    def step(x):
        kept["x"] = x
        return x * 3

    for i in range(4):
        yield step(numbers(3, 3, seed=i)), kept


@raises(CHANGED)
def losses_summed_outside(compile):
    total = {"loss": gf.zeros(())}

    @compile
    def step(x):
        loss = (x * x).sum()
        total["loss"] = total["loss"] + loss
        return loss

    for i in range(4):
        yield step(numbers(3, seed=i)), total["loss"]


@raises(CHANGED)
def a_result_that_is_also_kept(compile):
    kept = {}

    @compile
    def step(x):
        kept["y"] = x * 3
        return kept["y"]

    for i in range(4):
        yield step(numbers(3, seed=i)), kept["y"]


@raises(CHANGED)
def the_bare_array_of_a_result_kept(compile):
    kept = {}

    @compile
    def step(x):
        y = x * 3
        kept["y"] = y.data
        return y

    for i in range(4):
        yield step(numbers(3, seed=i)), kept["y"]


@raises(CHANGED)
def a_gradient_put_where_nothing_looks(compile):
    w = numbers(3, requires_grad=True)
    kept = {}

    @compile
    def step(x):
        w.grad = None
        (w * x).sum().backward()
        kept["grad"] = w.grad

    for i in range(4):
        step(numbers(3, seed=i))
        yield kept["grad"]
