"""Products that are done together with the loops over their results: what moves, what must not, and what comes out."""

from __future__ import annotations

import ast
import math
from itertools import pairwise

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.backend.native import fused_products
from gradflow.backend.native.fused_products import COLUMNS, ROWS, fuses
from gradflow.compiler.fused_products import with_fused_products
from gradflow.compiler.program import STATE, Storage, Value
from gradflow.compiler.works import Action, Boundary, Work, work_of
from gradflow.device import CPU
from gradflow.dtypes import float32
from gradflow.launch import Gemm
from gradflow.loop import ELEMENT, FusedProduct, Loop, Operand, Result, Statement
from gradflow.nn.functional import cross_entropy, mse_loss
from gradflow.testing.cases import tolerance
from native import address_of

pytestmark = pytest.mark.skipif(not native.available(), reason="llvmlite is not installed")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Products of all sizes gain from it, for this test."""
    monkeypatch.setattr(fused_products, "LARGE", 1)


def descent(g, p, columns):
    """A loop that subtracts ``g`` from ``p``."""
    operands = tuple(Operand(name, ELEMENT, float32, array) for name, array in (("g", g), ("p", p)))
    new = Statement("new", float32, ast.parse("p - 0.5 * g", mode="eval").body)
    return Loop(1, columns, operands, (new,), (Result("new", ELEMENT, float32, p),))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("rows", "columns", "depth"), [(4, 16, 1), (8, 48, 3), (36, 1024, 16), (300, 64, 64)])
def test_a_fused_product_is_the_product_and_the_loop(rng, rows, columns, depth, accumulate, threads):
    a, b = rng.standard_normal((depth, rows), np.float32), rng.standard_normal((depth, columns), np.float32)
    g, p = (rng.standard_normal((rows, columns), np.float32) for _ in range(2))
    product = a.astype(np.float64).T @ b + accumulate * g
    expected = p - 0.5 * product
    gemm = Gemm(a, b, g, transpose_a=True, accumulate=accumulate)
    before = gf.get_num_threads()
    gf.set_num_threads(threads)
    try:
        assert native.Program([FusedProduct(gemm, descent(g, p, g.size))], address_of).run() is None
    finally:
        gf.set_num_threads(before)
    close = tolerance(g.dtype, np.sqrt(depth))
    np.testing.assert_allclose(g, product, rtol=close, atol=close)
    np.testing.assert_allclose(p, expected, rtol=close, atol=close)


def matrix(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    "gemm",
    [
        Gemm(matrix(3, 8), matrix(16, 3), matrix(8, 16), transpose_a=True, transpose_b=True),
        Gemm(matrix(8, 3), matrix(3, 16), matrix(8, 16)),
        Gemm(matrix(3, 8), matrix(3, 24), matrix(8, 24), transpose_a=True),
        Gemm(matrix(3, 6), matrix(3, 16), matrix(6, 16), transpose_a=True),
        Gemm(matrix(65, 8), matrix(65, 16), matrix(8, 16), transpose_a=True),
        Gemm(*(matrix(*shape, dtype=np.float64) for shape in ((3, 8), (3, 16), (8, 16))), transpose_a=True),
    ],
    ids=["both", "upright", "columns", "rows", "deep", "float64"],
)
def test_other_products_are_left_to_blas(gemm):
    assert not fuses(gemm)


def test_small_products_stay_apart(monkeypatch):
    gemm = Gemm(matrix(3, ROWS), matrix(3, COLUMNS), matrix(ROWS, COLUMNS), transpose_a=True)
    assert fuses(gemm)
    monkeypatch.setattr(fused_products, "LARGE", ROWS * COLUMNS + 1)
    assert not fuses(gemm)


SIZES = (32, 16, 48, 6)
MAKERS = {
    "adam": lambda p: gf.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: gf.optim.AdamW(p, lr=0.01, amsgrad=True),
    "momentum": lambda p: gf.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd": lambda p: gf.optim.SGD(p, lr=0.1),
    "rmsprop": lambda p: gf.optim.RMSprop(p, lr=0.01),
    "lion": lambda p: gf.optim.Lion(p, lr=0.01),
}


def network():
    gf.manual_seed(0)
    layers = [layer for a, b in pairwise(SIZES) for layer in (gf.nn.Linear(a, b), gf.nn.ReLU())]
    return gf.nn.Sequential(*layers[:-1])


def steps(make, compiled, clip=None, twice=False):
    """The parameters, gradients and losses of some steps."""
    model = network()
    optimizer = make(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        if twice:
            cross_entropy(model(x * 2), y).backward()
        if clip is not None:
            gf.optim.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return loss

    run = gf.compile(step) if compiled else step
    rng = np.random.default_rng(1)
    losses = []
    for _ in range(4):
        losses.append(run(rng.standard_normal((5, SIZES[0]), np.float32), rng.integers(0, SIZES[-1], 5)).item())
    arrays = [x.detach().numpy() for p in model.parameters() for x in (p, p.grad)]
    return losses, arrays, [type(work.does) for work in run.plan.works] if compiled else []


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_whose_products_meet_the_optimizer_is_the_eager_step(name):
    losses, arrays, kinds = steps(MAKERS[name], compiled=True)
    expected_losses, expected, _ = steps(MAKERS[name], compiled=False)
    assert kinds.count(FusedProduct) == 2  # of 16 x 32 and 48 x 16; 6 rows are no blocks
    close = tolerance(np.dtype(np.float32), 32)
    np.testing.assert_allclose(losses, expected_losses, rtol=close, atol=close)
    for x, y in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=close, atol=close)


def test_what_reads_the_gradient_first_keeps_the_product_where_it_was():
    losses, arrays, kinds = steps(MAKERS["adam"], compiled=True, clip=0.1)
    expected_losses, expected, _ = steps(MAKERS["adam"], compiled=False, clip=0.1)
    assert FusedProduct not in kinds
    close = tolerance(np.dtype(np.float32), 32)
    for x, y in zip([losses, *arrays], [expected_losses, *expected], strict=True):
        np.testing.assert_allclose(x, y, rtol=close, atol=close)


def test_of_two_products_that_add_up_the_last_is_fused():
    losses, arrays, kinds = steps(MAKERS["sgd"], compiled=True, twice=True)
    expected_losses, expected, _ = steps(MAKERS["sgd"], compiled=False, twice=True)
    assert kinds.count(FusedProduct) == 2
    close = tolerance(np.dtype(np.float32), 32)
    for x, y in zip([losses, *arrays], [expected_losses, *expected], strict=True):
        np.testing.assert_allclose(x, y, rtol=close, atol=close)


def plan_and_result(function, *args):
    compiled = gf.compile(function)
    for _ in range(3):
        result = compiled(*args)
    return [type(work.does) for work in compiled.plan.works], result.numpy(), function(*args).numpy()


def test_halves_of_one_product_that_meet_each_other_are_not_cut(rng):
    x, y = (gf.tensor(rng.standard_normal((3, 32), np.float32)) for _ in range(2))
    kinds, result, expected = plan_and_result(lambda x, y: (g := x.T @ y)[:16] * g[16:], x, y)
    assert FusedProduct not in kinds
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_two_products_that_one_loop_multiplies_are_not_both_moved_into_it(rng):
    x, y = (gf.tensor(rng.standard_normal((3, 32), np.float32)) for _ in range(2))
    kinds, result, expected = plan_and_result(lambda x, y: (x.T @ y) * (y.T @ x), x, y)
    assert kinds.count(FusedProduct) <= 1
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_a_loop_over_a_part_of_a_product_leaves_it_whole(rng):
    x, y = (gf.tensor(rng.standard_normal((3, 32), np.float32)) for _ in range(2))
    kinds, result, expected = plan_and_result(lambda x, y: gf.exp((x.T @ y)[8:24]), x, y)
    assert FusedProduct not in kinds
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


class Steps:
    """Works on arrays of 3 x 32 (``a``, ``b``) and 32 x 32 (``g``, ``p``, ``q``), by name."""

    def __init__(self):
        self.values = {}
        for number, name in enumerate("abgpq"):
            shape = (3 if name in "ab" else 32, 32)
            self.values[name] = Value(Storage(STATE, number, 4 * math.prod(shape), CPU), shape, float32)

    def product(self, accumulate=False):
        a, b, g = (self.values[name] for name in "abg")
        return Work(Gemm(a, b, g, transpose_a=True, accumulate=accumulate), (), (a, b), (g,))

    def loop(self, read, written):
        x, y = self.values[read], self.values[written]
        return work_of(descent(x, y, x.size), ())


def kinds_after(make):
    steps = Steps()
    return [type(work.does) for work in with_fused_products(make(steps))]


def test_a_product_moves_down_to_its_loop():
    assert kinds_after(lambda s: [s.product(), s.loop("q", "p"), s.loop("g", "p")]) == [Loop, FusedProduct]


@pytest.mark.parametrize("between", [("g", "q"), ("q", "a"), ("p", "g")], ids=["reads it", "writes a", "writes it"])
def test_a_product_stays_before_what(between):
    assert kinds_after(lambda s: [s.product(), s.loop(*between), s.loop("g", "p")])[-1] is Loop


def test_a_product_that_is_added_to_another_one_does_not_change_places_with_it():
    steps = Steps()
    first, second = with_fused_products([steps.product(), steps.product(accumulate=True), steps.loop("g", "p")])
    assert not first.does.accumulate
    assert second.does.gemm.accumulate


@pytest.mark.parametrize("end", [Boundary(), Action(None)])
def test_a_product_stays_in_its_phase(end):
    assert kinds_after(lambda s: [s.product(), Work(end, (), (), ()), s.loop("g", "p")]) == [Gemm, type(end), Loop]


def test_a_loop_that_writes_a_factor_is_not_done_with_the_product():
    assert kinds_after(lambda s: [s.product(), s.loop("g", "a")]) == [Gemm, Loop]


def test_a_sum_over_the_product_keeps_them_apart(rng):
    x, y = (gf.tensor(rng.standard_normal((3, 32), np.float32)) for _ in range(2))
    kinds, result, expected = plan_and_result(lambda x, y: mse_loss(x.T @ y, y.T @ x), x, y)
    assert FusedProduct not in kinds
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_the_plan_and_its_cost_tell_of_them(rng):
    x, y = (gf.tensor(rng.standard_normal((3, 32), np.float32)) for _ in range(2))
    compiled = gf.compile(lambda x, y: gf.exp(x.T @ y) + 1)
    for _ in range(2):
        compiled(x, y)
    assert "product b0 = x0.T @ x1, with a loop over its elements: matmul exp add" in str(compiled.plan)
    assert compiled.plan.cost().flops == 2 * 32 * 32 * 3 + 2 * 32 * 32
