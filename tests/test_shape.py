"""Shapes, joins, rearrangements and triangles, compared with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 3, 4))


# what is called, with arguments, in gradflow and in NumPy alike; all take x of shape (2, 3, 4)
SAME = [
    ("reshape", (6, -1)),
    ("reshape", -1),
    ("reshape", (2, 3, 2, 2)),
    ("transpose",),
    ("transpose", (1, 2, 0)),
    ("permute_dims", (2, 0, -2)),
    ("swapaxes", 0, 2),
    ("swapaxes", -1, -1),
    ("moveaxis", 0, -1),
    ("moveaxis", [0, 2], [1, 0]),
    ("moveaxis", (0, 1, 2), (2, 0, 1)),
    ("expand_dims", 0),
    ("expand_dims", (0, -1, 2)),
    ("ravel",),
    ("broadcast_to", (5, 2, 3, 4)),
    ("flip",),
    ("flip", 1),
    ("flip", (0, -1)),
    ("roll", 5),
    ("roll", -1, 2),
    ("roll", (1, -2), (0, 1)),
    ("roll", 2, (0, 2)),
    ("roll", (1, 2), 2),
    ("roll", (1, 1), (2, 2)),
    ("tile", 2),
    ("tile", (2, 1, 3)),
    ("tile", (2, 1, 1, 2)),
    ("tile", (2, 0, 1)),
    ("tile", ()),
    ("repeat", 3),
    ("repeat", 2, 1),
    ("repeat", 0, 1),
    ("repeat", [1, 0, 4], 1),
    ("tril",),
    ("triu", 1),
    ("tril", -2),
    ("triu", 9),
    ("diagonal",),
    ("diagonal", 1, 1, 2),
    ("diagonal", -1, 2, 0),
    ("diagonal", 7),
    ("pad", 1),
    ("pad", (1, 2)),
    ("pad", ((1, 2), (0, 0), (3, 1))),
    ("pad", ((1,), (2,), (0,))),
    ("pad", 0),
    ("pad", ((3, 1), (4, 5), (0, 2)), "edge"),
    ("pad", ((3, 1), (4, 5), (0, 2)), "reflect"),
    ("pad", ((3, 1), (4, 5), (0, 2)), "symmetric"),
    ("pad", ((3, 1), (4, 5), (0, 2)), "wrap"),
]


def identify(call):
    return f"{call[0]}{call[1:]}"


@pytest.mark.parametrize("call", SAME, ids=identify)
def test_a_function_of_one_tensor_gives_what_numpy_gives(call, x):
    name, *arguments = call
    expected = getattr(np, name)(x, *arguments)
    for given_ in (x, x[:, ::-1].swapaxes(0, 2).swapaxes(2, 0)[:, ::-1]):  # contiguous or not
        found = getattr(gf, name)(given_, *arguments)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("call", SAME, ids=identify)
def test_its_gradients_of_both_orders_agree_with_finite_differences(call, x):
    name, *arguments = call
    gf.testing.gradcheck(lambda x: getattr(gf, name)(x * x, *arguments), gf.tensor(x))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64"])
@pytest.mark.parametrize("call", SAME, ids=identify)
def test_it_keeps_the_dtype(call, dtype):
    name, *arguments = call
    assert getattr(gf, name)(gf.ones((2, 3, 4), dtype=dtype), *arguments).dtype == np.dtype(dtype)


VIEWS = [call for call in SAME if call[0] in ("permute_dims", "swapaxes", "moveaxis", "expand_dims", "flip", "ravel")]


@pytest.mark.parametrize("call", [*VIEWS, ("reshape", (6, 4)), ("broadcast_to", (5, 2, 3, 4))], ids=identify)
def test_a_view_shares_memory(call):
    name, *arguments = call
    x = gf.zeros((2, 3, 4))
    view = getattr(gf, name)(x, *arguments)
    assert np.shares_memory(view.data, x.data)
    x[...] = 7.0
    assert (view.numpy() == 7).all()


def test_squeeze_drops_dimensions_of_size_one():
    x = gf.zeros((1, 3, 1, 1))
    assert gf.squeeze(x).shape == (3,)
    assert x.squeeze(0).shape == (3, 1, 1)
    assert x.squeeze((0, -1)).shape == (3, 1)
    assert gf.squeeze(gf.zeros((2, 3))).shape == (2, 3)
    with pytest.raises(ShapeError, match=r"squeeze: axis 1 of \(1, 3, 1, 1\) is not of size 1"):
        x.squeeze(1)


def test_flatten_joins_a_range_of_dimensions():
    x = gf.zeros((2, 3, 4, 5))
    assert x.flatten().shape == (120,)
    assert x.flatten(1).shape == (2, 60)
    assert x.flatten(1, -2).shape == (2, 12, 5)
    assert gf.flatten(1.0).shape == (1,)
    with pytest.raises(ShapeError, match="flatten: start_dim 2 comes after end_dim 1"):
        x.flatten(2, 1)


def test_broadcast_arrays_makes_one_shape():
    a, b = gf.broadcast_arrays(gf.zeros((3, 1)), [1.0, 2.0])
    assert a.shape == b.shape == (3, 2)
    assert gf.broadcast_arrays() == []
    with pytest.raises(ShapeError, match=r"broadcast_arrays: cannot broadcast \(3,\), \(2,\)"):
        gf.broadcast_arrays(gf.zeros(3), gf.zeros(2))


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3, 0)])
def test_empty_tensors_pass(shape):
    x = np.zeros(shape)
    for name, *arguments in [
        ("flip",),
        ("roll", 1),
        ("tile", 2),
        ("repeat", 2),
        ("pad", 1),
        ("ravel",),
        ("transpose",),
    ]:
        assert getattr(gf, name)(x, *arguments).shape == getattr(np, name)(x, *arguments).shape
    assert gf.concat([x, x]).shape == np.concatenate([x, x]).shape
    assert gf.stack([x, x], -1).shape == np.stack([x, x], -1).shape


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_concat_and_split_undo_each_other(sizes, axis, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal([n if i == axis else 2 for i in range(3)]) for n in sizes]
    joined = gf.concat(arrays, axis)
    np.testing.assert_array_equal(joined.numpy(), np.concatenate(arrays, axis))
    parts = gf.split(joined, np.cumsum(sizes)[:-1].tolist(), axis)
    for part, array in zip(parts, arrays, strict=True):
        np.testing.assert_array_equal(part.numpy(), array)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_stack_adds_a_dimension(axis, rng):
    arrays = list(rng.standard_normal((3, 2, 4)))
    np.testing.assert_array_equal(gf.stack(arrays, axis).numpy(), np.stack(arrays, axis))


@pytest.mark.parametrize("axis", [0, 1, None])
def test_each_part_that_was_joined_gets_its_gradient(axis, rng):
    a, b = (gf.tensor(rng.standard_normal((2, 3))) for _ in range(2))
    gf.testing.gradcheck(lambda a, b: gf.concat([a * a, b, a], axis) ** 2, a, b)
    if axis is not None:
        gf.testing.gradcheck(lambda a, b: gf.stack([a * a, b, a], axis) ** 2, a, b)


def test_joins_promote_dtypes_and_give_gradients_in_that_of_the_input():
    a, b = gf.ones(2, dtype="float16", requires_grad=True), gf.ones(2, dtype="float64", requires_grad=True)
    for joined in (gf.concat([a, b]), gf.stack([a, b])):
        assert joined.dtype == gf.float64
        joined.sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (gf.float16, gf.float64)
    assert gf.concat([gf.zeros(1, dtype="int8"), gf.zeros(1, dtype="int64")]).dtype == gf.int64


@pytest.mark.parametrize("sections", [3, 1, 6, [2], [1, 4], [0, 0], [4, 2], [-2], [9], []])
def test_split_cuts_where_numpy_cuts(sections):
    x = np.arange(12).reshape(2, 6)
    found, expected = gf.split(x, sections, 1), np.split(x, sections, 1)
    assert [part.tolist() for part in found] == [part.tolist() for part in expected]
    assert all(np.shares_memory(part.data, x) for part in found if part.size)


def test_split_of_an_empty_axis_makes_empty_parts():
    assert [part.shape for part in gf.split(gf.zeros((0, 2)), 3)] == [(0, 2)] * 3


def test_pad_fills_with_the_constant():
    np.testing.assert_array_equal(
        gf.pad(gf.ones((1, 2)), ((0, 1), (2, 0)), constant_values=-np.inf).numpy(),
        np.pad(np.ones((1, 2)), ((0, 1), (2, 0)), constant_values=-np.inf),
    )
    assert gf.pad(gf.tensor(5), ()).item() == 5


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_diag_builds_and_reads_diagonals(k, rng):
    v, m = rng.standard_normal(3), rng.standard_normal((3, 4))
    np.testing.assert_array_equal(gf.diag(v, k).numpy(), np.diag(v, k))
    np.testing.assert_array_equal(gf.diag(m, k).numpy(), np.diag(m, k))
    gf.testing.gradcheck(lambda v: gf.diag(v, k) ** 2, gf.tensor(v))
    assert gf.diag(gf.zeros(0)).shape == (0, 0)


def test_functions_take_lists_and_numbers():
    assert gf.reshape(3, (1, 1)).tolist() == [[3]]
    assert gf.flip([1, 2]).tolist() == [2, 1]
    assert gf.concat([[1], (2, 3)]).tolist() == [1, 2, 3]
    assert gf.stack([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pad_agrees_with_pytorch(mode, rng):
    torch = pytest.importorskip("torch")
    data, g = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 7, 8))
    ours, theirs = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    name = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    out = gf.pad(ours, ((0, 0), (0, 0), (1, 2), (2, 1)), name)
    expected = torch.nn.functional.pad(theirs, (2, 1, 1, 2), mode)
    out.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12, atol=1e-12)


X = np.zeros((2, 3))
ERRORS = [
    (lambda: gf.reshape(X, (4, -1)), ShapeError, r"reshape: 6 elements do not divide into \(4, -1\)"),
    (lambda: gf.reshape(X, (-1, -1)), ShapeError, "reshape: .* negative|only one size can be -1"),
    (lambda: gf.reshape(X, 5), ShapeError, r"reshape: \(2, 3\) has 6 elements, \(5,\) has 5"),
    (lambda: gf.reshape(X, 2.0), DTypeError, "reshape: a shape is made of integers"),
    (lambda: gf.permute_dims(X, (0, 0)), ShapeError, "must name each of the 2 dimensions once"),
    (lambda: gf.swapaxes(X, 0, 2), IndexOutOfRange, "swapaxes: axis 2 is out of range for 2 dimensions"),
    (lambda: gf.moveaxis(X, (0, 1), 0), ShapeError, "moveaxis: .* must name equally many dimensions"),
    (lambda: gf.moveaxis(X, (0, 0), (0, 1)), ShapeError, r"moveaxis: \(0, 0\) names a dimension twice"),
    (lambda: gf.expand_dims(X, 3), IndexOutOfRange, "expand_dims: axis 3 is out of range"),
    (lambda: gf.broadcast_to(X, (3, 3)), ShapeError, r"broadcast_to: .*\(2, 3\)"),
    (lambda: gf.concat([]), ArgumentError, "concat: the list of tensors is empty"),
    (lambda: gf.concat(gf.zeros((2, 2))), DTypeError, "concat: takes a list of tensors, not Tensor"),
    (lambda: gf.concat([X, X.T]), ShapeError, r"concat: \(3, 2\) does not continue \(2, 3\) along axis 0"),
    (lambda: gf.concat([X, X[0]]), ShapeError, r"concat: \(3,\) does not continue \(2, 3\)"),
    (lambda: gf.concat([1.0, 2.0]), IndexOutOfRange, "concat: axis 0 is out of range for 0 dimensions"),
    (lambda: gf.stack([X, X[0]]), ShapeError, r"stack: \(3,\) and \(2, 3\) differ"),
    (lambda: gf.split(X, 2, 1), ShapeError, r"split: axis 1 of \(2, 3\) does not divide into 2 equal sections"),
    (lambda: gf.split(X, 0), ShapeError, "does not divide into 0 equal sections"),
    (lambda: gf.roll(X, (1, 2, 3), (0, 1)), ShapeError, "roll: 3 shifts do not go with 2 axes"),
    (lambda: gf.roll(X, 0.5), DTypeError, "roll: a shift is an integer, not 0.5"),
    (lambda: gf.tile(X, -1), ArgumentError, "tile: cannot repeat -1 times"),
    (lambda: gf.repeat(X, 1.5), DTypeError, "repeat: a number of repetitions is an integer, not 1.5"),
    (lambda: gf.repeat(X, [1, 2], 1), ShapeError, r"repeat: 2 counts for axis 1 of \(2, 3\)"),
    (lambda: gf.pad(X, (1, 2, 3)), ShapeError, r"pad: pad_width \(1, 2, 3\) is not a number"),
    (lambda: gf.pad(X, -1), ArgumentError, "pad: pad_width -1 is negative"),
    (lambda: gf.pad(X, 0.5), DTypeError, "pad: pad_width has integers"),
    (lambda: gf.pad(X, 1, "zeros"), ArgumentError, "pad: mode 'zeros' is not one of constant, edge"),
    (lambda: gf.pad(np.zeros((2, 0)), 1, "edge"), ShapeError, r"pad: axis 1 of .* is empty"),
    (lambda: gf.pad([1], 1, constant_values=0.5), ArgumentError, "pad: int64 cannot hold 0.5"),
    (lambda: gf.tril([1.0]), ShapeError, r"tril: needs a matrix or a stack of them, got shape \(1,\)"),
    (lambda: gf.triu(1.0), ShapeError, r"triu: needs a matrix or a stack of them, got shape \(\)"),
    (lambda: gf.diagonal([1.0]), ShapeError, r"diagonal: needs at least two dimensions, got shape \(1,\)"),
    (lambda: gf.diagonal(X, 0, 1, 1), ShapeError, "diagonal: axis1 and axis2 are the same"),
    (lambda: gf.diag(np.zeros((2, 2, 2))), ShapeError, "diag: needs a vector or a matrix"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[message for *_, message in ERRORS])
def test_a_wrong_argument_is_named_in_the_error(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
