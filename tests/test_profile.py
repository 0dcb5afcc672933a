"""Profiling and budgets: what is counted, where it comes from, and that nothing stays behind."""

from __future__ import annotations

import inspect
import json
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import gradflow as gf
from gradflow import backend, dispatch
from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, BudgetExceeded, DeviceError, DTypeError
from gradflow.op import Op, like_first
from gradflow.profiling.recording import BETWEEN
from gradflow.testing import device


@pytest.fixture
def cupy(simulated):
    """A simulated CUDA device, also where there is a GPU: what it logs is exact."""
    with device.serving(simulated) as xp:
        yield xp


@pytest.fixture
def counting(simulated, monkeypatch):
    """A CUDA device that keeps no log, as a GPU does not."""

    class Unlogged:
        def __init__(self, xp):
            self._xp = xp

        def __getattr__(self, name):
            if name == "records":
                raise AttributeError(name)
            return getattr(self._xp, name)

    with device.serving(simulated):
        monkeypatch.setattr(simulated, "xp", Unlogged(simulated.xp))
        yield


def line_of(function, mark):
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if mark in line)


def found(report):
    return {(row.op, row.phase): row for row in report.rows}


# ---- rows


def test_forward_backward_and_updates_are_rows_with_their_calls_and_bytes():
    w = gf.ones((3, 2)).requires_grad_()
    x = gf.ones((4, 3))
    optimizer = gf.optim.SGD([w], lr=0.1)

    def step():
        optimizer.zero_grad()
        for _ in range(2):
            (x @ w).sum().backward()
        optimizer.step()

    rows = found(gf.profile(step))
    product = 4 * (12 + 6 + 8)
    forward = rows["matmul", "forward"]
    assert (forward.calls, forward.bytes, forward.memory) == (2, 2 * product, 4 * 8)
    assert (forward.launches, forward.to_device, forward.to_host, forward.syncs, forward.traffic) == (0,) * 5
    assert rows["matmul", "backward"].calls == 2
    assert rows["matmul", "backward"].bytes == 2 * product
    assert rows["sgd_update", "update"].calls == 1
    assert sum(row.calls for row in rows.values()) == gf.profile(step).total.calls


def test_a_gradient_has_the_line_of_what_is_differentiated():
    x = gf.ones(3).requires_grad_()

    def step():
        y = x.sigmoid()  # here
        y.sum().backward()

    rows = found(gf.profile(step))
    here = f"{__file__}:{line_of(step, '# here')}"
    assert rows["sigmoid", "forward"].line == here
    assert rows["sigmoid_grad", "backward"].line == here
    assert rows["sum", "forward"].line == f"{__file__}:{line_of(step, 'backward')}"


def test_a_sum_of_gradients_has_the_line_of_backward():
    x = gf.ones(3).requires_grad_()

    def step():
        y = (x * x).sum()
        y.backward()

    assert found(gf.profile(step))["add", "backward"].line == f"{__file__}:{line_of(step, 'y.backward')}"


def test_views_move_no_bytes_and_hold_no_memory():
    x = gf.ones((2, 3))
    report = gf.profile(lambda: x.reshape(3, 2).T)
    assert [(row.bytes, row.memory) for row in report.rows] == [(0, 0)] * 2


def test_a_broadcast_is_read_as_often_as_it_is_written():
    assert gf.profile(lambda: gf.broadcast_to(gf.ones(3), (2, 3)) + 1).rows[-1].bytes == 2 * 24


def test_peak_memory_is_what_results_hold_at_once():
    x = gf.ones(1000)

    def chain():
        y = x + 1
        for _ in range(10):
            y = y + 1

    def kept():
        return [x + 1 for _ in range(11)]

    assert gf.profile(chain).peak_memory == 8000
    assert gf.profile(kept).peak_memory == 44000


def test_gradients_that_land_in_an_arena_are_no_new_memory():
    w = gf.ones(1000).requires_grad_()
    optimizer = gf.optim.SGD([w], lr=0.1)
    g = gf.ones(1000)

    def step():
        optimizer.zero_grad()
        w.backward(g)

    rows = gf.profile(step).rows
    assert [(row.op, row.memory) for row in rows] == [("copy_", 0)]


