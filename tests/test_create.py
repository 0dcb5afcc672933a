"""Tensors from data and from nothing."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DeviceError, DTypeError, ShapeError

RANGES = [(5,), (0,), (-3,), (2, 7), (7, 2), (0, 10, 3), (10, 0, -3), (1, 2, 0.25), (0, 1, 0.1), (5, 0, -0.5), (2.5,)]


@pytest.mark.parametrize("arguments", RANGES)
def test_arange_is_numpys_rounded_to_the_default_dtype(arguments):
    found, expected = gf.arange(*arguments), np.arange(*arguments)
    assert found.dtype == (np.int64 if expected.dtype.kind == "i" else np.float32)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected.astype(found.dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "uint8"])
def test_arange_is_exact_in_the_dtype_it_is_given(dtype):
    np.testing.assert_array_equal(gf.arange(200, dtype=dtype).numpy(), np.arange(200).astype(dtype))
    assert gf.arange(200, dtype=dtype).dtype == np.dtype(dtype)


def test_float16_ranges_do_not_add_up_rounding_errors():
    np.testing.assert_array_equal(
        gf.arange(0, 1, 0.001, dtype="float16").numpy(), (0.001 * np.arange(1000)).astype("float16")
    )


@pytest.mark.parametrize("arguments", [(0, 1, 5), (1, 0, 4), (-1, 1), (2, 2, 3), (0, 1, 1), (0, 1, 0)])
@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace_is_numpys(arguments, endpoint):
    found, expected = gf.linspace(*arguments, endpoint=endpoint), np.linspace(*arguments, endpoint=endpoint)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), expected.astype(np.float32))


@pytest.mark.parametrize(("arguments", "k"), [((3,), 0), ((2, 4), 1), ((4, 2), -1), ((0,), 0), ((2,), 5)])
def test_eye_is_numpys(arguments, k):
    np.testing.assert_array_equal(gf.eye(*arguments, k=k).numpy(), np.eye(*arguments, k=k))


@pytest.mark.parametrize(
    "make", [gf.zeros, gf.ones, lambda shape, **how: gf.full(shape, 1, **how)], ids=["zeros", "ones", "full"]
)
def test_constants_have_the_shape_dtype_and_device_asked_for(make):
    x = make((2, 3), dtype="float64", device="cpu", requires_grad=True)
    assert (x.shape, x.dtype, x.requires_grad, str(x.device)) == ((2, 3), gf.float64, True, "cpu")
    assert len({float(each) for row in x for each in row}) == 1
    assert make(()).shape == ()
    assert make(2, dtype="bool").dtype == np.bool_
    with pytest.raises(DTypeError, match="only floating tensors can require grad"):
        make(2, dtype="int64", requires_grad=True)
    with pytest.raises(DeviceError):
        make(2, device="tpu")
    with pytest.raises(ShapeError, match="negative size"):
        make((2, -1))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1, "int64"), (True, "bool"), (0.5, "float32"), (np.float64(0.5), "float64"), (np.int8(3), "int8")],
)
def test_a_constant_has_the_dtype_of_its_value(value, dtype):
    x = gf.full(2, value)
    assert x.dtype == np.dtype(dtype)
    assert x.tolist() == [value, value]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_and_nan_fill_floating_tensors(value):
    assert gf.full(1, value, dtype="float16").item() == value
    assert np.isnan(gf.full(1, np.nan).item())


WRONG = [
    ("a", None, DTypeError, "full: the value is a number, not 'a'"),
    (None, None, DTypeError, "full: the value is a number, not None"),
    ([1.0, 2.0], None, DTypeError, "full: the value is a number"),
    (1j, "float32", ArgumentError, "full: 1j is not a number that float32 can hold"),
    (1e39j, None, ArgumentError, r"full: 1e\+39j is not a number that complex64 can hold"),
    (300, "uint8", ArgumentError, "full: 300 is not a number that uint8 can hold"),
    (-1, "uint64", ArgumentError, "full: -1 is not a number that uint64 can hold"),
    (0.5, "int64", ArgumentError, "full: 0.5 is not a number that int64 can hold"),
    (np.nan, "int64", ArgumentError, "full: nan is not a number that int64 can hold"),
    (np.inf, "int64", ArgumentError, "full: inf is not a number that int64 can hold"),
    (2, "bool", ArgumentError, "full: 2 is not a number that bool can hold"),
    (1e5, "float16", ArgumentError, "full: 100000.0 is not a number that float16 can hold"),
    (1e39, None, ArgumentError, r"full: 1e\+39 is not a number that float32 can hold"),
    (10**400, "float32", ArgumentError, "is not a number that float32 can hold"),
    (10**400, None, DTypeError, "gradflow does not compute with object"),
    (1, "longdouble", DTypeError, "gradflow does not compute with"),
    (1, "nonsense", DTypeError, "'nonsense' is not a dtype"),
]


@pytest.mark.parametrize(("value", "dtype", "kind", "message"), WRONG, ids=[w[3] for w in WRONG])
def test_a_value_that_cannot_fill_is_named(value, dtype, kind, message):
    with pytest.raises(kind, match=message):
        gf.full((2,), value, dtype=dtype)
    if dtype is not None:
        with pytest.raises(kind, match=message):
            gf.full_like(gf.zeros(2), value, dtype=dtype)


def test_a_tensor_cannot_fill():
    with pytest.raises(DTypeError, match=r"full: .* a tensor can be repeated with broadcast_to"):
        gf.full(2, gf.tensor(1.0, requires_grad=True))


def test_likes_take_over_shape_and_dtype_but_not_the_gradient():
    x = gf.tensor(np.ones((2, 3), np.float16), requires_grad=True)
    for made, value in [(gf.zeros_like(x), 0), (gf.ones_like(x), 1), (gf.full_like(x, 7), 7)]:
        assert (made.shape, made.dtype, made.requires_grad) == ((2, 3), gf.float16, False)
        assert (made.numpy() == value).all()
        assert not np.shares_memory(made.data, x.data)
    assert gf.zeros_like(x, dtype="int64").dtype == gf.int64
    assert gf.ones_like(x, requires_grad=True).requires_grad
    assert gf.full_like([1, 2], 3).tolist() == [3, 3]


def test_from_numpy_shares_memory_and_takes_arrays_only():
    a = np.zeros(3, np.float32)
    x = gf.from_numpy(a, requires_grad=True)
    a[1] = 5
    assert x.detach().tolist() == [0, 5, 0]
    assert x.requires_grad
    with pytest.raises(DTypeError, match=r"from_numpy: got list, not a NumPy array; use gf\.tensor"):
        gf.from_numpy([1.0])
    with pytest.raises(DTypeError, match="object is not numeric data"):
        gf.from_numpy(np.zeros(2, object))


def test_asarray_shares_where_it_can_and_keeps_the_gradient():
    a = np.zeros(3)
    assert gf.asarray(a).data is a
    x = gf.tensor([1.0, 2.0], requires_grad=True)
    assert gf.asarray(x) is x
    (gf.asarray(x * 2, dtype="float64") * 3).sum().backward()
    assert x.grad.tolist() == [6, 6]
    assert gf.asarray([0.1], dtype="float64").item() == 0.1
    assert gf.asarray([0.1], dtype="float64", copy=True).item() == 0.1


def test_asarray_copies_when_asked_and_never_when_forbidden():
    a, x = np.zeros(3), gf.tensor([1.0, 2.0], requires_grad=True)
    assert not np.shares_memory(gf.asarray(a, copy=True).data, a)
    copied = gf.asarray(x, copy=True)
    assert not np.shares_memory(copied.data, x.data)
    (copied * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert gf.asarray(a, copy=False).data is a
    assert gf.asarray(x, copy=False).data is x.data
    for data, dtype in [(a, "float32"), ([1.0], None), (x, "float64")]:
        with pytest.raises(ArgumentError, match=r"asarray: .* without a copy; leave copy out"):
            gf.asarray(data, dtype=dtype, copy=False)


NUMBERS = [
    (lambda: gf.arange(0, 5, 0), ArgumentError, "arange: the step is 0"),
    (lambda: gf.arange(np.inf), ArgumentError, "arange: stop is inf; it must be finite"),
    (lambda: gf.arange("a"), DTypeError, "arange: stop is a number, not 'a'"),
    (lambda: gf.arange(300, dtype="uint8"), ArgumentError, "arange: uint8 does not hold all of 0, 1, ... below 300"),
    (lambda: gf.arange(0, 2, 0.5, dtype="int64"), ArgumentError, "arange: int64 does not hold all of 0, 0.5"),
    (lambda: gf.arange(3, requires_grad=True), DTypeError, "only floating tensors can require grad"),
    (lambda: gf.linspace(0, np.nan), ArgumentError, "linspace: stop is nan; it must be finite"),
    (lambda: gf.linspace(0, 1, -1), ShapeError, "linspace: .* negative"),
    (lambda: gf.linspace(0, 1, 2.5), DTypeError, "linspace: .* integers, not 2.5"),
    (lambda: gf.eye(-1), ShapeError, "eye: .* negative"),
    (lambda: gf.eye(2, k=0.5), DTypeError, "eye: k is an integer, not 0.5"),
]


@pytest.mark.parametrize(("call", "kind", "message"), NUMBERS, ids=[n[2] for n in NUMBERS])
def test_what_is_wrong_with_a_range_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
