"""Every function of the simulated namespace gives what NumPy's of that name gives, where CuPy's does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gradflow.testing.simulated import Cupy
from gradflow.testing.simulated.elementwise import UFUNCS
from gradflow.testing.simulated.namespace import FUNCTIONS

xp = Cupy()
HOST = np.array([[3.0, 1.0, 2.0], [0.5, np.inf, -1.0]], np.float32)
WHOLE = np.array([[3, 0, 2], [1, 1, 5]])

CALLS = {
    "all": [lambda xp, x, i: xp.all(x > 0, axis=1)],
    "allclose": [lambda xp, x, i: xp.allclose(x, x + 1e-9)],
    "amax": [lambda xp, x, i: xp.amax(x, axis=0)],
    "amin": [lambda xp, x, i: xp.amin(x, axis=0)],
    "any": [lambda xp, x, i: xp.any(x > 2, axis=0, keepdims=True)],
    "arange": [lambda xp, x, i: xp.arange(5), lambda xp, x, i: xp.arange(1, 8, 3, dtype=np.float32)],
    "argmax": [lambda xp, x, i: xp.argmax(x, axis=1), lambda xp, x, i: xp.argmax(i)],
    "argmin": [lambda xp, x, i: xp.argmin(x, axis=1, keepdims=True)],
    "argsort": [lambda xp, x, i: xp.argsort(i, kind="stable"), lambda xp, x, i: xp.argsort(x, axis=None)],
    "around": [lambda xp, x, i: xp.around(x * 1.26, 1)],
    "array": [
        lambda xp, x, i: xp.array(x, np.float64),
        lambda xp, x, i: xp.array([[1, 2], [3, 4]], order="F", ndmin=3),
    ],
    "array_equal": [lambda xp, x, i: xp.array_equal(x, x), lambda xp, x, i: xp.array_equal(x, i)],
    "array_split": [lambda xp, x, i: xp.array_split(x, 2, axis=1)],
    "asanyarray": [lambda xp, x, i: xp.asanyarray(x)],
    "asarray": [lambda xp, x, i: xp.asarray(x, np.float64), lambda xp, x, i: xp.asarray(x, order="F")],
    "ascontiguousarray": [lambda xp, x, i: xp.ascontiguousarray(x.T)],
    "asfortranarray": [lambda xp, x, i: xp.asfortranarray(x)],
    "asnumpy": [lambda xp, x, i: xp.asnumpy(x) if xp is not np else x],
    "atleast_1d": [lambda xp, x, i: list(xp.atleast_1d(x[0, 0], x))],
    "atleast_2d": [lambda xp, x, i: xp.atleast_2d(x[0])],
    "bincount": [lambda xp, x, i: xp.bincount(i.ravel(), minlength=8), lambda xp, x, i: xp.bincount(i[0], x[0])],
    "broadcast_arrays": [lambda xp, x, i: list(xp.broadcast_arrays(x, i[0]))],
    "broadcast_to": [lambda xp, x, i: xp.broadcast_to(x, (2, 2, 3))],
    "clip": [lambda xp, x, i: xp.clip(x, 0, 2), lambda xp, x, i: xp.clip(i, x[:, :1] * 0 + 1, None)],
    "concat": [lambda xp, x, i: xp.concat([x, x], axis=1)],
    "concatenate": [lambda xp, x, i: xp.concatenate([x, i]), lambda xp, x, i: xp.concatenate([x, x], axis=None)],
    "copy": [lambda xp, x, i: xp.copy(x.T)],
    "count_nonzero": [lambda xp, x, i: xp.count_nonzero(i, axis=0)],
    "cumprod": [lambda xp, x, i: xp.cumprod(i, axis=1)],
    "convolve": [lambda xp, x, i: xp.convolve(x.ravel(), x[0], "full")],
    "cumsum": [lambda xp, x, i: xp.cumsum(x, axis=0), lambda xp, x, i: xp.cumsum(i)],
    "diag": [lambda xp, x, i: xp.diag(x[0], 1), lambda xp, x, i: xp.diag(x)],
    "diagonal": [lambda xp, x, i: xp.diagonal(x, offset=1)],
    "divmod": [lambda xp, x, i: list(xp.divmod(i, 2))],
    "dot": [lambda xp, x, i: xp.dot(i, i.T), lambda xp, x, i: xp.dot(x[0], x[0])],
    "einsum": [lambda xp, x, i: xp.einsum("ij,kj->ik", i, i), lambda xp, x, i: xp.einsum("ij->ji", x)],
    "empty": [lambda xp, x, i: xp.empty((2, 0))],
    "empty_like": [lambda xp, x, i: xp.empty_like(x, shape=(0,))],
    "expand_dims": [lambda xp, x, i: xp.expand_dims(x, axis=(0, 2))],
    "eye": [lambda xp, x, i: xp.eye(3, 4, 1)],
    "flatnonzero": [lambda xp, x, i: xp.flatnonzero(i)],
    "flip": [lambda xp, x, i: xp.flip(x, axis=1), lambda xp, x, i: xp.flip(x)],
    "full": [lambda xp, x, i: xp.full((2, 2), 1.5), lambda xp, x, i: xp.full(2, x[0, 0])],
    "full_like": [lambda xp, x, i: xp.full_like(x, 7, dtype=np.int8)],
    "hstack": [lambda xp, x, i: xp.hstack([x, i])],
    "identity": [lambda xp, x, i: xp.identity(3)],
    "indices": [lambda xp, x, i: xp.indices((2, 3))],
    "inner": [lambda xp, x, i: xp.inner(i, i)],
    "isclose": [lambda xp, x, i: xp.isclose(x, x + 1e-9)],
    "linspace": [lambda xp, x, i: xp.linspace(0, 1, 5), lambda xp, x, i: list(xp.linspace(0, 1, 4, False, True))],
    "matmul": [lambda xp, x, i: xp.matmul(i, i.T), lambda xp, x, i: xp.matmul(i, i[0], dtype=np.float64)],
    "max": [lambda xp, x, i: xp.max(x), lambda xp, x, i: xp.max(x, axis=1, keepdims=True)],
    "mean": [
        lambda xp, x, i: xp.mean(i),
        lambda xp, x, i: xp.mean(x[:1], axis=(0, 1)),
        lambda xp, x, i: xp.mean(x[:0]),
    ],
    "min": [lambda xp, x, i: xp.min(i, axis=(0, 1))],
    "moveaxis": [lambda xp, x, i: xp.moveaxis(x, 0, -1)],
    "nan_to_num": [lambda xp, x, i: xp.nan_to_num(x, posinf=9.0)],
    "nansum": [lambda xp, x, i: xp.nansum(x * np.float32(np.nan))],
    "nonzero": [lambda xp, x, i: list(xp.nonzero(i))],
    "ones": [lambda xp, x, i: xp.ones((2, 2), np.int32)],
    "ones_like": [lambda xp, x, i: xp.ones_like(i)],
    "outer": [lambda xp, x, i: xp.outer(i[0], i[1])],
    "permute_dims": [lambda xp, x, i: xp.permute_dims(x, (1, 0))],
    "prod": [lambda xp, x, i: xp.prod(i, axis=1), lambda xp, x, i: xp.prod(x[0], dtype=np.float64)],
    "ptp": [lambda xp, x, i: xp.ptp(i, axis=0)],
    "ravel": [lambda xp, x, i: xp.ravel(x.T)],
    "repeat": [lambda xp, x, i: xp.repeat(x, 2, axis=1)],
    "reshape": [lambda xp, x, i: xp.reshape(x, (3, 2)), lambda xp, x, i: xp.reshape(x, -1, order="F")],
    "roll": [lambda xp, x, i: xp.roll(x, 1, axis=1)],
    "rollaxis": [lambda xp, x, i: xp.rollaxis(x, 1)],
    "rot90": [lambda xp, x, i: xp.rot90(x)],
    "round": [lambda xp, x, i: xp.round(x * 1.5)],
    "searchsorted": [lambda xp, x, i: xp.searchsorted(xp.arange(5), i, side="right")],
    "sort": [lambda xp, x, i: xp.sort(x, axis=0)],
    "split": [lambda xp, x, i: xp.split(x, [1], axis=1)],
    "squeeze": [lambda xp, x, i: xp.squeeze(x[None], axis=0)],
    "stack": [lambda xp, x, i: xp.stack([x, x], axis=1)],
    "std": [lambda xp, x, i: xp.std(i, axis=0)],
    "sum": [
        lambda xp, x, i: xp.sum(i, axis=-1),
        lambda xp, x, i: xp.sum(x > 1),
        lambda xp, x, i: xp.sum(x, 0, np.float64),
    ],
    "swapaxes": [lambda xp, x, i: xp.swapaxes(x, 0, 1)],
    "take": [lambda xp, x, i: xp.take(x, i[1] % 3, axis=1), lambda xp, x, i: xp.take(x, 4)],
    "take_along_axis": [lambda xp, x, i: xp.take_along_axis(x, i % 2, axis=0)],
    "tensordot": [lambda xp, x, i: xp.tensordot(i, i, axes=2)],
    "tile": [lambda xp, x, i: xp.tile(x, (2, 1))],
    "trace": [lambda xp, x, i: xp.trace(i)],
    "transpose": [lambda xp, x, i: xp.transpose(x, (1, 0))],
    "tri": [lambda xp, x, i: xp.tri(3)],
    "tril": [lambda xp, x, i: xp.tril(i)],
    "triu": [lambda xp, x, i: xp.triu(i, 1)],
    "var": [lambda xp, x, i: xp.var(i, axis=1, ddof=1), lambda xp, x, i: xp.var(x[:1])],
    "vdot": [lambda xp, x, i: xp.vdot(i, i)],
    "vstack": [lambda xp, x, i: xp.vstack([x, x[0]])],
    "where": [lambda xp, x, i: xp.where(i > 1, x, 0), lambda xp, x, i: list(xp.where(i > 1))],
    "zeros": [lambda xp, x, i: xp.zeros(3, order="F")],
    "zeros_like": [lambda xp, x, i: xp.zeros_like(x)],
}


def copied_into(xp, x, i):
    out = xp.zeros((2, 3))
    xp.copyto(out, x)
    xp.copyto(out, 8, where=i > 2)
    return out


CALLS["copyto"] = [copied_into]


def same(found, expected):
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif not isinstance(found, xp.ndarray):
        np.testing.assert_array_equal(found, expected)
    else:
        expected = np.asarray(expected)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found.get(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_a_simulated_function_gives_what_numpys_does(name):
    x, i = xp.asarray(HOST), xp.asarray(WHOLE)
    for call in CALLS[name]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = call(np, HOST, WHOLE)
        same(call(xp, x, i), expected)
    np.testing.assert_array_equal(x.get(), HOST)
    np.testing.assert_array_equal(i.get(), WHOLE)


def test_every_simulated_function_is_compared_with_numpys():
    assert {name for name in FUNCTIONS if not name.startswith("_")} == set(CALLS)


@pytest.mark.parametrize("name", sorted(UFUNCS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.bool_])
def test_a_simulated_ufunc_gives_what_numpys_does(name, dtype, rng):
    plain = getattr(np, name)
    operands = [rng.integers(1, 5, (3, 4)).astype(dtype) for _ in range(plain.nin)]
    if dtype in (np.float32, np.float64):
        operands = [x + rng.uniform(-0.9, 0, x.shape).astype(dtype) for x in operands]
    try:
        with np.errstate(all="ignore"):
            expected = plain(*operands)
    except TypeError:
        with pytest.raises(TypeError):
            getattr(xp, name)(*map(xp.asarray, operands))
        return
    same(getattr(xp, name)(*map(xp.asarray, operands)), expected)


METHODS = [
    lambda x: x.sum(axis=0), lambda x: x.prod(), lambda x: x.mean(axis=1), lambda x: x.var(axis=1), lambda x: x.std(),
    lambda x: x.max(axis=0), lambda x: x.min(), lambda x: x.all(), lambda x: x.any(axis=0), lambda x: x.argmax(axis=0),
    lambda x: x.argmin(), lambda x: x.cumsum(axis=1), lambda x: x.cumprod(axis=0), lambda x: x.clip(1, 2),
    lambda x: x.round(), lambda x: x.conj(), lambda x: x.dot(x.T), lambda x: x.trace(), lambda x: x.take([1, 0], 0),
    lambda x: list(x.nonzero()), lambda x: x.argsort(), lambda x: x.flatten(), lambda x: x.repeat(2), lambda x: -x,
    lambda x: +x, lambda x: abs(-x), lambda x: 2 - x, lambda x: 2 / x, lambda x: x // 2, lambda x: 7 % x,
    lambda x: x**2, lambda x: 2**x, lambda x: divmod(x, 2)[1], lambda x: x != 2, lambda x: x <= 2, lambda x: x.real,
    lambda x: x.imag, list, lambda x: x[0].searchsorted(2.5), lambda x: x[..., None].squeeze(-1), len,
    lambda x: list(x.flat)[2], lambda x: (x > 1) & (x < 3), lambda x: ~(x > 1), lambda x: (x > 1) ^ (x > 2),
    lambda x: (x > 1) | (x < 0), lambda x: x.astype(int) << 1, lambda x: x.astype(int) >> 1, lambda x: x @ x.T,
    lambda x: x.tolist(), lambda x: f"{x[0, 0]:.2f}", repr, lambda x: x.tobytes(), lambda x: int(x[0, 0]),
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_simulated_method_gives_what_numpys_does(method):
    host = np.array([[3.0, 1.0, 2.0], [0.5, 4.0, 1.5]])
    same(method(xp.asarray(host)), method(host))


IN_PLACE = (
    "x += 1",
    "x -= 1",
    "x *= 2",
    "x /= 2",
    "x //= 2",
    "x %= 2",
    "x **= 2",
    "x.sort()",
    "x.fill(3)",
    "x[0] = x[1]",
)


@pytest.mark.parametrize("statement", IN_PLACE)
def test_a_simulated_array_is_changed_in_place_as_numpys(statement):
    host = np.array([[3.0, 1.0, 2.0], [0.5, 4.0, 1.5]])
    x = before = xp.asarray(host)
    exec(statement, {"x": x})
    exec(statement, {"x": host})
    assert x is before
    same(x, host)


def test_simulated_ufuncs_reduce_accumulate_and_combine_as_far_as_cupys_do():
    x, i = xp.asarray(HOST), xp.asarray(WHOLE)
    same(xp.add.reduce(x, axis=1), np.add.reduce(HOST, axis=1))
    same(xp.multiply.reduce(i), np.multiply.reduce(WHOLE))
    same(xp.add.accumulate(i, axis=1), np.add.accumulate(WHOLE, axis=1))
    same(xp.multiply.accumulate(i), np.multiply.accumulate(WHOLE))
    same(xp.subtract.outer(i[0], i[1]), np.subtract.outer(WHOLE[0], WHOLE[1]))
    with pytest.raises(NotImplementedError):
        xp.add.reduceat(i, [0])
    assert repr(xp.add) == "<ufunc 'cupy_add'>"


def test_simulated_results_go_into_arrays_of_the_right_shape_alone():
    i = xp.asarray(WHOLE)
    out, wrong = xp.empty((2, 2), np.int64), xp.empty((3, 3), np.int64)
    assert xp.matmul(i, i.T, out=out) is out
    assert out.tolist() == (WHOLE @ WHOLE.T).tolist()
    calls = (
        lambda: xp.matmul(i, i.T, out=wrong), lambda: i.sum(axis=0, out=wrong), lambda: xp.concat([i, i], out=wrong),
        lambda: xp.take(i, 0, out=wrong), lambda: i.clip(0, 1, out=wrong), lambda: xp.matmul(i, xp.asarray(2)),
        lambda: xp.dot(i, i.T, out=xp.empty((2, 2), np.float32)),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=r"shape|mismatched|dimensions|dtype"):
            call()
    with pytest.raises(TypeError, match="cast"):
        xp.matmul(i, i.T, out=xp.empty((2, 2), np.uint8))
    with pytest.raises(TypeError, match="cast"):
        xp.copyto(xp.empty((2, 3), np.uint8), i)
    with pytest.raises(ValueError, match="avoid copy"):
        xp.asarray([1, 2], copy=False)
    with pytest.raises(TypeError, match="Cannot take"):
        xp.take(i, xp.asarray([0.5]))
    with pytest.raises(IndexError, match="integer or boolean"):
        i[xp.asarray([0.5])]
    with pytest.raises(TypeError, match="Unsupported type"):
        xp.sum(WHOLE)
    with pytest.raises(TypeError, match="following kwargs"):
        xp.einsum("ij->i", i, axis=0)
    with pytest.raises(NotImplementedError, match="subscripts as a string"):
        xp.einsum(i, [0, 1])


def test_simulated_lists_of_arrays_are_put_together_on_the_device():
    i = xp.asarray(WHOLE)
    mark = len(xp.records)
    assert xp.array([i[0, 0], i[0, 2]]).tolist() == [3, 2]
    assert xp.records.count("copy_h2d", since=mark) == 0
    assert xp.dot(i, 2).tolist() == (WHOLE * 2).tolist()
    assert i[[]].shape == (0, 3)
    assert xp.full(2, 3, np.int8).dtype == np.int8
    i[0] = xp.asarray([[7, 8, 9]])
    i[1, :2] = np.float64(4)
    i[xp.asarray([1])] = 5
    assert i.tolist() == [[7, 8, 9], [5, 5, 5]]
    with pytest.raises(TypeError, match="Unsupported type"):
        i.fill("x")
