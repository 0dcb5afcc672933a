"""The array API standard 2024.12, function by function: names, dtypes and special cases, beside NumPy, which conforms.

The oracle is NumPy from version 2.1, where it has the function under the standard's name; what is written out here is
what the standard's text says and NumPy is not asked.
"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import gradflow as gf
import gradflow.array_api as xp
from gradflow.array_api import names
from gradflow.errors import ArgumentError, ShapeError
from gradflow.testing import tolerance

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
REAL = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan)

ALL_NUMBERS = (*INTEGERS, *REAL, *COMPLEX)
KINDS = {  # the dtypes that the standard wants of elementwise functions
    "abs add conj divide equal imag multiply negative not_equal positive pow real reciprocal sign": None,
    "square subtract": None,
    "ceil floor greater greater_equal less less_equal maximum minimum remainder floor_divide trunc": (*INTEGERS, *REAL),
    "round isfinite isinf isnan": ALL_NUMBERS,
    "bitwise_and bitwise_or bitwise_xor bitwise_invert": ("bool", *INTEGERS),
    "bitwise_left_shift bitwise_right_shift": INTEGERS,
    "logical_and logical_not logical_or logical_xor": ("bool",),
    "atan2 copysign hypot logaddexp nextafter signbit": REAL,
    "acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 sin sinh sqrt tan tanh": (
        *REAL,
        *COMPLEX,
    ),
}
FLOATING_ONLY = {"divide", "reciprocal"}
COMPLEX_ONLY = {"imag", "real", "conj"}


def cases():
    for group, kinds in KINDS.items():
        for name in group.split():
            chosen = ALL_NUMBERS if kinds is None else kinds
            chosen = [each for each in chosen if name not in FLOATING_ONLY or each in (*REAL, *COMPLEX)]
            yield from ((name, each) for each in chosen if name not in COMPLEX_ONLY or each in COMPLEX)


def numbers(dtype):
    """Numbers of a dtype, with the special ones of its kind."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.array([True, False, True, False])
    if kind in "iu":
        low = 0 if kind == "u" else -3
        return np.arange(low, low + 8).astype(dtype)
    if kind == "f":
        return np.array(SPECIAL, dtype)
    finite = np.array([0.5, -2.0, 1.0, 3.0, -0.25, 2.0], dtype)
    return finite + np.array([1j, 0.5j, -2j, 0, 1j, -1j], dtype)


def agree(ours, theirs, exact=False):
    """Equal in dtype, shape, values, signs of zeros, and where there is NaN."""
    theirs = np.asarray(theirs)
    assert isinstance(ours, gf.Tensor)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    rtol = 0.0 if exact or theirs.dtype.kind not in "fc" else 4 * tolerance(theirs.dtype, theirs.size)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=rtol, atol=rtol)
    if theirs.dtype.kind == "f":
        zero = theirs == 0
        np.testing.assert_array_equal(np.signbit(ours.numpy()[zero]), np.signbit(theirs[zero]))


def arguments(name, dtype):
    """Arrays that a function of that name takes: for two, every number with every other."""
    x = numbers(dtype)
    if name in ("bitwise_left_shift", "bitwise_right_shift"):
        return np.abs(x)[:, None], np.arange(4, dtype=dtype)
    count = getattr(np, name).nin if isinstance(getattr(np, name), np.ufunc) else 1
    if count == 1:
        return (x,)
    if name == "pow" and np.dtype(dtype).kind in "iu":
        return x[:, None], np.arange(4, dtype=dtype)
    if name in ("floor_divide", "remainder"):
        y = x[np.isfinite(x) & (x != 0)] if np.dtype(dtype).kind == "f" else x[x != 0]
        return x[:, None], y
    return x[:, None], x


