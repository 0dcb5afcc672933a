"""Indexing, compared with NumPy over random expressions, and looking things up by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, GradientError, IndexOutOfRange, ShapeError
from gradflow.tape import gradients

SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)


@st.composite
def index_expressions(draw):
    """A shape and an index that NumPy takes for it: every kind of item, in every mix."""
    shape = draw(SHAPES)
    broadcast = draw(st.sampled_from([(), (1,), (3,), (2, 1), (2, 3)]))
    items, axis, ellipsis = [], 0, False
    while True:
        size = shape[axis] if axis < len(shape) else 0
        kinds = ["stop", "newaxis", "truth"]
        kinds += [] if ellipsis else ["ellipsis"]
        kinds += ["slice"] * 3 if axis < len(shape) else []
        kinds += ["integer", "array", "list", "tensor", "scalar tensor"] if size else []
        kinds += ["empty list", "mask"] if axis < len(shape) else []
        kind = draw(st.sampled_from(kinds))
        if kind == "stop" or len(items) == 6:
            break
        if kind == "newaxis":
            items.append(None)
        elif kind == "truth":
            items.append(draw(st.booleans()))
        elif kind == "ellipsis":
            items.append(...)
            ellipsis, axis = True, axis + draw(st.integers(0, len(shape) - axis))
        elif kind == "mask":
            count = draw(st.integers(1, len(shape) - axis))
            bits = draw(st.lists(st.booleans(), min_size=256, max_size=256))
            items.append(np.resize(bits, shape[axis : axis + count]))
            axis += count
        else:
            items.append(draw(_item(kind, size, broadcast)))
            axis += 1
    rest = [slice(None)] * (len(shape) - axis) if ellipsis else []  # or the ellipsis would stand for more than drawn
    return shape, (*items, *rest)


def _item(kind, size, broadcast):
    bound = st.none() | st.integers(-6, 6)
    if kind == "slice":
        step = st.none() | st.sampled_from([1, 2, 3, -1, -2])
        return st.builds(slice, bound, bound, step)
    if kind == "empty list":
        return st.just([])
    integers = st.integers(-size, size - 1)
    if kind == "integer":
        return integers
    count = int(np.prod(broadcast))
    shape = () if kind == "scalar tensor" else broadcast
    arrays = st.lists(integers, min_size=count, max_size=count).map(lambda v: np.resize(v, shape))
    if kind in ("tensor", "scalar tensor"):
        return arrays.map(gf.tensor)
    return arrays.map(np.ndarray.tolist) if kind == "list" and broadcast else arrays


def in_numpy(index):
    """The same index for NumPy."""
    native = tuple(item.numpy() if isinstance(item, gf.Tensor) else item for item in index)
    return tuple(np.array(i, int) if isinstance(i, list) and not i else i for i in native)


def expected_of(x, index):
    try:
        return np.asarray(x[in_numpy(index)])
    except IndexError:  # masks and arrays that do not broadcast
        return None


@settings(max_examples=600, deadline=None)
@given(index_expressions())
@example(((2, 3, 4), (0, slice(None), [0, 1])))
@example(((2, 3, 4), (slice(None), [0, 1], ..., [0, 1])))
@example(((2, 3, 4), (slice(None), [0, 1], None, 0)))
@example(((2, 3, 4), (True, slice(None), [0, 1])))
@example(((3,), (False, ...)))
@example(((3, 4), (np.ones((3, 4), bool),)))
def test_every_index_expression_reads_what_numpy_reads(case):
    shape, index = case
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    expected = expected_of(x, index)
    if expected is None:
        with pytest.raises(ShapeError, match="cannot broadcast"):
            gf.tensor(x)[index]
        return
    found = gf.tensor(x)[index].numpy()
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=300, deadline=None)
@given(index_expressions())
@example(((3,), ([0, 0, 2],)))
def test_the_gradient_of_every_index_expression_adds_up_where_it_read(case):
    shape, index = case
    numbers = np.arange(np.prod(shape), dtype=int).reshape(shape)
    places = expected_of(numbers, index)
    if places is None:
        return
    x = gf.tensor(numbers.astype(float), requires_grad=True)
    g = np.random.default_rng(0).standard_normal(places.shape)
    out = x[index]
    (found,) = gradients(out, [x], g, create_graph=True)
    dense = np.zeros((places.size, numbers.size))  # the Jacobian, one row for each element that was read
    dense[np.arange(places.size), places.ravel()] = 1
    np.testing.assert_allclose(found.detach().numpy().ravel(), g.ravel() @ dense, rtol=1e-12, atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(index_expressions(), st.sampled_from(["whole", "scalar", "last"]))
@example(((3,), ([0, 0, 2],)), "whole")
@example(((2, 3), (0, [[0], [0]])), "whole")
def test_every_index_expression_writes_what_numpy_writes(case, size):
    shape, index = case
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    expected = expected_of(x, index)
    if expected is None:
        return
    target = {"whole": expected.shape, "scalar": (), "last": expected.shape[-1:]}[size]
    value = -1.0 - np.arange(np.prod(target)).reshape(target)
    written, added = x.copy(), x.copy()
    written[in_numpy(index)] = value
    np.add.at(added, in_numpy(index), np.broadcast_to(value, expected.shape))
    before = gf.tensor(x.copy())
    np.testing.assert_array_equal(before.at[index].set(gf.tensor(value)).numpy(), written)
    np.testing.assert_array_equal(before.at[index].add(gf.tensor(value)).numpy(), added)
    np.testing.assert_array_equal(before.numpy(), x)
    before[index] = value
    np.testing.assert_array_equal(before.numpy(), written)


INDICES = {
    "integer": (1,),
    "slices": (slice(None, None, -1), slice(1, 3)),
    "duplicates": ([0, 2, 0],),
    "two arrays": ([0, 2, 0, 0], [1, 1, 1, 3]),
    "apart": ([0, 2, 0], slice(None), [1, 1, 1]),
    "mixed with slices": (slice(0, 2), [0, 0, 3], None),
    "mask": (np.arange(12).reshape(3, 4) % 3 == 0,),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_reading_setting_and_adding_have_right_gradients_of_both_orders(index, rng):
    x = gf.tensor(rng.standard_normal((3, 4, 2)))
    value = gf.tensor(rng.standard_normal(x[index].shape))
    gf.testing.gradcheck(lambda x: x[index] * x[index], x)
    gf.testing.gradcheck(lambda x, v: (x.at[index].set(v * v)) * x, x, value)
    gf.testing.gradcheck(lambda x, v: (x.at[index].add(v * v)) * x, x, value)


def test_of_repeated_indices_only_the_last_value_set_gets_a_gradient():
    value = gf.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = gf.zeros(2).at[[1, 0, 1]].set(value)
    assert out.tolist() == [2.0, 3.0]
    out.sum().backward()
    assert value.grad.tolist() == [0.0, 1.0, 1.0]


def test_nan_and_infinity_replaced_by_set_do_not_reach_the_gradient():
    x = gf.tensor([np.nan, np.inf, 1.0], requires_grad=True)
    x.at[[0, 1]].set(2.0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 1.0]


def test_basic_indexing_shares_memory_and_arrays_copy():
    x = gf.zeros((3, 4))
    for view in (x[1], x[:, ::2], x[..., None, 0], x[2, 3], x[()], x[...]):
        assert np.shares_memory(view.data, x.data)
    for copy in (x[[0, 1]], x[gf.tensor(1)], x[np.ones((3, 4), bool)]):
        assert not np.shares_memory(copy.data, x.data)


def test_writing_to_a_view_writes_to_the_tensor():
    x = gf.zeros((2, 3))
    x[1][:2] = 5
    x[:, -1][0] = 7
    assert x.tolist() == [[0, 0, 7], [5, 5, 0]]


def test_in_place_operators_on_a_part_write_to_the_tensor():
    x = gf.ones((2, 3))
    x[0] += 1
    x[:, [0, 2]] *= 3
    assert x.tolist() == [[6, 2, 6], [3, 1, 3]]


def test_gradients_of_overlapping_views_do_not_corrupt_each_other():
    x = gf.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b = x[:2], x[1:]
    a.retain_grad()
    b.retain_grad()
    (a * a).sum().backward(retain_graph=True)
    (b * 10).sum().backward()
    assert a.grad.tolist() == [2.0, 4.0]
    assert b.grad.tolist() == [10.0, 10.0]
    assert x.grad.tolist() == [2.0, 14.0, 10.0]


def test_a_part_written_after_it_was_saved_is_refused_by_backward():
    data = gf.ones(3)
    w = gf.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (w * data).sum()
    data[0] = 5.0
    with pytest.raises(GradientError, match="setitem has overwritten it"):
        loss.backward()


@pytest.mark.parametrize("index", [0, slice(0, 2), [0, 1]])
def test_writing_into_a_tensor_on_the_tape_names_the_functional_form(index):
    x = gf.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(GradientError, match=r"x\.at\[i\]\.set\(v\)"):
        x[index] = 0.0
    with pytest.raises(GradientError, match=r"x\.at\[i\]\.set\(v\)"):
        (x * 2)[index] = 0.0
    with pytest.raises(GradientError, match=r"x\.at\[i\]\.set\(v\)"):
        gf.zeros(3)[index] = x[index]
    assert x.tolist() == [1.0, 2.0, 3.0]
    with gf.no_grad():
        x[index] = 9.0
    assert x.tolist()[0] == 9.0


ERRORS = [
    (4, IndexOutOfRange, "getitem: index 4 is out of range for axis 0, of size 3"),
    ((0, -5), IndexOutOfRange, "getitem: index -5 is out of range for axis 1, of size 4"),
    ((0, [1, 7, 2]), IndexOutOfRange, "getitem: index 7 is out of range for axis 1, of size 4"),
    ((slice(None), None, [-5]), IndexOutOfRange, "getitem: index -5 is out of range for axis 1, of size 4"),
    ((0, 0, 0), IndexOutOfRange, r"getitem: 3 indices are too many for a tensor of shape \(3, 4\)"),
    (1.0, DTypeError, "getitem: an index is an integer, .* not 1.0|integers or booleans, not float"),
    ([0.5], DTypeError, "integers or booleans, not float32"),
    ("a", DTypeError, "an index is an integer, a slice, None"),
    ([[0], [0, 1]], DTypeError, "an index is an integer, a slice, None"),
    (slice(0.5), DTypeError, "the bounds of a slice are integers or None"),
    (slice(None, None, 0), ArgumentError, "a slice cannot have step 0"),
    ((..., ...), ArgumentError, "at most one ellipsis"),
    (np.ones(4, bool), ShapeError, r"the mask is \(4,\), and what it masks, from axis 0 on, is \(3,\)"),
    ((0, np.ones(3, bool)), ShapeError, r"the mask is \(3,\), and what it masks, from axis 1 on, is \(4,\)"),
    (([0, 1], [0, 1, 2]), ShapeError, r"getitem: cannot broadcast \(2,\), \(3,\)"),
]


@pytest.mark.parametrize(("index", "kind", "message"), ERRORS, ids=[str(e[0])[:30] for e in ERRORS])
def test_a_wrong_index_is_named_in_the_error(index, kind, message):
    with pytest.raises(kind, match=message):
        gf.zeros((3, 4))[index]


@pytest.mark.parametrize("index", [0, [0, 2]])
def test_a_wrong_value_is_named_in_the_error_and_nothing_is_written(index):
    x = gf.zeros((3, 4))
    with pytest.raises(ShapeError, match=r"setitem: \(3,\) does not broadcast to \(.*4,?\), the shape of what is ind"):
        x[index] = [1.0, 2.0, 3.0]
    with pytest.raises(DTypeError, match="setitem: a value is a tensor or a number, not None"):
        x[index] = None
    for update in (x.at[index].set, x.at[index].add):
        with pytest.raises(ShapeError, match=r"(set|add): \(5, 1, 1\) does not broadcast to \("):
            update(gf.zeros((5, 1, 1)))
    assert not x.numpy().any()


def test_nothing_is_written_when_one_index_is_out_of_range():
    x = gf.zeros((3, 4))
    with pytest.raises(IndexOutOfRange, match="setitem: index 4 is out of range for axis 1, of size 4"):
        x[:, [0, 4]] = 1.0
    assert not x.numpy().any()


def test_values_that_an_integer_tensor_cannot_hold_are_refused():
    x = gf.zeros(3, dtype="uint8")
    for write in (lambda v: x.__setitem__(0, v), x.at[0].set, x.at[[0]].set, x.at[[0]].add):
        with pytest.raises(DTypeError, match="float"):
            write(1.5)
        with pytest.raises(ArgumentError, match="300 does not fit into uint8"):
            write(300)


def test_a_read_only_tensor_refuses_to_be_written():
    x = gf.broadcast_to(gf.zeros(3), (2, 3))
    with pytest.raises(ArgumentError, match=r"setitem: .*read-only"):
        x[0] = 1.0
    with pytest.raises(ArgumentError, match=r"setitem: .*read-only"):
        x[[0]] = 1.0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint64"])
def test_indices_of_every_integer_dtype_work(dtype):
    x = gf.tensor(np.arange(1000.0).reshape(500, 2), requires_grad=True)
    indices = gf.tensor(np.array([3, 200, 3], dtype))
    np.testing.assert_array_equal(x[indices].detach().numpy(), x.detach().numpy()[[3, 200, 3]])
    gf.embedding(x, indices).sum().backward()
    assert x.grad.numpy()[[3, 200]].tolist() == [[2, 2], [1, 1]]


def test_many_small_float16_gradients_add_up_in_float32():
    x = gf.zeros(1, dtype="float16", requires_grad=True)
    gf.take(x, np.zeros(8192, int)).backward(gf.full(8192, 0.125, dtype="float16"))
    assert x.grad.item() == 1024.0
    assert x.grad.dtype == gf.float16


def test_integers_add_up_exactly():
    big = 2**60 + 1
    assert gf.zeros(2, dtype="int64").at[[0, 0]].add(big).tolist() == [2 * big, 0]


def test_adding_gives_the_same_bits_in_every_run(rng):
    indices, g = rng.integers(0, 50, 20000), rng.standard_normal((20000, 3)).astype(np.float32)
    runs = [gf.zeros((50, 3)).at[indices].add(g).numpy() for _ in range(3)]
    assert all(np.array_equal(run, runs[0]) for run in runs)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [2, [0, -1], [[0, 1], [2, 0]], []])
def test_take_takes_what_numpy_takes(axis, indices):
    x = np.arange(24.0).reshape(3, 4, 2)[..., ::-1] if axis != -1 else np.arange(24.0).reshape(2, 4, 3)
    expected = np.take(x, np.array(indices, int), axis)
    found = gf.take(x, indices, axis)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected)


def test_take_along_axis_is_that_of_numpy_and_has_right_gradients(rng):
    x = rng.standard_normal((3, 4, 2))
    for axis, shape in [(0, (5, 4, 2)), (1, (3, 2, 2)), (-1, (3, 1, 3)), (1, (1, 6, 1))]:
        indices = rng.integers(-x.shape[axis], x.shape[axis], shape)
        found = gf.take_along_axis(x, indices, axis)
        np.testing.assert_array_equal(found.numpy(), np.take_along_axis(x, indices, axis))
        gf.testing.gradcheck(lambda x, i=indices, axis=axis: gf.take_along_axis(x, i, axis) ** 2, gf.tensor(x))
    np.testing.assert_array_equal(gf.take_along_axis(x, [3, -1], None).numpy(), x.ravel()[[3, -1]])


def test_take_and_take_along_axis_name_what_is_wrong():
    with pytest.raises(IndexOutOfRange, match="take: index 3 is out of range for axis 1, of size 3"):
        gf.take(gf.zeros((2, 3)), [0, 3], 1)
    with pytest.raises(DTypeError, match="take: indices are integers, not float32"):
        gf.take(gf.zeros(3), [0.0])
    with pytest.raises(DTypeError, match="take: indices are integers, not bool"):
        gf.take(gf.zeros(3), [True])
    with pytest.raises(IndexOutOfRange, match="take_along_axis: index -4 is out of range for axis 1, of size 3"):
        gf.take_along_axis(gf.zeros((2, 3)), [[-4], [0]], 1)
    with pytest.raises(ShapeError, match=r"take_along_axis: indices are \(2,\), the tensor \(2, 3\)"):
        gf.take_along_axis(gf.zeros((2, 3)), [0, 1], 1)
    with pytest.raises(ShapeError, match="take_along_axis: cannot broadcast"):
        gf.take_along_axis(gf.zeros((2, 3)), np.zeros((3, 1), int), 1)


def test_one_hot_is_a_row_of_the_identity():
    labels = np.array([[2, 0], [1, 1]])
    found = gf.one_hot(labels, 3)
    np.testing.assert_array_equal(found.numpy(), np.eye(3, dtype=np.float32)[labels])
    assert found.dtype == gf.float32
    assert gf.one_hot(1, 2, "int64").tolist() == [0, 1]
    assert gf.one_hot(np.zeros((0,), int), 3).shape == (0, 3)


@pytest.mark.parametrize("bad", [-1, 5])
def test_labels_out_of_range_are_named(bad):
    with pytest.raises(IndexOutOfRange, match=f"one_hot: {bad} is out of range for 5 classes, numbered from 0 to 4"):
        gf.one_hot([0, bad], 5)
    with pytest.raises(IndexOutOfRange, match=f"embedding: {bad} is out of range for 5 rows, numbered from 0 to 4"):
        gf.embedding(gf.zeros((5, 2)), [0, bad])


def test_one_hot_and_embedding_refuse_what_they_cannot_take():
    with pytest.raises(DTypeError, match="one_hot: indices are integers, not float32"):
        gf.one_hot([0.0], 2)
    with pytest.raises(ArgumentError, match="num_classes is 0"):
        gf.one_hot([0], 0)
    with pytest.raises(DTypeError, match="embedding: indices are integers, not float32"):
        gf.embedding(gf.zeros((5, 2)), [1.0])
    with pytest.raises(ShapeError, match="embedding: weight is a scalar"):
        gf.embedding(1.0, [0])


def test_embedding_and_its_gradient_are_those_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    table, indices, g = rng.standard_normal((7, 3)), rng.integers(0, 7, (4, 5)), rng.standard_normal((4, 5, 3))
    weight, reference = gf.tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    out, expected = gf.embedding(weight, indices), torch.nn.functional.embedding(torch.tensor(indices), reference)
    out.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    np.testing.assert_allclose(weight.grad.numpy(), reference.grad.numpy(), rtol=1e-12)


def test_iterating_yields_the_rows():
    x = gf.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3, 4], [1, 2]]
