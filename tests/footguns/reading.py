"""Elements that are read, tensors that outlive the step, and Python's state that it changes."""

from __future__ import annotations

import random
import time
import warnings

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy

READS = "reads a tensor's elements"
HELD = "is still held"
TWICE = "run twice, the step did not do the same"
CHANGED = "the step changed "


def _stepping(compile, read):
    """Calls of a step that reads something of a tensor."""

    @compile
    def step(x):
        y = x * 2
        read(y.sum())
        return y

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(READS)
def item_inside(compile):
    yield from _stepping(compile, lambda x: x.item())


@raises(READS)
def bool_inside(compile):
    yield from _stepping(compile, bool)


@raises(READS)
def a_branch_on_a_comparison(compile):
    yield from _stepping(compile, lambda x: 1 if x > 0 else 2)


@raises(READS)
def float_inside(compile):
    yield from _stepping(compile, float)


@raises(READS)
def int_inside(compile):
    yield from _stepping(compile, int)


@raises(READS)
def an_integer_tensor_as_an_index_of_a_list(compile):
    yield from _stepping(compile, lambda x: [1, 2][x.argmax()])


@raises(READS)
def tolist_inside(compile):
    yield from _stepping(compile, lambda x: x.tolist())


@raises(READS)
def numpy_inside(compile):
    yield from _stepping(compile, lambda x: x.numpy())


@raises(READS)
def asarray_inside(compile):
    yield from _stepping(compile, np.asarray)


@raises(READS)
def repr_inside(compile):
    yield from _stepping(compile, repr)


@raises(READS)
def an_f_string_inside(compile):
    yield from _stepping(compile, lambda x: f"{x:.3f}")


@raises(READS)
def min_of_tensors_by_python(compile):
    yield from _stepping(compile, lambda x: min([x, x + 1]))


@raises(READS)
def a_tensor_in_a_list(compile):
    yield from _stepping(compile, lambda x: x in [x + 1, x + 2])


@raises(READS)
def an_argument_read_as_a_number(compile):
    @compile
    def step(x, k):
        return x * int(k)

    for i in range(4):
        yield step(numbers(3, seed=i), gf.tensor(i))


@raises(READS)
def a_mask_as_an_index(compile):
    @compile
    def step(x):
        return x[x > 0]

    for i in range(4):
        yield step(numbers(9, seed=i))


@raises(READS)
def a_mask_to_write_by(compile):
    @compile
    def step(x):
        y = x * 2
        y[y > 0] = 0
        return y

    for i in range(4):
        yield step(numbers(9, seed=i))


@raises(TWICE)
def the_array_itself_read_behind_the_door(compile):
    @compile
    def step(x):
        return x * float(np.sum((x * 2).data))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(TWICE)
def an_array_computed_by_numpy_behind_the_door(compile):
    @compile
    def step(x):
        return x + gf.tensor(np.sqrt(np.abs(x.data)))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(READS)
def a_mask_as_an_index_with_the_same_batch_twice(compile):
    @compile
    def step(x):
        return x[x > 0].sum()

    for i in (0, 0, 1, 2):
        yield step(numbers(9, seed=i))


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


# ---- tensors that outlive the step


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


# ---- Python's state, changed inside


@raises(CHANGED)
def a_counter_in_a_closure(compile):
    count = 0

    @compile
    def step(x):
        nonlocal count
        count += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), count


@raises(CHANGED)
def a_counter_that_the_result_depends_on(compile):
    count = {"steps": 0}

    @compile
    def step(x):
        count["steps"] += 1
        return x * count["steps"]

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(CHANGED)
def a_list_that_grows(compile):
    history = []

    @compile
    def step(x):
        history.append(1)
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), len(history)


@raises(CHANGED)
def an_attribute_that_counts(compile):
    class State:
        def __init__(self):
            self.steps = 0

    state = State()

    @compile
    def step(x):
        state.steps += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), state.steps


@raises(CHANGED)
def a_module_that_counts_its_calls(compile):
    class Counting(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.inner = gf.nn.Linear(4, 3)

        def forward(self, x):
            self.calls += 1
            return self.inner(x).detach()

    model = Counting()
    step = compile(model)
    for x, _ in batches(4):
        yield step(x), model.calls


@raises(CHANGED)
def a_method_that_counts(compile):
    class Trainer:
        def __init__(self):
            self.steps = 0

        def step(self, x):
            self.steps += 1
            return x * 2

    trainer = Trainer()
    step = compile(trainer.step)
    for i in range(4):
        yield step(numbers(3, seed=i)), trainer.steps


@raises(CHANGED)
def a_class_attribute_that_counts(compile):
    class Counter:
        steps = 0

    @compile
    def step(x):
        Counter.steps += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), Counter.steps


@raises(TWICE)
def a_generator_that_is_advanced(compile):
    factors = iter([1.0, 2.0, 3.0, 4.0, 5.0])

    @compile
    def step(x):
        return x * next(factors)

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("draws from the random numbers of numpy.random")
def numpy_random_numbers_inside(compile):
    @compile
    def step(x):
        return x + gf.tensor(np.random.standard_normal(3).astype(np.float32))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("draws from the random numbers of numpy.random")
def a_numpy_random_number_as_a_scalar(compile):
    @compile
    def step(x):
        return x * float(np.random.random())

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(TWICE)
def the_time_of_day_inside(compile):
    began = time.perf_counter()

    @compile
    def step(x):
        return x * (time.perf_counter() - began)

    step(gf.ones(3))
    step(gf.ones(3))
    yield ()


@raises(CHANGED)
def train_and_eval_switched_inside(compile):
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    @compile
    def step(x):
        model.train(not model.training)
        return model(x).detach()

    for x, _ in batches(4):
        yield step(x)


@equal()
def train_and_eval_switched_inside_and_back(compile):
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    @compile
    def step(x):
        model.eval()
        calm = model(x).detach()
        model.train()
        return calm, model(x).detach()

    for x, _ in batches(5):
        yield step(x)


@raises(CHANGED)
def requires_grad_switched_inside(compile):
    model = net(4, 3)

    @compile
    def step(x):
        for p in model.parameters():
            p.requires_grad_(not p.requires_grad)
        return model(x).detach()

    for x, _ in batches(4):
        yield step(x), [p.requires_grad for p in model.parameters()]


@raises(CHANGED)
def data_replaced_inside(compile):
    w = numbers(3)

    @compile
    def step(x):
        w.data = (w * x).data

    for i in range(4):
        step(numbers(3, seed=i))
        yield w


@raises("draws from the random numbers of random")
def layers_left_out_at_random(compile):
    model = net(4, 4)

    @compile
    def step(x):
        return model(x).detach() if random.random() < 0.9 else x * 1

    random.seed(1)
    for x, _ in batches(4):
        yield step(x)


@raises("draws from the random numbers of numpy.random")
def numpy_deciding_at_random(compile):
    @compile
    def step(x):
        return x * 2 if np.random.random() < 0.999 else x * 3

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("the step returns a ndarray")
def an_array_as_a_result(compile):
    count = iter(range(9))

    @compile
    def step(x):
        return x * 2, np.full(3, next(count))

    for i in range(4):
        yield step(numbers(3, seed=i))
