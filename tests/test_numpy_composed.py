"""NumPy's functions that are made of gradflow's, or are NumPy's own: values, dtypes, gradients and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.numpy as gnp
from expressions import calls, check_gradients, check_values
from gradflow.errors import (
    ArgumentError,
    CompileError,
    DTypeError,
    GradflowError,
    GradientError,
    IndexOutOfRange,
    ShapeError,
    TransformError,
)

SMOOTH = calls("""
np.delete(a, 1) np.delete(a, 1, axis=0) np.delete(a, [0, -1], 1) np.delete(a, slice(0, 3, 2), axis=1)
np.delete(a, [True, False, True], 0) np.delete(v, []) np.insert(v, 1, 7.0) np.insert(v, [1, 3], w[:2])
np.insert(a, 1, 5.0) np.insert(a, 1, v, axis=0) np.insert(a, 1, v[:3], axis=1) np.insert(a, [1], a[:, :2], axis=1)
np.insert(a, [0, 2], a[:, :2], 1) np.insert(a, slice(1, 3), v, axis=0) np.insert(v, 4, [1, 2, 3])
np.insert(a, [2, 0, 2], 1.0, axis=1) np.insert(a, -1, v[:3, None], axis=1) np.insert(v, 2, w)
np.trim_zeros(np.append(np.append([0.0], v), [0.0, 0.0])) np.trim_zeros(np.pad(a, 2), "f")
np.trim_zeros(np.pad(a, 1), axis=1) np.trim_zeros(np.pad(v, 1), "B")
np.union1d(v, w) np.union1d(v[:2], a) np.intersect1d(v, v[1:]) np.setdiff1d(v, v[:2]) np.setxor1d(v, v[1:])
np.setdiff1d(v, v[1:2], assume_unique=True) np.setxor1d(v, w, assume_unique=True)
np.polyval(v, w) np.polyadd(v, w[1:]) np.polysub(w[1:], v) np.polymul(v, w[:2]) np.polymul(np.append([0.0], v), w)
np.polydiv(v, w[:2])[0] np.polydiv(v, w[:2])[1] np.polydiv(w[:2], v)[0] np.polydiv(w[:2], v)[1] np.polydiv(v, w[:1])[0]
np.polyder(v) np.polyder(v, 2) np.polyder(v, 0) np.polyint(v) np.polyint(v, 2, w[:2]) np.polyint(v, 3, 2.0)
np.poly(v) np.polyfit(v, w, 2) np.polyfit(v, a.T, 1) np.polyfit(v, w, 1, w=w) np.polyfit(v, w, 1, full=True)[1]
np.polyfit(v, w, 1, cov=True)[1] np.polyfit(v, a.T, 1, cov=True)[1] np.polyfit(v, w, 1, cov="unscaled")[1]
np.unwrap(8 * v) np.unwrap(8 * a, axis=0) np.unwrap(8 * a, 5.0) np.unwrap(3 * a, period=2.0)
np.frexp(100 * v)[0] np.sort_complex(v) np.real_if_close(v) np.real_if_close(v + 1e-20j) np.asarray_chkfinite(v)
np.apply_along_axis(lambda x: x * x.sum(), 0, a) np.apply_along_axis(lambda x: x.sum(), 1, a)
np.apply_along_axis(lambda x, k: np.outer(x, x) * k, 1, a, 2.0) np.apply_along_axis(np.sort, 0, a)
np.apply_over_axes(np.sum, a, [0, 1]) np.apply_over_axes(np.mean, a, 1) np.apply_over_axes(np.cumsum, a, 0)
np.vectorize(lambda x, y: x * y if x > 0 else y)(a, v) np.vectorize(lambda x, k=1: x * k)(v, k=2.0)
np.r_[v, 1.0, w] np.r_[0:3, v, 0:1:3j] np.c_[v, w] np.c_[a, a] np.r_[a, b] np.r_[v]
np.histogramdd(a.T, 3, weights=v)[0] np.histogram2d(v, w, 2, weights=w)[0]
np.histogram2d(v, w, [[-1, 0, 1.5], [0, 0.7, 1]], density=True, weights=w)[0]
np.lib.stride_tricks.sliding_window_view(v, 2) np.lib.stride_tricks.sliding_window_view(a, (2, 3))
np.lib.stride_tricks.sliding_window_view(a, 2, axis=0) np.lib.stride_tricks.sliding_window_view(a, (2, 2), (1, 1))
np.linalg.tensorsolve(m.reshape(2, 2, 2, 2), a[:2, :2]) np.linalg.tensorinv(m.reshape(4, 2, 2), ind=1)
np.linalg.tensorsolve(m.reshape(2, 2, 4).transpose(0, 2, 1), a[:2, :2], axes=(1,))
np.partition(v, 2)
np.poly(s) np.poly(m) np.sort(np.roots(v)).real np.sort(np.roots(np.append(np.poly(w), 0.0))) np.roots([0.0, *w[:2], 0])
np.sort_complex(np.linalg.eigvals(s)) np.sort_complex(np.linalg.eig(s)[0]) np.abs(np.linalg.eig(s)[1]).sum(0)
np.sort_complex(np.linalg.eigvals(m))
""")
STEPS = calls("""
np.frexp(100 * v)[1] np.isin(a, v) np.isin(v, [v[0], 5.0], assume_unique=True, invert=True) np.lexsort((v, w))
np.lexsort(a) np.nanargmax(a) np.nanargmin(a, axis=1) np.spacing(v) np.packbits(a > 0) np.packbits(a > 0, axis=1)
np.unpackbits(np.packbits(a > 0)) np.gcd((9 * a).astype(int), 6) np.lcm((9 * a).astype(int), 6)
np.gcd.reduce((9 * a).astype(int)) np.lcm.outer((9 * v).astype(int), [2, 3]) np.bitwise_count((9 * a).astype(int))
np.histogram_bin_edges(a, 4) np.histogram_bin_edges(a, "auto") np.histogramdd(a, (2, 3, 2, 2))[0]
np.histogramdd(a, (2, 3, 2, 2))[1] np.histogramdd([v, w], 2, density=True)[0] np.histogramdd(a.T, 2)[1]
np.histogram2d(v, w, 3) np.histogram2d(v, w, [2, 3], [[-1, 1], [0, 1]]) np.histogram2d(v, w, [-1, 0, 1])[0]
np.intersect1d(v, v[::-1], return_indices=True) np.intersect1d(a, [0.5, a[1, 1]], return_indices=True)[1]
np.union1d((3 * a).astype(int), [0.5, 7]) np.setdiff1d((3 * a).astype(int), [0, 1.5]) np.diag_indices_from(m)
np.setxor1d((3 * a).astype(int), [0, 1]) np.intersect1d((3 * a).astype("int32"), [0, 1, 2])
np.ix_([0, 2], (v > 0)) np.ix_((3 * w).astype(int), [1]) np.mask_indices(3, np.triu) np.trim_zeros(0 * a)
np.trim_zeros(0 * v, "f") np.insert((3 * v).astype(int), 1, 2.7) np.sort_complex((3 * v).astype("int8"))
np.sort_complex(np.append(v + 1j, v)) np.poly((3 * v).astype(int)) np.poly(np.append(v[:1] + 1j, v[:1] - 1j))
np.polyfit((9 * v).astype(int), v, 1) np.polyint((9 * v).astype(int)) np.polyder((9 * v).astype(int))
np.polydiv((9 * v).astype(int), [2, 1])[0] np.polymul((9 * v).astype(int), [2, 1]) np.polyfit(v, w, 1, full=True)[3]
np.unwrap((30 * v).astype(int), period=5) np.unwrap((30 * v).astype(int), period=4) np.unwrap((3 * v).astype("float32"))
np.c_[(9 * v).astype("int32"), v] np.c_[(9 * v).astype("float32"), (9 * v).astype("int8")]
""")
MADE = (
    "mgrid[0:2, 0:1:3j]", "ogrid[0:2, 0:3]", "ogrid[0:2]", "r_[0:3]", "r_[1, 2.5]", "c_[[1, 2], [3, 4]]", "hanning(5)",
    "kaiser(5, 2.0)", "fromiter((i * i for i in range(4)), float)", "fromiter(iter([1, 2, 3]), int, count=2)",
    "frombuffer(b'abcd', 'uint8')", "fromstring('1 2', sep=' ')", "vectorize(lambda x: (x, x + 1))([1.0, 2.0])",
    "vectorize(lambda x, k: x + k, excluded=[1])([1.0, 2.0], 1.0)", "vectorize(lambda x: x > 1, [bool])([1.0, 2.0])",
    "bitwise_count([3, 7])", "gcd(12, 18)", "ix_([0, 1], [True, True])", "mgrid[0:2]", "roots([0, 0])", "roots([3])",
)  # fmt: skip


ASKS_NOBODY = ("np.r_", "np.c_", "np.vectorize", "np.asarray_chkfinite", "np.mask_indices")
ASKING = [call for call in (*SMOOTH, *STEPS) if not call.startswith(ASKS_NOBODY)]


@pytest.mark.parametrize(
    ("np_like", "call"), [*((np, call) for call in ASKING), *((gnp, call) for call in (*SMOOTH, *STEPS))]
)
def test_values_and_dtypes_are_numpys(np_like, call):
    check_values(np_like, call)


@pytest.mark.parametrize("call", SMOOTH)
def test_gradients_are_those_of_finite_differences(call):
    check_gradients(call, gnp)


@pytest.mark.parametrize("call", MADE)
def test_what_is_made_without_tensors(call):
    ours, theirs = eval(f"np.{call}", {"np": gnp}), eval(f"np.{call}", {"np": np})
    for x, y in zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]:
        assert isinstance(x, gf.Tensor) and (x.dtype, x.shape) == (y.dtype, y.shape)
        np.testing.assert_allclose(x.numpy(), y)


WRITTEN = (
    "put(x, [0, -1, 3], [5.0, 6.0])", "put(x, [0, 40], 1.0, mode='wrap')", "put(x, [0, 40], 1.0, 'clip')",
    "place(x, x > 0, [1.0, 2.0, 3.0])", "putmask(x, x > 0, [1.0, 2.0, 3.0])", "putmask(x, x > 0, x * 2)",
    "put_along_axis(x, np.argsort(x, 1)[:, :2], 9.0, 1)", "put_along_axis(x, np.argmax(x, 0)[None], x[:1], 0)",
    "put_along_axis(x, np.argsort(x, None)[:2], 7.0, None)", "fill_diagonal(x, 3.0)", "fill_diagonal(x, [1.0, 2.0])",
    "fill_diagonal(x.T, 1.0)", "fill_diagonal(tall, 4.0, wrap=True)", "fill_diagonal(tall, 4.0)",
    "fill_diagonal(cube, [1.0, 2.0])", "copyto(x, 2.0)", "copyto(x, x[0] * 2, where=x > 0)",
)  # fmt: skip


@pytest.mark.parametrize("np_like", [np, gnp], ids=["numpy", "gradflow.numpy"])
@pytest.mark.parametrize("call", WRITTEN)
def test_what_writes_in_place_writes_what_numpy_does(np_like, call):
    rng = np.random.default_rng(0)
    theirs = {"x": rng.normal(size=(3, 4)), "tall": rng.normal(size=(7, 2)), "cube": rng.normal(size=(3, 3, 3))}
    ours = {name: gf.tensor(each.copy()) for name, each in theirs.items()}
    assert eval(f"np.{call}", {"np": np_like, **ours}) is None
    eval(f"np.{call}", {"np": np, **theirs})
    for name, each in theirs.items():
        np.testing.assert_array_equal(ours[name].numpy(), each)


MISTAKES = {
    "np.delete(x, 7)": (IndexOutOfRange, "delete: index 7 is out of bounds"),
    "np.delete(x, 0, axis=2)": (IndexOutOfRange, "delete: axis 2 is out of range"),
    "np.insert(x, 9, 1.0)": (IndexOutOfRange, "insert: index 9 is out of bounds"),
    "np.insert(x, [0, 1], [1.0, 2.0, 3.0])": (ShapeError, "broadcast"),
    "np.trim_zeros(x, 'q')": (ArgumentError, "made of 'f' and 'b'"),
    "np.gcd(x, 2)": (DTypeError, "gcd: ufunc 'gcd' did not contain"),
    "np.packbits(x)": (DTypeError, "packbits: Expected an input array of integer or boolean"),
    "np.nanargmax(x[:0])": (ArgumentError, "nanargmax: attempt to get argmax of an empty"),
    "np.polyder(x, -1)": (ArgumentError, "polyder: m is -1"),
    "np.polyint(x, 3, [1.0, 2.0])": (ArgumentError, "2 constants for 3 integrals"),
    "np.polyfit(x, x[:2], 1)": (ShapeError, "there must be a y, or a row, for each x"),
    "np.polyfit(x, x, -1)": (ArgumentError, "deg is -1"),
    "np.polyfit(x, x, 2, cov=True)": (ArgumentError, "needs more than 3 points"),
    "np.poly(x[:, None] * x[None, :2])": (ShapeError, "a square matrix"),
    "np.roots(x[None])": (ShapeError, "roots: takes a vector"),
    "np.polyadd(x, x[None])": (ShapeError, "polyadd: takes vectors of coefficients"),
    "np.polymul(x[None], x)": (ShapeError, "polymul: takes vectors of coefficients"),
    "np.polydiv(x, x[None])": (ShapeError, "polydiv: takes vectors of coefficients"),
    "np.polydiv(x, x[:0])": (ShapeError, "polydiv: .* is empty"),
    "np.polyder(x[None])": (ShapeError, "polyder: takes vectors of coefficients"),
    "np.polyint(x[None])": (ShapeError, "polyint: takes vectors of coefficients"),
    "np.tril_indices_from(x)": (ShapeError, "tril_indices_from: takes a matrix"),
    "np.triu_indices_from(x[None, None])": (ShapeError, "triu_indices_from: takes a matrix"),
    "np.resize(x, -1)": (ShapeError, r"resize: .* \(-1,\)"),
    "np.resize(x[:0], 2)": (ShapeError, "resize: there are no elements"),
    "np.histogram(x, 2.5)": (ArgumentError, "bins. must be an integer"),
    "np.fill_diagonal(x, 1.0)": (ShapeError, "has no diagonal"),
    "np.put(x, [7], 1.0)": (IndexOutOfRange, "put: index 7 is out of bounds"),
    "np.place(x, x > 0, [])": (ShapeError, "no values to write at 2 places"),
    "np.diag_indices_from(x)": (ShapeError, "two dimensions or more"),
    "np.ix_(x[None])": (ShapeError, "ix_: takes vectors"),
    "np.histogramdd([x, x], weights=x[:1])": (ShapeError, "weights are"),
    "np.histogramdd([x, x], [2, 2, 2])": (ArgumentError, "dimension of bins"),
    "np.apply_along_axis(np.sum, 3, x)": (IndexOutOfRange, "axis 3 is out of range"),
    "np.apply_along_axis(np.sum, 1, x.reshape(3, 1)[:0])": (ShapeError, "there is no vector along axis 1"),
    "np.apply_over_axes(lambda x, i: x.sum().reshape(1, 1, 1), x, 0)": (ShapeError, "the function made"),
    "np.lib.stride_tricks.sliding_window_view(x, 5)": (ShapeError, "no window of"),
    "np.lib.stride_tricks.sliding_window_view(x, (2, 2), 0)": (ShapeError, "a size for each"),
    "np.linalg.tensorinv(x, 0)": (ArgumentError, "ind"),
    "np.linalg.tensorsolve(x.reshape(3, 1), x)": (ShapeError, "tensorsolve"),
    "np.asarray_chkfinite(x / 0)": (ArgumentError, "infinities or NaN"),
    "np.fromiter(iter([1, 2]), float, 3)": (ArgumentError, "has 2 elements, and not 3"),
    "np.load('/nowhere/x.npy')": (OSError, "nowhere"),
}


@pytest.mark.parametrize("call", MISTAKES)
def test_mistakes_are_told(call):
    kind, message = MISTAKES[call]
    x = gf.tensor([0.5, -1.0, 2.0], dtype="float64")
    with pytest.raises(kind, match=message) as caught, np.errstate(all="ignore"):
        eval(call, {"np": gnp, "x": x})
    assert isinstance(caught.value, GradflowError | OSError)


def test_a_gradient_is_not_lost_where_elements_are_written_or_shown(tmp_path):
    x = gf.tensor([1.0, 2.0], requires_grad=True)
    for call in ("put(x, 0, 1.0)", "putmask(x, x > 1, 0.0)", "fill_diagonal(x[None] * x, 1.0)", "copyto(x, 0.0)"):
        with pytest.raises(GradientError):
            eval(f"np.{call}", {"np": gnp, "x": x})
    for call in ("array_repr(x)", "save(path, x)", "savez(path, x)", "array2string(x)"):
        with pytest.raises(GradientError, match=r"use \.detach"):
            eval(f"np.{call}", {"np": gnp, "x": x, "path": tmp_path / "x.npz"})


def test_files_are_written_and_read(tmp_path):
    x, path = gf.tensor([[1.0, 2.0]], dtype="float64"), tmp_path / "x"
    gnp.save(f"{path}.npy", x)
    gnp.savetxt(path, x)
    for read in (gnp.load(f"{path}.npy"), gnp.loadtxt(path).reshape(1, 2), gnp.genfromtxt(path)[None]):
        assert isinstance(read, gf.Tensor) and read.tolist() == [[1.0, 2.0]]
    gnp.savez(path, x=x)
    with gnp.load(f"{path}.npz") as archive:  # NumPy's own archive, of arrays
        assert archive["x"].tolist() == x.tolist()
    assert gnp.array2string(x) == "[[1. 2.]]" and gnp.array_str(x) == "[[1. 2.]]"


def test_elements_are_gone_through_with_their_places():
    x = gf.tensor([[1.0, 2.0]], requires_grad=True)
    pairs = list(gnp.ndenumerate(x))
    assert [place for place, _ in pairs] == [(0, 0), (0, 1)]
    (pairs[0][1] * pairs[1][1]).backward()
    assert x.grad.tolist() == [[2.0, 1.0]]


METHODS = (
    "x.compress([True, False, True])", "x.compress([1, 0], axis=0)", "x.conjugate()", "n.choose([x[0], x[1]])",
    "n.choose([x[0], x[1]], mode='wrap')", "x[0].searchsorted(x[1])", "x[0].searchsorted(x[1], 'right')",
    "x.argpartition(1)", "x.argpartition(0, axis=0)", "n.itemsize", "x.nbytes", "x.fill(2.0)", "x.std(ddof=1)",
    "x.var(0, ddof=1)", "x.sum(dtype='float32')", "n.mean(0, dtype='float32')", "x.prod(dtype='float32')", "x.item(2)",
    "n.cumsum(dtype='float32')", "n.cumprod(0, dtype='float64')", "x.astype(float, copy=True)", "x.copy(order='C')",
    "x.argsort(0, 'stable')", "3.5 in x", "7.0 in x", "x.item(1, 2)", "x.item((0, 1))", "round(x[1, 1])",
)  # fmt: skip


@pytest.mark.parametrize("call", METHODS)
def test_methods_are_those_of_arrays(call):
    theirs = {"x": np.array([[1.0, 3.0, 4.0], [2.0, 3.5, 0.0]]), "n": np.array([1, 0, 1], np.int32)}
    ours = {name: gf.tensor(each.copy()) for name, each in theirs.items()}
    found, expected = eval(call, dict(ours)), eval(call, dict(theirs))
    assert getattr(found, "dtype", None) == getattr(expected, "dtype", None) or np.isscalar(found)
    np.testing.assert_array_equal(getattr(found, "data", found), expected)
    np.testing.assert_array_equal(ours["x"].numpy(), theirs["x"])


def test_scalars_in_an_iterator_have_gradients():
    x = gf.tensor(2.0, requires_grad=True)
    gnp.fromiter((x**i for i in range(3)), float).sum().backward()
    assert x.grad.item() == 5.0


def test_an_order_of_contractions_is_numpys_and_reads_nothing():
    shapes = (2, 30), (30, 4), (4, 5)
    theirs = np.einsum_path("ij,jk,kl->il", *(np.ones(shape) for shape in shapes), optimize="optimal")
    ours = np.einsum_path("ij,jk,kl->il", *(gf.ones(shape) for shape in shapes), optimize="optimal")
    assert ours == theirs
    assert gf.vmap(lambda x: x * len(gnp.einsum_path("ij,jk", x, x)))(gf.ones((2, 3, 3))).shape == (2, 3, 3)


def test_a_fit_is_mapped_and_compiled_and_warns_of_too_few_points():
    x, y = gf.tensor([[0.0, 1.0, 2.0], [1.0, 3.0, 4.0]]), gf.tensor([[1.0, 3.0, 5.0], [0.0, 1.0, 5.0]])
    expected = [np.polyfit(each.numpy(), values.numpy(), 1) for each, values in zip(x, y, strict=True)]
    np.testing.assert_allclose(gf.vmap(lambda x, y: gnp.polyfit(x, y, 1))(x, y).numpy(), expected, rtol=1e-4, atol=1e-5)
    step = gf.compile(lambda x, y: gnp.polyfit(x, y, 1))
    for _ in range(3):
        np.testing.assert_allclose(step(x[1], y[1]).numpy(), expected[1], rtol=1e-4, atol=1e-5)
    with pytest.warns(np.exceptions.RankWarning, match="do not determine"):
        gnp.polyfit(x[0], y[0], 3)


def test_what_needs_the_elements_says_so_where_there_are_none():
    x = gf.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    for f in (gnp.trim_zeros, lambda x: gnp.union1d(x, x), lambda x: gnp.lexsort((x,)), lambda x: gnp.frexp(x)[0]):
        with pytest.raises(TransformError, match="reads the elements"):
            gf.vmap(f)(x)
        with pytest.raises(CompileError, match="reads a tensor's elements"):
            step = gf.compile(f)
            for i in range(3):
                step(x[0] + i)


def test_eigenvalues_have_numpys_dtype():
    for x in ([[2.0, 0.0], [1.0, 3.0]], [[0.0, -1.0], [1.0, 0.0]]):
        for f in (np.linalg.eigvals, lambda x: np.linalg.eig(x)[0], lambda x: np.linalg.eig(x)[1]):
            found, expected = f(gf.tensor(x, "float64")), f(np.array(x))
            assert found.dtype == expected.dtype


def test_dtypes_are_asked_of_tensors():
    x = gf.tensor([1, 2], dtype="int32")
    assert gnp.common_type(x) is np.float64 and gnp.min_scalar_type(gf.tensor(3)) == np.dtype("uint8")


def test_results_are_on_the_device_of_the_arguments(cuda):
    x = gf.tensor([[3.0, 0.0, 1.0], [2.0, 5.0, 0.0]], device="cuda")
    expected = x.cpu()
    for call in (
        "delete(x, 1)", "insert(x, 1, 2.0)", "insert(x, [0, 2], x[:, :2], 1)", "trim_zeros(x[0])", "union1d(x, x[0])",
        "setxor1d(x[0], x[1])", "polyadd(x[0], x[1, 1:])", "polyint(x[0])", "polydiv(x[0], x[1, :2])[0]",
        "lexsort(x)", "nanargmax(x)", "unwrap(x)", "r_[x[0], 1.0]", "poly(x[0])", "polyder(x[0])", "isin(x, x[0])",
        "histogramdd(x)[0]", "frexp(x)[0]", "sort_complex(x)", "vectorize(lambda y: y * y)(x)",
        "polyfit(x[0], x[1], 1)",
        "apply_along_axis(np.sum, 1, x)", "lib.stride_tricks.sliding_window_view(x[0], 2)", "polymul(x[0], x[1])",
    ):  # fmt: skip
        found = eval(f"np.{call}", {"np": gnp, "x": x})
        assert found.device == x.device, call
        wanted = eval(f"np.{call}", {"np": gnp, "x": expected}).numpy()
        np.testing.assert_allclose(found.cpu().numpy(), wanted, rtol=1e-5, atol=1e-5, err_msg=call)
    np.put(x, [0], 7.0)
    np.fill_diagonal(x, 8.0)
    assert x.cpu().tolist() == [[8.0, 0.0, 1.0], [2.0, 8.0, 0.0]]
