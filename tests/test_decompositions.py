"""gf.linalg against NumPy, SciPy and PyTorch: values, gradients, and what is said of matrices that have no result."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.linalg

import gradflow as gf
from gradflow import linalg
from gradflow.errors import ArgumentError, DTypeError, GradflowError, GradientError, ShapeError
from gradflow.ops import substitution
from gradflow.testing import gradcheck, tolerance


@pytest.fixture
def general(rng):
    return rng.standard_normal((2, 4, 4)) + 2 * np.eye(4)


@pytest.fixture
def definite(rng):
    a = rng.standard_normal((2, 5, 5))
    return a @ a.swapaxes(-1, -2) + np.eye(5)


def leaf(x):
    return gf.tensor(np.array(x), requires_grad=True)


def torch_gradients(torch, function, *arrays):
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    function(*leaves).backward()
    return [x.grad.numpy() for x in leaves]


def our_gradients(function, *arrays):
    leaves = [leaf(x) for x in arrays]
    function(*leaves).backward()
    return [x.grad.numpy() for x in leaves]


def assert_close(found, expected):
    np.testing.assert_allclose(getattr(found, "data", found), expected, rtol=1e-9, atol=1e-9)


PAIRS = {
    "solve": lambda m, a: m.linalg.solve(a, a[:, :, :2] ** 2),
    "inv": lambda m, a: m.linalg.inv(a) ** 2,
    "det": lambda m, a: m.linalg.det(a) ** 2,
    "slogdet": lambda m, a: m.linalg.slogdet(a)[1] ** 2,
    "pinv": lambda m, a: m.linalg.pinv(a[:, :3]) ** 2,
    "svdvals": lambda m, a: m.linalg.svdvals(a) ** 3,
    "svd": lambda m, a: abs(m.linalg.svd(a[:, :3], full_matrices=False)[2]) ** 3,
    "qr": lambda m, a: m.linalg.qr(a[:, :3])[1] ** 3,
    "matrix_power": lambda m, a: m.linalg.matrix_power(a, -3),
    "matrix_norm": lambda m, a: m.linalg.matrix_norm(a, ord="nuc") ** 2,
    "spectral": lambda m, a: m.linalg.matrix_norm(a, ord=2) ** 2,
    "cond": lambda m, a: m.linalg.cond(a),
    "multi_dot": lambda m, a: m.linalg.multi_dot([a[0], a[1], a[0][:, :1]]),
    "cross": lambda m, a: m.linalg.cross(a[..., :3], a[..., 1:]) ** 2,
}


@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_of_general_matrices_are_those_of_torch(name, torch, general):
    function = PAIRS[name]
    assert_close(function(gf, gf.tensor(general)), function(torch, torch.tensor(general)).numpy())
    found = our_gradients(lambda a: function(gf, a).sum(), general)
    assert_close(found[0], torch_gradients(torch, lambda a: function(torch, a).sum(), general)[0])


SYMMETRIC = {
    "cholesky": lambda m, a: m.linalg.cholesky(a) ** 3,
    "cholesky of the upper kind": lambda m, a: m.linalg.cholesky(a, upper=True) ** 3,
    "eigvalsh": lambda m, a: m.linalg.eigvalsh(a) ** 3,
    "eigh": lambda m, a: abs(m.linalg.eigh(a)[1]) ** 3,
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_values_and_gradients_of_symmetric_matrices_are_those_of_torch(name, torch, definite):
    function = SYMMETRIC[name]
    assert_close(function(gf, gf.tensor(definite)), function(torch, torch.tensor(definite)).numpy())
    found = our_gradients(lambda a: function(gf, a).sum(), definite)
    expected = torch_gradients(torch, lambda a: function(torch, a).sum(), definite)[0]
    assert_close(found[0], (expected + expected.swapaxes(-1, -2)) / 2)


@pytest.mark.parametrize(("lower", "trans", "unit"), list(itertools.product([True, False], [0, 1, "T"], [True, False])))
@pytest.mark.parametrize("size", [3, 150])
def test_triangular_systems_are_solved_as_scipy_does(lower, trans, unit, size, rng):
    a = rng.standard_normal((size, size)) / size + 2 * np.eye(size)
    b = rng.standard_normal((size, 2))
    expected = scipy.linalg.solve_triangular(a, b, trans, lower, unit)
    assert_close(linalg.solve_triangular(gf.tensor(a), gf.tensor(b), trans, lower, unit), expected)
    vector = linalg.solve_triangular(gf.tensor(a), gf.tensor(b[:, 0]), trans, lower, unit)
    assert_close(vector, expected[:, 0])


@pytest.mark.parametrize("kind", ["float32", "float64", "complex64", "complex128"])
def test_triangular_systems_are_solved_without_blas_as_with_it(kind, monkeypatch, rng):
    a = (rng.standard_normal((2, 1, 90, 90)) / 90 + 2 * np.eye(90)).astype(kind)
    b = rng.standard_normal((3, 90, 2)).astype(kind)
    if kind.startswith("complex"):
        a, b = a + 0.1j * a.mT, b * (1 - 0.5j)
    allowed = tolerance(a.dtype, 10)
    for how in itertools.product([True, False], repeat=3):
        given = dict(zip(("lower", "trans", "unit_diagonal"), how, strict=True))
        found = linalg.solve_triangular(a, b, **given)
        with monkeypatch.context() as patch:
            patch.setattr(substitution, "_trsm", lambda kind: None)
            expected = linalg.solve_triangular(a, b, **given)
        assert found.shape == (2, 3, 90, 2)
        np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=allowed)


def test_the_other_triangle_and_a_diagonal_of_ones_are_not_looked_at(rng):
    a, b = np.tril(rng.standard_normal((20, 20)) / 20 + np.eye(20)), rng.standard_normal((20, 2))
    marked = np.where(np.tri(20, dtype=bool), a, np.nan)
    assert_close(linalg.solve_triangular(marked, b, lower=True), linalg.solve_triangular(a, b, lower=True))
    unit = np.where(np.eye(20, dtype=bool), 0.0, marked)
    expected = np.linalg.solve(np.tril(a, -1) + np.eye(20), b)
    assert_close(linalg.solve_triangular(unit, b, lower=True, unit_diagonal=True), expected)


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
def test_the_exponential_and_its_gradient_are_those_of_scipy(size, rng):
    a = size * rng.standard_normal((3, 4, 4)) / 4
    assert_scale = np.abs(scipy.linalg.expm(a)).max()
    np.testing.assert_allclose(linalg.expm(gf.tensor(a)).data, scipy.linalg.expm(a), rtol=0, atol=1e-11 * assert_scale)
    g = rng.standard_normal((4, 4))
    (found,) = our_gradients(lambda x: (linalg.expm(x) * g).sum(), a[0])
    expected = scipy.linalg.expm_frechet(a[0].T, g, compute_expm=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (0, 3), (3, 0)])
def test_factors_multiply_to_the_matrix_and_are_orthogonal(shape, rng):
    a = rng.standard_normal(shape)
    for full in (False, True):
        u, s, vh = linalg.svd(gf.tensor(a), full_matrices=full)
        assert [each.shape for each in (u, s, vh)] == [each.shape for each in np.linalg.svd(a, full)]
        k = s.shape[-1]
        assert_close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)
        assert_close(u.mT @ u, np.broadcast_to(np.eye(u.shape[-1]), (*shape[:-2], u.shape[-1], u.shape[-1])))
        assert_close(vh @ vh.mT, np.broadcast_to(np.eye(vh.shape[-2]), (*shape[:-2], vh.shape[-2], vh.shape[-2])))
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(gf.tensor(a), mode)
        assert [each.shape for each in (q, r)] == [each.shape for each in np.linalg.qr(a, mode)]
        assert_close(q @ r, a)
        assert_close(q.mT @ q, np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], q.shape[-1], q.shape[-1])))


def test_the_largest_element_of_each_singular_and_eigenvector_is_positive(definite, general):
    for vectors in (linalg.eigh(gf.tensor(definite)).eigenvectors, linalg.svd(gf.tensor(general)).U):
        largest = np.take_along_axis(vectors.data, np.abs(vectors.data).argmax(-2)[..., None, :], -2)
        assert (largest > 0).all()


def test_the_gradient_of_a_determinant_is_right_for_singular_matrices():
    a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    (found,) = our_gradients(linalg.det, a)
    np.testing.assert_allclose(found, [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]], atol=1e-12)
    (of_nothing,) = our_gradients(linalg.det, np.zeros((2, 2)))
    np.testing.assert_array_equal(of_nothing, 0)


VALUES = {
    "eigvalsh": linalg.eigvalsh,
    "eigh": lambda a: linalg.eigh(a).eigenvalues,
    "eigvals": lambda a: linalg.eigvals(a).real,
    "eig": lambda a: linalg.eig(a).eigenvalues.real,
    "svdvals": linalg.svdvals,
    "svd": lambda a: linalg.svd(a, full_matrices=False).S,
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_the_gradient_of_equal_eigenvalues_and_singular_values_is_finite(name, kind):
    (found,) = our_gradients(lambda a: VALUES[name](a).sum(), 2 * np.eye(3, dtype=kind))
    assert_close(found, np.eye(3))
    if name.startswith("svd"):
        (found,) = our_gradients(lambda a: VALUES[name](a)[0], np.ones((3, 2), kind))
        assert_close(found, np.full((3, 2), 6**-0.5))


ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]


@pytest.mark.parametrize("ord", ORDERS)
def test_norms_of_matrices_are_numpys(ord, general):
    for axis, keepdims in [((-2, -1), False), ((1, 2), True), ((2, 0), False)]:
        expected = np.linalg.norm(general, ord, axis, keepdims)
        assert_close(linalg.norm(gf.tensor(general), ord, axis, keepdims), expected)
    assert_close(linalg.norm(gf.tensor(general[0]), ord), np.linalg.norm(general[0], ord))
    if ord is not None:
        assert_close(linalg.matrix_norm(gf.tensor(general), ord=ord), np.linalg.matrix_norm(general, ord=ord))


@pytest.mark.parametrize("ord", [None, 0, 0.5, 1, 2, 3.5, math.inf, -math.inf, -1])
def test_norms_of_vectors_are_numpys(ord, general):
    assert_close(linalg.norm(gf.tensor(general), ord, 1, True), np.linalg.norm(general, ord, 1, True))
    if ord is not None:
        expected = np.linalg.vector_norm(general, axis=(0, 2), ord=ord)
        assert_close(linalg.vector_norm(gf.tensor(general), axis=(0, 2), ord=ord), expected)
    assert_close(linalg.norm(gf.tensor(general), keepdims=True), np.linalg.norm(general, keepdims=True))


@pytest.mark.parametrize("p", [None, 1, -1, 2, -2, "fro", "nuc", math.inf])
def test_condition_numbers_are_numpys(p, general):
    assert_close(linalg.cond(gf.tensor(general), p), np.linalg.cond(general, p))


def test_the_condition_of_a_singular_matrix_is_infinite():
    assert linalg.cond(gf.tensor(np.diag([1.0, 0.0]))).item() == np.inf


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_least_squares_are_numpys(shape, rng):
    a, b = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
    found, expected = linalg.lstsq(gf.tensor(a), gf.tensor(b)), np.linalg.lstsq(a, b)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)
    assert_close(linalg.lstsq(gf.tensor(a), gf.tensor(b[:, 0])).x, expected[0][:, 0])
    gradcheck(lambda a, b: linalg.lstsq(a, b).x, gf.tensor(a), gf.tensor(b))


def test_ranks_are_numpys(rng):
    a = rng.standard_normal((5, 3)) @ rng.standard_normal((3, 4))
    stack = np.stack([a, np.zeros((5, 4))])
    np.testing.assert_array_equal(linalg.matrix_rank(gf.tensor(stack)).data, np.linalg.matrix_rank(stack))
    assert linalg.matrix_rank(gf.tensor(np.diag([1.0, 0.1])), rtol=0.5).item() == 1
    assert_close(linalg.pinv(gf.tensor(stack)), np.linalg.pinv(stack))


@pytest.mark.parametrize("n", [0, 1, 2, 5, -2])
def test_powers_of_matrices_are_numpys(n, general):
    assert_close(linalg.matrix_power(gf.tensor(general), n), np.linalg.matrix_power(general, n))


def test_products_are_numpys(rng):
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((4, 2, 2))
    assert_close(gf.kron(gf.tensor(a), gf.tensor(b)), np.kron(a, b))
    assert_close(gf.kron(2.0, gf.tensor(a)), np.kron(2.0, a))
    assert_close(linalg.trace(gf.tensor(b), offset=1), np.linalg.trace(b, offset=1))
    assert_close(linalg.cross(gf.tensor(a), gf.tensor(a[::-1].copy())), np.cross(a, a[::-1]))
    chain = [rng.standard_normal(shape) for shape in [(5,), (5, 40), (40, 2), (2, 30), (30,)]]
    assert_close(linalg.multi_dot([gf.tensor(x) for x in chain]), np.linalg.multi_dot(chain))
    gradcheck(gf.kron, gf.tensor(a), gf.tensor(b))


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: linalg.solve(SINGULAR, np.ones(2)), r"solve: a matrix is singular.*\(2, 2\)"),
        (lambda: linalg.inv(SINGULAR), "inv: a matrix is singular"),
        (lambda: linalg.cholesky(-np.eye(2)), "cholesky: a matrix is not positive definite"),
        (lambda: linalg.solve_triangular(np.zeros((2, 2)), np.ones(2)), "a 0 on its diagonal"),
        (lambda: linalg.matrix_power(SINGULAR, -1), "inv: a matrix is singular"),
        (lambda: linalg.svdvals(np.full((2, 2), np.nan)), "svdvals: the singular values of a matrix were not found"),
        (lambda: linalg.slogdet(leaf(SINGULAR)).logabsdet.backward(), "inv: a matrix is singular"),  # noqa: PLW0108
    ],
)
def test_a_matrix_without_a_result_is_named(attempt, says):
    with pytest.raises(gf.linalg.LinAlgError, match=says) as caught:
        attempt()
    assert isinstance(caught.value, GradflowError)
    assert isinstance(caught.value, np.linalg.LinAlgError)


@pytest.mark.parametrize(
    ("attempt", "error", "says"),
    [
        (lambda: linalg.inv(np.ones(3)), ShapeError, r"inv: needs a matrix or a stack of matrices, got shape \(3,\)"),
        (lambda: linalg.det(np.ones((2, 3))), ShapeError, r"det: the last two sizes must be equal.*\(2, 3\)"),
        (lambda: linalg.solve(np.eye(2), np.ones(3)), ShapeError, r"solve: .* has 2 equations.* gives 3 numbers"),
        (lambda: linalg.solve(np.ones((2, 3, 3)), np.ones((4, 3, 1))), ShapeError, "solve: cannot broadcast"),
        (lambda: linalg.lstsq(np.eye(2), np.ones(3)), ShapeError, "lstsq: .* has 2 equations"),
        (lambda: linalg.cross(np.ones(2), np.ones(2)), ShapeError, "cross: axis -1 must have size 3"),
        (lambda: linalg.multi_dot([np.eye(2)]), ArgumentError, "multi_dot: needs at least two"),
        (lambda: linalg.multi_dot([np.eye(2), np.ones(2), np.eye(2)]), ShapeError, r"number 1 is \(2,\)"),
        (lambda: linalg.qr(np.eye(2), "raw"), ArgumentError, "qr: mode is 'raw'"),
        (lambda: linalg.norm(np.eye(2), "max"), ArgumentError, "matrix_norm: ord is 'max'"),
        (lambda: linalg.norm(np.ones(2), [1]), DTypeError, r"norm: ord is a number, not \[1\]"),
        (lambda: linalg.pinv(np.eye(2), "small"), DTypeError, "pinv: rtol is a number, not 'small'"),
        (lambda: linalg.multi_dot(3), DTypeError, "multi_dot: takes a list of tensors, not int"),
        (lambda: linalg.norm(np.ones(2), "fro"), ArgumentError, "which vectors have not"),
        (lambda: linalg.norm(np.ones((2, 2, 2)), 2), ShapeError, "norm: takes vectors along one axis or matrices"),
        (lambda: linalg.solve_triangular(np.eye(2), np.ones(2), "H"), ArgumentError, "trans is 'H'"),
        (lambda: linalg.matrix_norm(np.ones(2)), ShapeError, "matrix_norm: needs a matrix"),
        (lambda: linalg.matrix_norm(np.ones((3, 0)), ord=2), ShapeError, r"matrix_norm: .*\(3, 0\) are empty"),
        (lambda: linalg.cond(np.ones((0, 0))), ShapeError, r"cond: needs matrices that are not empty, got .*\(0, 0\)"),
        (lambda: linalg.trace(np.ones(2)), ShapeError, "trace: needs a matrix"),
        (lambda: linalg.svd(leaf(np.ones((3, 2)))), GradientError, "svd: .* use full_matrices=False"),
        (lambda: linalg.qr(leaf(np.ones((3, 2))), "complete"), GradientError, "qr: .* use mode='reduced'"),
    ],
)
def test_a_mistake_is_explained(attempt, error, says):
    with pytest.raises(error, match=says):
        attempt()


def test_a_gpu_is_not_waited_for_to_learn_that_a_matrix_is_singular(cuda):
    found = linalg.inv(gf.tensor(SINGULAR, device="cuda"))
    assert not np.isfinite(found.numpy()).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
def test_dtypes_that_lapack_lacks_are_computed_in_wider_ones(dtype):
    x = gf.tensor(np.array([[2, 1], [1, 3]], dtype))
    kept = gf.float64 if dtype == "int64" else x.dtype
    for found in (linalg.inv(x), linalg.det(x), linalg.cholesky(x), linalg.eigvalsh(x), linalg.svdvals(x)):
        assert found.dtype == kept
    np.testing.assert_allclose(linalg.inv(x).data, [[0.6, -0.2], [-0.2, 0.4]], rtol=1e-3)
