"""Linear algebra of complex matrices, and eigenvalues that are complex: against NumPy, SciPy and PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

import gradflow as gf
from gradflow import linalg
from gradflow.errors import DeviceError
from gradflow.tape import gradients
from gradflow.testing import gradcheck, tolerance


def drawn(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@pytest.fixture
def general(rng):
    return drawn(rng, 2, 4, 4) + 2 * np.eye(4)


@pytest.fixture
def definite(rng):
    a = drawn(rng, 2, 4, 4)
    return a @ a.conj().swapaxes(-1, -2) + np.eye(4)


def assert_close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(getattr(found, "data", found), expected, rtol=rtol, atol=rtol)


def turned(x):
    """The conjugate transpose, of an array, a tensor or a tensor of PyTorch's."""
    return x.conj().swapaxes(-1, -2)


def size(x):
    """The squared absolute value."""
    return (x * x.conj()).real


def projection(columns):
    """The matrix that projects on what orthonormal columns span."""
    return columns @ turned(columns)


def nearest(u, s, vh):
    """Of a matrix of rank 1 that is near, something that does not depend on the other factors' order."""
    return (u[..., :1] @ vh[..., :1, :]).real ** 3


GENERAL = {
    "solve": lambda m, a: size(m.linalg.solve(a, a[:, :, :2] ** 2)),
    "inv": lambda m, a: size(m.linalg.inv(a)),
    "det": lambda m, a: size(m.linalg.det(a)),
    "slogdet": lambda m, a: m.linalg.slogdet(a)[1] ** 2,
    "sign of det": lambda m, a: m.linalg.slogdet(a)[0].imag,
    "pinv of few columns": lambda m, a: size(m.linalg.pinv(a[:, :, :3])) ** 2,
    "pinv of few rows": lambda m, a: size(m.linalg.pinv(a[:, :3])) ** 2,
    "svdvals": lambda m, a: m.linalg.svdvals(a) ** 3,
    "svd of few rows": lambda m, a: abs(m.linalg.svd(a[:, :3], full_matrices=False)[2]) ** 3,
    "svd of few columns": lambda m, a: abs(m.linalg.svd(a[:, :, :3], full_matrices=False)[0]) ** 3,
    "svd of both": lambda m, a: nearest(*m.linalg.svd(a)),
    "qr of few rows": lambda m, a: m.linalg.qr(a[:, :3])[1].real ** 3,
    "qr of few columns": lambda m, a: m.linalg.qr(a[:, :, :3])[0].imag ** 3,
    "matrix_power": lambda m, a: m.linalg.matrix_power(a, -3).real,
    "expm": lambda m, a: (m.linalg.matrix_exp if m.__name__ == "torch" else m.linalg.expm)(a).imag,
    "nuclear norm": lambda m, a: m.linalg.matrix_norm(a, ord="nuc") ** 2,
    "spectral norm": lambda m, a: m.linalg.matrix_norm(a, ord=2) ** 2,
    "Frobenius norm": lambda m, a: m.linalg.matrix_norm(a) ** 3,
    "norm of columns": lambda m, a: m.linalg.matrix_norm(a, ord=1) ** 2,
    "cond": lambda m, a: m.linalg.cond(a),
    "multi_dot": lambda m, a: size(m.linalg.multi_dot([a[0], a[1], a[0][:, :1]])),
    "cross": lambda m, a: size(m.linalg.cross(a[..., :3], a[..., 1:])),
    "eigvals": lambda m, a: size(m.linalg.eigvals(a)) ** 2,
    "eigenvectors": lambda m, a: abs(m.linalg.eig(a)[1]) ** 3,
}
HERMITIAN = {
    "cholesky": lambda m, a: m.linalg.cholesky(a).imag ** 3,
    "cholesky of the upper kind": lambda m, a: m.linalg.cholesky(a, upper=True).imag ** 3,
    "eigvalsh": lambda m, a: m.linalg.eigvalsh(a) ** 3,
    "eigenvalues": lambda m, a: m.linalg.eigh(a)[0] ** 3,
    "eigenvectors": lambda m, a: abs(m.linalg.eigh(a)[1]) ** 3,
    "projection": lambda m, a: projection(m.linalg.eigh(a)[1][..., :2]).real ** 3,
}