def test_time_is_of_ops_and_less_than_the_whole():
    x = gf.ones((200, 200))
    report = gf.profile(lambda: x @ x @ x)
    assert 0 < report.total.seconds < report.seconds
    assert report.total.seconds == pytest.approx(sum(row.seconds for row in report.rows))


def test_a_step_is_called_once_after_as_many_as_were_asked_for():
    calls = []
    gf.profile(calls.append, "a", warmup=2)
    gf.profile(calls.append, "b", warmup=0)
    assert calls == ["a", "a", "a", "b"]


def test_a_step_without_ops_has_no_rows():
    report = gf.profile(lambda: None)
    assert (report.rows, report.launches, report.copies, report.syncs, report.peak_memory) == ([], 0, 0, 0, 0)
    assert report.total.calls == 0
    assert "total" in str(report)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), DTypeError, "takes a function to call, got a int"),
        ((lambda: None, -1), ArgumentError, "warmup is -1"),
    ],
)
def test_what_cannot_be_profiled_is_refused(arguments, error, message):
    step, *warmup = arguments
    with pytest.raises(error, match=message):
        gf.profile(step, **dict(zip(["warmup"], warmup, strict=False)))


# ---- the table


def test_the_table_is_sorted_cut_and_totalled():
    x = gf.ones(1000)
    report = gf.profile(lambda: (x[:10] + x[:10]).sum() + (x * x).sum())
    ops = [line.split()[0] for line in report.table(by="bytes", limit=2).splitlines()]
    assert ops == ["one", "op", "multiply", "sum", "...", "total", "time"]
    assert "... and 2 rows more" in report.table(limit=2)
    assert [row.op for row in report.sorted("op")] == sorted(row.op for row in report.rows)
    assert str(report) == repr(report) == report.table(by="seconds")
    with pytest.raises(ArgumentError, match="rows have no 'speed'; they have op, phase"):
        report.sorted("speed")


def test_the_table_of_the_cpu_has_time_and_none_of_a_gpu_s_columns():
    text = str(gf.profile(lambda: gf.ones(3) + 1))
    assert " time " in text
    assert "launches" not in text
    assert "test_profile.py:" in text


# ---- nothing stays behind


def test_an_error_in_the_step_is_raised_and_leaves_no_observer(cupy):
    serving = backend.loaded()

    def step():
        gf.ones(3) + gf.ones(4)

    with pytest.raises(gf.errors.ShapeError):
        gf.profile(step, warmup=0)
    with pytest.raises(gf.errors.ShapeError), gf.testing.assert_max_launches(0):
        step()
    assert dispatch._watch.observer is None
    assert backend.loaded() is serving
    assert cupy.machine.reports is None


def test_profiles_nest_and_each_sees_its_own_part():
    x = gf.ones(3)
    inner = []

    def step():
        y = x + 1
        inner.append(gf.profile(lambda: y * 2, warmup=0))
        return y - 1

    outer = gf.profile(step, warmup=0)
    assert [row.op for row in outer.rows] == ["add", "multiply", "subtract"]
    assert [row.op for row in inner[0].rows] == ["multiply"]


def test_an_explanation_can_be_profiled():
    x = gf.tensor(2.0, requires_grad=True)
    assert ("multiply", "forward") in found(gf.profile(lambda: gf.explain(x * x)))


def test_other_threads_are_not_observed(cupy):
    x = gf.ones(3, device="cuda")

    def step():
        thread = threading.Thread(target=x.numpy)
        thread.start()
        thread.join()

    assert {row.op for row in gf.profile(step).rows} == {BETWEEN}  # it is in the log, but not as a copy of this thread


# ---- traces


