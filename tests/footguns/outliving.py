"""Tensors that outlive the step that made them."""

from __future__ import annotations

import gradflow as gf
from footguns import called, net, numbers, raises

CHANGED = "the step changed "
FEW = called(4, (3,))


@raises(CHANGED)
@FEW
def a_tensor_kept_in_an_attribute():
    class Holder:
        last = None

    def step(x):
        Holder.last = x * 2
        return x * 3

    return step, lambda: Holder.last


@raises(CHANGED)
@FEW
def a_tensor_kept_in_a_list():
    kept = []

    def step(x):
        kept.append(x * 2)
        return x * 3

    return step, lambda: kept


@raises(CHANGED)
@FEW
def a_tensor_kept_in_a_closure():
    kept = gf.zeros(3)

    def step(x):
        nonlocal kept
        kept = kept + x
        return x * 3

    return step, lambda: kept


@raises(CHANGED)
@called(4, (6, 4))
def a_tensor_kept_as_a_module_attribute():
    model = net(4, 3)

    def step(x):
        out = model(x)
        model.features = out * 2
        return out.sum().detach()

    return step, lambda: model.features * 1


@raises(CHANGED)
@called(4, (3, 3))
def the_view_of_an_argument_kept():
    kept = {}

    def step(x):
        kept["row"] = x[0]
        return x * 3

    return step, lambda: kept


@raises(CHANGED)
@called(4, (3, 3))
def the_argument_itself_kept():
    kept = {}

    def step(x):
        kept["x"] = x
        return x * 3

    return step, lambda: kept


@raises(CHANGED)
@FEW
def losses_summed_outside():
    total = {"loss": gf.zeros(())}

    def step(x):
        loss = (x * x).sum()
        total["loss"] = total["loss"] + loss
        return loss

    return step, lambda: total["loss"]


@raises(CHANGED)
@FEW
def a_result_that_is_also_kept():
    kept = {}

    def step(x):
        kept["y"] = x * 3
        return kept["y"]

    return step, lambda: kept["y"]


@raises(CHANGED)
@FEW
def the_bare_array_of_a_result_kept():
    kept = {}

    def step(x):
        y = x * 3
        kept["y"] = y.data
        return y

    return step, lambda: kept["y"]


@raises(CHANGED)
@FEW
def a_gradient_put_where_nothing_looks():
    w = numbers(3, requires_grad=True)
    kept = {}

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        kept["grad"] = w.grad

    return step, lambda: kept["grad"]
