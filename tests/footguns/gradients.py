"""Gradients: added up, held, dropped, replaced, of second order, of results, backward twice and never."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy
from gradflow.tape import gradients


def _made(lr=0.1):
    model = net(4, 5, 3)
    return model, gf.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def _adding(compile, before, after, between=lambda i, model, optimizer: None, calls=8):
    model, optimizer = _made()

    @compile
    def step(x, y):
        if before:
            optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if after:
            optimizer.zero_grad()
        return loss

    for i, (x, y) in enumerate(batches(calls)):
        between(i, model, optimizer)
        yield step(x, y).detach(), model, optimizer


@equal(replays=4)
def gradients_never_dropped(compile):
    yield from _adding(compile, before=False, after=False)


@equal(replays=4)
def gradients_dropped_at_the_end(compile):
    yield from _adding(compile, before=False, after=True)


@equal(replays=4)
def gradients_dropped_twice(compile):
    yield from _adding(compile, before=True, after=True)


@equal(replays=2)
def gradients_dropped_outside_every_second_call(compile):
    def between(i, model, optimizer):
        if i % 2 == 0:
            optimizer.zero_grad()

    yield from _adding(compile, False, False, between)


@equal(replays=4)
def gradients_dropped_outside_before_each_call(compile):
    yield from _adding(compile, False, False, lambda i, model, optimizer: optimizer.zero_grad())


@equal(replays=4)
def gradients_set_to_zero_outside(compile):
    yield from _adding(compile, False, False, lambda i, model, optimizer: optimizer.zero_grad(set_to_none=False))


@equal(replays=4)
def gradients_set_to_zero_inside(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad(set_to_none=False)
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(8):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def gradients_added_up_over_parts_of_a_batch(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        for i in range(0, 6, 2):
            (cross_entropy(model(x[i : i + 2]), y[i : i + 2]) / 3).backward()
        optimizer.step()

    for x, y in batches(6):
        step(x, y)
        yield model, optimizer


@equal(replays=4)
def forward_and_update_compiled_apart(compile):
    model, optimizer = _made()

    @compile
    def collect(x, y):
        loss = cross_entropy(model(x), y)
        loss.backward()
        return loss

    @compile
    def update():
        optimizer.step()
        optimizer.zero_grad()

    for i, (x, y) in enumerate(batches(12)):
        yield collect(x, y).detach(), model, optimizer
        if i % 2:
            update()
            yield model, optimizer


@equal(replays=3)
def gradients_held_by_the_user(compile):
    model, optimizer = _made()
    held = []

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(7):
        step(x, y)
        held.append([p.grad for p in model.parameters()])
        yield held


@equal(replays=3)
def gradients_of_plain_leaves_held_by_the_user(compile):
    w = numbers(4, requires_grad=True)
    held = []

    @compile
    def step(x):
        w.grad = None
        (w * w * x).sum().backward()

    for i in range(7):
        step(numbers(4, seed=i))
        held.append(w.grad)
        yield held


@equal(replays=3)
def gradients_written_by_the_user(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(7):
        step(x, y)
        yield model, optimizer
        for p in model.parameters():
            p.grad.copy_(float("nan"))


@equal(replays=3)
def gradients_set_to_none_by_the_user(compile):
    def between(i, model, optimizer):
        next(model.parameters()).grad = None

    yield from _adding(compile, True, False, between)


@equal(replays=3)
def gradients_replaced_by_the_user_and_dropped(compile):
    def between(i, model, optimizer):
        for p in model.parameters():
            p.grad = gf.ones_like(p)

    yield from _adding(compile, True, False, between)


@raises("reads the gradient")
def gradients_replaced_by_the_user_and_used(compile):
    def between(i, model, optimizer):
        for p in model.parameters():
            p.grad = gf.full(p.shape, float(i))

    yield from _adding(compile, False, False, between)


@raises("reads the gradient")
def gradients_made_by_numpy_for_a_compiled_update(compile):
    model, optimizer = _made()
    update = compile(optimizer.step)
    for i in range(6):
        for p in model.parameters():
            p.grad = numbers(*p.shape, seed=i)
        update()
        yield model, optimizer


@equal(replays=2)
def an_update_alone(compile):
    model, optimizer = _made()

    @compile
    def update():
        optimizer.step()

    for x, y in batches(6):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        update()
        yield model, optimizer


@equal(replays=3)
def only_some_parameters_have_gradients(compile):
    model = net(4, 5, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = (model[0](x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def parameters_that_have_gradients_in_turn(compile):
    model = net(4, 5, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y, first):
        optimizer.zero_grad()
        loss = (model[0](x) ** 2).mean() if first else cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(12)):
        yield step(x, y, i % 2 == 0).detach(), model, optimizer


# ---- higher orders, and graphs that are kept


@equal(replays=3)
def a_gradient_of_a_gradient(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        grads = gradients(loss, list(model.parameters()), create_graph=True)
        (loss + sum((g * g).sum() for g in grads)).backward()
        optimizer.step()
        return loss

    for x, y in batches(6):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def backward_with_create_graph(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        (w * w * w * x).sum().backward(create_graph=True)
        first = w.grad
        w.grad = None
        (first * first).sum().backward()
        return first.detach()

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def a_graph_kept_and_swept_twice(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        y = (w * w * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        return y.detach()

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def gradients_with_respect_to_inputs(compile):
    model = net(4, 3)

    @compile
    def step(x):
        x = x.detach().requires_grad_()
        (g,) = gradients(model(x).sum(), [x])
        return g

    for x, _ in batches(6):
        yield step(x)


@equal(replays=3)
def a_retained_gradient(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        h = w * x
        h.retain_grad()
        (h * h).sum().backward()
        return h.grad

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def nothing_recorded_inside(compile):
    model = net(4, 3)

    @compile
    def step(x):
        with gf.no_grad():
            a = model(x)
            with gf.enable_grad():
                b = model(x)
        return a, b.sum()

    for x, _ in batches(6):
        a, b = step(x)
        b.backward()
        yield a, a.requires_grad, model
        model.zero_grad()


# ---- graphs of results


def _differentiated(compile, after, calls=6, **options):
    w = numbers(4, requires_grad=True)

    @compile(**options)
    def function(x):
        return gf.tanh(w * x) * gf.tensor([1.0, 2.0, 3.0, 4.0]), (w * w).sum()

    for i in range(calls):
        w.grad = None
        x = numbers(3, 4, seed=i, requires_grad=True)
        yield after(*function(x), function), w, x


@equal(replays=3)
def a_result_differentiated(compile):
    yield from _differentiated(compile, lambda y, z, _: (y.sum().backward(), y.detach()))


@equal(replays=3)
def both_results_differentiated_together(compile):
    yield from _differentiated(compile, lambda y, z, _: ((y * z).sum().backward(), y.detach()))


@equal(replays=3)
def both_results_differentiated_one_by_one(compile):
    yield from _differentiated(compile, lambda y, z, _: (y.sum().backward(retain_graph=True), z.backward()))


@equal(replays=3)
def both_results_differentiated_in_the_other_order(compile):
    yield from _differentiated(compile, lambda y, z, _: (z.backward(), (y * y.detach()).sum().backward()))


@equal(replays=3)
def a_result_used_twice(compile):
    yield from _differentiated(compile, lambda y, z, _: (y * y + y.sum() * z).sum().backward())


@equal(replays=3)
def a_result_given_a_gradient(compile):
    yield from _differentiated(compile, lambda y, z, _: y.backward(numbers(4, 3, seed=5).T))


@equal(replays=3)
def a_result_differentiated_after_other_calls(compile):
    def after(y, z, function):
        for i in range(3):
            function(numbers(3, 4, seed=20 + i, requires_grad=True))
        (y.sum() + z).backward()
        return y.detach()

    yield from _differentiated(compile, after, calls=4)


@equal(replays=3)
def a_result_swept_twice_with_its_graph_kept(compile):
    yield from _differentiated(compile, lambda y, z, _: (y.sum().backward(retain_graph=True), y.sum().backward()))


@equal(replays=3)
def a_result_swept_twice_without(compile):
    def after(y, z, _):
        z.backward()
        try:
            z.backward()
        except gf.errors.GradientError:
            return "refused"
        return "done"

    yield from _differentiated(compile, after)


@equal(replays=3)
def results_never_differentiated(compile):
    yield from _differentiated(compile, lambda y, z, _: y.detach())


@equal(replays=3)
def results_held_and_differentiated_at_the_end(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    held = [function(numbers(3, 4, seed=i)) for i in range(6)]
    sum(held).backward()
    yield [y.detach() for y in held], w


@equal(replays=3)
def results_differentiated_from_the_last_to_the_first(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    held = [function(numbers(3, 4, seed=i)) for i in range(6)]
    for y in reversed(held):
        y.backward()
        yield y.detach(), w


@equal(replays=2)
def a_parameter_written_between_forward_and_backward(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    for i in range(5):
        y = function(numbers(3, 4, seed=i))
        with gf.no_grad():
            w.multiply_(0.9)
        try:
            y.backward()
        except gf.errors.GradientError:
            yield "refused", w
        else:
            yield "done", w


@equal(replays=3)
def an_argument_written_between_forward_and_backward(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    for i in range(5):
        x = numbers(3, 4, seed=i)
        y = function(x)
        x.multiply_(2)
        try:
            y.backward()
        except gf.errors.GradientError:
            yield "refused", w
        else:
            yield "done", w


@equal(replays=3)
def a_compiled_model_trained_outside(compile):
    model, optimizer = _made()
    forward = compile(model)
    for x, y in batches(7):
        optimizer.zero_grad()
        loss = cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()
        yield loss.detach(), model, optimizer


@equal(replays=3)
def compiled_layers_that_follow_each_other(compile):
    model, optimizer = _made()
    first, second = compile(model[0]), compile(lambda h: model[2](gf.tanh(h)))
    for x, y in batches(7):
        optimizer.zero_grad()
        loss = cross_entropy(second(first(x)), y)
        loss.backward()
        optimizer.step()
        yield loss.detach(), model, optimizer


@equal(replays=3)
def a_compiled_function_called_twice_before_backward(compile):
    model, optimizer = _made()
    forward = compile(model)
    for x, y in batches(7):
        optimizer.zero_grad()
        loss = (
            cross_entropy(forward(x), y) + (forward(x * 2) ** 2).mean() + (forward(forward(x)[:, [0, 1, 2, 0]])).mean()
        )
        loss.backward()
        optimizer.step()
        yield loss.detach(), model, optimizer


@equal(replays=3)
def a_captured_tensor_that_was_computed(compile):
    w = numbers(4, requires_grad=True)
    for i in range(2):
        h = w * 2
        function = compile(lambda x: (gf.tanh(h) * x).sum())  # noqa: B023
        for j in range(4):
            w.grad = None
            h2 = function(numbers(4, seed=4 * i + j))
            if j < 3:
                h2.backward(retain_graph=True)
            yield h2.detach(), w


@equal(replays=3)
def a_mask_in_the_graph_of_a_result(compile):
    w = numbers(4, 4, requires_grad=True)
    function = compile(lambda x: (x @ (w * gf.tril(gf.ones((4, 4))))).sum())
    for i in range(6):
        y = function(numbers(3, 4, seed=i))
        y.backward()
        yield y.detach(), w


@raises("create_graph", gf.errors.GradientError)
def a_result_differentiated_with_create_graph(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (w * w * x).sum())
    for i in range(5):
        w.grad = None
        function(numbers(4, seed=i)).backward(create_graph=True)
        yield w.grad.detach()