@pytest.mark.parametrize(("name", "dtype"), list(cases()))
def test_elementwise_functions_have_the_values_and_dtypes_of_numpy(name, dtype):
    given = arguments(name, dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(np, name)(*given)
        agree(getattr(xp, name)(*map(xp.asarray, given)), expected)
        empty = getattr(xp, name)(*(xp.asarray(x[:0]) for x in given))
    assert empty.dtype == expected.dtype and empty.size == 0


@pytest.mark.parametrize("name", sorted({name for name, _ in cases()}))
def test_elementwise_functions_take_scalars(name):
    dtype = next(dtype for each, dtype in cases() if each == name)
    given = [x.reshape(-1)[-1] for x in arguments(name, dtype)]
    with np.errstate(all="ignore"):
        assert getattr(xp, name)(*map(xp.asarray, given)).shape == ()


@pytest.mark.parametrize(("operator", "name"), [("__add__", "add"), ("__mul__", "multiply"), ("__pow__", "pow")])
@pytest.mark.parametrize("dtype", ALL_NUMBERS)
def test_operators_with_python_numbers_keep_the_dtype(operator, name, dtype):
    x = xp.asarray(numbers(dtype))
    with np.errstate(all="ignore"):
        assert getattr(x, operator)(2).dtype == x.dtype == getattr(xp, name)(x, 2).dtype


# ---- names and signatures


def test_nothing_of_the_standard_is_missing():
    assert [name for name in names.NAMES if not hasattr(xp, name)] == []
    assert [name for name in names.LINALG if not hasattr(xp.linalg, name)] == []
    assert [name for name in names.FFT if not hasattr(xp.fft, name)] == []
    assert len(names.NAMES) == len(set(names.NAMES)) == 151


def test_tensors_have_the_attributes_and_methods_of_the_standard():
    attributes = "dtype device mT ndim shape size T to_device __array_namespace__ __dlpack__ __dlpack_device__ __bool__"
    methods = (
        "abs bool complex eq float floordiv ge getitem gt index int invert le lshift lt matmul mod mul ne neg or pos"
    )
    methods += (
        " pow rshift setitem sub truediv xor add and radd rsub rmul rtruediv rfloordiv rmod rpow rmatmul rand ror"
    )
    methods += " rxor rlshift rrshift"
    wanted = attributes.split() + [f"__{name}__" for name in methods.split()]
    assert [name for name in wanted if not hasattr(gf.Tensor, name)] == []


KEYWORDS = {  # what the standard lets a caller name
    "arange": "stop step dtype device", "asarray": "dtype device copy", "empty": "dtype device",
    "empty_like": "dtype device",
    "eye": "n_rows n_cols k dtype device", "from_dlpack": "device copy", "full": "shape fill_value dtype device",
    "full_like": "dtype device", "linspace": "num dtype device endpoint", "meshgrid": "indexing",
    "ones": "dtype device",
    "ones_like": "dtype device", "tril": "k", "triu": "k", "zeros": "dtype device", "zeros_like": "dtype device",
    "astype": "copy device", "clip": "min max", "tensordot": "axes", "vecdot": "axis", "concat": "axis",
    "expand_dims": "axis", "flip": "axis", "repeat": "axis", "reshape": "shape copy", "roll": "shift axis",
    "squeeze": "axis", "stack": "axis", "unstack": "axis", "argmax": "axis keepdims", "argmin": "axis keepdims",
    "argsort": "axis descending stable", "sort": "axis descending stable", "count_nonzero": "axis keepdims",
    "searchsorted": "side sorter", "take": "axis", "take_along_axis": "axis", "diff": "axis n prepend append",
    "cumulative_sum": "axis dtype include_initial", "cumulative_prod": "axis dtype include_initial",
    "max": "axis keepdims", "mean": "axis keepdims", "min": "axis keepdims", "prod": "axis dtype keepdims",
    "std": "axis correction keepdims", "sum": "axis dtype keepdims", "var": "axis correction keepdims",
    "all": "axis keepdims", "any": "axis keepdims", "isdtype": "dtype kind", "linalg.cholesky": "upper",
    "linalg.cross": "axis", "linalg.diagonal": "offset", "linalg.matrix_norm": "keepdims ord", "linalg.pinv": "rtol",
    "linalg.matrix_rank": "rtol", "linalg.qr": "mode", "linalg.svd": "full_matrices", "linalg.trace": "offset dtype",
    "linalg.tensordot": "axes", "linalg.vecdot": "axis", "linalg.vector_norm": "axis keepdims ord",
    "fft.fft": "n axis norm", "fft.ifft": "n axis norm", "fft.fftn": "s axes norm", "fft.ifftn": "s axes norm",
    "fft.rfft": "n axis norm", "fft.irfft": "n axis norm", "fft.rfftn": "s axes norm", "fft.irfftn": "s axes norm",
    "fft.hfft": "n axis norm", "fft.ihfft": "n axis norm", "fft.fftfreq": "d dtype device",
    "fft.rfftfreq": "d dtype device", "fft.fftshift": "axes", "fft.ifftshift": "axes",
}  # fmt: skip


@pytest.mark.parametrize("name", KEYWORDS)
def test_functions_take_the_keywords_of_the_standard(name):
    module, _, function = name.rpartition(".")
    parameters = inspect.signature(getattr(getattr(xp, module) if module else xp, function)).parameters
    assert [each for each in KEYWORDS[name].split() if each not in parameters] == []


def test_a_tensor_names_its_namespace_and_refuses_later_versions():
    x = gf.ones(2)
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2023.12") is xp
    assert xp.__array_api_version__ == "2024.12"
    with pytest.raises(ArgumentError, match=r"'2099\.12' is not one of 2021\.12"):
        x.__array_namespace__(api_version="2099.12")


def test_the_namespace_knows_its_devices_dtypes_and_limits(cuda):
    info = xp.__array_namespace_info__()
    assert info.default_device() == gf.ones(1).device and set(info.devices()) > {gf.ones(1).device}
    assert info.default_dtypes()["real floating"] == xp.asarray([1.0]).dtype == xp.float32
    assert info.default_dtypes()["integral"] == xp.asarray([1]).dtype
    assert info.default_dtypes()["complex floating"] == xp.asarray([1j]).dtype
    assert set(info.dtypes(kind="integral")) == set(INTEGERS)
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", *COMPLEX}
    assert len(info.dtypes()) == 13
    assert info.capabilities()["boolean indexing"] and info.capabilities()["data-dependent shapes"]


# ---- dtypes


def test_limits_of_dtypes_are_python_numbers():
    info = xp.finfo(xp.complex64)
    assert info.bits == 32 and info.dtype == xp.float32 and type(info.eps) is float and info.eps == 2.0**-23
    assert xp.finfo(xp.ones(1)).smallest_normal == 2.0**-126
    limits = xp.iinfo(xp.int8)
    assert (limits.bits, limits.max, limits.min, limits.dtype) == (8, 127, -128, xp.int8)
    with pytest.raises(ArgumentError, match="use iinfo"):
        xp.finfo(xp.int8)
    with pytest.raises(ArgumentError, match="use finfo"):
        xp.iinfo(xp.float32)


def test_kinds_of_dtypes():
    assert xp.isdtype(xp.float32, "real floating") and not xp.isdtype(xp.float32, "integral")
    assert xp.isdtype(xp.uint8, ("signed integer", "unsigned integer")) and xp.isdtype(xp.bool, xp.bool)
    assert xp.isdtype(xp.complex64, "numeric") and not xp.isdtype(xp.bool, "numeric")
    with pytest.raises(ArgumentError, match="isdtype"):
        xp.isdtype(xp.float32, "floating")


@pytest.mark.parametrize("a", ["bool", *ALL_NUMBERS])
@pytest.mark.parametrize("b", ["bool", *ALL_NUMBERS])
def test_promotion_is_that_of_the_standard(a, b):
    expected = np.result_type(np.dtype(a), np.dtype(b))
    assert xp.result_type(getattr(xp, a), xp.asarray([0], dtype=b)) == expected
    if "bool" not in (a, b):
        assert (xp.asarray([1], dtype=a) + xp.asarray([1], dtype=b)).dtype == expected
    assert xp.can_cast(getattr(xp, a), getattr(xp, b)) == np.can_cast(np.dtype(a), np.dtype(b))


def test_astype_copies_unless_it_need_not():
    x = xp.asarray([1.5, 0.0])
    assert xp.astype(x, xp.float32, copy=False) is x
    twin = xp.astype(x, xp.float32)
    assert twin is not x and not np.shares_memory(twin.data, x.data)
    assert xp.astype(x, xp.bool).tolist() == [True, False]
    assert xp.astype(x, xp.float64, device="cpu").dtype == xp.float64


# ---- creation


@pytest.mark.parametrize("dtype", ["bool", *ALL_NUMBERS])
def test_creation_in_every_dtype(dtype):
    for name, given in (("zeros", ((2, 3),)), ("ones", ((2, 3),)), ("empty", ((0, 2),)), ("eye", (3,))):
        agree(getattr(xp, name)(*given, dtype=dtype), getattr(np, name)(*given, dtype=dtype))
    x = xp.zeros((2,), dtype=dtype)
    assert xp.full_like(x, 1).tolist() == [1, 1] and xp.ones_like(x).dtype == xp.empty_like(x).dtype == x.dtype
    assert xp.full(2, fill_value=True, dtype=dtype).dtype == x.dtype


def test_fill_values_decide_the_dtype():
    kinds = [xp.full(1, value).dtype for value in (True, 1, 1.0, 1j)]
    assert kinds == [xp.bool, xp.int64, xp.float32, xp.complex64]
    assert xp.full((2,), xp.asarray(3)).tolist() == [3, 3]


def test_ranges():
    agree(xp.arange(5, dtype=xp.float64), np.arange(5.0))
    agree(xp.arange(5, 1, -2), np.arange(5, 1, -2))
    assert xp.arange(3, 1).shape == (0,)
    agree(xp.linspace(0.0, 1.0, 4, dtype=xp.float64, endpoint=False), np.linspace(0, 1, 4, endpoint=False))
    agree(xp.linspace(0, 1 + 1j, 3, dtype=xp.complex128), np.linspace(0, 1 + 1j, 3))
    assert xp.linspace(0, 1j, 3).dtype == xp.complex64


def test_asarray_copies_when_told_to():
    x = xp.asarray([1.0, 2.0])
    assert xp.asarray(x) is x and np.shares_memory(xp.asarray(x, copy=False).data, x.data)
    assert not np.shares_memory(xp.asarray(x, copy=True).data, x.data)
    with pytest.raises(ValueError, match="without a copy"):
        xp.asarray(x, dtype=xp.float64, copy=False)
    assert xp.asarray([1, 2.5]).dtype == xp.float32 and xp.asarray([True]).dtype == xp.bool


def test_grids_and_triangles():
    x, y = np.arange(3.0), np.arange(2.0)
    for indexing in ("xy", "ij"):
        for ours, theirs in zip(
            xp.meshgrid(xp.asarray(x), xp.asarray(y), indexing=indexing),
            np.meshgrid(x, y, indexing=indexing),
            strict=True,
        ):
            agree(ours, theirs)
    m = np.arange(18.0).reshape(2, 3, 3)
    agree(xp.tril(xp.asarray(m), k=-1), np.tril(m, -1))
    agree(xp.triu(xp.asarray(m), k=1), np.triu(m, 1))


# ---- statistics


@pytest.mark.parametrize("dtype", ALL_NUMBERS)
@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_sums_of_small_integers_are_in_the_default_one(name, dtype):
    x = np.array([[1, 2], [3, 1]], dtype)
    agree(getattr(xp, name)(xp.asarray(x), axis=1), getattr(np, name)(x, axis=1))
    agree(getattr(xp, name)(xp.asarray(x), axis=0, dtype=xp.complex128), getattr(np, name)(x, axis=0, dtype=complex))
    if name.startswith("cumulative"):
        agree(
            getattr(xp, name)(xp.asarray(x), axis=-1, include_initial=True),
            getattr(np, name)(x, axis=-1, include_initial=True),
        )


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_statistics_of_floating_numbers(dtype, rng):
    x = rng.normal(size=(3, 4)).astype(dtype)
    for axis in (None, 0, (0, 1)):
        for keepdims in (False, True):
            agree(xp.mean(xp.asarray(x), axis=axis, keepdims=keepdims), x.mean(axis=axis, keepdims=keepdims))
            if dtype in REAL:
                agree(xp.max(xp.asarray(x), axis=axis, keepdims=keepdims), x.max(axis=axis, keepdims=keepdims))
                agree(
                    xp.std(xp.asarray(x), axis=axis, correction=1, keepdims=keepdims),
                    x.std(axis=axis, ddof=1, keepdims=keepdims),
                )
                agree(xp.var(xp.asarray(x), axis=axis, keepdims=keepdims), x.var(axis=axis, keepdims=keepdims))


def test_empty_sums_and_nan():
    empty = xp.zeros((0, 3))
    assert xp.sum(empty, axis=0).tolist() == [0, 0, 0] and xp.prod(empty, axis=0).tolist() == [1, 1, 1]
    assert bool(xp.all(empty)) and not bool(xp.any(empty))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(xp.mean(empty).item())
    x = xp.asarray([1.0, np.nan, 3.0])
    for name in ("max", "min", "sum", "mean", "prod"):
        assert np.isnan(getattr(xp, name)(x).item()), name
    with pytest.raises(ValueError):
        xp.max(empty)


def test_a_cumulative_sum_of_a_matrix_needs_an_axis():
    with pytest.raises(ArgumentError, match="needs an axis"):
        xp.cumulative_sum(xp.ones((2, 2)))
    assert xp.cumulative_sum(xp.zeros((0,)), include_initial=True).tolist() == [0]


# ---- manipulation and choice


def test_shapes(rng):
    x = rng.normal(size=(2, 3, 4))
    t = xp.asarray(x)
    agree(xp.expand_dims(t), x[None])
    agree(xp.squeeze(xp.expand_dims(t, axis=2), axis=2), x)
    agree(xp.flip(t), np.flip(x))
    agree(xp.permute_dims(t, (2, 0, 1)), x.transpose(2, 0, 1))
    agree(xp.moveaxis(t, 0, -1), np.moveaxis(x, 0, -1))
    agree(xp.roll(t, (1, -1), axis=(0, 2)), np.roll(x, (1, -1), (0, 2)))
    agree(xp.tile(t, (2, 1, 1, 1)), np.tile(x, (2, 1, 1, 1)))
    agree(xp.repeat(t, 2, axis=1), x.repeat(2, 1))
    agree(xp.repeat(t, xp.asarray([1, 0, 2]), axis=1), x.repeat([1, 0, 2], 1))
    agree(xp.concat((t, t), axis=None), np.concatenate((x, x), axis=None))
    assert xp.concat([t, xp.ones((1, 3, 4))]).dtype == xp.float64
    agree(xp.stack(xp.unstack(t, axis=1), axis=1), x)
    assert [each.shape for each in xp.broadcast_arrays(t, xp.ones(4))] == [(2, 3, 4)] * 2
    with pytest.raises(ShapeError, match="scalar"):
        xp.unstack(xp.asarray(1))


def test_reshape_copies_or_not_as_it_is_told():
    x = xp.ones((2, 3))
    assert np.shares_memory(xp.reshape(x, (6,), copy=False).data, x.data)
    assert not np.shares_memory(xp.reshape(x, (6,), copy=True).data, x.data)
    with pytest.raises(ArgumentError, match="no view"):
        xp.reshape(x.T, (6,), copy=False)


@pytest.mark.parametrize("dtype", [*INTEGERS, *REAL])
def test_sorting_searching_and_sets(dtype):
    x = np.array([[3, 1, 2, 1], [0, 5, 5, 4]], dtype)
    t = xp.asarray(x)
    agree(xp.sort(t), np.sort(x))
    agree(xp.sort(t, axis=0, descending=True), np.flip(np.sort(x, axis=0), 0))
    agree(xp.argsort(t, stable=True), np.argsort(x, stable=True))
    assert xp.argsort(t, descending=True, stable=True)[1].tolist() == [1, 2, 3, 0]
    agree(xp.argmax(t, axis=1, keepdims=True), np.argmax(x, 1, keepdims=True))
    for ours, theirs in zip(xp.nonzero(t), np.nonzero(x), strict=True):
        agree(ours, theirs)
    agree(xp.count_nonzero(t, axis=0), np.count_nonzero(x, axis=0))
    edges = np.array([1, 2, 4], dtype)
    agree(xp.searchsorted(xp.asarray(edges), t, side="right"), np.searchsorted(edges, x, side="right"))
    agree(xp.take(t, xp.asarray([1, 0]), axis=1), x.take([1, 0], 1))
    agree(xp.take_along_axis(t, xp.asarray([[0], [1]]), axis=1), np.take_along_axis(x, np.array([[0], [1]]), 1))
    agree(xp.where(t > 1, t, 0), np.where(x > 1, x, np.zeros((), dtype)))
    expected = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    for ours, theirs in zip(xp.unique_all(t), expected, strict=True):
        agree(ours, theirs)
    assert xp.unique_counts(t)._fields == ("values", "counts") and xp.unique_inverse(t)._fields == (
        "values",
        "inverse_indices",
    )
    agree(xp.unique_values(t), np.unique(x))
    agree(
        xp.diff(t, axis=0, n=1, prepend=xp.zeros((1, 4), dtype=dtype)),
        np.diff(x, axis=0, prepend=np.zeros((1, 4), dtype)),
    )


def test_nan_is_unique_every_time_and_zeros_once():
    values = xp.unique_values(xp.asarray([np.nan, 1.0, np.nan, -0.0, 0.0]))
    assert values.shape == (4,) and np.isnan(values.numpy()).sum() == 2


def test_limits_of_clip():
    x = xp.asarray([-2.0, np.nan, 0.5, 7.0])
    np.testing.assert_array_equal(xp.clip(x, -1, 1).numpy(), np.array([-1, np.nan, 0.5, 1], "f4"))
    assert xp.clip(x, min=xp.asarray([0.0, 0.0, 1.0, 8.0])).tolist()[2:] == [1.0, 8.0]
    assert xp.clip(xp.asarray([1, 5], dtype=xp.int8), max=3).dtype == xp.int8


# ---- products, linear algebra, Fourier transforms


@pytest.mark.parametrize("dtype", ALL_NUMBERS)
def test_products(dtype):
    a = np.arange(6).reshape(2, 3).astype(dtype)
    agree(xp.matmul(xp.asarray(a), xp.asarray(a.T)), a @ a.T)
    agree(xp.tensordot(xp.asarray(a), xp.asarray(a), axes=((0, 1), (0, 1))), np.tensordot(a, a, axes=((0, 1), (0, 1))))
    b = a * np.array(1j).astype(dtype) if dtype in COMPLEX else a
    agree(xp.vecdot(xp.asarray(b), xp.asarray(a)), np.vecdot(b, a))
    agree(xp.matrix_transpose(xp.asarray(a)), a.T)
    agree(xp.linalg.outer(xp.asarray(a[0]), xp.asarray(a[1])), np.outer(a[0], a[1]))
    agree(xp.linalg.trace(xp.asarray(a)), np.linalg.trace(a))


def matrices(rng, dtype, shape):
    """Random matrices, complex if ``dtype`` is."""
    drawn = rng.normal(size=shape)
    return (drawn + 1j * rng.normal(size=shape) if dtype in COMPLEX else drawn).astype(dtype)


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_linear_algebra(dtype, rng):
    a = matrices(rng, dtype, (2, 3, 3))
    spd = (a @ a.conj().transpose(0, 2, 1) + 3 * np.eye(3)).astype(dtype)
    t, s = xp.asarray(a), xp.asarray(spd)
    for name in ("inv", "det", "svdvals", "pinv", "matrix_norm", "matrix_rank"):
        agree(getattr(xp.linalg, name)(s), getattr(np.linalg, name)(spd))
    agree(xp.linalg.cholesky(s, upper=True), np.linalg.cholesky(spd, upper=True))
    agree(xp.linalg.solve(s, t), np.linalg.solve(spd, a))
    agree(xp.linalg.solve(s, t[0, 0]), np.linalg.solve(spd, np.broadcast_to(a[0, 0][:, None], (2, 3, 1)))[..., 0])
    agree(xp.linalg.matrix_power(t, 3), np.linalg.matrix_power(a, 3))
    agree(xp.linalg.cross(t, s), np.linalg.cross(a, spd))
    agree(
        xp.linalg.vector_norm(t, axis=(0, 1), ord=1, keepdims=True),
        np.linalg.vector_norm(a, axis=(0, 1), ord=1, keepdims=True),
    )
    agree(xp.linalg.eigvalsh(s), np.linalg.eigvalsh(spd))
    assert xp.linalg.eigh(s)._fields == ("eigenvalues", "eigenvectors")
    values, vectors = xp.linalg.eigh(s)
    agree(values, np.linalg.eigvalsh(spd))
    np.testing.assert_allclose((vectors * values[:, None, :]).numpy(), (s @ vectors).numpy(), rtol=1e-4, atol=1e-4)
    assert xp.linalg.slogdet(s)._fields == ("sign", "logabsdet") and xp.linalg.qr(t)._fields == ("Q", "R")
    for ours, theirs in zip(xp.linalg.slogdet(t), np.linalg.slogdet(a), strict=True):
        agree(ours, theirs)
    u, singular, vh = xp.linalg.svd(t, full_matrices=False)
    assert xp.linalg.svd(t)._fields == ("U", "S", "Vh")
    agree(singular, np.linalg.svdvals(a))
    np.testing.assert_allclose((u * singular[:, None, :] @ vh).numpy(), a, rtol=1e-4, atol=1e-4)


# what the standard says of dtypes: these are real, whatever the matrix is; the others have its dtype
REAL_RESULTS = {
    "eigh": (0,), "eigvalsh": (0,), "svd": (1,), "svdvals": (0,), "slogdet": (1,), "matrix_norm": (0,),
    "vector_norm": (0,),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
@pytest.mark.parametrize("name", names.LINALG)
def test_results_of_linear_algebra_have_the_dtypes_of_the_standard(name, dtype, rng):
    a = matrices(rng, dtype, (3, 3))
    given = (*map(xp.asarray, given_for(name, a)),)
    found = getattr(xp.linalg, name)(*given)
    for i, each in enumerate(found if isinstance(found, tuple) else (found,)):
        wanted = np.dtype(dtype).type(0).real.dtype if i in REAL_RESULTS.get(name, ()) else dtype
        assert each.dtype == ("int64" if name == "matrix_rank" else wanted)


def given_for(name, a):
    """Arguments of a function of the extension, made of a square matrix."""
    spd = a @ a.conj().T + 3 * np.eye(3, dtype=a.dtype)
    more = {"matrix_power": (np.array(3),), "tensordot": (spd,), "vecdot": (a,), "matmul": (a,), "cross": (a,)}
    return (a[0], a[1]) if name == "outer" else (spd, *more.get(name, (a,) if name == "solve" else ()))


@pytest.mark.parametrize("dtype", REAL)
def test_fourier_transforms(dtype, rng):
    x = rng.normal(size=(3, 4)).astype(dtype)
    kind = {"float32": np.complex64, "float64": np.complex128}[dtype]
    for name in ("fft", "ifft", "rfft", "fftn", "ifftn", "rfftn", "ihfft"):
        result = getattr(xp.fft, name)(xp.asarray(x))
        assert result.dtype == kind, name
        agree(result, getattr(np.fft, name)(x).astype(kind))
    for name in ("irfft", "irfftn", "hfft"):
        result = getattr(xp.fft, name)(xp.asarray(x.astype(kind)))
        agree(result, getattr(np.fft, name)(x.astype(kind)).astype(dtype))
    agree(xp.fft.fftshift(xp.asarray(x), axes=1), np.fft.fftshift(x, axes=1))
    agree(xp.fft.fftfreq(5, d=0.5, dtype=dtype), np.fft.fftfreq(5, 0.5).astype(dtype))


# of these, factors may be multiplied by numbers of size 1
DECOMPOSITIONS = {"eigh", "qr", "svd"}


@pytest.mark.parametrize("name", names.LINALG)
def test_linear_algebra_of_complex_matrices_is_numpys(name, rng):
    given = given_for(name, matrices(rng, "complex128", (3, 3)))
    found = getattr(xp.linalg, name)(*map(xp.asarray, given))
    expected = getattr(np.linalg, name)(*(x if x.ndim else int(x) for x in given))
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for ours, theirs in pairs:
        agree(*(abs(ours), np.abs(theirs)) if name in DECOMPOSITIONS else (ours, theirs))
