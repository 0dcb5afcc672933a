"""Operations of the user's own: from a formula, from a CUDA source, checked, and refused."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, GradflowError, KernelError, ShapeError
from gradflow.op import OPS
from gradflow.testing import nvrtc
from gradflow.testing.own import OpMismatch

CUBE = r"""
template <typename T>
__device__ T cubed(T x) { return x * x * x; }

// one thread, one element
template <typename T>
__global__ void cube(const T* __restrict__ x, const T* y, T* __restrict__ out, Acc<T> k, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = store<T>(cubed(load(x[i])) * load(y[i]) * k);
}
"""


@pytest.fixture(autouse=True)
def forgotten():
    """Ops declared here are not there for the tests of all ops."""
    before = set(OPS)
    yield
    for name in set(OPS) - before:
        del OPS[name]


def declared():
    @gf.op("x * tanh(log1p(exp(beta * x)))")
    def mish(x, *, beta=1.0):
        """A smooth rectifier."""

    return mish


def cube(**given):
    @gf.op(cuda=CUBE, **{"vjp": ("3 * g * x * x * y * k", lambda g, x, k: g * x**3 * k), **given})
    def cube(xp, x, y, *, k=2.0):
        """Cubes."""
        return x**3 * y * k

    return cube


def test_an_op_has_the_name_documentation_and_parameters_of_its_function():
    mish = declared()
    assert mish.__name__ == "mish"
    assert mish.__doc__ == "A smooth rectifier."
    assert str(inspect.signature(mish)) == "(x, *, beta=1.0)"
    with pytest.raises(TypeError, match=r"mish\(\) missing 1 required positional argument: 'x'"):
        mish()
    with pytest.raises(TypeError, match="unexpected keyword argument 'gamma'"):
        mish(1.0, gamma=2.0)


def test_values_and_gradients_are_pytorchs(torch, rng):
    mish, numbers = declared(), np.concatenate([rng.normal(0, 5, 60), [-1e4, -100, 0, 100, 1e4]])
    x = gf.tensor(numbers, requires_grad=True)
    theirs = torch.tensor(numbers, requires_grad=True)
    out, expected = mish(x), torch.nn.functional.mish(theirs)
    (slope,) = torch.autograd.grad(expected.sum(), theirs, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), theirs)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach(), rtol=1e-12)
    ours = gf.grad(lambda x: mish(x).sum())
    np.testing.assert_allclose(ours(x).detach().numpy(), slope.detach(), rtol=1e-10, atol=1e-12)
    second = gf.grad(lambda x: ours(x).sum())(x).detach().numpy()
    np.testing.assert_allclose(second[:-1], bend[:-1], rtol=1e-9, atol=1e-9)
    assert second[-1] == 0  # where PyTorch has NaN


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_results_have_the_dtype_of_the_inputs_and_attributes_do_not_widen_it(dtype):
    @gf.op("where(x > limit, log(2) * x, exp(-scale)) * 0.5")
    def mixed(x, *, limit=0.0, scale=1.5):
        pass

    x = gf.tensor([-1.0, 2.0], dtype=dtype)
    found = mixed(x)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found.numpy(), [np.exp(-1.5) / 2, np.log(2)], rtol=2e-3)
    assert mixed(gf.tensor([1, 2])).dtype == gf.float64


def test_numbers_are_inputs_too_and_conditions_of_attributes_are_chosen():
    @gf.op("where(~(k > 1), a + b, a - b)")
    def either(a, b=1.0, *, k=0):
        pass

    a = gf.tensor([3.0])
    assert either(a, 2.0).item() == 5.0
    assert either(a).item() == 4.0
    assert either(2.0, a, k=2).item() == -1.0
    assert gf.grad(lambda b: either(a, b, k=2).sum())(a).item() == -1.0


def test_the_tape_keeps_what_the_gradient_reads_and_no_more():
    @gf.op("2 * x + y * z")
    def affine(x, y, z):
        pass

    op = affine.op
    assert [formula.reads_inputs for formula in op.formulas] == [set(), {2}, {1}]


def test_an_input_that_only_chooses_has_no_gradient():
    @gf.op("where(c > 0, x, -x)")
    def flipped(x, c):
        pass

    x, c = gf.tensor([1.0, 2.0], requires_grad=True), gf.tensor([1.0, -1.0], requires_grad=True)
    flipped(x, c).sum().backward()
    assert c.grad is None
    np.testing.assert_array_equal(x.grad.numpy(), [1, -1])


def test_a_compiled_step_fuses_it_with_its_neighbours():
    pytest.importorskip("llvmlite")
    mish = declared()
    step = gf.compile(lambda x: gf.exp(mish(x * 2, beta=0.5)) + 1)
    x = gf.tensor(np.linspace(-3, 3, 1000, dtype="float32"))
    for _ in range(3):
        found = step(x)
    expected = np.exp(2 * x.data * np.tanh(np.log1p(np.exp(x.data)))) + 1
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert len(step.plan.works) == 1


def test_every_call_on_a_gpu_is_one_generated_kernel(cuda, launched):
    mish = declared()
    x = gf.tensor([[-1.0, 0.0, 2.0]], device="cuda", requires_grad=True)
    out = mish(x)
    out.backward(gf.ones((1, 3), device="cuda"))
    assert [name.partition("_")[0] for name in launched] == ["loop", "loop"]
    np.testing.assert_allclose(out.detach().numpy(), [[-0.30340147, 0.0, 1.9439589]], rtol=1e-6)


def test_declared_again_by_a_notebook_the_new_one_counts():
    results = []
    for text in ("x + 1", "x * 3"):

        @gf.op(text)
        def redone(x):
            pass

        results.append(redone)
    assert [each(gf.tensor(2.0)).item() for each in results] == [3.0, 6.0]
    assert OPS[results[1].op.name] is results[1].op


def test_names_of_gradflows_own_ops_are_free():
    @gf.op("x + x")
    def sum(x):
        pass

    compiled = gf.compile(sum)
    for _ in range(3):
        found = compiled(gf.ones((2, 3)))
    np.testing.assert_array_equal(found.numpy(), np.full((2, 3), 2.0))


def test_jvp_vmap_and_hessian_take_it():
    mish = declared()
    x = gf.tensor([-1.0, 0.5], dtype="float64")
    _, tangent = gf.jvp(mish, (x,), (gf.ones_like(x),))
    slope = gf.grad(lambda x: mish(x).sum())(x)
    np.testing.assert_allclose(tangent.numpy(), slope.numpy(), rtol=1e-14)
    np.testing.assert_array_equal(gf.vmap(mish)(x).numpy(), mish(x).numpy())
    second = gf.hessian(lambda x: mish(x).sum())(x)
    assert second.numpy()[0, 1] == 0.0


# ---- a CUDA source


def test_a_cuda_source_is_launched_on_a_gpu_and_its_twin_elsewhere(cuda, launched):
    made = cube()
    x, y = np.float32([1, 2, 3]), np.float32([[1.0], [10.0]])
    for dtype in ("float16", "float32", "float64"):
        here = made(gf.tensor(x, dtype), gf.tensor(y, dtype), k=0.5)
        there = made(gf.tensor(x, dtype, device="cuda"), gf.tensor(y, dtype, device="cuda"), k=0.5)
        np.testing.assert_array_equal(here.numpy(), x**3 * y * 0.5)
        np.testing.assert_array_equal(there.numpy(), here.numpy())
    same = gf.tensor(x, device="cuda")
    np.testing.assert_array_equal(made(same, same).numpy(), x**4 * 2)
    assert [name for name in launched if name.startswith("cube_")]


def test_a_cuda_source_has_gradients_by_formulas_and_functions():
    gf.testing.gradcheck(cube(), gf.tensor([1.0, 2.0], "float64"), gf.tensor([3.0, -1.0], "float64"))


def test_a_formula_is_a_twin_and_gives_the_gradients(cuda, launched):
    @gf.op("x**3 * y * k", cuda=CUBE)
    def cube(x, y, *, k=2.0):
        pass

    x = gf.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    out = cube(x, gf.ones(2, device="cuda"))
    out.sum().backward()
    assert launched[0].startswith("cube_")
    np.testing.assert_array_equal(x.grad.numpy(), [6.0, 24.0])


def test_a_source_that_does_not_compile_is_a_kernel_error_that_names_the_op(cuda):
    @gf.op(cuda=CUBE.replace("int i =", "int j ="), vjp=(None, None))
    def broken(xp, x, y, *, k=2.0):
        return x * y

    x = gf.ones(3, device="cuda")
    with pytest.raises(KernelError, match="broken"):
        broken(x, x)


def test_a_twin_of_the_wrong_shape_is_an_error():
    @gf.op(cuda=CUBE, vjp=(None, None))
    def shorter(xp, x, y, *, k=2.0):
        return x[:1]

    with pytest.raises(ShapeError, match=r"its twin returned \(1,\) for inputs of \(3,\)"):
        shorter(gf.ones(3), gf.ones(3))


# ---- gf.testing.check


def test_check_reports_what_it_checked():
    report = gf.testing.check(declared())
    assert report.passed
    assert "gradients by finite differences" in str(report)
    assert sum(each.outcome == "passed" for each in report.findings) == (9 if nvrtc.available() else 7)


def test_check_of_a_cuda_source(simulated):
    assert gf.testing.check(cube()).passed


def test_check_finds_a_wrong_gradient():
    @gf.op("x * x", vjp=("3 * g * x",))
    def wrong(x):
        pass

    with pytest.raises(OpMismatch, match="FAILED       gradients by finite differences: gradient of order 1"):
        gf.testing.check(wrong)


def test_check_finds_a_kernel_that_does_something_else(simulated):
    @gf.op("x**3 * y * k", cuda=CUBE.replace("load(y[i])", "(load(y[i]) + 1)"))
    def wrong(x, y, *, k=2.0):
        pass

    with pytest.raises(OpMismatch, match=r"results on .*: off by"):
        gf.testing.check(wrong)


def test_check_says_that_a_domain_is_missing():
    @gf.op("log(x)")
    def logarithm(x):
        pass

    with pytest.raises(OpMismatch, match="say by domain="):
        gf.testing.check(logarithm)


def test_check_takes_ops_of_the_users_own():
    with pytest.raises(DTypeError, match="an operation that gf\\.op made"):
        gf.testing.check(len)


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", "is no formula"),
        ("foo(x)", "not a function of formulas"),
        ("x * z", "reads z; parameters are x"),
        ("2", "does not read x"),
        ("row_sum(x)", "reduces over a row"),
        ("y = x", "its last line must be an expression"),
        ("x if x else 1", "formulas have no IfExp"),
    ],
)
def test_a_formula_that_is_none_is_an_error(text, message):
    with pytest.raises(ArgumentError, match=message):
        gf.op(text)(lambda x: None)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: None, "one or more plain parameters"),
        (lambda *xs: None, "one or more plain parameters"),
        (lambda out: None, "cannot be called 'out'"),
        (lambda x, *, k: None, "'k' needs a default"),
        (lambda x, *, k="a": None, "'k' needs a default"),
    ],
)
def test_parameters_that_do_not_fit_are_an_error(function, message):
    with pytest.raises(ArgumentError, match=message):
        gf.op("x")(function)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cuda": "__global__ void f(float* x) {}"}, "CUDA C with one kernel"),
        ({"cuda": CUBE.replace(", int n", "")}, "it must take x, y, out, k, n"),
        ({"vjp": ("g",)}, "a gradient for each of x, y"),
        ({"vjp": ("g * w", None)}, "reads w"),
        ({"domain": {"z": (0, 1)}}, "domain names z"),
    ],
)
def test_a_cuda_source_that_does_not_fit_is_an_error(given, message):
    with pytest.raises(GradflowError, match=message):
        cube(**given) if "cuda" not in given else gf.op(**given, vjp=(None, None))(lambda xp, x, y, *, k=2.0: x)


def test_gf_op_is_a_decorator_with_a_formula():
    with pytest.raises(DTypeError, match="not @gf\\.op alone"):
        gf.op(lambda x: x)
    with pytest.raises(DTypeError, match="decorator of a function"):
        gf.op("x")(gf.ones(3))
    with pytest.raises(ArgumentError, match="takes a formula, or cuda="):
        gf.op()


def test_an_attribute_is_a_number():
    assert declared()(gf.tensor(1.0), beta=np.float32(0.0)).item() == declared()(gf.tensor(1.0), beta=0).item()
    with pytest.raises(DTypeError, match="beta is an attribute, a Python number, and was given Tensor"):
        declared()(gf.ones(3), beta=gf.ones(3))
