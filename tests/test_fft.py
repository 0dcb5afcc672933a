"""gf.fft: NumPy's results, adjoints of odd and even sizes, both devices, compiled steps, errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.testing.gradcheck import gradcheck

NORMS = (None, "backward", "ortho", "forward")
OF_REAL = {"rfft", "rfft2", "rfftn", "ihfft"}
ALONG = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
OVER = ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")


def numbers(shape, name, dtype="float64"):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    if name not in OF_REAL:
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(x.dtype if dtype == "float64" else {"f": "float32", "c": "complex64"}[x.dtype.kind])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "axis"), [(None, -1), (None, 0), (5, 1), (6, 1), (12, -1), (1, 0), (2, 2)])
@pytest.mark.parametrize("name", ALONG)
def test_a_transform_along_an_axis_is_numpys(name, n, axis, norm):
    x = numbers((4, 7, 6), name)
    found = getattr(gf.fft, name)(gf.tensor(x), n, axis, norm)
    expected = getattr(np.fft, name)(x, n, axis, norm)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("s", "axes"),
    [(None, (0, 2)), (None, (2, 0)), (None, (-1,)), ((5, 9), (1, 2)), ((3, 4), (2, 0)), ((4, -1), (0, 1))],
)
@pytest.mark.parametrize("name", OVER)
def test_a_transform_over_several_axes_is_numpys(name, s, axes, norm):
    x = numbers((4, 7, 6), name)
    found = getattr(gf.fft, name)(gf.tensor(x), s, axes, norm)
    np.testing.assert_allclose(found.numpy(), getattr(np.fft, name)(x, s, axes, norm), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in OVER if name.endswith("n")])
def test_axes_left_out_are_all_or_the_last_ones(name):
    x = numbers((4, 5, 6), name)
    ours, theirs = getattr(gf.fft, name), getattr(np.fft, name)
    np.testing.assert_allclose(ours(gf.tensor(x)).numpy(), theirs(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours(gf.tensor(x), (3, 8)).numpy(), theirs(x, (3, 8), (-2, -1)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [*ALONG, *OVER])
def test_arguments_have_numpys_names_and_order(name):
    theirs = list(inspect.signature(getattr(np.fft, name)).parameters)
    assert list(inspect.signature(getattr(gf.fft, name)).parameters) == ["x", *theirs[1:-1]]


@pytest.mark.parametrize(
    ("given", "made"), [("float16", "complex64"), ("float32", "complex64"), ("int64", "complex128")]
)
def test_dtypes_are_those_of_the_array_api(given, made):
    x = gf.ones(4, dtype=given)
    assert gf.fft.fft(x).dtype == gf.fft.rfft(x).dtype == gf.fft.ihfft(x).dtype == made
    assert gf.fft.irfft(gf.fft.rfft(x)).dtype == {"complex64": "float32", "complex128": "float64"}[made]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [1, 2, 5, 6])
@pytest.mark.parametrize("name", ALONG)
def test_gradients_of_both_orders_are_right_for_odd_and_even_sizes(name, size, norm):
    x = gf.tensor(numbers((2, 4), name))
    transform = getattr(gf.fft, name)
    gradcheck(lambda x: gf.abs(transform(x, size, 1, norm)) ** 2 * 0.5 + transform(x, size, 1, norm).real, x)


@pytest.mark.parametrize("name", OVER)
def test_gradients_over_several_axes_are_right(name):
    transform = getattr(gf.fft, name)
    gradcheck(lambda x: transform(x, (3, 5), (0, 2)) ** 3, gf.tensor(numbers((4, 2, 4), name)))


def test_gradients_are_pytorchs(torch):
    x = numbers((3, 6), "rfft")

    def loss(fft, x, absolute):
        y = fft.rfft2(x)
        z = fft.irfft2(y * y, (3, 6)) + fft.hfft(fft.ifft(x), 6)
        return (absolute(y) ** 1.5).sum() + (z**3).sum()

    ours, theirs = gf.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss(gf.fft, ours, gf.abs).backward()
    loss(torch.fft, theirs, torch.abs).backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies_and_shifts_are_numpys(n):
    for name in ("fftfreq", "rfftfreq"):
        found = getattr(gf.fft, name)(n, 0.25)
        assert found.dtype == gf.float32
        np.testing.assert_allclose(found.numpy(), getattr(np.fft, name)(n, 0.25))
        assert getattr(gf.fft, name)(n, dtype="float64").dtype == gf.float64
    x = np.arange(3.0 * n).reshape(3, n)
    for name in ("fftshift", "ifftshift"):
        for axes in (None, 0, (1,), (0, 1)):
            found = getattr(gf.fft, name)(gf.tensor(x), axes)
            np.testing.assert_array_equal(found.numpy(), getattr(np.fft, name)(x, axes))


@pytest.mark.parametrize("name", [*ALONG, *OVER])
def test_a_gpu_transforms_and_differentiates_as_the_cpu_does(name, cuda):
    x, results = numbers((4, 6), name, "float32"), []
    for device in ("cpu", "cuda"):
        given = gf.tensor(x, device=device, requires_grad=True)
        y = getattr(gf.fft, name)(given)
        gf.abs(y * y).sum().backward()
        results.append((y.detach().cpu().numpy(), given.grad.cpu().numpy()))
    for found, expected in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_compiled_step_with_a_transform_is_the_step(device, request):
    if device == "cuda":
        request.getfixturevalue("cuda")

    def step(x, kernel):
        spectrum = gf.fft.rfft(x) * gf.fft.rfft(kernel, x.shape[-1])
        loss = (gf.fft.irfft(spectrum, x.shape[-1]) ** 2).sum() + gf.abs(spectrum).mean()
        loss.backward()
        return loss

    compiled = gf.compile(step)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        arrays = [rng.standard_normal(size).astype("float32") for size in ((3, 15), (4,))]
        mine, theirs = ([gf.tensor(x, device=device, requires_grad=True) for x in arrays] for _ in range(2))
        np.testing.assert_allclose(compiled(*mine).cpu().item(), step(*theirs).cpu().item(), rtol=1e-5)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a.grad.cpu().numpy(), b.grad.cpu().numpy(), rtol=1e-4, atol=1e-4)
    assert "irfft" in str(compiled.plan)


def test_a_spectrum_of_nothing_in_a_batch_is_empty():
    assert gf.fft.fft(gf.zeros((0, 4))).shape == (0, 4)
    assert gf.fft.rfft2(gf.zeros((0, 3, 4))).shape == (0, 3, 3)
    assert gf.fft.irfft(gf.zeros((0, 3))).shape == (0, 4)


WRONG = [
    (lambda: gf.fft.fft(gf.ones(())), ShapeError, r"fft: a tensor of shape \(\) has no axis"),
    (lambda: gf.fft.fft(gf.ones(3), 0), ArgumentError, "fft: cannot transform 0 elements; the size is at least 1"),
    (lambda: gf.fft.fft(gf.ones((2, 0))), ArgumentError, r"there is nothing to transform along axes \(1,\)"),
    (lambda: gf.fft.ifft(gf.ones(3), axis=1), IndexOutOfRange, "ifft"),
    (lambda: gf.fft.fft(gf.ones(3), norm="unit"), ArgumentError, "norm is one of 'backward', 'ortho', 'forward', not"),
    (lambda: gf.fft.rfft(gf.tensor([1j])), DTypeError, "rfft: takes real numbers, not complex64"),
    (lambda: gf.fft.rfftn(gf.tensor([1j])), DTypeError, "rfftn: takes real numbers, not complex64"),
    (lambda: gf.fft.ihfft(gf.tensor([1j])), DTypeError, "ihfft: takes real numbers, not complex64"),
    (lambda: gf.fft.irfft(gf.ones(1)), ArgumentError, "irfft: cannot transform 0 elements"),
    (lambda: gf.fft.irfft(gf.ones(3), 2.5), DTypeError, "irfft: a size is an integer, not 2.5"),
    (lambda: gf.fft.fftn(gf.ones((2, 2)), axes=(0, 0)), ArgumentError, "fftn: axes .* name an axis twice"),
    (lambda: gf.fft.fftn(gf.ones((2, 2)), (2,), (0, 1)), ShapeError, "fftn: 1 sizes for 2 axes"),
    (lambda: gf.fft.rfftn(gf.ones(())), ShapeError, "rfftn: there is no axis"),
    (lambda: gf.fft.fftfreq(0), ArgumentError, "fftfreq"),
]


@pytest.mark.parametrize(("attempt", "error", "message"), WRONG)
def test_what_cannot_be_transformed_is_said(attempt, error, message):
    with pytest.raises(error, match=message):
        attempt()
