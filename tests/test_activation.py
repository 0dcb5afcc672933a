"""Activation functions against PyTorch and closed forms: wide ranges, limits, NaN, float16, gradients of two orders."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, IndexOutOfRange, ShapeError
from gradflow.nn import functional as F
from gradflow.ops.blockwise import BLOCK
from gradflow.tape import gradients

NAN, INF = math.nan, math.inf
ACTIVATIONS = [
    ("sigmoid", {}),
    ("silu", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2.5, "threshold": 3.0}),
    ("relu", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("leaky_relu", {"negative_slope": -0.3}),
    ("leaky_relu", {"negative_slope": 1.7}),
    ("elu", {}),
    ("elu", {"alpha": 0.7}),
    ("elu", {"alpha": -0.4}),
    ("selu", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -0.3, "max_val": 2.0}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("tanh", {}),
    ("mish", {}),
    ("hardswish", {}),
    ("hardsigmoid", {}),
    ("relu6", {}),
    ("celu", {}),
    ("celu", {"alpha": 0.5}),  # whose reciprocal float32 holds: PyTorch divides in it
    ("logsigmoid", {}),
    ("softsign", {}),
    ("tanhshrink", {}),
    ("softshrink", {}),
    ("softshrink", {"lambd": 2.0}),
    ("hardshrink", {}),
    ("hardshrink", {"lambd": 0.0}),
    ("threshold", {"threshold": -0.3, "value": 4.0}),
]
LIMITS = {  # at -inf and inf: the value, and the slope
    "sigmoid": (0, 1, 0, 0),
    "silu": (0, INF, 0, 1),
    "softplus": (0, INF, 0, 1),
    "relu": (0, INF, 0, 1),
    "elu": (-1, INF, 0, 1),
    "selu": (-1.7580993408473766, INF, 0, 1.0507009873554805),
    "hardtanh": (-1, 1, 0, 0),
    "gelu": (0, INF, 0, 1),
    "tanh": (-1, 1, 0, 0),
    "mish": (0, INF, 0, 1),
    "hardswish": (0, INF, 0, 1),
    "hardsigmoid": (0, 1, 0, 0),
    "relu6": (0, 6, 0, 0),
    "celu": (-1, INF, 0, 1),
}
PYTORCH_CANCELS = [("gelu", {"approximate": "tanh"}), ("mish", {})]  # by 1 - tanh(u)**2 and 1 + tanh(u)
WIDE = np.concatenate([np.linspace(-40, 40, 641), np.linspace(-3, 3, 401), [-0.0, 0.0, -1.0, 1.0, -0.3, 2.0]])
each_activation = pytest.mark.parametrize(("name", "options"), ACTIVATIONS)


def gradient(f, x):
    """The gradient of each element of ``f(x)``, which is elementwise."""
    x = gf.tensor(x, requires_grad=True)
    return gradients(f(x), [x], np.ones(x.shape))[0].numpy()


def in_torch(name, options, x):
    """Value, gradient and gradient of the gradient of PyTorch's activation."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(x, requires_grad=True)
    their = torch.nn.functional
    y = their.relu6(x + 3) / 6 if name == "hardsigmoid" else getattr(their, name)(x, **options)  # its 1/6 is float32
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    if not g.requires_grad:
        return y.detach().numpy(), g.numpy(), None
    (g2,) = torch.autograd.grad(g.sum(), x)
    return y.detach().numpy(), g.detach().numpy(), g2.numpy()


@each_activation
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-15), ("float32", 1e-6)])
def test_values_and_gradients_are_pytorchs(name, options, dtype, tolerance):
    x = WIDE.astype(dtype)
    f = getattr(F, name)
    value, slope, _ = in_torch(name, options, x)
    tolerance *= 5 if (name, options) in PYTORCH_CANCELS else 1
    near = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(f(gf.tensor(x), **options).numpy(), value, **near)
    np.testing.assert_allclose(gradient(lambda x: f(x, **options), x), slope, **near)


