"""Complex numbers: every op that takes them, and the gradient that descends."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.device import Device
from gradflow.errors import ArgumentError, DTypeError, GradientError
from gradflow.op import OPS, Spec
from gradflow.tape import gradients
from gradflow.tensor import Tensor
from gradflow.testing import parity
from gradflow.testing.cases import call, cases, operands, tolerance
from gradflow.testing.gradcheck import gradcheck
from gradflow.transforms.level import NoRule

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases() if op.complex]
PURE = [case for case in CASES if not case.values[0].mutates]
DIFFERENTIABLE = [case for case in PURE if case.values[0].differentiable]
REAL_ONLY = sorted({op.name for op, _ in cases() if not op.complex})


def size_of(x):
    return float(np.max(np.abs(x), initial=1.0))


def is_cast(op, sample):
    return op.name == "astype"  # its samples are casts to float64, which complex numbers refuse


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_the_spec_predicts_the_result_of_complex_numbers(op, sample):
    if is_cast(op, sample):
        sample = sample._replace(attrs={"dtype": gf.complex128})
    inputs = operands(sample, "complex64")
    specs = [x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs]
    assert call(op, inputs, sample).spec == op.spec(*specs, **sample.attrs)


@pytest.mark.parametrize(("op", "sample"), [case for case in DIFFERENTIABLE if not is_cast(*case.values)])
def test_gradients_in_complex_numbers_agree_with_finite_differences(op, sample):
    inputs = operands(sample, "complex128")
    # of an ill-conditioned matrix, what is left of the numbers after two differences is rounding
    order = 1 if any(isinstance(x, Tensor) and size_of(x.data) > 1e3 for x in inputs) else 2
    gradcheck(lambda *inputs: call(op, inputs, sample), *inputs, order=order)


@pytest.mark.parametrize(("op", "sample"), [case for case in DIFFERENTIABLE if len(case.values[1].inputs) > 1])
def test_gradients_of_real_with_complex_inputs_agree_with_finite_differences(op, sample):
    inputs = operands(sample, "complex128")
    floating = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.dtype == gf.complex128]
    for i in floating:
        if i == 0 and op.name in ("put", "set_slice"):
            continue  # complex numbers do not fit into real ones
        mixed = [gf.real(x) if j == i else x for j, x in enumerate(inputs)]
        gradcheck(lambda *given: call(op, given, sample), *mixed)


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_complex64_agrees_with_complex128_and_strided_arrays_with_contiguous_ones(op, sample):
    if is_cast(op, sample):
        return
    exact = call(op, operands(sample, "complex128"), sample)
    drawn = operands(sample, "complex128")
    rounded = [x.astype("complex64") if isinstance(x, Tensor) and x.dtype == gf.complex128 else x for x in drawn]

    def strided(x):
        if not isinstance(x, Tensor) or not x.ndim:
            return x
        room = np.empty([2 * size for size in x.shape], x.dtype)
        view = room[tuple(slice(None, None, -2) for _ in x.shape)]
        view[...] = x.data
        return gf.tensor(view)

    for inputs in (rounded, [strided(x) for x in rounded]):
        result = call(op, inputs, sample)
        if result.dtype.kind not in "fc":
            assert np.array_equal(result.data, exact.data)
        else:
            allowed = 8 * tolerance(gf.float32, size_of(exact.data))
            np.testing.assert_allclose(result.data, exact.data, rtol=0, atol=allowed)


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_a_compiled_call_with_complex_numbers_is_what_the_op_and_its_gradient_do(op, sample):
    if is_cast(op, sample):
        return

    def step(inputs, seed):
        out = call(op, inputs, sample)
        wrt = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
        return out.detach(), gradients(out, wrt, seed) if out.requires_grad else []

    compiled = gf.compile(step)
    for number in range(3):
        inputs = operands(sample, "complex64", requires_grad=op.differentiable, seed=number)
        out = call(op, inputs, sample)
        seed = gf.ones_like(out.detach()) * 0.5 if out.requires_grad else None
        (found, found_grads), (expected, expected_grads) = compiled(inputs, seed), step(inputs, seed)
        for ours, theirs in zip([found, *found_grads], [expected, *expected_grads], strict=True):
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                assert ours.spec == theirs.spec
                np.testing.assert_allclose(ours.data, theirs.data, rtol=0, atol=4e-6 * size_of(theirs.data))


@pytest.mark.parametrize(("op", "sample"), [case for case in DIFFERENTIABLE if not is_cast(*case.values)])
def test_a_tangent_in_complex_numbers_is_a_finite_difference(op, sample):
    inputs, rng = operands(sample, "complex128"), np.random.default_rng(1)
    moving = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.dtype.kind in "fc" and op.formula(i)]

    def f(*values):
        given = list(inputs)
        for i, value in zip(moving, values, strict=True):
            given[i] = value
        return call(op, given, sample)

    xs = [inputs[i] for i in moving]
    ts = [gf.tensor(rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)).astype(x.dtype) for x in xs]
    out, t = gf.jvp(f, xs, ts)
    assert out.spec == t.spec
    ahead, behind = (f(*(x + step * v for x, v in zip(xs, ts, strict=True))).numpy() for step in (1e-6, -1e-6))
    scale = max(size_of(ahead), size_of(t.numpy()))
    np.testing.assert_allclose(t.numpy(), (ahead - behind) / 2e-6, rtol=0, atol=4e-7 * scale)


@pytest.mark.parametrize(("op", "sample"), [case for case in PURE if not is_cast(*case.values)])
def test_vmap_of_complex_numbers_is_a_loop(op, sample):
    draws = [operands(sample, "complex128", seed=seed) for seed in range(2)]
    mapped = [i for i, x in enumerate(draws[0]) if isinstance(x, Tensor)]
    axes = tuple(0 if i in mapped else None for i in range(len(draws[0])))
    given = [gf.stack([draw[i] for draw in draws]) if i in mapped else x for i, x in enumerate(draws[0])]
    expected = np.stack([call(op, draw, sample).numpy() for draw in draws])
    try:
        found = gf.vmap(lambda *xs: call(op, xs, sample), in_axes=axes)(*given)
    except NoRule:
        return
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-11 * size_of(expected))


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_parity_of_complex_numbers(op, sample, cuda):
    if not is_cast(op, sample):
        found = parity.compare(op, sample, "complex64", Device("cuda"))
        assert found.agrees, found


@pytest.mark.parametrize("name", REAL_ONLY)
def test_an_op_of_real_numbers_refuses_complex_ones_by_name(name):
    op = OPS[name]
    count = max(1, len(op.input_names))
    with pytest.raises(DTypeError, match=f"{name}: not defined for complex64"):
        op.spec(*[Spec((2, 2), gf.complex64)] * count)


def test_the_gradient_is_pytorchs(torch):
    rng = np.random.default_rng(1)
    z, w = (rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)) for _ in range(2))

    def loss(xp, z, w, abs_):
        y = xp.exp(z @ w) / (z * z + 2) - (w**3).conj() * xp.sqrt(z) + xp.tanh(w) ** (1 + 0.5j)
        return (abs_(y) + abs_(y - w).real ** 2 + xp.angle(y)).sum()

    ours = [gf.tensor(each, requires_grad=True) for each in (z, w)]
    theirs = [torch.tensor(each, requires_grad=True) for each in (z, w)]
    loss(gf, *ours, gf.abs).backward()
    loss(torch, *theirs, torch.abs).backward()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_a_step_against_the_gradient_descends_to_the_target():
    target = gf.tensor([1 - 2j, 3j])
    z = gf.zeros(2, dtype="complex64", requires_grad=True)
    for _ in range(60):
        z.grad = None
        (gf.abs(z - target) ** 2).sum().backward()
        with gf.no_grad():
            z.add_(z.grad * -0.2)
    np.testing.assert_allclose(z.detach().numpy(), target.numpy(), atol=1e-5)


def test_the_absolute_value_has_gradient_zero_at_zero():
    z = gf.tensor([0j, 3 + 4j], requires_grad=True)
    gf.abs(z).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), [0, 0.6 + 0.8j], rtol=1e-6)


def test_parts_of_complex_numbers_and_complex_numbers_of_parts():
    z = gf.tensor([1 + 2j, -3.5j])
    assert z.real.tolist() == [1, 0]
    assert z.imag.tolist() == [2, -3.5]
    assert z.conj().tolist() == [1 - 2j, 3.5j]
    assert gf.complex(z.real, z.imag).tolist() == z.tolist()
    assert gf.conj(gf.tensor([1.5])).tolist() == [1.5]
    assert gf.imag(gf.tensor([1.5])).tolist() == [0]
    assert gf.complex(gf.tensor([np.inf], dtype="float64"), 1).tolist() == [complex(np.inf, 1)]
    x = gf.tensor([2.0])
    assert gf.real(x) is x
    assert complex(z[0]) == 1 + 2j


def test_the_real_part_is_a_copy():
    z = gf.tensor([1 + 2j])
    part = z.real
    z[0] = 5
    assert part.tolist() == [1]


def test_the_sign_of_a_complex_number_has_size_one():
    z = np.array([3 + 4j, 0, -2j])
    np.testing.assert_allclose(gf.sign(gf.tensor(z)).numpy(), np.sign(z))
    gradcheck(gf.sign, gf.tensor([3 + 4j, 1 - 2j], dtype="complex128"))


@pytest.mark.parametrize(("x", "dtype"), [("float32", "complex64"), ("float64", "complex128"), ("int64", "complex128")])
def test_python_complex_numbers_are_weak(x, dtype):
    assert (gf.ones(2, dtype=x) * 1j).dtype == dtype
    assert (gf.ones(2, dtype=x) + gf.ones(2, dtype="complex64")).dtype == np.result_type(x, "complex64")


def test_complex_data_and_python_numbers_become_complex_tensors():
    assert gf.tensor(1j).dtype == gf.complex64
    assert gf.tensor([1.0, 2j], dtype="complex128").tolist() == [1, 2j]
    assert gf.tensor(np.ones(2, "complex128")).dtype == gf.complex128
    assert gf.full(2, 1j).tolist() == [1j, 1j]
    assert gf.zeros(2, dtype="complex64").dtype == gf.complex64
    assert repr(gf.tensor([1j])) == "tensor([0.+1.j], dtype=complex64)"


def test_casts_to_real_numbers_are_refused():
    with pytest.raises(DTypeError, match=r"astype: complex64 has no float32; take gf\.real"):
        gf.tensor([1j]).astype("float32")
    with pytest.raises(DTypeError, match="complex numbers do not fit into float32"):
        gf.zeros(1).copy_(1j)
    with pytest.raises(DTypeError, match="float: 1j is complex"):
        float(gf.tensor(1j))
    assert gf.tensor([0j, 1j]).astype("bool").tolist() == [False, True]


def test_complex_values_are_not_written_into_real_tensors():
    x = gf.zeros(3)
    for write in (lambda: x.at[0].set(gf.tensor(1j)), lambda: x.at[[0, 1]].set(1j), lambda: x.at[0].set(1j)):
        with pytest.raises((DTypeError, ArgumentError), match="set"):
            write()
    with pytest.raises((DTypeError, ArgumentError), match="setitem"):
        x[0] = gf.tensor(1j)
    with pytest.raises((DTypeError, ArgumentError), match="setitem"):
        x[[0, 1]] = 1j


def test_backward_from_a_complex_number_asks_for_a_real_one():
    z = gf.tensor(1j, requires_grad=True)
    with pytest.raises(GradientError, match=r"make it real with \.real or abs"):
        (z * 2).backward()
    (z * 2).backward(1j)
    assert z.grad.item() == 2j


def test_finite_differences_of_complex_inputs_find_a_formula_that_does_not_conjugate():
    from gradflow.testing.gradcheck import GradientMismatch

    z = gf.tensor([1 + 2j], dtype="complex128")
    with pytest.raises(GradientMismatch, match="gradient of order 1 in input 0"):
        gradcheck(lambda z: gf.real(z) + gf.imag(gf.conj(z).detach()), z)


def test_vecdot_conjugates_its_first_argument():
    a, b = np.array([1 + 2j, 3j]), np.array([2 - 1j, 1j])
    np.testing.assert_allclose(gf.vecdot(gf.tensor(a), gf.tensor(b)).numpy(), np.vecdot(a, b))


@pytest.mark.parametrize("index", [[0, 2, 2], slice(None, None, -2), (slice(None), 1), ([0, 1], [1, 0])])
def test_indexing_of_complex_numbers_has_gradients(index):
    z = operands_like((3, 3))
    gradcheck(lambda z: z[index] * z[index], z)
    gradcheck(lambda z, v: z.at[index].set(v) * z, z, operands_like(z[index].shape))
    gradcheck(lambda z, v: z.at[index].add(v) * z, z, operands_like(z[index].shape))


def operands_like(shape):
    rng = np.random.default_rng(2)
    return gf.tensor(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def test_solutions_inverses_and_determinants_of_complex_matrices_have_gradients():
    a, b = operands_like((2, 3, 3)), operands_like((2, 3))
    np.testing.assert_allclose((a @ gf.linalg.solve(a, b[0])[..., None]).numpy()[..., 0], b.numpy()[[0, 0]][:, :3])
    np.testing.assert_allclose(gf.linalg.det(a).numpy(), np.linalg.det(a.numpy()))
    for function in (gf.linalg.inv, gf.linalg.det):
        gradcheck(function, a)
    gradcheck(gf.linalg.solve, a, operands_like((3, 2)))
    gradcheck(gf.linalg.solve, gf.real(a), operands_like((3, 2)))


def test_norms_and_deviations_of_complex_numbers_are_real():
    z = operands_like((3, 4))
    for p in (1, 2, 3, np.inf):
        found = gf.linalg.vector_norm(z, ord=p, axis=1)
        assert found.dtype == gf.float64
        np.testing.assert_allclose(found.numpy(), np.linalg.norm(z.numpy(), p, axis=1))
    gradcheck(lambda z: gf.norm(z, axis=0), z)
    for ours, theirs in ((gf.var, np.var), (gf.std, np.std)):
        np.testing.assert_allclose(ours(z, 1).numpy(), theirs(z.numpy(), 1))
        gradcheck(lambda z, f=ours: f(z, 0, correction=1), z)
    w = gf.tensor([1 + 1j, 1 + 1j], requires_grad=True)
    gf.std(w).backward()
    assert w.grad.tolist() == [0, 0]


OPTIMIZERS = [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {"weight_decay": 0.1}), ("RMSprop", {})]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[name for name, _ in OPTIMIZERS])
def test_an_optimizer_updates_complex_parameters_as_pytorchs_does(name, options, torch):
    start = operands_like((2, 3)).numpy()
    ours, theirs = gf.tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    other = gf.tensor([1.0, 2.0], requires_grad=True)
    optimizer = getattr(gf.optim, name)([ours, other], lr=0.05, **options)
    expected = getattr(torch.optim, name)([theirs], lr=0.05, **options)
    for step in range(5):
        optimizer.zero_grad()
        expected.zero_grad()
        (gf.abs(ours - 1j) ** 3).sum().backward()
        (torch.abs(theirs - 1j) ** 3).sum().backward()
        if step == 2:  # saved and loaded on the way
            optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        expected.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9)
    assert other.tolist() == [1, 2]


def test_gradients_of_complex_parameters_are_clipped_by_their_size():
    for settled in (False, True):
        z = gf.tensor([3 + 4j], requires_grad=True)
        if settled:
            gf.optim.SGD([z], lr=1.0)
        (gf.abs(z) ** 2).sum().backward()
        assert gf.optim.clip_grad_norm_([z], 1.0).item() == 10
        np.testing.assert_allclose(z.grad.numpy(), [0.6 + 0.8j], rtol=1e-5)


def test_a_compiled_step_that_updates_complex_parameters_is_the_step():
    ends = []
    for compiled in (False, True):
        z = gf.tensor([1 + 2j, -3j, 2.0], requires_grad=True)
        optimizer = gf.optim.Adam([z], lr=0.1)

        def step(target, z=z, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (gf.abs(gf.fft.fft(z) - target) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = gf.compile(step) if compiled else step
        losses = [run(gf.tensor([1j, 0, 1.0])).item() for _ in range(8)]
        assert losses[-1] < losses[0]
        ends.append(z.detach().numpy())
    np.testing.assert_allclose(*ends, rtol=1e-5)


def test_an_explanation_of_complex_numbers_claims_no_products_that_are_not():
    z = gf.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    text = str(gf.explain((gf.abs(gf.exp(z)) ** 2).sum()))
    assert "vjp[exp]" in text
    assert "dloss/dv1 * dv1/dz" not in text
