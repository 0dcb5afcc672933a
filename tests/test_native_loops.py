"""Generated loops against NumPy: operands, results, reductions, dtypes, NaN, sizes around the width of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from gradflow.backend.native import emit_extent
from gradflow.backend.native.emit import functions, supports
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, ROW, SCALAR, TOTAL
from gradflow.testing import tolerance
from loops import computed, loop, run

pytest.importorskip("llvmlite")

COUNTS = (1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 33, 100, 1000)
SHAPES = [(1, 1), (1, 9), (7, 1), (3, 5), (2, 8), (5, 16), (4, 17), (16, 10), (3, 1000), (300, 33), (300, 700)]
NAN, INF = np.nan, np.inf


def normal(rng, *shape, dtype="f4"):
    return rng.standard_normal(shape).astype(dtype)


def agree(got, right, terms=1):
    """Whether a result is right, whose error is relative to ``terms``, the sum of sizes that it was made of."""
    limit = tolerance(got.dtype) * np.maximum(np.abs(right), terms)
    assert np.isfinite(got).all()
    assert (np.abs(got.astype(np.float64) - right) <= limit).all(), np.abs(got - right).max()


# elements


@pytest.mark.parametrize("count", [*COUNTS, 70_003, 200_000])
def test_every_element_is_computed_and_nothing_behind_them_is_touched(count, rng):
    x, memory = normal(rng, count), np.full(count + 64, 5, np.float32)
    run(loop(1, count, [("x", ELEMENT, x)], [("y", "f4", "x * 2 + 1")], [("y", ELEMENT, memory[32:-32])]))
    np.testing.assert_allclose(memory[32:-32], x * 2 + 1, rtol=1e-6)
    assert (memory[:32] == 5).all()
    assert (memory[-32:] == 5).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_operands_of_rows_columns_and_scalars_are_spread(shape, rng):
    rows, columns = shape
    x, r, c, s, out = normal(rng, *shape), normal(rng, rows), normal(rng, columns), normal(rng), np.empty(shape, "f4")
    s = np.asarray(s)
    given = [("x", ELEMENT, x), ("r", ROW, r), ("c", COLUMN, c), ("s", SCALAR, s)]
    run(loop(rows, columns, given, [("y", "f4", "(x - r) * c + s ** 2")], [("y", ELEMENT, out)]))
    agree(out, (x.astype("f8") - r[:, None]) * c + s.astype("f8") ** 2, 10)


@pytest.mark.parametrize("columns", [1, 5, 16, 40])
def test_values_of_rows_may_recur_as_those_of_channels_do(columns, rng):
    images, channels = 3, 4
    x, bias, per_image = normal(rng, images * channels, columns), normal(rng, channels), normal(rng, images)
    out = np.empty_like(x)
    given = [("x", ELEMENT, x), ("b", ROW, bias, channels), ("i", ROW, per_image, 0, channels)]
    run(loop(images * channels, columns, given, [("y", "f4", "x + b * i")], [("y", ELEMENT, out)]))
    right = x.reshape(images, channels, -1) + bias[:, None] * per_image[:, None, None].astype("f8")
    agree(out, right.reshape(x.shape), 10)


def test_an_operand_may_recur_after_repeating(rng):
    x, b, out = normal(rng, 12, 3), normal(rng, 2), np.empty((12, 3), "f4")
    run(loop(12, 3, [("x", ELEMENT, x), ("b", ROW, b, 2, 3)], [("y", "f4", "x + b")], [("y", ELEMENT, out)]))
    np.testing.assert_allclose(out, x + b[np.arange(12) // 3 % 2][:, None], rtol=1e-6)


@pytest.mark.parametrize("count", [5, 40, 300_000])
def test_results_may_be_written_over_operands(count, rng):
    p, g, m, lr = normal(rng, count), normal(rng, count), normal(rng, count), np.array(0.1, "f4")
    m1 = 0.9 * m.astype("f8") + g
    p1 = p - 0.1 * m1
    given = [("p", ELEMENT, p), ("g", ELEMENT, g), ("m", ELEMENT, m), ("lr", SCALAR, lr)]
    run(
        loop(
            1,
            count,
            given,
            [("a", "f4", "0.9 * m + g"), ("b", "f4", "p - lr * a")],
            [("b", ELEMENT, p), ("a", ELEMENT, m)],
        )
    )
    agree(p, p1, 10)
    agree(m, m1, 10)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_number_of_a_column_is_a_value(shape, rng):
    rows, columns = shape
    labels, out = rng.integers(0, columns, rows), np.empty(shape, "f4")
    run(loop(rows, columns, [("t", ROW, labels)], [("y", "f4", "where(column == t, 1, 0)")], [("y", ELEMENT, out)]))
    np.testing.assert_array_equal(out, np.arange(columns) == labels[:, None])


@pytest.mark.parametrize("rows", [1, 5, 300])
def test_what_columns_alone_say_is_computed_for_them(rows, rng):
    x, v, out = normal(rng, rows, 21), np.abs(normal(rng, 21)), np.empty((rows, 21), "f4")
    statements = [("i", "f4", "1 / sqrt(v + 0.1)"), ("j", "f4", "log(v) + i"), ("y", "f4", "x * i + j")]
    run(loop(rows, 21, [("x", ELEMENT, x), ("v", COLUMN, v)], statements, [("y", ELEMENT, out)]))
    i = 1 / np.sqrt(v.astype("f8") + 0.1)
    agree(out, x * i + np.log(v.astype("f8")) + i, 30)


# rows


@pytest.mark.parametrize("shape", [*SHAPES, (2, 9000)])
@pytest.mark.parametrize("in_place", [False, True])
def test_softmax_of_rows(shape, in_place, rng):
    x = normal(rng, *shape) * 5
    right = special.softmax(x.astype("f8"), 1)
    out = x if in_place else np.empty_like(x)
    statements = [("m", "f4", "x", "max"), ("e", "f4", "exp(x - m)"), ("s", "f4", "e", "sum"), ("y", "f4", "e / s")]
    run(loop(*shape, [("x", ELEMENT, x)], statements, [("y", ELEMENT, out)]))
    agree(out, right)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 9000), (1, 300_000)])
def test_normalised_rows_keep_their_statistics_and_add_up_their_gradients(shape, rng):
    rows, columns = shape
    x, w, g = normal(rng, *shape) + 3, normal(rng, columns), normal(rng, *shape)
    out, mean, inverse, total = np.empty_like(x), np.empty(rows, "f4"), np.empty(rows, "f8"), np.empty(columns, "f4")
    statements = [
        ("u", "f4", f"x / {columns}", "sum"), ("d", "f4", "x - u"), ("v", "f4", f"d * d / {columns}", "sum"),
        ("i", "f4", "1 / sqrt(v + 0.01)"), ("h", "f4", "d * i"), ("y", "f4", "h * w"), ("q", "f4", "g * h"),
    ]  # fmt: skip
    results = [("y", ELEMENT, out), ("u", ROW, mean), ("i", ROW, inverse), ("q", COLUMN_SUM, total)]
    run(loop(rows, columns, [("x", ELEMENT, x), ("w", COLUMN, w), ("g", ELEMENT, g)], statements, results))
    z = x.astype("f8")
    i = 1 / np.sqrt(z.var(1, keepdims=True) + 0.01)
    h = (z - z.mean(1, keepdims=True)) * i
    agree(mean, z.mean(1), 5)
    assert np.allclose(inverse, i[:, 0], rtol=2e-5)  # of a float32
    agree(out, h * w, 100)
    agree(total, (g * h).sum(0), 100 + np.abs(g * h).sum(0))


@pytest.mark.parametrize("columns", [1, 7, 8, 30])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_maximum_over_a_row_is_numpys(columns, bad, rng):
    x, top = normal(rng, columns, columns), np.empty(columns, "f4")
    np.fill_diagonal(x, bad)
    run(loop(columns, columns, [("x", ELEMENT, x)], [("m", "f4", "x", "max")], [("m", ROW, top)]))
    np.testing.assert_array_equal(top, x.max(1))


@pytest.mark.parametrize("dtype", ["i4", "i8", "u1", "f8"])
def test_rows_of_other_dtypes_are_reduced(dtype, rng):
    x = rng.integers(0, 50, (6, 45)).astype(dtype)
    top, total = np.empty(6, dtype), np.empty(6, "i8")
    run(
        loop(
            6,
            45,
            [("x", ELEMENT, x)],
            [("m", dtype, "x", "max"), ("s", "i8", "x", "sum")],
            [("m", ROW, top), ("s", ROW, total)],
        )
    )
    np.testing.assert_array_equal(top, x.max(1))
    np.testing.assert_array_equal(total, x.sum(1))


# sums


@pytest.mark.parametrize("shape", [*SHAPES, (4000, 64), (70_000, 3)])
def test_columns_are_summed_while_elements_are_kept(shape, rng):
    g, y, out, total = normal(rng, *shape), normal(rng, *shape), np.empty(shape, "f4"), np.empty(shape[1], "f4")
    given = [("g", ELEMENT, g), ("y", ELEMENT, y)]
    made = loop(
        *shape, given, [("d", "f4", "where(y > 0, g, 0)")], [("d", ELEMENT, out), ("d", COLUMN_SUM, total, 0.5)]
    )
    run(made)
    right = np.where(y > 0, g, 0)
    np.testing.assert_array_equal(out, right)
    agree(total, right.sum(0, dtype="f8") / 2)
    before = total.copy()
    run(made)
    np.testing.assert_array_equal(total, before)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 300_001), (1000, 1000)])
def test_everything_is_summed(shape, rng):
    a, b, r, total = normal(rng, *shape), normal(rng, *shape), normal(rng, shape[0]), np.empty((), "f4")
    of_rows = np.empty((), "f8")
    given = [("a", ELEMENT, a), ("b", ELEMENT, b)]
    run(loop(*shape, given, [("d", "f4", "(a - b) ** 2")], [("d", TOTAL, total, 1 / a.size)]))
    agree(total, ((a.astype("f8") - b) ** 2).mean())
    given = [("a", ELEMENT, a), ("r", ROW, r)]
    statements = [("s", "f8", "a", "sum"), ("t", "f8", "s * r")]
    run(loop(*shape, given, statements, [("t", TOTAL, of_rows, 1 / shape[1])]))
    agree(of_rows, (a.sum(1, dtype="f8") * r).sum(), np.abs(a).sum())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [ROW, COLUMN, SCALAR])
def test_a_total_is_over_all_elements_whatever_its_values_are_shared_by(kind, shape, rng):
    length = {ROW: shape[0], COLUMN: shape[1], SCALAR: 1}[kind]
    v, x, total, out = normal(rng, length), normal(rng, *shape), np.empty((), "f8"), np.empty(shape, "f4")
    statements = [("q", "f4", "v * v"), ("y", "f4", "x * q")]
    results = [("y", ELEMENT, out), ("q", TOTAL, total, 0.5)]
    run(loop(*shape, [("v", kind, v), ("x", ELEMENT, x)], statements, results))
    q = np.broadcast_to(v.astype("f8")[:, None] ** 2 if kind == ROW else v.astype("f8") ** 2, shape)
    assert abs(total - q.sum() / 2) <= tolerance(np.dtype("f4")) * q.sum()
    agree(out, x * q, 10)


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("columns", [1, 7, 16, 33, 64, 130])
def test_registers_of_other_sizes_have_the_same_results(size, columns, rng, monkeypatch):
    monkeypatch.setattr(emit_extent, "register", lambda: size)
    test_softmax_of_rows((5, columns), False, rng)
    test_columns_are_summed_while_elements_are_kept((5, columns), rng)
    test_every_element_is_computed_and_nothing_behind_them_is_touched(columns, rng)


def test_the_number_of_chunks_is_that_of_sizes_and_small_loops_have_one():
    chunks = {}
    for size in (100, 10_000, 4_000_000):
        x = np.empty(size, "f4")
        made = loop(1, size, [("x", ELEMENT, x)], [("y", "f4", "x + 1")], [("y", ELEMENT, x)])
        (function,) = functions(made)
        chunks[size] = function.chunks
    assert chunks[100] == chunks[10_000] == 1
    assert 30 <= chunks[4_000_000] <= 130


# expressions


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nan_and_infinities_are_treated_as_numpy_treats_them(dtype):
    values = np.array([NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5], dtype)
    a, b = (each.ravel() for each in np.meshgrid(values, values))
    for text, right in {
        "maximum(a, b)": np.maximum(a, b), "minimum(a, b)": np.minimum(a, b), "maximum(a, 0)": np.maximum(a, 0),
        "minimum(1, a)": np.minimum(1, a), "sign(a)": np.sign(a), "abs(a)": np.abs(a), "rint(a)": np.rint(a),
        "where(a > b, a, b)": np.where(a > b, a, b), "where(a, 1, 2)": np.where(a, 1, 2), "-a": -a,
        "maximum(maximum(a, -1), 1)": np.maximum(np.maximum(a, -1), 1),
    }.items():  # fmt: skip
        np.testing.assert_array_equal(computed(text, dtype, a=a, b=b), right, err_msg=text)
    for text, right in {
        "a < b": a < b, "a <= b": a <= b, "a > b": a > b, "a >= b": a >= b, "a == b": a == b, "a != b": a != b,
        "isnan(a)": np.isnan(a), "isinf(a)": np.isinf(a), "isfinite(a)": np.isfinite(a),
        "~(a < b) & (b > 0)": ~(a < b) & (b > 0), "(a < b) | isnan(a)": (a < b) | np.isnan(a),
    }.items():  # fmt: skip
        np.testing.assert_array_equal(computed(text, "?", a=a, b=b), right, err_msg=text)


@pytest.mark.parametrize("source", ["?", "u1", "i4", "i8", "f4", "f8", "i1", "i2", "u2", "u4", "u8"])
@pytest.mark.parametrize("target", ["?", "u1", "i4", "i8", "f4", "f8", "i2", "u8"])
def test_values_are_converted(source, target, rng):
    x = rng.integers(0, 100, 37).astype(source)
    x[:5] = 0
    np.testing.assert_array_equal(computed("x", target, x=x), x.astype(target))


@pytest.mark.parametrize("a", ["?", "u1", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("b", ["?", "u1", "i4", "i8", "f4", "f8"])
def test_dtypes_promote_as_in_numpy(a, b, rng):
    x, y = rng.integers(0, 9, 40).astype(a), rng.integers(0, 9, 40).astype(b)
    for text, right in {
        "x + y": x + y,
        "x * y": x * y,
        "x / (y + 1)": x / (y + 1),
        "x * 3": x * 3,
        "x * 0.5": x * 0.5,
    }.items():
        out = computed(text, right.dtype if right.dtype != np.float16 else "f4", x=x, y=y)
        np.testing.assert_allclose(out, right, rtol=1e-3 if right.dtype == np.float16 else 1e-7, err_msg=text)
    for text, right in {"x < y": x < y, "x == y": x == y, "x >= 4.5": x >= 4.5}.items():
        np.testing.assert_array_equal(computed(text, "?", x=x, y=y), right, err_msg=text)


def test_unsigned_numbers_are_compared_and_halved_as_such():
    x = np.array([0, 1, 127, 128, 255] * 9, np.uint8)
    np.testing.assert_array_equal(computed("x > 127", "?", x=x), x > 127)
    np.testing.assert_array_equal(computed("maximum(x, 128)", "u1", x=x), np.maximum(x, 128))
    np.testing.assert_array_equal(computed("x / 2", "f4", x=x), x / 2)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 4, 5, -1, -2, 0.5, -0.5, 1.7])
def test_powers(power, rng):
    x = rng.uniform(0.1, 3, 37).astype("f4")
    agree(computed(f"x ** {power}", "f4", x=x), x.astype("f8") ** power, 30)


def test_a_power_of_a_scalar_is_computed_once(rng):
    x, t = normal(rng, 1000), np.array(7.0, "f4")
    text = functions(
        loop(1, 1000, [("x", ELEMENT, x), ("t", SCALAR, t)], [("y", "f4", "x / (1 - 0.9 ** t)")], [("y", ELEMENT, x)])
    )[0].text
    assert text.index("llvm.pow.f32(") < text.index(" phi ")


@pytest.mark.parametrize("count", [1, 41])
def test_long_chains_of_statements_are_one_loop(count, rng):
    x = normal(rng, count)
    out = np.empty_like(x)
    statements = [(f"v{i + 1}", "f4", f"v{i} + 1") for i in range(1500)]
    run(loop(1, count, [("v0", ELEMENT, x)], statements, [("v1500", ELEMENT, out)]))
    agree(out, x + 1500.0, 1500 * 1500)


def test_what_is_not_supported_says_so():
    x, half, n = np.empty((3, 4), "f4"), np.empty((3, 4), "f2"), np.empty((3, 4), "i8")
    assert supports(loop(3, 4, [("x", ELEMENT, x)], [("y", "f4", "x + 1")], [("y", ELEMENT, x)]))
    assert not supports(loop(3, 4, [("x", ELEMENT, half)], [("y", "f4", "x + 1")], [("y", ELEMENT, x)]))
    assert not supports(loop(0, 4, [("x", ELEMENT, x[:0])], [("y", "f4", "x + 1")], [("y", ELEMENT, x[:0])]))
    assert not supports(loop(3, 4, [("n", ELEMENT, n)], [("y", "i8", "n ** n")], [("y", ELEMENT, n)]))


_LEAVES = st.sampled_from(["a", "b", "r", "c", "s", "2", "0.5", "-1"])


def _larger(smaller):
    binary = st.tuples(smaller, st.sampled_from("+-*"), smaller).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
    unary = st.tuples(st.sampled_from(["tanh", "abs", "sigmoid", "-", "sign", "floor"]), smaller).map(
        lambda t: f"{t[0]}({t[1]})"
    )
    extreme = st.tuples(st.sampled_from(["maximum", "minimum"]), smaller, smaller).map(
        lambda t: f"{t[0]}({t[1]}, {t[2]})"
    )
    chosen = st.tuples(smaller, smaller, smaller).map(lambda t: f"where({t[0]} > 0.25, {t[1]}, {t[2]})")
    return binary | unary | extreme | chosen


@settings(max_examples=60, deadline=None)
@given(text=st.recursive(_LEAVES, _larger, max_leaves=8), rows=st.integers(1, 4), columns=st.integers(1, 40))
def test_any_expression_is_what_numpy_says(text, rows, columns):
    rng = np.random.default_rng(rows * 100 + columns)
    a, b, r, c, s = (rng.integers(-8, 9, shape) / 4 for shape in ((rows, columns), (rows, columns), rows, columns, ()))
    given = [("a", ELEMENT, a), ("b", ELEMENT, b), ("r", ROW, r), ("c", COLUMN, c), ("s", SCALAR, np.asarray(s))]
    out = np.empty((rows, columns))
    run(loop(rows, columns, given, [("y", "f8", text)], [("y", ELEMENT, out)]))
    names = {name: getattr(np, name) for name in ("tanh", "abs", "sign", "floor", "maximum", "minimum", "where")}
    right = eval(text, {**names, "sigmoid": special.expit, "a": a, "b": b, "r": r[:, None], "c": c, "s": s})
    np.testing.assert_allclose(out, np.broadcast_to(right, out.shape), rtol=1e-9, atol=1e-9)