@each_activation
def test_second_gradients_are_pytorchs(name, options):
    x = WIDE[WIDE != 20.0]  # the threshold of softplus, where PyTorch's second gradient is from the other side
    _, _, expected = in_torch(name, options, x)
    leaf = gf.tensor(x, requires_grad=True)
    (g,) = gradients(gf.sum(getattr(F, name)(leaf, **options)), [leaf], create_graph=True)
    if expected is None or not g.requires_grad:
        assert not g.requires_grad and (expected is None or not expected.any())
        return
    (g2,) = gradients(gf.sum(g), [leaf])
    np.testing.assert_allclose(
        g2.numpy(), expected, rtol=1e-9, atol=2e-13 if (name, options) in PYTORCH_CANCELS else 2e-15
    )


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_limits_at_infinity_are_reached_without_a_warning(name, dtype):
    low, high, low_slope, high_slope = LIMITS[name]
    largest = float(np.finfo(dtype).max)
    large = largest / 2
    x = np.array([-INF, -largest, large, INF], dtype)
    f = getattr(F, name)
    expected = np.array([low, low, large * high_slope if high == INF else high, high], dtype)
    np.testing.assert_allclose(f(gf.tensor(x)).numpy(), expected, rtol=1e-3 if dtype == "float16" else 1e-6)
    slopes = np.array([low_slope, low_slope, high_slope, high_slope], dtype)
    np.testing.assert_allclose(gradient(f, x), slopes)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_tanh_approximation_of_gelu_has_the_same_limits(dtype):
    x = np.array([-INF, -float(np.finfo(dtype).max), INF], dtype)
    np.testing.assert_array_equal(gf.gelu(gf.tensor(x), "tanh").numpy(), [0, 0, INF])
    np.testing.assert_array_equal(gradient(lambda x: gf.gelu(x, "tanh"), x), [0, 0, 1])


@pytest.mark.parametrize("slope", [0.0, 0.01, 1.5])
def test_leaky_relu_at_infinity(slope):
    x = np.array([-INF, INF])
    expected = [-INF if slope else 0.0, INF]
    np.testing.assert_array_equal(gf.leaky_relu(gf.tensor(x), slope).numpy(), expected)
    np.testing.assert_array_equal(gradient(lambda x: gf.leaky_relu(x, slope), x), [slope, 1])


@each_activation
def test_nan_stays_nan(name, options):
    x = np.array([NAN, 1.0])
    assert np.isnan(getattr(F, name)(gf.tensor(x), **options).numpy()).tolist() == [True, False]


@each_activation
def test_float16_is_the_float64_result_rounded_nearly_once(name, options):
    x = np.linspace(-12, 12, 4001).astype("float16")
    f = getattr(F, name)
    exact = f(gf.tensor(x, "float64"), **options).numpy()
    result = f(gf.tensor(x), **options).numpy()
    assert result.dtype == np.float16
    spacing = np.maximum(np.spacing(np.abs(exact).astype("float16")), np.float16(6e-8)).astype("float64")
    assert np.max(np.abs(result - exact) / spacing) <= (1.01 if name == "tanh" else 0.51)


@each_activation
def test_integers_give_float64_but_relu_keeps_them(name, options):
    x = gf.tensor(np.array([-3, 0, 2], "int8"))
    y = getattr(F, name)(x, **options)
    if name == "relu":
        assert y.tolist() == [0, 0, 2] and y.dtype == np.int8
    elif name != "tanh":  # one of NumPy's functions, which has NumPy's dtypes
        expected = getattr(F, name)(gf.tensor([-3.0, 0.0, 2.0], "float64"), **options)
        assert y.dtype == gf.float64
        np.testing.assert_array_equal(y.numpy(), expected.numpy())