def test_a_trace_has_the_events_that_the_format_wants(tmp_path):
    x = gf.ones((50, 50)).requires_grad_()
    report = gf.profile(lambda: (x @ x).sum().backward())
    report.to_chrome_trace(tmp_path / "step.json")
    content = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))
    events = content["traceEvents"]
    complete = [each for each in events if each["ph"] == "X"]
    assert [each["name"] for each in complete] == [call.name for call in report.calls]
    assert {each["cat"] for each in complete} == {"forward", "backward"}
    assert sum(each["dur"] for each in complete) == pytest.approx(report.total.seconds * 1e6)
    for each, after in pairwise(complete):  # one track: one after the other
        assert 0 <= each["ts"] <= each["ts"] + each["dur"] <= after["ts"]
    for each in events:
        assert {"ph", "pid", "name"} <= set(each)
        assert each["ph"] in {"X", "M", "C"}
        assert each["ph"] == "M" or isinstance(each["ts"], float)
        assert isinstance(each["args"], dict)
    assert complete[0]["args"]["at"].startswith(f'File "{__file__}"')


def test_a_trace_replaces_a_file_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    path = tmp_path / "step.json"
    report = gf.profile(lambda: gf.ones(3) + 1)
    path.write_text("before", encoding="utf-8")

    def fail(content, file):
        file.write("half")
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(json, "dump", fail)
        with pytest.raises(OSError, match="disk full"):
            report.to_chrome_trace(path)
    assert [each.name for each in tmp_path.iterdir()] == ["step.json"]
    assert path.read_text(encoding="utf-8") == "before"
    report.to_chrome_trace(str(path))
    assert [each.name for each in tmp_path.iterdir()] == ["step.json"]
    assert json.loads(path.read_text(encoding="utf-8"))["otherData"] == {"device": "cpu"}


def test_a_simulated_trace_has_order_and_no_times(cupy, tmp_path):
    x = gf.ones(3, device="cuda")
    gf.profile(lambda: x + x + x).to_chrome_trace(tmp_path / "step.json")
    events = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))["traceEvents"]
    assert [(each["ts"], each["dur"]) for each in events if each["ph"] == "X"] == [(0, 1), (1, 1)]
    assert "cuda, simulated" in events[0]["args"]["name"]


# ---- the simulated GPU


def test_launches_copies_and_waits_are_exact_on_the_simulated_device(cupy):
    host = np.ones((4, 3), np.float32)
    w = gf.ones((3, 2), device="cuda")

    def step():
        x = gf.tensor(host, device="cuda")  # copy
        total = (x @ w + 1).sum()
        gf.cuda.synchronize()  # wait
        return total.item()  # read

    report = gf.profile(step)
    seen = [(row.op, row.launches, row.to_device, row.to_host, row.syncs) for row in report.rows]
    assert seen == [
        ("copy to device", 0, 1, 0, 0),
        ("matmul", 1, 0, 0, 0),
        ("add", 1, 0, 0, 0),
        ("sum", 1, 0, 0, 0),
        ("synchronize", 0, 0, 0, 1),
        ("copy to host", 0, 0, 1, 1),
    ]
    assert (report.launches, report.copies, report.syncs) == (3, 2, 2)
    lines = {row.op: row.line for row in report.rows}
    assert lines["copy to device"] == f"{__file__}:{line_of(step, '# copy')}"
    assert lines["synchronize"] == f"{__file__}:{line_of(step, '# wait')}"
    assert lines["copy to host"] == f"{__file__}:{line_of(step, '# read')}"
    assert report.rows[2].traffic == report.rows[2].bytes == 64


def test_all_launches_in_the_log_are_in_the_report(cupy):
    x = gf.ones((4, 3), device="cuda").requires_grad_()
    labels = gf.tensor([0, 1, 2, 0], device="cuda")

    def step():
        gf.nn.functional.cross_entropy(x.relu(), labels).backward()

    step()
    before = len(cupy.records)
    report = gf.profile(step, warmup=0)
    assert report.launches == cupy.records.count("kernel", "gemm", since=before)
    assert report.syncs == cupy.records.count("sync", since=before)
    assert sum(row.launches for row in report.rows) == report.launches
    assert found(report)[BETWEEN, ""].launches == 1  # what backward begins with


