"""Loops as generated CUDA kernels, executed by the interpreter, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from generated import do, loop
from gradflow.backend import cuda_loops, kernels
from gradflow.formula import FUNCTIONS
from gradflow.loop import COLUMN, COLUMN_SUM, ROW, SCALAR, TOTAL
from gradflow.testing import device, nvrtc
from gradflow.testing.cases import tolerance

SHAPES = [(64, 128), (33, 10), (1, 7), (300, 1), (5, 4099), (2000, 260)]
CASES = [(shape, "f4") for shape in SHAPES] + [(shape, dtype) for shape in SHAPES[:2] for dtype in ("f2", "f8")]


@pytest.fixture
def gpu(simulated: Any) -> Any:
    """The simulated backend, in use."""
    with device.serving(simulated):
        yield simulated


def close(found: Any, wanted: Any) -> None:
    """Whether ``found`` is as close to ``wanted`` as its dtype allows."""
    found = found.get()
    limit = tolerance(found.dtype)
    np.testing.assert_allclose(found.astype("f8"), wanted, rtol=limit, atol=limit * max(1, np.abs(wanted).max()))


def normal(rng: Any, *shape: int, dtype: Any = "f4") -> Any:
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_operands_of_every_kind_meet_at_each_element(gpu: Any, rng: Any, shape: Any, dtype: str) -> None:
    rows, columns = shape
    x, row, column = (normal(rng, *each, dtype=dtype) for each in (shape, (rows,), (columns,)))
    scalar = np.array(0.75, dtype)
    out = gpu.xp.empty(shape, dtype)
    upload = gpu.xp.asarray
    given = {"x": upload(x), "r": (ROW, upload(row)), "c": (COLUMN, upload(column)), "s": (SCALAR, upload(scalar)),
             "n": (SCALAR, 0.5)}  # fmt: skip
    do(gpu, loop(shape, given, "t = x * s + c\ny = maximum(t, r) * n", {"y": out}, dtype))
    wide = [each.astype("f8") for each in (x, row[:, None], column, scalar)]
    close(out, np.maximum(wide[0] * wide[3] + wide[2], wide[1]) * 0.5)


@pytest.mark.parametrize("columns", [6, 8])
def test_rows_that_repeat_are_read_by_their_period(gpu: Any, rng: Any, columns: int) -> None:
    x, row = normal(rng, 24, columns), normal(rng, 3)
    out = gpu.xp.empty(x.shape, "f4")
    text, given = "y = x * r", {"x": gpu.xp.asarray(x), "r": (ROW, gpu.xp.asarray(row), 3, 4)}
    do(gpu, loop(x.shape, given, text, {"y": out}))
    close(out, x.astype("f8") * row[np.arange(24) // 4 % 3][:, None])
    total = gpu.xp.empty(columns, "f4")
    do(gpu, loop(x.shape, given, text, {"y": (COLUMN_SUM, total)}))
    close(total, (x.astype("f8") * row[np.arange(24) // 4 % 3][:, None]).sum(0))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_numpy(gpu: Any, rng: Any, name: str, dtype: str) -> None:
    from scipy import special

    count = FUNCTIONS[name]
    low, high = {"arcsin": (-1, 1), "arccos": (-1, 1), "arctanh": (-0.9, 0.9), "arccosh": (1, 4),
                 "log1p": (-0.9, 4)}.get(name, (0.1, 4) if name.startswith(("log", "sqrt")) else (-4, 4))  # fmt: skip
    x = [rng.uniform(low, high, 37).astype(dtype) for _ in range(count)]
    out = gpu.xp.empty(37, dtype)
    names = ["x", "y", "z"][:count]
    call = f"{name}({', '.join(names)})" if name != "where" else "where(x > 0, y, z)"
    do(
        gpu,
        loop((37, 1), dict(zip(names, map(gpu.xp.asarray, x), strict=True)), f"r = {call} * 1.0", {"r": out}, dtype),
    )
    known = {"erf": special.erf, "sigmoid": special.expit, "where": lambda a, b, c: np.where(a > 0, b, c)}
    close(out, known.get(name, getattr(np, name, None))(*(each.astype("f8") for each in x)) * 1.0)


def test_nan_is_never_lost_and_conditions_are_of_whole_numbers_too(gpu: Any) -> None:
    x = gpu.xp.asarray(np.array([np.nan, -1, 0, 2, np.inf], "f4"))
    label = gpu.xp.asarray(np.array([1 << 24, (1 << 24) + 1, 3, 4, 5]))
    text = """
        high = maximum(x, 0)
        low = minimum(0, x)
        sign_ = sign(x)
        power = x ** 2 + x ** 0.5 * 0
        same: bool = (label == 16777217) | ~(x == x) & isnan(x)
    """
    names = ("high", "low", "sign_", "power")
    out = {name: gpu.xp.empty(5, "f4") for name in names}
    same = gpu.xp.empty(5, "?")
    do(gpu, loop((5, 1), {"x": x, "label": label}, text, {**out, "same": same}))
    with np.errstate(all="ignore"):
        host = x.get()
        wanted = np.maximum(host, 0), np.minimum(0, host), np.sign(host), host**2 + host**0.5 * 0
    for name, each in zip(names, wanted, strict=True):
        np.testing.assert_array_equal(out[name].get(), each, name)
    assert same.get().tolist() == [True, True, False, False, False]


def test_whole_numbers_are_computed_as_such(gpu: Any) -> None:
    x = gpu.xp.asarray(np.array([-(1 << 60) - 1, 3, 0]))
    small = gpu.xp.asarray(np.array([250, 7, 0], "u1"))
    text = """
        a: int64 = abs(x) * 2 - where(x > 1, x, 1)
        b: uint8 = small + 10
        c: int64 = maximum(a, b)
        d = a / 4
    """
    out = {name: gpu.xp.empty(3, dtype) for name, dtype in (("a", "i8"), ("b", "u1"), ("c", "i8"), ("d", "f4"))}
    do(gpu, loop((3, 1), {"x": x, "small": small}, text, out))
    assert out["a"].get().tolist() == [2 * ((1 << 60) + 1) - 1, 3, -1]
    assert out["b"].get().tolist() == [4, 17, 10]
    assert out["c"].get().tolist() == [2 * ((1 << 60) + 1) - 1, 17, 10]
    assert out["d"].get().tolist() == [float(1 << 59), 0.75, -0.25]


@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_sums_of_columns_and_of_everything(gpu: Any, rng: Any, shape: Any, dtype: str) -> None:
    g, x = normal(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype)
    wanted = g.astype("f8") * (x > 0)
    work = lambda: loop(  # noqa: E731
        shape, {"g": gpu.xp.asarray(g), "x": gpu.xp.asarray(x)}, "d = g * (x > 0)",
        {"d": gpu.xp.empty(shape, dtype), "d'": (COLUMN_SUM, gpu.xp.empty(shape[1], dtype)),
         "d''": (TOTAL, gpu.xp.empty((), dtype), 1 / g.size)}, dtype,
    )  # fmt: skip
    first, second = work(), work()
    do(gpu, first)
    do(gpu, second)
    dx, columns, total = (each.array for each in first.results)
    close(dx, wanted)
    close(columns, wanted.sum(0))
    close(total, wanted.mean())
    for a, b in zip(first.results, second.results, strict=True):
        assert a.array.get().tobytes() == b.array.get().tobytes(), "two runs differ"


@pytest.mark.parametrize(("shape", "dtype"), [*CASES, ((3, 20000), "f4"), ((2100, 96), "f4")])
def test_softmax_is_one_kernel_that_reads_a_short_row_once(gpu: Any, rng: Any, shape: Any, dtype: str) -> None:
    x = normal(rng, *shape, dtype=dtype)
    out = gpu.xp.empty(shape, dtype)
    text = "m = max over x\ne = exp(x - m)\ns = sum over e\ny = e / s"
    (report,) = do(gpu, loop(shape, {"x": gpu.xp.asarray(x)}, text, {"y": out}, dtype))
    wide = np.exp(x.astype("f8") - x.max(1, keepdims=True))
    close(out, wide / wide.sum(1, keepdims=True))
    if shape == (64, 128):
        assert report.loads.requests * 16 * 32 == x.nbytes, "it is read once"


@pytest.mark.parametrize("shape", [(64, 128), (33, 10), (5, 6000)])
def test_layer_norm_and_its_gradients(gpu: Any, rng: Any, shape: Any) -> None:
    rows, columns = shape
    x, g, weight = normal(rng, *shape), normal(rng, *shape), normal(rng, columns)
    upload = gpu.xp.asarray
    text = f"""
        total = sum over x
        mean = total / {columns}
        square = sum over (x - mean) ** 2
        rstd = 1 / sqrt(square / {columns} + 1e-5)
        h = (x - mean) * rstd
        y = h * w
        gw = g * w
        a = sum over gw
        b = sum over gw * h
        dx = rstd * (gw - (a + h * b) / {columns})
        dw = g * h
    """
    empty = gpu.xp.empty
    names = {
        "y": empty(shape, "f4"),
        "dx": empty(shape, "f4"),
        "mean": (ROW, empty(rows, "f4")),
        "dw": (COLUMN_SUM, empty(columns, "f4")),
        "g": (COLUMN_SUM, empty(columns, "f4")),
    }
    given = {"x": upload(x), "g": upload(g), "w": (COLUMN, upload(weight))}
    reports = do(gpu, loop(shape, given, text, names))
    assert len(reports) == 2, "what is found for rows, and then sums of columns"
    X, G, W = (each.astype("f8") for each in (x, g, weight))
    rstd = 1 / np.sqrt(X.var(1, keepdims=True) + 1e-5)
    h = (X - X.mean(1, keepdims=True)) * rstd
    gw = G * W
    close(names["y"], h * W)
    close(names["dx"], rstd * (gw - gw.mean(1, keepdims=True) - h * (gw * h).mean(1, keepdims=True)))
    close(names["mean"][1], X.mean(1))
    close(names["dw"][1], (G * h).sum(0))
    close(names["g"][1], G.sum(0))


@pytest.mark.parametrize("shape", [(128, 10), (7, 1000), (3000, 33)])
def test_cross_entropy_reads_labels_by_the_number_of_the_column(gpu: Any, rng: Any, shape: Any) -> None:
    rows, columns = shape
    x, labels = normal(rng, *shape), rng.integers(0, columns, rows)
    loss, dx = gpu.xp.empty((), "f4"), gpu.xp.empty(shape, "f4")
    text = f"""
        m = max over x
        e = exp(x - m)
        s = sum over e
        hit = sum over where(column == label, x - m, 0)
        nll = log(s) - hit
        dx = (e / s - (column == label)) / {rows}
    """
    given = {"x": gpu.xp.asarray(x), "label": (ROW, gpu.xp.asarray(labels))}
    do(gpu, loop(shape, given, text, {"nll": (TOTAL, loss, 1 / rows / columns), "dx": dx}))
    wide = x.astype("f8")
    p = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    close(loss, -np.log(p[np.arange(rows), labels]).mean())
    close(dx, (p - np.eye(columns)[labels]) / rows)


@pytest.mark.parametrize("text", ["y = x * 2", "m = max over x\ny = exp(x - m)"])
def test_a_loop_may_write_where_it_reads_and_anywhere_in_memory(gpu: Any, rng: Any, text: str) -> None:
    host = normal(rng, 1 + 40 * 32)
    x = gpu.xp.asarray(host)[1:].reshape(40, 32)  # 4 bytes past a multiple of 16
    do(gpu, loop((40, 32), {"x": x}, text, {"y": x}))
    wide = host[1:].astype("f8").reshape(40, 32)
    close(x, wide * 2 if "2" in text else np.exp(wide - wide.max(1, keepdims=True)))


def test_loops_of_the_same_text_are_one_function_whatever_their_names_and_sizes(gpu: Any) -> None:
    x, y = gpu.xp.zeros((16, 32), "f4"), gpu.xp.zeros((64, 128), "f4")
    made = [
        cuda_loops.launches(loop(a.shape, {name: a, "k": (SCALAR, k)}, f"r = {name} * k", {"r": a}), gpu.xp.empty)[0]
        for a, name, k in ((x, "x", 2.0), (y, "other", 3.0))
    ]
    assert made[0].kernel == made[1].kernel
    assert [each.arguments[1] for each in made] == [2.0, 3.0]


def test_what_no_kernel_is_made_for_is_said(gpu: Any) -> None:
    x = gpu.xp.zeros((0, 4), "f4")
    assert not cuda_loops.suits(loop((0, 4), {"x": x}, "y = x", {"y": x}))
    assert not cuda_loops.suits(loop((1 << 16, 1 << 16), {"x": x}, "y = x", {"y": x}))
    assert not cuda_loops.suits(loop((2, 2), {"x": x}, "y = x", {"y": x}, "c8"))
    assert cuda_loops.suits(loop((2, 2), {"x": x}, "y = x", {"y": x}))


def bounded(dtype: str) -> list[Any]:
    """Loops as large as those a GPU is for, of arrays that are not there: only their text is wanted."""
    shapes = (1024, 1024), (256, 4096), (1024,), (1024,)
    big, wide, column, row = (np.empty(shape, dtype) for shape in shapes)
    softmax = "m = max over x\ne = exp(x - m)\ns = sum over e\ny = e / s"
    norm = "t = sum over x\nmu = t / 1024\nq = sum over (x - mu) ** 2\nr = 1 / sqrt(q + 1e-5)\ny = (x - mu) * r * w + b"
    back = """
        h = (x - mu) * r
        gw = g * w
        a = sum over gw
        b = sum over gw * h
        dx = r * (gw - (a + h * b) / 1024)
        dw = g * h
    """
    return [
        loop(big.shape, {"x": big, "b": (COLUMN, column)}, "z = x + b\ny = maximum(z, 0)", {"y": big}, dtype),
        loop(big.shape, {"x": big, "g": big}, "y = g * (1 - tanh(x) ** 2)", {"y": big}, dtype),
        loop(big.shape, {"x": big}, "y = 0.5 * x * (1 + erf(x * 0.7071))", {"y": big}, dtype),
        loop(big.shape, {"x": big, "g": big}, "d = g * (x > 0)", {"d": big, "d'": (COLUMN_SUM, column)}, dtype),
        loop(big.shape, {"x": big}, "d = x * x", {"d": (TOTAL, column)}, dtype),
        loop(big.shape, {"x": big}, softmax, {"y": big}, dtype),
        loop(wide.shape, {"x": wide}, softmax, {"y": wide}, dtype),
        loop(big.shape, {"x": big, "w": (COLUMN, column), "b": (COLUMN, column)}, norm, {"y": big}, dtype),
        loop(big.shape, {"x": big, "g": big, "w": (COLUMN, column), "mu": (ROW, row), "r": (ROW, row)}, back,
             {"dx": big, "dw": (COLUMN_SUM, column), "g": (COLUMN_SUM, column)}, dtype),
    ]  # fmt: skip


CHECKED = [(arch, "f4") for arch in ("75", "80", "86", "90", "100", "120")]
CHECKED += [(arch, dtype) for arch in ("75", "90", "120") for dtype in ("f2", "f8")]


@pytest.mark.parametrize(("arch", "dtype"), CHECKED)
def test_nothing_is_spilled_and_three_quarters_of_the_threads_fit(arch: str, dtype: str) -> None:
    from bench.kernels import ARCHITECTURES, occupancy

    made = [each.kernel for work in bounded(dtype) for each in cuda_loops.launches(work, np.empty)]
    text = kernels.prelude() + "".join(kernels.generated[name] for name in dict.fromkeys(made))
    least = 0.5 if dtype == "f8" else 0.75  # float64 takes two registers for a number
    for name, needs in nvrtc.resources(text, list(dict.fromkeys(made)), f"sm_{arch}").items():
        assert needs.stack == needs.spill_stores == needs.spill_loads == 0, (name, needs)
        assert occupancy(ARCHITECTURES[arch], needs, 256) >= least, (kernels.generated[name], needs)


def test_whole_vectors_are_moved_and_each_byte_once(gpu: Any, rng: Any) -> None:
    x, g, column = (gpu.xp.asarray(normal(rng, *shape)) for shape in ((512, 1024), (512, 1024), (1024,)))
    for text, given, results in (
        ("y = tanh(x) * g", {"x": x, "g": g}, {"y": gpu.xp.empty(x.shape, "f4")}),
        ("y = maximum(x + b, 0)", {"x": x, "b": (COLUMN, column)}, {"y": gpu.xp.empty(x.shape, "f4")}),
    ):
        (report,) = do(gpu, loop(x.shape, given, text, results))
        minimum = sum(
            each[1].nbytes if isinstance(each, tuple) else each.nbytes for each in (*given.values(), *results.values())
        )
        assert report.loads.sectors_per_request == report.stores.sectors_per_request == 16
        assert report.generic_accesses == report.local_accesses == 0
        assert report.bytes_read + report.bytes_written <= 1.02 * minimum