@each_activation
@pytest.mark.parametrize("shape", [(), (0,), (BLOCK + 1,), (3, BLOCK)])
def test_every_size_is_computed_whole(name, options, shape):
    x = np.linspace(-6, 6, math.prod(shape), dtype="float32").reshape(shape)
    f = getattr(F, name)
    result = f(gf.tensor(x), **options).numpy()
    expected = f(gf.tensor(x, "float64"), **options).numpy()
    assert result.shape == shape and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=3e-6, atol=1e-6)
    if shape:
        np.testing.assert_array_equal(f(gf.tensor(x[::-1]), **options).numpy(), result[::-1])
        slope = gradient(lambda x: f(x, **options), x)
        assert slope.shape == shape and slope.dtype == np.float32


# what PyTorch does not offer: relative accuracy where the result is close to 0


def test_tails_keep_their_relative_accuracy():
    x = [-5.0, -10.0, -30.0]
    normal = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x]
    np.testing.assert_allclose(gf.gelu(gf.tensor(x, "float64")).numpy(), np.multiply(x, normal), rtol=3e-13)
    logistic = [1 / (1 + math.exp(-v)) for v in x]
    np.testing.assert_allclose(gf.sigmoid(gf.tensor(x)).numpy(), logistic, rtol=1e-6)
    np.testing.assert_allclose(gf.silu(gf.tensor(x)).numpy(), np.multiply(x, logistic), rtol=1e-6)
    np.testing.assert_allclose(gf.softplus(gf.tensor(x)).numpy(), [math.log1p(math.exp(v)) for v in x], rtol=1e-6)


def test_mish_and_its_gradients_do_not_cancel():
    """Against NumPy's long double, which has 11 bits more: tanh(log(1 + exp(x))) of large x is 1 - 2 exp(-2x)."""
    x = np.linspace(4.0, 12.0, 33)
    e = np.exp(-x.astype(np.longdouble))
    n, m = 1 + 2 * e, 1 + 2 * e + 2 * e * e
    slope = 4 * e * e * (1 + e) / m**2  # of n / m
    leaf = gf.tensor(x, "float64", requires_grad=True)
    out = F.mish(leaf)
    np.testing.assert_allclose(out.detach().numpy(), (x * n / m).astype(float), rtol=1e-15)
    (g,) = gradients(gf.sum(out), [leaf], create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), (n / m + x * slope).astype(float), rtol=1e-15)
    (g2,) = gradients(gf.sum(g), [leaf])
    bend = -slope * (3 - 1 / (1 + e)) + slope * 4 * e * (1 + 2 * e) / m
    np.testing.assert_allclose(g2.numpy(), (2 * slope + x * bend).astype(float), rtol=1e-10)


def test_relu_and_its_kin_at_zero():
    zero = np.zeros(1)
    assert gradient(gf.relu, zero) == 0
    assert gradient(lambda x: gf.leaky_relu(x, 0.1), zero) == 0.1
    assert gradient(lambda x: gf.elu(x, 0.7), zero) == 0.7
    assert gradient(gf.hardtanh, np.ones(1)) == 0


def test_options_out_of_range_are_refused():
    x = gf.tensor([1.0])
    with pytest.raises(ArgumentError, match="gelu: approximate is 'erf'; it must be 'none' or 'tanh'"):
        gf.gelu(x, "erf")
    with pytest.raises(ArgumentError, match="softplus: beta is 0; it must be positive"):
        gf.softplus(x, 0)
    with pytest.raises(ArgumentError, match=r"hardtanh: min_val 2.0 is greater than max_val 1.0"):
        gf.hardtanh(x, 2.0)
    with pytest.raises(ArgumentError, match=r"celu: alpha is 0, and x is divided by it"):
        F.celu(x, 0)
    for shrink in (F.softshrink, F.hardshrink):
        with pytest.raises(ArgumentError, match=r"shrink: lambd is -1; it must be at least 0"):
            shrink(x, -1)


# of two inputs, or along an axis


