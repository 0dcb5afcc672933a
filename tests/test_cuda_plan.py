"""Prepared works on the simulated device: launch lists and CUDA graphs, against NumPy, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradflow as gf
from generated import loop
from gradflow.backend.cuda import CudaBackend
from gradflow.compiler.cuda_plan import CudaPlan
from gradflow.compiler.cuda_steps import OpCall, Python, Work
from gradflow.device import Device
from gradflow.errors import CompileError, IndexOutOfRange, KernelError
from gradflow.launch import Gemm
from gradflow.loop import COLUMN, COLUMN_SUM, ROW, TOTAL
from gradflow.op import OPS
from gradflow.testing import device
from gradflow.testing.cases import tolerance

SIZES, BATCH = (20, 32, 16, 10), 24
CUDA = Device("cuda", 0)


@pytest.fixture
def gpu(simulated: Any) -> Iterator[Any]:
    """The simulated backend, in use."""
    with device.serving(simulated):
        yield simulated


class Net(NamedTuple):
    """A net's arrays on the device, one step of it as works, and the same arrays in float64 on the host."""

    works: list[Work]
    weights: list[Any]
    biases: list[Any]
    loss: Any
    x: Any
    labels: Any


def net(xp: Any, rng: Any) -> Net:
    """A step of an MLP, as a compiler makes it: products, loops around them, one update."""
    up, empty = xp.asarray, lambda *shape: xp.empty(shape, "f4")
    pairs = list(pairwise(SIZES))
    weights = [up(rng.standard_normal((n, m)).astype("f4") * np.float32(0.3)) for n, m in pairs]
    biases = [up(rng.standard_normal(m).astype("f4")) for _, m in pairs]
    x = up(rng.standard_normal((BATCH, SIZES[0])).astype("f4"))
    labels = up(rng.integers(0, SIZES[-1], BATCH))
    outs = [empty(BATCH, m) for _, m in pairs]
    dw, db = [empty(*w.shape) for w in weights], [empty(*b.shape) for b in biases]
    loss, last = empty(), len(pairs) - 1
    works: list[Work] = []
    for i in range(len(pairs)):
        works.append(Gemm(outs[i - 1] if i else x, weights[i], outs[i]))
        if i < last:
            given = {"z": outs[i], "b": (COLUMN, biases[i])}
            works.append(loop(outs[i].shape, given, "y = maximum(z + b, 0)", {"y": outs[i]}))
    text = f"""
        z = x + b
        m = max over z
        e = exp(z - m)
        s = sum over e
        hit = sum over where(column == label, z - m, 0)
        nll = log(s) - hit
        d = (e / s - (column == label)) / {BATCH}
    """
    given = {"x": outs[last], "b": (COLUMN, biases[last]), "label": (ROW, labels)}
    keep = {"nll": (TOTAL, loss, 1 / BATCH / SIZES[-1]), "d": outs[last], "d'": (COLUMN_SUM, db[last])}
    works.append(loop(outs[last].shape, given, text, keep))
    for i in range(last, -1, -1):
        works.append(Gemm(outs[i - 1] if i else x, outs[i], dw[i], transpose_a=True))
        if i:
            g = empty(*outs[i - 1].shape)
            works.append(Gemm(outs[i], weights[i], g, transpose_b=True))
            given = {"g": g, "y": outs[i - 1]}
            keep = {"d": outs[i - 1], "d'": (COLUMN_SUM, db[i - 1])}
            works.append(loop(g.shape, given, "d = g * (y > 0)", keep))
    rate = up(np.float64(0.01))
    calls = []
    for p, g in zip((*weights, *biases), (*dw, *db), strict=True):
        calls += [p, g, xp.zeros(p.shape, "f4"), xp.zeros(p.shape, "f4"), None, up(np.float64(0)), rate, None]
    attrs = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decoupled": False, "maximize": False}
    works.append(OpCall(OPS["adam_update_all"], tuple(calls), attrs, None))
    return Net(works, weights, biases, loss, x, labels)


class Eager:
    """The same net and steps, in float64 on the host."""

    def __init__(self, of: Net) -> None:
        self.p = [each.get().astype("f8") for each in (*of.weights, *of.biases)]
        self.x, self.labels = of.x.get().astype("f8"), of.labels.get()
        self.m, self.v, self.t = [0.0] * len(self.p), [0.0] * len(self.p), 0

    def step(self) -> float:
        layers = len(self.p) // 2
        y = [self.x]
        for w, b in zip(self.p[:layers], self.p[layers:], strict=True):
            y.append(np.maximum(y[-1] @ w + b, 0 if len(y) < layers else -np.inf))
        e = np.exp(y[-1])
        p = e / e.sum(1, keepdims=True)
        loss = -np.log(p[np.arange(BATCH), self.labels]).mean()
        d = (p - np.eye(SIZES[-1])[self.labels]) / BATCH
        gw, gb = [], []
        for i in range(layers - 1, -1, -1):
            gw.insert(0, y[i].T @ d)
            gb.insert(0, d.sum(0))
            d = (d @ self.p[i].T) * (y[i] > 0)
        self.t += 1
        for i, g in enumerate((*gw, *gb)):
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g
            c1, c2 = 1 - 0.9**self.t, 1 - 0.999**self.t
            self.p[i] -= 0.01 * (self.m[i] / c1) / (np.sqrt(self.v[i] / c2) + 1e-8)
        return float(loss)