def of_both_orders(grad, loss, x, direction):
    """The gradient of ``loss``, and the gradient of that along ``direction``."""
    (first,) = grad(loss, x, True)
    (second,) = grad((first * direction.conj()).real.sum(), x, False)
    return first, second


def by_gradflow(function, array, direction):
    x = gf.tensor(array, requires_grad=True)
    one = gf.tensor(1.0, dtype="float64")
    loss = function(gf, x).sum()
    found = of_both_orders(lambda y, x, more: gradients(y, [x], one, create_graph=more), loss, x, gf.tensor(direction))
    return loss.item(), [each.numpy() for each in (x.detach() * 0 + each.detach() for each in found)]


def by_torch(torch, function, array, direction):
    x = torch.tensor(array, requires_grad=True)
    loss = function(torch, x).sum()
    found = of_both_orders(
        lambda y, x, more: torch.autograd.grad(y, x, create_graph=more), loss, x, torch.tensor(direction)
    )
    return loss.item(), [each.detach().resolve_conj().numpy() for each in found]


@pytest.mark.parametrize("name", GENERAL)
def test_values_and_gradients_of_two_orders_are_those_of_torch(name, torch, rng, general):
    direction = drawn(rng, *general.shape)
    value, found = by_gradflow(GENERAL[name], general, direction)
    expected_value, expected = by_torch(torch, GENERAL[name], general, direction)
    assert value == pytest.approx(expected_value, rel=1e-9)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours / np.abs(theirs).max(), theirs / np.abs(theirs).max())


@pytest.mark.parametrize("name", HERMITIAN)
def test_values_and_gradients_of_hermitian_matrices_are_those_of_torch(name, torch, rng, definite):
    direction = drawn(rng, *definite.shape)
    direction = direction + turned(direction)  # PyTorch's gradients off the Hermitian matrices are other ones
    value, found = by_gradflow(HERMITIAN[name], definite, direction)
    expected_value, expected = by_torch(torch, HERMITIAN[name], definite, direction)
    assert value == pytest.approx(expected_value, rel=1e-9)
    for ours, theirs in zip(found, expected, strict=True):
        symmetric = (theirs + turned(theirs)) / 2
        assert_close(ours / np.abs(symmetric).max(), symmetric / np.abs(symmetric).max())


@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("size", [3, 150])
def test_triangular_systems_are_solved_as_scipy_does(trans, lower, size, rng):
    a, b = drawn(rng, size, size) / size + 2 * np.eye(size), drawn(rng, size, 2)
    expected = scipy.linalg.solve_triangular(a, b, trans, lower)
    assert_close(linalg.solve_triangular(gf.tensor(a), gf.tensor(b), trans, lower), expected)


def test_exponentials_are_scipys(general):
    assert_close(linalg.expm(gf.tensor(5 * general)).data / 1e9, scipy.linalg.expm(5 * general) / 1e9, 1e-8)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (0, 3), (3, 0)])
def test_factors_multiply_to_the_matrix_and_are_unitary(shape, rng):
    a = drawn(rng, *shape)
    for full in (False, True):
        u, s, vh = linalg.svd(gf.tensor(a), full_matrices=full)
        assert [each.spec for each in (u, s, vh)] == [
            (each.shape, each.dtype) for each in np.linalg.svd(a, full_matrices=full)
        ]
        k = s.shape[-1]
        assert_close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)
        for each in (turned(u) @ u, vh @ turned(vh)):
            assert_close(each, np.broadcast_to(np.eye(each.shape[-1]), each.shape))
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(gf.tensor(a), mode)
        assert [each.shape for each in (q, r)] == [each.shape for each in np.linalg.qr(a, mode)]
        assert_close(q @ r, a)
        assert_close(turned(q) @ q, np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], *(q.shape[-1],) * 2)))
        assert not linalg.diagonal(r).imag.data.any()
    assert_close(linalg.qr(gf.tensor(a), "r"), np.linalg.qr(a, "r"))


def test_the_largest_element_of_each_vector_is_positive(definite, general):
    found = linalg.eigh(gf.tensor(definite))[1], linalg.svd(gf.tensor(general)).U, linalg.eig(gf.tensor(general))[1]
    for vectors in found:
        largest = np.take_along_axis(vectors.data, np.abs(vectors.data).argmax(-2)[..., None, :], -2)
        assert (largest.real > 0).all() and np.abs(largest.imag).max() < 1e-15