@pytest.mark.parametrize(
    ("shape", "weights"), [((), ()), ((5,), (1,)), ((4, 3), (3,)), ((2, 3, 4, 5), (3,)), ((2, 3), ())]
)
def test_prelu_and_its_gradients_are_pytorchs(shape, weights):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays = rng.normal(0, 1, shape), rng.normal(0, 1, weights)
    ours = [gf.tensor(each, requires_grad=True) for each in arrays]
    theirs = [torch.tensor(each, requires_grad=True) for each in arrays]
    out, expected = F.prelu(*ours), torch.nn.functional.prelu(*theirs)
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)


def test_prelu_has_a_weight_or_one_for_each_channel():
    with pytest.raises(ShapeError, match=r"prelu: weight is \(2,\); it must be \(1,\) or \(3,\), for an x of \(4, 3\)"):
        F.prelu(gf.ones((4, 3)), gf.ones(2))
    with pytest.raises(ShapeError, match=r"PReLU\(2\).*weight is \(2,\)|prelu: weight is \(2,\)"):
        gf.nn.PReLU(2)(gf.ones((4, 3)))


@pytest.mark.parametrize(("shape", "axis"), [((6,), -1), ((4, 3), 0), ((2, 4, 3), 1), ((2, 0), 1)])
def test_glu_and_softmin_are_pytorchs(shape, axis):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(0, 4, shape)
    for name in ("glu", "softmin"):
        ours, theirs = gf.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, expected = getattr(F, name)(ours, axis), getattr(torch.nn.functional, name)(theirs, axis)
        np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-13)
        (out * out).sum().backward()
        (expected * expected).sum().backward()
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_rrelu_is_random_in_training_and_the_gradient_knows_how():
    gf.manual_seed(0)
    x = gf.tensor(np.linspace(-2, 2, 200), requires_grad=True)
    for training in (True, False):
        out = F.rrelu(x, 0.1, 0.4, training)
        (slope,) = gradients(out, [x], np.ones(200))
        slopes = (out / x).detach().numpy()
        np.testing.assert_allclose(slope.numpy(), slopes, rtol=1e-12)
        assert (slopes[100:] == 1).all() and (slopes[:100] >= 0.1).all() and (slopes[:100] <= 0.4).all()
        assert (len(np.unique(slopes[:100].round(12))) > 90) == training
    with pytest.raises(ArgumentError, match=r"rrelu: lower 0.5 is greater than upper 0.1"):
        F.rrelu(x, 0.5, 0.1)
    layer = gf.nn.RReLU(0.1, 0.4)
    assert layer(x).tolist() != layer(x).tolist() and layer.eval()(x).tolist() == out.tolist()
    assert repr(layer) == "RReLU(lower=0.1, upper=0.4)"


def test_gumbel_softmax_draws_categories_and_has_gradients():
    gf.manual_seed(0)
    logits = gf.tensor(np.log([[0.1], [0.2], [0.7]]) + np.zeros((3, 4000)), requires_grad=True)
    hard = F.gumbel_softmax(logits, 0.5, hard=True, axis=0)
    counted = hard.detach().numpy()
    assert set(np.unique(counted.round(12))) == {0, 1} and np.allclose(counted.sum(0), 1)
    np.testing.assert_allclose(counted.mean(1), [0.1, 0.2, 0.7], atol=0.03)
    (hard * np.arange(3)[:, None]).sum().backward()
    gf.manual_seed(0)
    twin = gf.tensor(logits.detach().numpy(), requires_grad=True)
    (F.gumbel_softmax(twin, 0.5, axis=0) * np.arange(3)[:, None]).sum().backward()
    np.testing.assert_allclose(logits.grad.numpy(), twin.grad.numpy(), rtol=1e-12)
    with pytest.raises(ArgumentError, match="gumbel_softmax: tau is 0; it must be positive"):
        F.gumbel_softmax(logits, 0)