def test_what_cupy_does_between_ops_has_its_own_row(cupy):
    x = gf.ones(3, device="cuda")

    def step():
        cupy.ones(3)
        x.numpy()

    assert [(row.op, row.launches) for row in gf.profile(step).rows] == [(BETWEEN, 1), ("copy to host", 0)]


def test_what_moves_a_tensor_is_a_copy_and_no_launch(cupy):
    x = gf.ones(3)
    report = gf.profile(lambda: x.to("cuda").to("cpu"))
    assert [(row.op, row.calls, row.launches) for row in report.rows] == [("to_device", 2, 0)]
    assert (report.total.to_device, report.total.to_host, report.syncs) == (1, 1, 1)
    with pytest.raises(BudgetExceeded, match="1  to_device forward"), gf.testing.assert_no_sync():
        gf.ones(3, device="cuda").cpu()


def test_memory_of_the_simulated_device_is_what_its_pool_lends(cupy):
    x = gf.ones(1024, device="cuda")
    assert gf.profile(lambda: [x + 1 for _ in range(3)]).peak_memory == 3 * 4096


def test_traffic_is_what_kernels_move_as_the_interpreter_counts_it(cupy):
    p = gf.ones(4096, device="cuda").requires_grad_()
    optimizer = gf.optim.Adam([p])
    p.grad = gf.ones(4096, device="cuda")
    inner = []
    outer = gf.profile(lambda: inner.append(gf.profile(optimizer.step, warmup=0)))
    for report in (outer, inner[-1]):
        row = found(report)["adam_update", "update"]
        assert row.kernels == ("adam_update<float>",)
        assert 28 * 4096 <= row.traffic <= 28 * 4096 + 256


def test_the_simulated_device_shows_no_times(cupy):
    x = gf.ones(3, device="cuda")
    report = gf.profile(lambda: x + x)
    assert (report.device, report.seconds, report.total.seconds) == ("cuda, simulated", 0, 0)
    assert "time " not in str(report).splitlines()[1]
    assert "simulated" in str(report).splitlines()[0]


# ---- a GPU that does not tell


def test_where_there_is_no_log_own_launches_are_counted_and_cupy_s_are_at_least_one(counting):
    x = gf.ones((4, 4), device="cuda")

    def step():
        y = x @ x
        z = y.reshape(16).arctan()
        gf.cuda.synchronize()
        return z.sum().cpu(), gf.tensor([1.0], device="cuda"), gf.ones(2).to("cuda")

    report = gf.profile(step)
    assert report.device == "cuda"
    seen = [(row.op, row.launches, row.at_least, row.to_device, row.to_host, row.syncs) for row in report.rows]
    assert seen == [
        ("matmul", 1, False, 0, 0, 0),
        ("reshape", 0, False, 0, 0, 0),
        ("arctan", 1, True, 0, 0, 0),
        ("synchronize", 0, False, 0, 0, 1),
        ("sum", 1, seen[4][2], 0, 0, 0),
        ("to_device", 0, False, 1, 1, 1),
        ("copy to device", 0, False, 1, 0, 0),
    ]
    assert report.total.at_least
    assert " 1+ " in report.table()


def test_the_time_of_a_gpu_is_between_its_events(counting, monkeypatch, tmp_path):
    xp = backend.loaded().xp
    monkeypatch.setattr(xp.cuda, "get_elapsed_time", lambda start, stop: 2.0)
    x = gf.ones((4, 4), device="cuda")
    report = gf.profile(lambda: x @ x)
    assert report.rows[0].seconds == pytest.approx(0.002)
    report.to_chrome_trace(tmp_path / "step.json")
    events = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))["traceEvents"]
    assert [each["tid"] for each in events if each["ph"] == "X"] == [1, 2]
    assert [each["dur"] for each in events if each["ph"] == "X" and each["tid"] == 2] == [pytest.approx(2000)]


