"""gf.compile from outside: what it takes, what it returns, when it traces, what it holds on to."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest

import gradflow as gf
from footguns import batches, net, numbers
from gradflow.compiler import Compiled, RetraceWarning, plan
from gradflow.compiler.compiled import PLANS
from gradflow.errors import CompileError
from gradflow.nn.functional import cross_entropy


def replays_of(compiled):
    """How many plans of a compiled function may be replayed."""
    return sum(each.verified for plans in compiled.plans.values() for each in plans)


def test_it_decorates_with_and_without_arguments():
    @gf.compile
    def double(x):
        """Twice x."""
        return x * 2

    @gf.compile(exact=True, fallback=True)
    def triple(x):
        return x * 3

    assert isinstance(double, Compiled)
    assert (double.__name__, double.__doc__, double.__wrapped__(2)) == ("double", "Twice x.", 4)
    assert (triple.exact, triple.fallback) == (True, True)
    for _ in range(3):
        assert double(gf.ones(2)).tolist() == [2.0, 2.0]
        assert triple(gf.ones(2)).tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x * 2, id="a lambda"),
        pytest.param(functools.partial(lambda k, x: x * k, 2), id="a partial"),
        pytest.param(functools.partial(lambda x, k: x * k, k=2), id="a partial with keywords"),
        pytest.param(functools.partial(gf.multiply, 2), id="an op"),
        pytest.param(gf.nn.LeakyReLU(2.0), id="a module"),
    ],
)
def test_it_compiles_whatever_can_be_called(function):
    compiled = gf.compile(function)
    for i in range(5):
        x = -gf.abs(numbers(4, seed=i))
        np.testing.assert_array_equal(compiled(x).numpy(), x.numpy() * 2)
    assert replays_of(compiled) == 1


def test_a_method_is_compiled_as_an_attribute_of_its_object():
    class Model:
        def __init__(self, k):
            self.k = k
            self.step = gf.compile(self.scaled)

        def scaled(self, x):
            return x * self.k

    for k in (2.0, 3.0):
        model = Model(k)
        assert [model.step(gf.ones(1)).item() for _ in range(4)] == [k] * 4


def test_a_method_decorated_in_its_class_is_bound_to_each_object():
    class Model:
        def __init__(self, k):
            self.k = k

        @gf.compile
        def scaled(self, x):
            return x * self.k

    two, three = Model(2.0), Model(3.0)
    for _ in range(4):
        assert (two.scaled(gf.ones(1)).item(), three.scaled(gf.ones(1)).item()) == (2.0, 3.0)
    two.k = 5.0
    assert two.scaled(gf.ones(1)).item() == 5.0


def test_a_compiled_module_has_the_attributes_of_the_module():
    module = net(4, 3)
    compiled = gf.compile(module)
    assert list(compiled.parameters()) == list(module.parameters())
    assert compiled.state_dict().keys() == module.state_dict().keys()
    compiled.eval()
    assert not module.training


def test_it_traces_two_calls_and_replays_the_third():
    def step(x):
        traced()
        return x * 2

    traced_count = iter(range(100))

    def traced():
        next(traced_count)

    compiled = gf.compile(step)
    for _ in range(6):
        compiled(gf.ones(2))
    assert next(traced_count) == 2
    assert len(compiled.reasons) == 2


def test_training_comes_to_what_it_comes_to_without():
    def trained(compile):
        gf.manual_seed(0)
        model = net(4, 8, 3)
        optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

        @compile
        def step(x, y):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return [step(x, y).item() for x, y in batches(30)]

    eager = trained(lambda f: f)
    assert trained(functools.partial(gf.compile, exact=True)) == eager
    np.testing.assert_allclose(trained(gf.compile), eager, rtol=0, atol=30 * gf.dtypes.tolerance(np.dtype("float32")))
    assert eager[-1] < eager[0]


def test_there_is_a_plan_for_each_signature_and_the_report_says_why():
    compiled = gf.compile(lambda x, k=1.0: x * k)
    for size in (2, 2, 2, 3, 3):
        compiled(gf.ones(size))
    compiled(gf.ones(3), k=2.0)
    assert compiled.reasons == [
        "the first call",
        "the second call, to see whether the step does the same again",
        "args[0] is float32 (3,), was float32 (2,)",
        "the second call, to see whether the step does the same again",
        "kwargs['k'] is 2.0, was absent",
    ]
    lines = compiled.explain().splitlines()
    assert lines[0].startswith("<lambda>: traced 5 times, 3 plans")
    assert sum("plan:" in line for line in lines) == 3


def test_the_report_names_the_python_value_that_changed():
    options = {"factor": 2.0}
    compiled = gf.compile(lambda x: x * options["factor"])
    for _ in range(3):
        compiled(gf.ones(2))
    options["factor"] = 3.0
    assert compiled(gf.ones(2)).tolist() == [3.0, 3.0]
    assert compiled.reasons[-1] == "options['factor'] was 2.0 and is 3.0"


def test_plans_are_kept_up_to_a_bound_and_the_oldest_go():
    compiled = gf.compile(lambda x: x * 2)
    with warnings.catch_warnings(action="ignore"):
        for size in range(1, PLANS + 4):
            compiled(gf.ones(size))
    assert sum(map(len, compiled.plans.values())) == PLANS
    assert compiled(gf.ones(1)).tolist() == [2.0]


def test_a_shape_that_changes_in_every_call_is_warned_of_after_the_third_time():
    compiled = gf.compile(lambda x: x * 2)
    for size in (1, 2, 3):
        compiled(gf.ones(size))
    with pytest.warns(RetraceWarning, match=r"traced for 4 kinds of arguments \(args\[0\] is float32 \(4,\)") as caught:
        compiled(gf.ones(4))
    assert caught[0].filename == __file__
    compiled(gf.ones(5))  # once is enough: warnings are errors here


def test_a_step_that_cannot_be_replayed_falls_back_and_says_so_once():
    compiled = gf.compile(lambda x: x * 2 if x.sum() > 0 else x * 3, fallback=True)
    with pytest.warns(RetraceWarning, match="bool reads a tensor's elements|item reads a tensor's elements") as caught:
        assert compiled(gf.ones(1)).item() == 2.0
    assert caught[0].filename == __file__
    assert compiled(-gf.ones(1)).item() == -3.0
    assert "run as it is" in compiled.explain()


def test_only_the_signature_that_cannot_be_replayed_falls_back():
    def step(x, look):
        return x * 2 if not look or x.sum() > 0 else x * 3

    compiled = gf.compile(step, fallback=True)
    with pytest.warns(RetraceWarning):
        compiled(gf.ones(1), True)
    for _ in range(4):
        compiled(gf.ones(1), False)
    assert replays_of(compiled) == 1
    assert compiled(-gf.ones(1), True).item() == -3.0


def test_a_replay_allocates_only_its_results(monkeypatch):
    compiled = gf.compile(lambda x: gf.tanh(x * 2) + 1, exact=True)
    for _ in range(3):
        compiled(gf.ones(1000))
    made = []
    monkeypatch.setattr(plan, "Replay", lambda *args: made.append(args))
    compiled(gf.ones(1000))
    assert made == []


def test_buffers_of_a_graph_come_back_when_its_results_are_gone():
    w = gf.ones(4, requires_grad=True)
    compiled = gf.compile(lambda x: gf.tanh(w * x).sum())
    for _ in range(3):
        compiled(gf.ones(4))
    held = [compiled(gf.ones(4)) for _ in range(3)]
    idle = compiled.plan._idle
    before = len(idle)
    del held
    assert len(idle) > before
    count = len(idle)
    for _ in range(5):
        compiled(gf.ones(4)).backward()
    assert len(idle) == count


def test_a_dropped_function_frees_its_buffers_without_the_garbage_collector():
    compiled = gf.compile(lambda x: gf.tanh(x * 2) + 1)
    for _ in range(3):
        compiled(gf.ones(4))
    gone = weakref.ref(compiled.plan._replay)
    gc.collect()
    gc.disable()
    try:
        del compiled
        assert gone() is None
    finally:
        gc.enable()


def test_arguments_are_not_held_when_a_call_has_returned():
    compiled = gf.compile(lambda x: x * 2)
    for _ in range(4):
        x = gf.ones(4)
        gone = weakref.ref(x)
        compiled(x)
        del x
        assert gone() is None


def test_a_deep_copy_is_compiled_anew():
    model = net(4, 3)
    compiled = gf.compile(model)
    with gf.no_grad():
        for x, _ in batches(3):
            before = compiled(x)
        twin = copy.deepcopy(compiled)
        assert twin.plans == {}
        assert twin.function is not model
        next(twin.function.parameters()).copy_(0.0)
        for _ in range(3):
            assert not np.array_equal(twin(x).numpy(), before.numpy())
            np.testing.assert_array_equal(compiled(x).numpy(), before.numpy())


def doubled(x):
    return x * 2


def test_a_pickled_one_is_compiled_anew():
    compiled = gf.compile(gf.nn.Linear(4, 3))
    x = gf.ones((2, 4))
    with gf.no_grad():
        expected = compiled(x)
        twin = pickle.loads(pickle.dumps(compiled))
        for _ in range(3):
            np.testing.assert_allclose(twin(x).numpy(), expected.numpy(), rtol=1e-6)


def test_inside_a_compiled_function_another_is_part_of_its_plan():
    inner = gf.compile(lambda x: x * 2)
    outer = gf.compile(lambda x: inner(x) + 1)
    for _ in range(4):
        assert outer(gf.ones(1)).item() == 3.0
    assert inner.plans == {}
    assert replays_of(outer) == 1


def test_settings_are_part_of_the_signature():
    compiled = gf.compile(lambda x: x * 2)
    w = gf.ones(2, requires_grad=True)
    for _ in range(3):
        assert compiled(w).requires_grad
    with gf.no_grad():
        assert not compiled(w).requires_grad


def test_without_a_plan_there_is_none_to_print():
    with pytest.raises(CompileError, match="<lambda> has no plan yet; call it first"):
        gf.compile(lambda x: x).plan  # noqa: B018