def test_glu_wants_two_halves():
    with pytest.raises(ShapeError, match=r"glu: axis 1 of \(2, 3\) has no halves; its size must be even"):
        F.glu(gf.ones((2, 3)))


# softmax


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((9,), 0), ((5, 9), -1), ((5, 9), 0), ((2, 5, 4), 1), ((700, 100), 1)])
def test_softmax_and_its_gradients_are_pytorchs(name, shape, axis):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, g = rng.normal(0, 10, shape), rng.normal(0, 1, shape)
    ours = gf.tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    out, expected = getattr(gf, name)(ours, axis), getattr(torch, name)(theirs, axis)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    (slope,) = gradients(out, [ours], g, create_graph=True)
    (wanted,) = torch.autograd.grad(expected, theirs, torch.tensor(g), create_graph=True)
    np.testing.assert_allclose(slope.detach().numpy(), wanted.detach().numpy(), rtol=1e-9, atol=1e-13)
    (bend,) = gradients((slope * g).sum(), [ours])
    (wanted,) = torch.autograd.grad((wanted * torch.tensor(g)).sum(), theirs)
    np.testing.assert_allclose(bend.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_softmax_of_large_and_masked_scores(dtype):
    most = float(np.finfo(dtype).max) / (4 if dtype == "float16" else 1)  # whose log must fit float16, too
    x = gf.tensor([[most, most, -most], [1.0, -INF, 1.0], [-most, -most, -most]], dtype)
    np.testing.assert_allclose(gf.softmax(x).numpy(), [[0.5, 0.5, 0], [0.5, 0, 0.5], [1 / 3] * 3], rtol=1e-3)
    least = -2 * most if dtype == "float16" else -INF
    expected = [[-math.log(2)] * 2 + [least], [-math.log(2), -INF, -math.log(2)], [-math.log(3)] * 3]
    np.testing.assert_allclose(gf.log_softmax(x).numpy(), expected, rtol=1e-3)


def test_softmax_in_float16_sums_in_float32():
    x = np.zeros((2, 5000), "float16")
    np.testing.assert_allclose(gf.softmax(gf.tensor(x)).numpy(), 2e-4, rtol=1e-3)
    np.testing.assert_allclose(gf.log_softmax(gf.tensor(x)).numpy(), -math.log(5000), rtol=1e-3)


def test_nan_in_a_row_makes_that_row_nan_and_no_other():
    x = gf.tensor([[1.0, NAN], [1.0, 1.0]])
    np.testing.assert_array_equal(gf.softmax(x).numpy(), [[NAN, NAN], [0.5, 0.5]])


def test_a_row_of_nothing_but_minus_infinity_is_nan_with_numpys_warning():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(gf.softmax(gf.tensor([-INF, -INF])).numpy()).all()


def test_softmax_of_integers_and_of_nothing():
    x = np.array([0, 255, 255], "uint8")
    np.testing.assert_allclose(gf.softmax(gf.tensor(x)).numpy(), [0, 0.5, 0.5], atol=1e-99)
    for axis in (0, 1):
        assert gf.softmax(gf.zeros((2, 0)), axis).shape == (2, 0)


def test_an_axis_that_is_not_there_is_named():
    with pytest.raises(IndexOutOfRange, match="log_softmax: axis 2 is out of range for 2 dimensions"):
        gf.log_softmax(gf.zeros((2, 2)), 2)
    with pytest.raises(IndexOutOfRange, match="softmax: axis -1 is out of range for 0 dimensions"):
        gf.softmax(gf.tensor(1.0))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_long_softmaxes_are_computed_whole(name, order):
    x = np.random.default_rng(1).normal(0, 3, (40, 60, 50)).astype("float32").transpose(order)
    for axis in range(3):
        result = getattr(gf, name)(gf.tensor(x), axis).numpy()
        exact = getattr(gf, name)(gf.tensor(x.astype("float64")), axis).numpy()
        np.testing.assert_allclose(result, exact, rtol=2e-6, atol=2e-6)
