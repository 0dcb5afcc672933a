"""Plans: what is left out, what becomes one loop, where buffers lie, what is printed, what it costs."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from footguns import batches, net, numbers
from gradflow.backend import native
from gradflow.compiler.plan import Plan
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy, Loop
from gradflow.nn.functional import cross_entropy
from gradflow.testing.poison import PoisonedReplay, poison

fused = pytest.mark.skipif(not native.available(), reason="llvmlite is not installed")


def plan_of(function, *args, **options) -> Plan:
    """The plan of a function after two calls."""
    compiled = gf.compile(function, **options)
    for _ in range(2):
        compiled(*args)
    return compiled.plan


def calls_of(plan):
    """The names of the calls that a plan does, work by work."""
    return [[call.name for call in work.calls] for work in plan.works]


def training(size=(4, 5, 3), make=lambda p: gf.optim.Adam(p, lr=0.01)):
    model = net(*size)
    optimizer = make(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def test_what_nobody_reads_is_not_computed():
    def step(x):
        gf.exp(x) @ x.T
        return x + 1

    assert calls_of(plan_of(step, gf.ones((2, 2)), exact=True)) == [["add"]]


def test_what_is_written_in_place_is_computed_though_nobody_reads_it_here():
    total = gf.zeros(2)

    def step(x):
        total.add_(gf.exp(x))

    assert calls_of(plan_of(step, gf.ones(2), exact=True)) == [["exp"], ["add_"]]


def test_equal_calls_are_done_once():
    plan = plan_of(lambda x: gf.exp(x) * 2 + gf.exp(x) * 2, gf.ones(2), exact=True)
    assert calls_of(plan) == [["exp"], ["multiply"], ["add"]]


def test_equal_calls_are_done_twice_if_what_they_read_was_written_between():
    state = gf.ones(2)

    def step(x):
        a = gf.exp(state)
        state.add_(x)
        return a + gf.exp(state)

    assert calls_of(plan_of(step, gf.ones(2), exact=True)).count(["exp"]) == 2


def test_products_with_one_are_left_out():
    plan = plan_of(lambda x: (gf.exp(x) * gf.ones(2)) / 1.0 + 1, gf.ones(2), exact=True)
    assert calls_of(plan) == [["exp"], ["add"]]


def test_views_cost_nothing():
    plan = plan_of(lambda x: (x.T.reshape(2, 3)[1:] * 2).sum(), gf.ones((2, 3)).T, exact=True)
    assert [names for names in calls_of(plan) if names[0] in ("transpose", "permute_dims", "getitem", "reshape")] == []


@fused
def test_a_chain_of_elements_with_its_sums_is_one_loop():
    plan = plan_of(lambda x: (gf.tanh(x * 2 + 1) ** 2).mean(), numbers(8, 4))
    (work,) = plan.works
    assert isinstance(work.does, Loop)
    assert [call.name for call in work.calls][-1] == "mean"


@fused
def test_bias_and_activation_are_one_loop_and_so_are_their_gradients():
    _, _, step = training()
    plan = plan_of(step, *next(batches(1)))
    kinds = [type(work.does) for work in plan.works]
    assert kinds.count(Gemm) == 5  # two forward, two for weights, one for what is before
    assert kinds.count(CrossEntropy) == 1
    assert calls_of(plan)[-2:] == [["adam_update"], ["adam_update"]]  # of the numbers that all share, and of each
    loops = [names for names, work in zip(calls_of(plan), plan.works, strict=True) if isinstance(work.does, Loop)]
    assert ["add", "tanh"] in loops
    assert all(kind in (Gemm, CrossEntropy, Loop) for kind in kinds)


@fused
def test_a_write_between_is_not_moved_over():
    state = numbers(4)

    def step(x):
        a = state * x
        state.add_(x.sum(axis=0))
        return a + state

    compiled, twin = gf.compile(step), numbers(4)
    for i in range(5):
        x = numbers(3, 4, seed=i)
        expected = twin.numpy() * x.numpy()
        twin.add_(x.sum(axis=0))
        np.testing.assert_allclose(compiled(x).numpy(), expected + twin.numpy(), rtol=1e-5)


def test_buffers_that_are_not_needed_together_share_memory():
    def step(x):
        for _ in range(10):
            x = x @ x
        return x

    plan = plan_of(step, gf.zeros((16, 16)))
    assert plan.layout.nbytes <= 3 * 16 * 16 * 4


def test_no_two_buffers_that_live_together_overlap():
    _, _, step = training((4, 7, 6, 3))
    plan = plan_of(step, *next(batches(1)))
    born, dead = {}, {}
    for number, work in enumerate(plan.works):
        for value in (*work.reads, *work.writes):
            if value.storage in plan.layout.places:
                born.setdefault(value.storage, number)
                dead[value.storage] = number
    for a, begin in plan.layout.places.items():
        for b, other in plan.layout.places.items():
            if a is not b and begin < other + b.nbytes and other < begin + a.nbytes:
                assert dead[a] <= born[b] or dead[b] <= born[a]


def test_gradients_land_in_the_memory_of_the_optimizer():
    model, _, step = training()
    compiled = gf.compile(step)
    for x, y in batches(4):
        compiled(x, y)
    for p in model.parameters():
        assert p.grad.data is not None
        assert np.shares_memory(p.grad.data, p.grad_slot.tensor.data)
    weights = [p.grad_slot.tensor.data for p in model.parameters() if p.ndim == 2]
    outs = [work.does.out for work in compiled.plan.works if isinstance(work.does, Gemm)]
    arenas = [x for x in outs if x.storage.origin == "state"]
    assert len(arenas) == (len(weights) if native.available() else 0)


def test_a_plan_prints_as_a_program():
    _, _, step = training()
    lines = str(plan_of(step, *next(batches(1)))).splitlines()
    assert lines[0].startswith("plan: ")
    assert "takes    x0: float32 (6, 4)" in lines[1]
    assert "takes    x1: int64 (6,)" in lines[2]
    assert any(line.strip().startswith("returns  b") and "float32 ()" in line for line in lines)
    assert "leaves   gradients: 4 in the memory of an optimizer" in lines[-1]
    assert sum(" makes " in line and line.endswith(" bytes") for line in lines) == len(
        [line for line in lines if line[:5].strip().isdigit()]
    )


@fused
def test_a_plan_prints_its_loops_with_what_they_stand_for():
    text = str(plan_of(lambda x: (gf.tanh(x) * 2).sum(), numbers(8, 4)))
    assert "fused, by LLVM" in text
    assert "loop over 1 x 32: tanh multiply sum" in text
    assert "tanh(x0)" in text


def test_an_exact_plan_prints_its_calls():
    text = str(plan_of(lambda x: gf.tanh(x) * 2, numbers(8), exact=True))
    assert "call by call, with the bits of eager code" in text
    assert "call tanh(x0)" in text
    assert "call multiply(b0, 2)" in text


def test_the_cost_is_known_before_it_runs():
    cost = plan_of(lambda a, b: a @ b, gf.ones((3, 4)), gf.ones((4, 5)), exact=False).cost()
    assert cost.bytes == 4 * (12 + 20 + 15)
    assert cost.launches == 1
    assert cost.peak_bytes == 256  # 60, in whole pieces
    if native.available():
        assert cost.flops == 2 * 3 * 4 * 5


@fused
def test_fusion_moves_fewer_bytes():
    def step(x):
        return ((gf.tanh(x * 2 + 1) - x) * x).mean()

    x = numbers(64, 64)
    apart, together = plan_of(step, x, exact=True).cost(), plan_of(step, x).cost()
    assert together.bytes < 0.25 * apart.bytes
    assert together.launches < apart.launches
    assert together.peak_bytes < apart.peak_bytes


def test_poison_is_found_in_results_of_a_layout_that_is_wrong(monkeypatch):
    """The poisoned replay itself: a buffer that is called free too early spoils what is read from it."""
    from gradflow.compiler import plan as plans

    def hasty(works, kept):
        found = layout(works, kept)
        early = [found.dead_after[-1], *found.dead_after[:-1]]
        early[0] = [value.storage for value in works[0].writes]
        return found._replace(dead_after=early)

    layout = plans.layout
    monkeypatch.setattr(plans, "layout", hasty)
    monkeypatch.setattr(plans, "Replay", PoisonedReplay)
    compiled = gf.compile(lambda x: gf.exp(x) @ x, exact=True)
    for _ in range(2):
        compiled(gf.ones((2, 2)))
    assert np.isnan(compiled(gf.ones((2, 2))).numpy()).all()


def test_poison_is_what_no_result_should_be():
    assert np.isnan(poison(np.dtype("float32")))
    assert poison(np.dtype("int8")) == -128
    assert poison(np.dtype("bool")) is True