def test_what_is_captured_has_no_time_on_the_gpu_yet(counting):
    xp = backend.loaded().xp
    x = gf.ones((4, 4), device="cuda")
    seen = []

    def step():
        with xp.cuda.Stream(non_blocking=True) as stream:
            x @ x
            stream.begin_capture()
            x @ x
            seen.append(stream.end_capture())

    first, second = gf.profile(step).calls
    assert first.queued is not None
    assert second.queued is None


def test_a_device_that_is_simulated_inside_the_step_is_the_one_that_is_looked_at(cupy):
    def step():
        with gf.testing.simulated_cuda():
            x = gf.ones(3, device="cuda")
            x + x
            x - x

    gf.ones(3, device="cuda")
    report = gf.profile(step)
    assert [(row.op, row.launches) for row in report.rows if row.phase] == [("add", 1), ("subtract", 1)]
    assert cupy.machine.reports is None


def test_a_wait_after_an_op_that_failed_is_not_lost(counting, monkeypatch):
    def fail(xp, x, *, out=None):
        raise ValueError

    monkeypatch.setattr(sys.modules["gradflow.op"], "OPS", {})  # where the op below enters itself
    op = Op(name="failing", forward=fail, spec=like_first)
    x = gf.ones(3, device="cuda")

    def step():
        with pytest.raises(ValueError):
            apply(op, x)
        x.numpy()

    report = gf.profile(step)
    assert (report.syncs, report.total.to_host) == (1, 1)


# ---- budgets


def test_a_budget_that_is_kept_says_nothing(cupy):
    x = gf.ones(3, device="cuda")
    with gf.testing.assert_max_launches(2):
        x + x + x


def test_a_budget_that_is_not_kept_lists_the_launches_by_op_and_line(cupy):
    x = gf.ones((3, 3), device="cuda")

    def step():
        y = x + x + x  # sums
        return y @ x

    with pytest.raises(BudgetExceeded) as caught, gf.testing.assert_max_launches(2):
        step()
    assert isinstance(caught.value, AssertionError)
    first, *listed = str(caught.value).splitlines()
    assert first == "assert_max_launches: 3 kernels were launched, and the budget is 2:"
    assert listed[0].split() == ["2", "add", "forward", f"{__file__}:{line_of(step, '# sums')}", "add"]
    assert listed[1].split()[:3] == ["1", "matmul", "forward"]


def test_a_budget_decorates_a_function(cupy):
    @gf.testing.assert_max_launches(1)
    def step(times):
        x = gf.tensor([1.0], device="cuda")
        for _ in range(times):
            x = x + x
        return x

    assert step(1).tolist() == [2.0]
    with pytest.raises(BudgetExceeded, match="2 kernels were launched, and the budget is 1"):
        step(2)


def test_a_budget_counts_at_least_what_a_gpu_tells(counting):
    x = gf.ones(3, device="cuda")
    with pytest.raises(BudgetExceeded, match="at least 1 kernel was launched"), gf.testing.assert_max_launches(0):
        x.arctan()


def test_a_budget_for_what_never_ran_on_a_gpu_is_an_error():
    with pytest.raises(DeviceError, match="1 op ran in the block, none of them on"), gf.testing.assert_max_launches(5):
        gf.ones(3) + 1
    with pytest.raises(DeviceError, match="assert_no_sync"), gf.testing.assert_no_sync():
        gf.ones(3) + 1
    with gf.testing.assert_max_launches(0):
        pass


def test_a_negative_budget_is_refused():
    with pytest.raises(ArgumentError, match="the budget is -1"), gf.testing.assert_max_launches(-1):
        pass


def test_a_wait_is_told_with_its_line(cupy):
    x = gf.ones(3, device="cuda")

    def step():
        y = x + x
        if y.sum() > 1:  # waits
            y = y + 1
        return y

    with pytest.raises(BudgetExceeded) as caught, gf.testing.assert_no_sync():
        step()
    first, listed = str(caught.value).splitlines()
    assert first.startswith("assert_no_sync: the host waited for the GPU 1 time;")
    assert listed.split() == ["1", "copy", "to", "host", f"{__file__}:{line_of(step, '# waits')}"]
    with gf.testing.assert_no_sync():
        x + x