@pytest.mark.parametrize("function", [linalg.eigh, lambda a: linalg.svd(a, full_matrices=False), linalg.eig])
def test_gradients_of_vectors_are_right_where_a_turn_of_them_makes_a_difference(function, definite):
    a = gf.tensor(definite[0][:3, :3] + 0.2j)
    for i in range(len(function(a))):
        gradcheck(lambda a, i=i: function(a)[i] * np.array([1.0, 2j, 0.3 - 1j]), a)


ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]


@pytest.mark.parametrize("ord", ORDERS)
def test_norms_and_condition_numbers_are_numpys_and_real(ord, general):
    found = linalg.norm(gf.tensor(general), ord, axis=(-2, -1))
    assert found.dtype == gf.float64
    assert_close(found, np.linalg.norm(general, ord, axis=(-2, -1)))
    assert_close(linalg.cond(gf.tensor(general), ord), np.linalg.cond(general, ord))


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_least_squares_are_numpys(shape, rng):
    a, b = drawn(rng, *shape), drawn(rng, shape[0], 2)
    for ours, theirs in zip(linalg.lstsq(gf.tensor(a), gf.tensor(b)), np.linalg.lstsq(a, b), strict=True):
        assert ours.dtype == np.asarray(theirs).dtype or ours.dtype == gf.int64
        assert_close(ours, theirs)
    gradcheck(lambda a, b: linalg.lstsq(a, b).x, gf.tensor(a), gf.tensor(b))
    if shape == (6, 3):
        gradcheck(lambda a, b: linalg.lstsq(a, b).residuals, gf.tensor(a), gf.tensor(b))


def test_ranks_products_and_traces_are_numpys(rng):
    low = drawn(rng, 5, 2) @ drawn(rng, 2, 4)
    assert linalg.matrix_rank(gf.tensor(low)).item() == 2
    assert_close(linalg.pinv(gf.tensor(low)), np.linalg.pinv(low))
    a, b = drawn(rng, 3, 3), drawn(rng, 2, 3)
    assert_close(gf.kron(gf.tensor(a), gf.tensor(b)), np.kron(a, b))
    assert_close(linalg.trace(gf.tensor(a)), np.trace(a))
    assert_close(linalg.multi_dot([gf.tensor(x) for x in (b, a, b.T)]), np.linalg.multi_dot([b, a, b.T]))
    for function in (gf.kron, lambda a, b: linalg.multi_dot([b, a, b.T]), lambda a, b: linalg.trace(a) * b):
        gradcheck(function, gf.tensor(a), gf.tensor(b))


@pytest.mark.parametrize("kind", ["float32", "float64", "complex64", "complex128", "int64"])
def test_eigenvalues_and_eigenvectors_of_any_matrix_are_complex(kind, rng):
    a = (3 * rng.standard_normal((2, 5, 5))).astype(kind)
    wide = np.result_type(a, np.complex64)
    values, vectors = linalg.eig(gf.tensor(a))
    assert values.dtype == vectors.dtype == linalg.eigvals(gf.tensor(a)).dtype == wide
    allowed = 60 * tolerance(wide)
    np.testing.assert_allclose(a @ vectors.data, vectors.data * values.data[..., None, :], rtol=0, atol=allowed)
    np.testing.assert_allclose(np.linalg.norm(vectors.data, axis=-2), 1, rtol=allowed)
    np.testing.assert_array_equal(linalg.eigvals(gf.tensor(a)).data, values.data)
    ours, theirs = (np.sort_complex(each.round(3)) for each in (values.data[0], np.linalg.eigvals(a[0])))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_the_gradient_of_a_real_matrix_by_its_eigenvalues_is_real_and_torchs(torch, rng):
    a = rng.standard_normal((5, 5))
    for function in (GENERAL["eigvals"], GENERAL["eigenvectors"]):
        value, (ours, second) = by_gradflow(function, a, np.eye(5))
        expected_value, (theirs, theirs_second) = by_torch(torch, function, a, np.eye(5))
        assert ours.dtype == theirs.dtype == np.float64
        assert value == pytest.approx(expected_value)
        assert_close(ours, theirs)
        assert_close(second, theirs_second, 1e-7)
    gradcheck(lambda a: linalg.eig(a).eigenvectors * 1j + linalg.eigvals(a), gf.tensor(a))