def prepared(gpu: Any, works: list[Work]) -> CudaPlan:
    return CudaPlan(gpu, works, CUDA)


def test_a_step_by_launches_and_by_its_graph_is_the_step_in_numpy(gpu: Any, rng: Any) -> None:
    made = net(gpu.xp, rng)
    eager, plan = Eager(made), prepared(gpu, made.works)
    for turn in range(4):
        if turn == 2:
            plan.capture()
        (plan.run if turn >= 2 else plan.launch_list)()
        np.testing.assert_allclose(float(made.loss.get()), eager.step(), rtol=1e-4)
        for a, b in zip((*made.weights, *made.biases), eager.p, strict=True):
            np.testing.assert_allclose(a.get(), b, atol=3e-4)  # Adam's first steps divide small gradients by their size


def test_a_run_is_one_graph_and_nothing_else(gpu: Any, rng: Any) -> None:
    made = net(gpu.xp, rng)
    plan = prepared(gpu, made.works)
    plan.launch_list()
    plan.capture()
    before = len(gpu.xp.records)
    with gf.testing.assert_max_launches(1), gf.testing.assert_no_sync():
        plan.run()
    kinds = [each.kind for each in gpu.xp.records.since(before)]
    assert kinds == ["graph"]
    assert plan.hosted == []
    layers = len(SIZES) - 1
    assert gpu.xp.records[before].name == f"graph of {plan.launches}"
    assert plan.launches == (3 * layers - 1) + (layers - 1) * 2 + 2 + 1, "products, loops, two for the loss, Adam"


def test_a_launch_list_allocates_copies_and_waits_for_nothing(gpu: Any, rng: Any) -> None:
    plan = prepared(gpu, net(gpu.xp, rng).works)
    plan.launch_list()
    before = len(gpu.xp.records)
    plan.launch_list()
    assert {each.kind for each in gpu.xp.records.since(before)} == {"kernel", "gemm"}
    assert gpu.xp.records.count(since=before) == plan.launches


def test_kernels_of_a_plan_are_one_program(gpu: Any, rng: Any, monkeypatch: Any) -> None:
    programs = []
    compiled = type(gpu.launcher)._compiled
    monkeypatch.setattr(gpu.launcher, "_functions", {})
    monkeypatch.setattr(
        type(gpu.launcher), "_compiled", lambda self, code, names: programs.append(names) or compiled(self, code, names)
    )
    prepared(gpu, net(gpu.xp, rng).works)
    assert [sum(name.startswith("loop_") for name in names) for names in programs if len(names) > 1] == [4]


def test_a_run_on_another_stream_comes_after_the_last_one(gpu: Any, rng: Any) -> None:
    x = gpu.xp.ones(4, "f4")
    plan = prepared(gpu, [loop((4, 1), {"x": x}, "y = x * 2", {"y": x})])
    plan.launch_list()
    plan.capture()
    for _ in range(3):
        with gpu.xp.cuda.Stream(non_blocking=True):
            plan.run()
    assert x.get().tolist() == [16.0] * 4


def test_references_are_captured_with_memory_of_the_plan(gpu: Any, rng: Any) -> None:
    host = rng.standard_normal((6, 5)).astype("f4")
    x, out = gpu.xp.asarray(host), gpu.xp.empty((6, 5), "f4")
    cumulated = OpCall(OPS["cumsum"], (x,), {"axis": 0, "reverse": False}, out)
    plan = prepared(gpu, [cumulated, loop((6, 5), {"x": out}, "y = x + 1", {"y": out})])
    plan.launch_list()
    plan.capture()
    assert plan.hosted == []
    others = [gpu.xp.zeros((6, 5), "f4") for _ in range(8)]  # which must not lie where the graph works
    plan.run()
    np.testing.assert_allclose(out.get(), host.cumsum(0) + 1, rtol=tolerance(out.dtype), atol=1e-6)
    assert all(not each.get().any() for each in others)


def test_what_cannot_be_captured_is_done_between_graphs_and_the_reason_is_kept(gpu: Any) -> None:
    seen = []
    x, out = gpu.xp.ones((3, 4), "f4"), gpu.xp.empty((3, 4), "f4")
    host = OpCall(Reading(seen), (x,), {}, out)
    double = loop((3, 4), {"x": out}, "y = x * 2", {"y": out})
    plan = prepared(gpu, [double_of(x), host, double, Python(lambda: seen.append("python")), double])
    plan.launch_list()
    plan.capture()
    assert [name for name, _ in plan.hosted] == ["reading", "action"]
    assert "4 launches in 3 CUDA graphs; reading in none of them" in str(plan)
    assert "captur" in plan.hosted[0][1]
    seen.clear()
    before = len(gpu.xp.records)
    plan.run()
    assert [each.kind for each in gpu.xp.records.since(before)].count("graph") == 3
    assert seen == [4.0, "python"]
    np.testing.assert_allclose(out.get(), np.full((3, 4), 4.0 * 2 * 2))


