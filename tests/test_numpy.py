"""NumPy's functions of tensors, and gradflow.numpy: the values and dtypes of NumPy, with gradients, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
import gradflow.numpy as gnp
from expressions import calls, check_gradients, check_values
from gradflow.errors import GradientError, NumPyCallError

EXPRESSIONS = """
np.sin(a) np.add(a, v) np.exp(a) np.power(np.abs(a), 2.5) np.maximum(a, b) np.arctan2(a, b) np.hypot(a, b)
np.absolute(a) np.fabs(a) np.degrees(a) np.radians(a) np.negative(a) np.float_power(np.abs(a), 1.5) np.cbrt(a)
np.logaddexp(a, b) np.sinc(a) np.true_divide(a, b) np.floor(a) np.rint(a) np.fmod(a, b) np.divmod(a, b)[1]
np.modf(a)[0] np.sum(a) np.sum(a, axis=0) np.sum(a, 1, None, None, True) np.sum(a, axis=(0, 1), keepdims=True)
np.mean(a, -1) np.prod(a, 0) np.std(a, ddof=1) np.var(a, axis=1, correction=1) np.max(a, axis=0) np.amin(a, 1)
np.ptp(a, axis=1) np.median(a, axis=0) np.quantile(a, 0.3, axis=1) np.percentile(a, [10, 50])
np.average(a, axis=1, weights=w) np.cumsum(a, axis=1) np.cumprod(a, axis=0)
np.cumulative_sum(a, axis=1, include_initial=True) np.nansum(a) np.nanmean(a) np.diff(a, axis=1) np.gradient(v)
np.trapezoid(a, dx=0.5) np.convolve(v, w, "same") np.interp(v, [-5.0, 0.0, 5.0], [0.0, 1.0, 0.0])
np.concatenate([a, b], axis=1) np.concatenate((a, b), axis=None) np.stack([a, b], axis=-1) np.vstack([a, v])
np.hstack([v, w]) np.dstack([a, b]) np.column_stack([v, w]) np.append(a, b) np.concatenate(a) np.stack(a, 1)
np.vstack(a) np.hstack(m) np.column_stack(a) np.choose([0, 2, 1, 0], a) np.linalg.multi_dot(np.stack([m, m, s]))
np.block([[a, b], [b, a]])
np.split(a, 2, axis=1)[1] np.array_split(v, 3)[0] np.hsplit(a, 2)[0] np.unstack(a)[1] np.reshape(a, (4, 3))
np.reshape(a, -1) np.ravel(a) np.transpose(a) np.transpose(a, (1, 0)) np.swapaxes(a, 0, 1) np.moveaxis(a, 0, 1)
np.rollaxis(a, 1) np.expand_dims(a, 0) np.squeeze(a[:1]) np.atleast_2d(v) np.broadcast_to(v, (2, 4)) np.flip(a, 0)
np.fliplr(a) np.rot90(a) np.roll(a, 1, axis=1) np.tile(v, 2) np.repeat(a, 2, axis=0) np.pad(a, 1) np.resize(v, (2, 3))
np.take(a, [0, 2], axis=1) np.take_along_axis(a, np.argsort(a, axis=1), axis=1) np.sort(a)
np.sort(a, axis=0, kind="stable") np.where(a > 0, a, b) np.select([a > 1, a > 0], [a, b], 0.0) np.clip(a, -0.5, 0.5)
np.clip(a, a_min=-0.5, a_max=None) np.diag(v) np.diag(m) np.diagonal(m, 1) np.tril(m) np.triu(m, 1) np.diagflat(v, 1)
np.compress([True, False, True], a, axis=0) np.extract(a > 0, a) np.ediff1d(v, to_end=w) np.polyval(v, w) np.trace(m)
np.dot(a, v) np.matmul(a, m) np.inner(a, b) np.outer(v, w) np.vdot(a, b) np.tensordot(a, b, 2)
np.einsum("ij,ij->i", a, b) np.kron(v, w) np.vecdot(a, b) np.matvec(a, v) np.vecmat(v, m) np.cross(v[:3], w[:3])
np.matrix_transpose(a) np.cov(a) np.cov(v, w, bias=True) np.corrcoef(a) np.linspace(v, w, 5)
np.logspace(0.1 * v, 0.1 * w, 3) np.full_like(a, 2.0) np.zeros_like(a) np.ones_like(a, dtype=float) np.nan_to_num(a)
np.round(a, 1) np.around(a) np.real(a) np.copy(a) np.meshgrid(v, w)[1] np.vander(v, 3) np.broadcast_arrays(a, v)[1]
np.unique(a) np.i0(a) np.linalg.solve(s, v) np.linalg.inv(s) np.linalg.det(s) np.linalg.slogdet(s)[1]
np.linalg.cholesky(s) np.linalg.norm(a) np.linalg.norm(a, axis=1) np.linalg.norm(m, "nuc") np.linalg.eigvalsh(s)
np.linalg.eigvalsh(s, "U") np.linalg.svd(a, compute_uv=False) np.linalg.pinv(a) np.linalg.matrix_power(m, 2)
np.linalg.multi_dot([a, m, v]) np.linalg.qr(m)[1] np.linalg.trace(m) np.linalg.lstsq(m, v, rcond=None)[0]
np.linalg.eigh(s)[0] np.linalg.vector_norm(a, axis=1, ord=3) np.fft.fft(a).real np.fft.rfft(a, axis=0).imag
np.fft.irfft(np.fft.rfft(v)) np.fft.fft2(a).real np.fft.fftshift(a) np.add.reduce(a) np.add.reduce(a, axis=None)
np.multiply.reduce(a, 1) np.maximum.reduce(a, axis=1, keepdims=True) np.add.accumulate(a)
np.multiply.accumulate(a, axis=1) np.multiply.outer(v, w) np.subtract.outer(v, 2.0) np.logaddexp.reduce(a)
"""
STEPS = ("unique", "floor", "rint", "round", "around", "zeros_like", "ones_like", "full_like", "nan_to_num")
CALLS = calls(EXPRESSIONS)


@pytest.mark.parametrize("call", CALLS)
def test_numpys_functions_of_tensors_have_its_values_and_dtypes(call):
    check_values(np, call)


@pytest.mark.parametrize("call", CALLS)
def test_so_have_the_functions_of_the_namespace(call):
    check_values(gnp, call)


@pytest.mark.parametrize("call", [call for call in CALLS if not call.removeprefix("np.").startswith(STEPS)])
def test_gradients_flow_through_numpys_functions(call):
    check_gradients(call)


def test_an_array_meets_a_tensor_from_either_side():
    x = gf.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    a = np.array([3.0, 4.0])
    for result in (a * x, x * a, a @ x * 0.0 + a * x, np.float64(3) * x + [0.0, 2.0]):
        assert isinstance(result, gf.Tensor) and result.requires_grad and result.tolist() == [3.0, 8.0]
    assert isinstance(a < x, gf.Tensor) and (a == x).tolist() == [False, False]
    (a * x).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_tensors_stay_on_their_device(cuda):
    x = gf.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = np.concatenate([np.sin(x), np.cumsum(x)])
    assert y.device == x.device
    np.sum(y).backward()
    assert x.grad.device == x.device
    product = x.detach().data * x  # CuPy asks the tensor, too
    assert isinstance(product, gf.Tensor) and product.requires_grad


def test_cupys_elementwise_functions_ask_the_tensor():
    cupy = pytest.importorskip("cupy")
    x = gf.tensor([0.5], requires_grad=True)
    assert cupy.sin(x).node.op.name == "sin"
    with pytest.raises(NumPyCallError, match="no counterpart"):
        cupy.ElementwiseKernel("float32 x", "float32 y", "y = x", "own")(x)


def test_numpys_functions_are_traced_by_compile():
    @gf.compile
    def f(x):
        return np.sum(np.sin(x) * np.linalg.norm(x))

    for i in range(4):
        x = gf.tensor([1.0 + i, 2.0])
        expected = (gf.sin(x) * gf.norm(x)).sum()
        np.testing.assert_allclose(f(x).item(), expected.item(), rtol=1e-6)
    assert sum(plan.verified for plans in f.plans.values() for plan in plans) == 1


def test_numpys_functions_work_inside_transforms():
    x = gf.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert gf.vmap(np.sum)(x).tolist() == [3.0, 7.0]
    assert gf.grad(lambda t: np.sum(np.square(t)))(x).tolist() == [[2.0, 4.0], [6.0, 8.0]]


REFUSED = {
    "np.add(x, x, out=np.ones(2))": r"does not take out=; assign the result",
    "np.add(x, x, np.ones(2))": r"does not take out=",
    "np.sum(x, out=np.ones(()))": r"does not take out=",
    "np.sum(x, where=[True, False])": r"does not take where=; select with gf\.where",
    "np.sum(x, initial=2.0)": r"does not take initial=",
    "np.sin(x, dtype='float32')": r"does not take dtype=; convert with \.astype",
    "np.ravel(x, order='F')": r"does not take order=",
    "np.add.at(x, 0, 1.0)": r"use x\.at\[index\]\.add\(values\)",
    "np.add.reduceat(x, [0])": r"no counterpart in gradflow",
    "np.is_busday(x)": r"use \.detach\(\)\.numpy\(\)",
    "np.emath.sqrt(x)": r"numpy\.lib\.scimath\.sqrt has no counterpart",
    "np.gcd(x, 2, out=np.ones(2))": r"does not take out=",
    "gnp.gcd(x, 2, x)": r"does not take out=",
    "gnp.vectorize(abs, signature='(n)->()')": r"use gf\.vmap",
    "np.copyto(np.ones(2), x)": r"gradient would be lost",
    "np.put(np.ones(2), [0], x)": r"gradient would be lost",
    "np.where(x, x)": r"condition alone, or with both",
    "gnp.sum()": r"missing a required argument",
    "gnp.sum(x, axes=1)": r"unexpected keyword",
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_there_is_not_is_refused_with_advice(call):
    with pytest.raises(NumPyCallError, match=REFUSED[call]):
        eval(call, {"np": np, "gnp": gnp, "x": gf.tensor([1.0, 2.0], requires_grad=True)})


def test_an_array_is_not_written_into_with_a_gradient():
    a = np.ones(2)
    with pytest.raises(NumPyCallError, match="out="):
        a += gf.tensor([1.0, 2.0], requires_grad=True)
    assert a.tolist() == [1.0, 1.0]


def test_functions_that_only_read_get_what_numpy_gets(tmp_path):
    x = gf.tensor([1.0, 2.0])
    np.save(tmp_path / "x.npy", x)
    assert np.load(tmp_path / "x.npy").tolist() == [1.0, 2.0]
    assert np.array2string(x) == "[1. 2.]"
    with pytest.raises(GradientError, match=r"use \.detach"):
        np.save(tmp_path / "x.npy", x.requires_grad_())


def test_questions_about_arrays():
    x = gf.ones((2, 3), requires_grad=True)
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((2, 3), 2, 6, 3)
    assert np.result_type(x, np.float64) == np.float64 and np.can_cast(x.dtype, np.float64)
    assert not np.iscomplexobj(x) and np.isrealobj(x) and np.shares_memory(x, x.data)
    assert np.allclose(x, 1.0) and np.array_equal(x, x) and np.array_equiv(x, 1.0)


def test_nested_lists_of_tensors_become_one_with_gradients():
    x = gnp.array(2.0).requires_grad_()
    y = gnp.array([[x, 1], [x * x, 3.0]])
    assert y.dtype == gf.float64 and y.tolist() == [[2.0, 1.0], [4.0, 3.0]]
    y.sum().backward()
    assert x.grad.item() == 5.0
    assert gnp.array([gf.ones(()), 1.0]).dtype == gf.float32  # Python's numbers are weak
    assert gnp.array([gf.ones(2), [1.0, 2.0]]).dtype == gf.float64
    with pytest.raises(GradientError, match=r"use \.detach"):
        np.array([x, x])  # NumPy's own asks nobody


def test_creation_is_numpys():
    for call in (
        "zeros(2)", "ones((2, 1), int)", "empty(0)", "full(2, 7)", "full((2,), 0.5)", "arange(3)", "arange(0, 1, 0.25)",
        "linspace(0, 1, 5)", "eye(2, 3, 1)", "identity(2)", "array([1, 2])", "array([1.5])", "array(1.0, ndmin=2)",
        "array([1j])", "asarray([[True]])", "logspace(0, 2, 3)", "geomspace(1.0, 8.0, 4)", "tri(3)", "hanning(4)",
        "fromfunction(lambda i, j: i + j, (2, 2))", "indices((2, 2))", "zeros(2, dtype='float32')", "fft.fftfreq(4)",
    ):  # fmt: skip
        ours, theirs = eval(f"np.{call}", {"np": gnp}), eval(f"np.{call}", {"np": np})
        assert isinstance(ours, gf.Tensor) and (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), call
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, err_msg=call)


def test_numbers_and_lists_without_a_dtype_are_in_double_precision():
    for call in (
        "log(2.0)", "add(1, 2.5)", "sum([0.1, 0.2])", "mean([1, 2])", "sqrt(2)", "where([True, False], 1.0, 0.0)",
        "dot([0.1], [3.0])", "linalg.solve([[2.0]], [1.0])", "concatenate([[0.1], [0.2]])", "mean(array([1, 2]))",
        "std(arange(4))", "arange(3) / 2",
        "exp(arange(3))", "linalg.norm(arange(3))", "array([1, 2]) * 0.5", "stack([[1.0], [2.0]])", "max([1.5, 2.5])",
        "hypot(3, 4)", "linalg.inv([[2, 0], [0, 4]])", "cumsum([0.5, 0.5])", "vstack([[1.0], [2.0]])", "var([1, 2, 4])",
    ):  # fmt: skip
        ours, theirs = (eval(f"np.{call}", {"np": xp, "array": xp.array, "arange": xp.arange}) for xp in (gnp, np))
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), call
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-14, err_msg=call)


def test_names_of_the_namespace():
    assert gnp.ndarray is gf.Tensor and gnp.pi == np.pi and gnp.newaxis is None and gnp.float64 is np.float64
    assert issubclass(gnp.linalg.LinAlgError, np.linalg.LinAlgError)
    assert [name for name in gnp.__all__ if not hasattr(gnp, name)] == []
    assert len(gnp.__all__) > 300
    with pytest.raises(AttributeError, match=r"'gradflow\.numpy' has no attribute 'busday_count'"):
        gnp.busday_count  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'relu'"):
        gnp.relu  # noqa: B018 - gradflow's, and not NumPy's