def test_equal_eigenvalues_with_a_basis_of_eigenvectors_have_gradients():
    x = gf.tensor(2 * np.eye(3), requires_grad=True)
    linalg.eigvals(x).real.sum().backward()
    assert_close(x.grad, np.eye(3))


DEFECTIVE = [
    np.array([[1.0, 1.0], [0.0, 1.0]]),
    np.array([[3.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 0.0, 3.0]]),
    np.array([[2.0, 1.0, 0.3], [-1.0, 0.0, 0.5], [0.0, 0.0, 4.0]]),
]


@pytest.mark.parametrize("a", DEFECTIVE)
@pytest.mark.parametrize("kind", ["float32", "float64", "complex128"])
def test_a_defective_matrix_has_eigenvalues_and_no_gradient(a, kind):
    mixed = np.array([[1.0, 0.4, -0.3], [0.2, 1.0, 0.5], [-0.6, 0.1, 1.0]])[: len(a), : len(a)]
    for given in (a, mixed @ a @ np.linalg.inv(mixed)):
        x = gf.tensor(given.astype(kind), requires_grad=True)
        for function in (linalg.eigvals, lambda x: linalg.eig(x).eigenvalues):
            values = function(x)
            assert np.isfinite(values.data).all()
            with pytest.raises(linalg.LinAlgError, match=rf"eig: .* is defective, .*\({len(a)}, {len(a)}\)"):
                values.real.sum().backward()


def test_a_matrix_close_to_a_defective_one_still_has_gradients(rng):
    a = DEFECTIVE[0] + np.array([[0.0, 0.0], [1e-4, 0.0]])
    gradcheck(lambda x: linalg.eigvals(gf.tensor(a) + 1e-6 * x), gf.tensor(rng.standard_normal((2, 2))), order=1)


def test_a_matrix_that_is_not_finite_has_no_eigenvalues():
    with pytest.raises(linalg.LinAlgError, match=r"eig: the eigenvalues of a matrix were not found.*\(2, 2\)"):
        linalg.eig(np.full((2, 2), np.nan))
    with pytest.raises(gf.errors.ShapeError, match=r"eigvals: the last two sizes must be equal.*\(2, 3\)"):
        linalg.eigvals(np.ones((2, 3)))


def test_a_gpu_whose_cupy_has_no_eigenvalues_is_told_in_words(cuda, monkeypatch):
    x = gf.tensor(np.eye(2), device="cuda")
    assert linalg.eigvals(x).cpu().tolist() == [1, 1]
    monkeypatch.delattr(cuda.linalg, "eig")
    with pytest.raises(DeviceError, match=r"eig: needs CuPy 14 and CUDA 12\.6\.2 or later; .* \.cpu\(\)"):
        linalg.eig(x)


def test_numpys_names_take_complex_tensors(general, definite):
    a, s = gf.tensor(general), gf.tensor(np.triu(definite))
    for ours, theirs in zip(np.linalg.eigh(s, "U"), np.linalg.eigh(np.triu(definite), "U"), strict=True):
        assert_close(abs(ours), np.abs(theirs))
    assert_close(np.linalg.qr(a, mode="r"), np.linalg.qr(general, mode="r"))
    assert_close(np.linalg.eig(a).eigenvalues, np.linalg.eig(general).eigenvalues)
    assert_close(np.linalg.eigvals(a), np.linalg.eigvals(general))


@pytest.mark.parametrize("name", [*GENERAL, *HERMITIAN])
def test_gradients_on_a_gpu_are_those_on_the_cpu(name, cuda, general, definite):
    function, array = (GENERAL[name], general) if name in GENERAL else (HERMITIAN[name], definite)
    here, there = (gf.tensor(array, device=device, requires_grad=True) for device in ("cpu", "cuda"))
    for x in (here, there):
        function(gf, x).sum().backward()
    size = np.abs(here.grad.data).max()
    assert there.grad.device.kind == "cuda"
    np.testing.assert_allclose(there.grad.numpy() / size, here.grad.numpy() / size, rtol=0, atol=1e-10)