def double_of(x: Any) -> Any:
    return loop(x.shape, {"x": x}, "y = x * 2", {"y": x})


class Reading:
    """Stands for an op whose reference reads an element on the host."""

    name, cuda, mutates = "reading", None, ()

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def forward(self, xp: Any, x: Any, *, out: Any) -> Any:
        self.seen.append(float(x[0, 0].item()))
        out[...] = x
        return out


def test_faults_of_a_graph_are_raised_at_the_next_wait(gpu: Any) -> None:
    x = gpu.xp.asarray(np.eye(4, dtype="f4"))
    labels, loss = gpu.xp.asarray(np.array([0, 1, 9, 2])), gpu.xp.empty((), "f4")
    attrs = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
    plan = prepared(gpu, [OpCall(OPS["cross_entropy"], (x, labels, None), attrs, loss)])
    plan.capture()
    gf.cuda.synchronize()
    plan.run()
    with pytest.raises(IndexOutOfRange, match="9"):
        gf.cuda.synchronize()


def test_a_product_without_an_algorithm_is_cupys_or_an_error(gpu: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(gpu), "product", lambda self, gemm, workspace: None)
    a, b, out = (gpu.xp.ones((4, 4), "f4") for _ in range(3))
    plan = prepared(gpu, [Gemm(a, b, out)])
    plan.launch_list()
    plan.capture()
    assert [name for name, _ in plan.hosted] == ["matmul"]
    plan.run()
    assert out.get().tolist() == [[4.0] * 4] * 4
    with pytest.raises(KernelError, match="no algorithm"):
        prepared(gpu, [Gemm(a, b, out, epilogue="relu", bias=gpu.xp.ones(4, "f4"))])


def test_without_cublaslt_the_products_of_a_compiled_step_are_cupys(simulated: Any, rng: Any) -> None:
    host = rng.standard_normal((3, 5, 5), np.float32)
    with device.serving(CudaBackend(simulated.xp, None)):
        weight = gf.tensor(host[0], device="cuda")
        layer = gf.compile(lambda x: gf.relu(x @ weight))
        for each in host:
            out = layer(gf.tensor(each, device="cuda"))
        assert layer.plan.device.kind == "cuda"
        np.testing.assert_allclose(out.numpy(), np.maximum(host[2] @ host[0], 0), atol=1e-5)


def test_a_graph_that_cuda_refuses_to_make_leaves_the_launch_list(gpu: Any, monkeypatch: Any) -> None:
    x = gpu.xp.ones(4, "f4")
    plan = prepared(gpu, [loop((4, 1), {"x": x}, "y = x * 2", {"y": x})])
    refusal = gpu.xp.cuda.runtime.CUDARuntimeError("cudaErrorStreamCaptureUnsupported")

    def refused(self: Any, mode: Any = None) -> None:
        raise refusal

    monkeypatch.setattr(type(plan.stream), "begin_capture", refused)
    for _ in range(4):
        plan.replay()
    assert "1 launches one by one, since no graph could be made" in str(plan)
    assert "StreamCapture" in plan.refused
    assert x.get().tolist() == [16.0] * 4


def test_an_argument_that_is_written_in_place_is_written(gpu: Any) -> None:
    @gf.compile
    def step(x: Any) -> Any:
        x[0] = x[1] * 2
        return x.sum()

    for n in range(4):
        x = gf.tensor(np.array([0.0, n + 1.0], "f4"), device="cuda")
        total = step(x)
        assert x.numpy().tolist() == [2 * (n + 1), n + 1]
        assert float(total.item()) == 3 * (n + 1)


def test_an_argument_that_shares_memory_with_what_is_written_is_an_error_in_a_replay_too(gpu: Any) -> None:
    total = gf.zeros(4, device="cuda")

    @gf.compile
    def step(x: Any) -> Any:
        total.add_(x)
        return x * 2

    for n in range(4):
        step(gf.full(4, float(n), device="cuda"))
    with pytest.raises(CompileError, match=r"argument 0, a tensor of shape \(4,\), shares memory with something"):
        step(total[0:])
    assert total.numpy().tolist() == [6.0] * 4
    assert step(gf.ones(4, device="cuda")).numpy().tolist() == [2.0] * 4


def test_elements_that_are_written_past_gradflow_are_an_error(gpu: Any) -> None:
    w = gf.ones(4, device="cuda")

    @gf.compile
    def step(x: Any) -> Any:
        y = w * x
        w.data[1:3] += 1
        return y

    with pytest.raises(CompileError, match="was written past gradflow, by NumPy or CuPy, inside the compiled step"):
        step(gf.ones(4, device="cuda"))
