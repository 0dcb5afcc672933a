"""Products: matmul, einsum, tensordot, outer, vecdot and dot, compared with NumPy and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ShapeError

PAIRS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2,), (2, 3)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((0,), (0,)),
    ((0, 2, 3), (3, 4)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_matmul_is_numpys_with_right_gradients(a, b, rng):
    a, b = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(gf.matmul(a, b).numpy(), np.matmul(a, b), rtol=1e-13, atol=1e-13)
    gf.testing.gradcheck(lambda a, b: (a @ b) ** 2, gf.tensor(a), gf.tensor(b))


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_matmul_of_transposed_operands_is_numpys_with_right_gradients(left, right, rng):
    a = rng.standard_normal((2, 4, 3) if left else (2, 3, 4))
    b = rng.standard_normal((5, 4) if right else (4, 5))

    def product(a, b):
        a = a.swapaxes(-1, -2) if left else a
        return a @ (b.swapaxes(-1, -2) if right else b)

    np.testing.assert_allclose(product(gf.tensor(a), gf.tensor(b)).numpy(), product(a, b), rtol=1e-13)
    gf.testing.gradcheck(lambda a, b: product(a, b) ** 2, gf.tensor(a), gf.tensor(b))


@pytest.mark.parametrize(
    "dtypes", ["int8", "uint16", "int64", "float32", "float64", "int32 float32", "float16 float32"]
)
def test_matmul_promotes_as_numpy_does(dtypes, rng):
    first, second = (dtypes.split() * 2)[:2]
    a, b = (rng.integers(0, 9, s).astype(d) for s, d in [((3, 4), first), ((4, 2), second)])
    found, expected = gf.matmul(a, b), np.matmul(a, b)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize(
    "multiply",
    [
        gf.matmul,
        lambda a, b: gf.einsum("ij,jk->ik", a, b),
        lambda a, b: gf.tensordot(a, b, 1),
        lambda a, b: gf.vecdot(a[0], b[:, 0]),
        gf.dot,
    ],
)
def test_float16_products_add_up_in_float32(multiply):
    a, b = np.full((1, 40000), 0.1, np.float16), np.ones((40000, 1), np.float16)
    found = multiply(gf.tensor(a), gf.tensor(b))
    assert found.dtype == gf.float16
    assert found.item() == np.float16(np.float64(np.float16(0.1)) * 40000)


def test_a_matmul_error_says_both_shapes():
    with pytest.raises(ShapeError, match=r"matmul: cannot multiply \(2, 3\) by \(2, 3\); inner sizes must agree"):
        gf.matmul(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"matmul: cannot multiply \(\) by \(2,\); use \* with scalars"):
        gf.matmul(1.0, [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"matmul: cannot broadcast \(2,\), \(3,\)"):
        gf.matmul(np.zeros((2, 1, 1)), np.zeros((3, 1, 1)))
    with pytest.raises(DTypeError, match="matmul: not defined for bool"):
        gf.matmul([[True]], [[True]])


# subscripts with the shapes of their operands: every rule of the notation
EINSUMS = [
    ("i->", (3,)),
    ("i->i", (3,)),
    ("ij->ji", (2, 3)),
    ("ij", (2, 3)),
    ("ba", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (3, 3, 3)),
    ("iij->ji", (3, 3, 2)),
    ("ijij->", (2, 3, 2, 3)),
    ("...", (2, 3)),
    ("...->...", ()),
    ("i...->...i", (2, 3, 4)),
    ("...i->...", (2, 3, 4)),
    ("...ii->...", (2, 3, 3)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("i,i", (3,), (3,)),
    ("i,j", (3,), (4,)),
    ("i,j->ji", (3,), (4,)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,ij", (2, 3), (2, 3)),
    ("ij,ji->", (2, 3), (3, 2)),
    (",->", (), ()),
    (",i->i", (), (3,)),
    ("ij,k->k", (2, 3), (4,)),
    ("bqd,bkd->bqk", (2, 3, 4), (2, 5, 4)),
    ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("abc,cbd->da", (2, 3, 4), (4, 3, 5)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...ij,...jk", (5, 1, 2, 3), (6, 3, 4)),
    ("...i,i...->...", (2, 3), (3, 2)),
    ("i...,i->...", (3, 2, 4), (3,)),
    ("ij,j->i", (2, 1), (3,)),
    ("i,i->", (1,), (3,)),
    ("i,i->i", (1,), (3,)),
    ("i,i->", (1,), (1,)),
    ("ii,i->i", (3, 3), (3,)),
    ("ii,jj->ij", (3, 3), (2, 2)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("i,i->", (0,), (0,)),
    ("Ab,bA->A", (2, 3), (3, 2)),
    ("zA,A", (2, 3), (3,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,j,k->kij", (2,), (3,), (4,)),
    ("ij,i,j->", (2, 3), (2,), (3,)),
    ("abc,bd,ce,f->adef", (2, 3, 4), (3, 2), (4, 3), (2,)),
    ("...a,...b,ab->...", (5, 2), (5, 3), (2, 3)),
    ("a,a,a,a,a->", (3,), (3,), (1,), (3,), (3,)),
]


@pytest.mark.parametrize("case", EINSUMS, ids=str)
def test_einsum_is_numpys_with_right_gradients_of_both_orders(case, rng):
    subscripts, *shapes = case
    operands = [rng.standard_normal(shape) for shape in shapes]
    found, expected = gf.einsum(subscripts, *operands), np.einsum(subscripts, *operands)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    gf.testing.gradcheck(lambda *xs: gf.einsum(subscripts, *xs) ** 2, *map(gf.tensor, operands))


@st.composite
def contractions(draw):
    """Random subscripts with operands of random sizes, some of them 1 where the others are not."""
    letters = "abcde"
    sizes = dict(zip(letters, draw(st.permutations([1, 2, 2, 3, 4])), strict=True))
    terms = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=4))
    dots = draw(st.lists(st.booleans(), min_size=len(terms), max_size=len(terms)))
    lone = draw(st.lists(st.booleans(), min_size=16, max_size=16))
    shapes = []
    for i, (term, dotted) in enumerate(zip(terms, dots, strict=True)):
        size = [1 if len(set(term)) == len(term) and lone[4 * i + j] else sizes[c] for j, c in enumerate(term)]
        shapes.append((*(3, 2)[draw(st.integers(0, 2)) :], *size) if dotted else tuple(size))
    used = sorted(set("".join(terms)))
    result = "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))])
    left = ",".join(("..." if dotted else "") + term for term, dotted in zip(terms, dots, strict=True))
    explicit = draw(st.booleans())
    return left + ("->" + "..." * any(dots) + result if explicit else ""), shapes


@settings(max_examples=300, deadline=None)
@given(contractions(), st.integers(0, 2**32 - 1))
def test_einsum_is_numpys_for_random_subscripts(case, seed):
    subscripts, shapes = case
    rng = np.random.default_rng(seed)
    operands = [rng.standard_normal(shape) for shape in shapes]
    found, expected = gf.einsum(subscripts, *operands), np.einsum(subscripts, *operands)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11, atol=1e-11)


def test_einsum_agrees_with_pytorch_in_value_and_gradients(rng):
    torch = pytest.importorskip("torch")
    shapes = (2, 5, 3, 4), (2, 6, 3, 4), (2, 6, 3, 7)
    ours = [gf.tensor(rng.standard_normal(s), requires_grad=True) for s in shapes]
    theirs = [torch.tensor(x.detach().numpy(), requires_grad=True) for x in ours]
    subscripts = "bqhd,bkhd,bkhe->bqhe"
    out, expected = gf.einsum(subscripts, *ours), torch.einsum(subscripts, *theirs)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-11)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", ["int8", "int64", "float16", "float32"])
@pytest.mark.parametrize("subscripts", ["ij->i", "ij,jk->ik", "i,i,ij->j", "ii", "ij,ij->ij"])
def test_einsum_keeps_the_dtype(subscripts, dtype):
    terms = subscripts.partition("->")[0].split(",")
    operands = [np.ones((2,) * len(term), dtype) for term in terms]
    found, expected = gf.einsum(subscripts, *operands), np.einsum(subscripts, *operands)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


def test_a_chain_is_multiplied_in_the_cheap_order(monkeypatch):
    sizes = []
    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", lambda *args, **how: sizes.append((out := matmul(*args, **how)).size) or out)
    gf.einsum("ij,jk,k->i", np.ones((100, 90)), np.ones((90, 80)), np.ones(80))
    assert max(sizes) <= 100


EINSUM_ERRORS = [
    (("ij,jk->ik", (2, 3)), ArgumentError, "einsum: 'ij,jk->ik' is for 2 operands, got 1"),
    (("ij->ij", (2,)), ShapeError, "einsum: 'ij' in 'ij->ij' is for another number of dimensions than 1"),
    (("i...j->ij", (2,)), ShapeError, "is for another number of dimensions than 1"),
    (("i->i", (2, 3)), ShapeError, "is for another number of dimensions than 2"),
    (
        ("ij,jk->ik", (2, 3), (4, 5)),
        ShapeError,
        r"einsum: 'j' is of size 3 and of size 4; the operands are \(2, 3\), \(4, 5\)",
    ),
    (("ii->i", (2, 3)), ShapeError, "einsum: 'i' is of size 2 and of size 3"),
    (("ii->i", (1, 3)), ShapeError, "einsum: 'i' is of size 1 and of size 3"),
    (("ij->ik", (2, 3)), ArgumentError, "einsum: 'k' is in the result of 'ij->ik' twice, or in no operand"),
    (("ij->ii", (2, 3)), ArgumentError, "einsum: 'i' is in the result of 'ij->ii' twice"),
    (("i1->i", (2, 3)), ArgumentError, "may have letters, commas, one '->' and '...' only"),
    (("i->i->i", (2,)), ArgumentError, "may have letters, commas, one '->' and '...' only"),
    (("i..j->i", (2, 3)), ArgumentError, "may have letters, commas, one '->' and '...' only"),
    (("......->", (2, 3)), ArgumentError, "may have letters, commas, one '->' and '...' only"),
    (("α->α", (2,)), ArgumentError, "may have letters, commas"),
    (("...i->i", (2, 3)), ArgumentError, "has '...' on the left and must have it on the right"),
    (((0, 1), (2, 3)), DTypeError, "einsum: the subscripts come first and are a string, not tuple"),
]


@pytest.mark.parametrize(("call", "kind", "message"), EINSUM_ERRORS, ids=[str(e[0]) for e in EINSUM_ERRORS])
def test_what_is_wrong_with_an_einsum_is_named(call, kind, message):
    subscripts, *shapes = call
    with pytest.raises(kind, match=message):
        gf.einsum(subscripts, *map(np.zeros, shapes))


def test_einsum_of_bool_is_refused():
    with pytest.raises(DTypeError, match="einsum: not defined for bool"):
        gf.einsum("i,i->i", [True], [True])


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (3, 4), 1),
        ((2, 3), (4,), 0),
        ((2, 3), (2, 3), 2),
        ((2, 3, 4), (5, 4, 3), ([1, 2], [2, 1])),
        ((2, 3, 4), (5, 4, 3), (-1, 1)),
        ((2, 3, 4), (5, 4, 3), ([-2], [-1])),
        ((2, 3), (3, 2), ([], [])),
        ((2, 0), (0, 3), 1),
    ],
)
def test_tensordot_is_numpys_with_right_gradients(a, b, axes, rng):
    a, b = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(gf.tensordot(a, b, axes).numpy(), np.tensordot(a, b, axes), rtol=1e-12, atol=1e-12)
    gf.testing.gradcheck(lambda a, b: gf.tensordot(a, b, axes) ** 2, gf.tensor(a), gf.tensor(b))


def test_tensordot_names_what_is_wrong():
    a, b = np.zeros((2, 3)), np.zeros((4, 5))
    with pytest.raises(ShapeError, match=r"tensordot: axes 1 of \(2, 3\) and \(4, 5\) do not have the same sizes"):
        gf.tensordot(a, b, 1)
    with pytest.raises(ShapeError, match="tensordot: cannot sum over 3 axes"):
        gf.tensordot(a, b, 3)
    with pytest.raises(ShapeError, match="must name equally many axes of both tensors, each once"):
        gf.tensordot(a, b, ([0, 1], [0]))
    with pytest.raises(ShapeError, match="must name equally many axes of both tensors, each once"):
        gf.tensordot(a, a, ([0, 0], [0, 0]))
    with pytest.raises(gf.errors.IndexOutOfRange, match="tensordot: axis 2 is out of range"):
        gf.tensordot(a, b, ([2], [0]))
    with pytest.raises(DTypeError, match="tensordot: axes is a number or a pair"):
        gf.tensordot(a, b, 1.5)


@pytest.mark.parametrize(("a", "b"), [((3,), (4,)), ((2, 3), (4,)), ((), (3,)), ((0,), (3,))])
def test_outer_is_numpys_with_right_gradients(a, b, rng):
    a, b = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_array_equal(gf.outer(a, b).numpy(), np.outer(a, b))
    gf.testing.gradcheck(lambda a, b: gf.outer(a, b) ** 2, gf.tensor(a), gf.tensor(b))


@pytest.mark.parametrize(
    ("a", "b", "axis"),
    [
        ((3,), (3,), -1),
        ((2, 3), (3,), -1),
        ((4, 3), (4, 3), 0),
        ((2, 4, 3), (4, 3), -2),
        ((5, 1, 3), (2, 3), -1),
        ((0,), (0,), 0),
    ],
)
def test_vecdot_is_numpys_with_right_gradients(a, b, axis, rng):
    a, b = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(gf.vecdot(a, b, axis).numpy(), np.vecdot(a, b, axis=axis), rtol=1e-13, atol=1e-13)
    gf.testing.gradcheck(lambda a, b: gf.vecdot(a, b, axis) ** 2, gf.tensor(a), gf.tensor(b))


def test_vecdot_names_what_is_wrong():
    with pytest.raises(ShapeError, match="vecdot: sizes 3 and 1 along axis -1 must be equal"):
        gf.vecdot(np.zeros(3), np.zeros(1))
    with pytest.raises(ShapeError, match=r"vecdot: cannot broadcast \(2, 3\), \(4, 3\)"):
        gf.vecdot(np.zeros((2, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((2, 3), (3, 4)), ((2, 3), (3,)), ((4, 2, 3), (5, 3, 2)), ((), (3,)), ((2, 3), ()), ((), ())],
)
def test_dot_is_numpys_with_right_gradients(a, b, rng):
    a, b = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(gf.dot(a, b).numpy(), np.dot(a, b), rtol=1e-13)
    gf.testing.gradcheck(lambda a, b: gf.dot(a, b) ** 2, gf.tensor(a), gf.tensor(b))
