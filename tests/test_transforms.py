"""Derivatives of functions: they nest in any order, over containers, and say what is wrong."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, GradientError, ShapeError, TransformError
from gradflow.transforms import tree


@pytest.fixture
def x() -> gf.Tensor:
    return gf.tensor(np.linspace(0.1, 1.0, 4))


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-10)


def f(x: gf.Tensor) -> gf.Tensor:
    """A scalar function with a dense Hessian, by elementwise ops, a product, a softmax and a reduction."""
    w = gf.tensor(np.random.default_rng(5).standard_normal((3, 4)))
    return (gf.softmax(gf.tanh(w @ x), 0) * gf.exp(w @ (x * x))).sum() + gf.logsumexp(x * x.sum())


def differences(function: Any, x: np.ndarray[Any, Any], step: float = 1e-5) -> np.ndarray[Any, Any]:
    columns = []
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        columns.append((function(gf.tensor(x + e)).numpy() - function(gf.tensor(x - e)).numpy()) / (2 * step))
    return np.stack(columns, -1)


# ---- one derivative


def test_a_gradient_is_a_finite_difference(x):
    np.testing.assert_allclose(gf.grad(f)(x).numpy(), differences(f, x.numpy()), rtol=1e-8)


def test_value_and_grad_gives_both(x):
    value, gradient = gf.value_and_grad(f)(x)
    close(value, f(x).numpy())
    close(gradient, gf.grad(f)(x).numpy())


def test_the_result_of_a_gradient_is_an_ordinary_tensor(x):
    value, gradient = gf.value_and_grad(f)(x)
    out, pullback = gf.vjp(f, x)
    results = [
        value,
        gradient,
        out,
        *pullback(1.0),
        *gf.jvp(f, (x,), (x,)),
        gf.hessian(f)(x),
        gf.jacrev(gf.jacfwd(f))(x),
    ]
    assert not any(each.requires_grad or each.node for each in results)
    assert all(isinstance(each.data, np.ndarray) for each in results)


def test_aux_comes_along(x):
    def g(x):
        return (x * x).sum(), {"doubled": 2 * x, "name": "g"}

    gradient, aux = gf.grad(g, has_aux=True)(x)
    close(gradient, 2 * x.numpy())
    close(aux["doubled"], 2 * x.numpy())
    assert aux["name"] == "g"
    assert not aux["doubled"].requires_grad
    (value, _), _ = gf.value_and_grad(g, has_aux=True)(x)
    close(value, (x.numpy() ** 2).sum())
    _, pullback, _ = gf.vjp(g, x, has_aux=True)
    close(pullback(gf.tensor(3.0, "float64"))[0], 6 * x.numpy())


def test_argnums_choose_arguments(x):
    def g(a, b, c):
        return (a * b * b * c).sum()

    y = gf.tensor(np.arange(4.0))
    both = gf.grad(g, argnums=(1, 0))(x, y, 2)
    close(both[0], 4 * x.numpy() * y.numpy())
    close(both[1], 2 * y.numpy() ** 2)
    close(gf.grad(g, argnums=-2)(x, y, 2), 4 * x.numpy() * y.numpy())


def test_a_pullback_is_called_any_number_of_times(x):
    out, pullback = gf.vjp(lambda x: x**2, x)
    for scale in (1.0, 2.0, 3.0):
        close(pullback(gf.full_like(out, scale))[0], 2 * scale * x.numpy())


def test_what_does_not_matter_has_gradient_zero(x):
    close(gf.grad(lambda x: gf.tensor(1.0))(x), np.zeros(4))
    _, t = gf.jvp(lambda x: gf.ones(3), (x,), (x,))
    close(t, np.zeros(3))


def test_the_gradients_of_tensors_that_require_grad_are_left_alone(x):
    w = gf.tensor(2.0, dtype="float64", requires_grad=True)
    gradient = gf.grad(lambda x: (w * x * x).sum())(x)
    assert w.grad is None
    gradient.sum().backward()  # the gradient is a function of w, as any result is
    close(w.grad, (2 * x.numpy()).sum())
    with gf.no_grad():
        assert not gf.grad(lambda x: (w * x * x).sum())(x).requires_grad


def test_modules_are_functions(x):
    layer = gf.nn.Linear(4, 2)
    row = gf.tensor(np.ones((1, 4), np.float32))
    with gf.no_grad():
        close(gf.grad(lambda r: layer(r).sum())(row), layer.weight.detach().numpy().sum(0)[None])
        close(gf.jacrev(layer)(row)[0, :, 0], layer.weight.detach().numpy())


# ---- nesting

SECOND = {
    "forward over reverse": lambda f: gf.jacfwd(gf.jacrev(f)),
    "reverse over forward": lambda f: gf.jacrev(gf.jacfwd(f)),
    "reverse over reverse": lambda f: gf.jacrev(gf.jacrev(f)),
    "forward over forward": lambda f: gf.jacfwd(gf.jacfwd(f)),
    "forward over grad": lambda f: gf.jacfwd(gf.grad(f)),
    "reverse over grad": lambda f: gf.jacrev(gf.grad(f)),
    "hessian": gf.hessian,
}


@pytest.mark.parametrize("mode", SECOND)
def test_a_hessian_by_any_two_modes_is_a_finite_difference(mode, x):
    found = SECOND[mode](f)(x)
    np.testing.assert_allclose(found.numpy(), differences(gf.grad(f), x.numpy()), rtol=1e-7, atol=1e-7)
    close(found, gf.hessian(f)(x).numpy())


@pytest.mark.parametrize("jacobian", [gf.jacfwd, gf.jacrev, gf.jacobian])
def test_a_jacobian_is_a_finite_difference(jacobian, x):
    def g(x):
        return gf.stack([gf.sin(x), x * x.sum()])

    np.testing.assert_allclose(jacobian(g)(x).numpy(), differences(g, x.numpy()), rtol=1e-8, atol=1e-8)


def test_third_derivatives_by_all_orders_of_modes():
    y = gf.tensor(0.7, dtype="float64")

    def forward(f):
        return lambda x: gf.jvp(f, (x,), (gf.ones_like(x),))[1]

    for first in (gf.grad, forward):
        for second in (gf.grad, forward):
            for third in (gf.grad, forward):
                close(third(second(first(lambda x: gf.sin(x) * x)))(y), -3 * np.sin(0.7) - 0.7 * np.cos(0.7))


def test_hvp_is_the_hessian_times_a_vector(x):
    v = gf.tensor(np.random.default_rng(0).standard_normal(4))
    close(gf.hvp(f, (x,), (v,)), gf.hessian(f)(x).numpy() @ v.numpy())
    mixed = gf.hvp(lambda a, b: (a * a * b).sum(), (x, x), (v, v))
    close(mixed[0], 4 * x.numpy() * v.numpy())
    close(mixed[1], 2 * x.numpy() * v.numpy())


def test_levels_do_not_mix():
    """Perturbation confusion (Siskind & Pearlmutter 2005): the derivative of x * d/dy (x + y) is 1, not 2."""
    one = gf.tensor(1.0, dtype="float64")

    def derivative(f):
        return lambda x: gf.jvp(f, (x,), (one,))[1]

    for outer in (derivative, gf.grad):
        for inner in (derivative, gf.grad):
            close(outer(lambda x, inner=inner: x * inner(lambda y: x + y)(one))(one), 1.0)
            close(outer(lambda x, inner=inner: inner(lambda y: x * y)(x))(one), 1.0)  # not 2: x is a constant inside


def test_a_constant_of_an_inner_derivative_is_a_variable_of_the_outer_one(x):
    def g(a):
        return gf.vmap(gf.grad(lambda z: a * z**3))(x).sum()

    close(gf.grad(g)(gf.tensor(2.0, dtype="float64")), (3 * x.numpy() ** 2).sum())
    a = gf.tensor(2.0, dtype="float64")
    close(gf.jvp(g, (a,), (a,))[1], (6 * x.numpy() ** 2).sum())


def test_a_constant_of_an_inner_gradient_is_a_variable_of_the_outer_gradient(x):
    def g(a):
        return gf.grad(lambda z: (a * gf.sin(z)).sum())(x).sum()

    close(gf.grad(g)(x), np.cos(x.numpy()))
    close(gf.jacfwd(g)(x), np.cos(x.numpy()))


def test_a_tangent_is_differentiated_by_reverse_mode(x):
    v = gf.tensor(np.random.default_rng(0).standard_normal(4))
    close(gf.grad(lambda x: gf.jvp(f, (x,), (v,))[1])(x), gf.hessian(f)(x).numpy() @ v.numpy())
    leaf = gf.tensor(x.numpy(), requires_grad=True)
    gf.jvp(f, (leaf,), (v,))[1].backward()
    close(leaf.grad, gf.hessian(f)(x).numpy() @ v.numpy())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_derivatives_are_those_of_torch(torch, rng):
    weights = [rng.standard_normal(shape) for shape in ((6, 4), (6,), (3, 6))]
    x, labels = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)

    def loss(lib, functional):
        def f(w, x, label):
            hidden = lib.tanh(functional.linear(x, w["w"], w["b"]))
            return functional.cross_entropy(functional.linear(hidden, w["v"]), label)

        return f

    names = ("w", "b", "v")
    ours, theirs = loss(gf, gf.nn.functional), loss(torch, torch.nn.functional)
    p, q = (
        dict(zip(names, map(gf.tensor, weights), strict=True)),
        dict(zip(names, map(torch.tensor, weights), strict=True)),
    )
    per_example = gf.vmap(gf.grad(ours), in_axes=(None, 0, 0))(p, gf.tensor(x), gf.tensor(labels))
    expected = torch.func.vmap(torch.func.grad(theirs), in_dims=(None, 0, 0))(q, torch.tensor(x), torch.tensor(labels))
    seconds = gf.hessian(ours)(p, gf.tensor(x[0]), gf.tensor(labels[0]))
    theirs_second = torch.func.hessian(theirs)(q, torch.tensor(x[0]), torch.tensor(labels[0]))
    for name in names:
        np.testing.assert_allclose(per_example[name].numpy(), expected[name].numpy(), rtol=1e-9, atol=1e-12)
        for other in names:
            found, wanted = seconds[name][other].numpy(), theirs_second[name][other].numpy()
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_vmap_of_derivatives_and_derivatives_of_vmap(x):
    v = x.numpy()

    def along(f):
        return lambda x: gf.jvp(f, (x,), (x,))[1]

    close(gf.vmap(gf.grad(gf.sin))(x), np.cos(v))
    close(gf.vmap(along(gf.sin))(x), np.cos(v) * v)
    close(gf.grad(lambda x: gf.vmap(gf.sin)(x).sum())(x), np.cos(v))
    close(gf.jvp(gf.vmap(gf.sin), (x,), (x,))[1], np.cos(v) * v)
    close(gf.vmap(gf.vmap(gf.grad(lambda a: a**3)))(gf.stack([x, 2 * x])), 3 * np.stack([v, 2 * v]) ** 2)
    close(gf.grad(lambda s: gf.vmap(along(lambda z: z * z * s))(x).sum())(x[0]), (2 * v * v).sum())
    close(gf.vmap(gf.hessian(f))(gf.stack([x, 2 * x]))[1], gf.hessian(f)(2 * x).numpy())


def test_gradients_of_each_example(rng):
    w, xs = gf.tensor(rng.standard_normal((3, 4))), gf.tensor(rng.standard_normal((5, 4)))
    labels = gf.tensor(rng.integers(0, 3, 5))

    def loss(w, x, label):
        return gf.nn.functional.cross_entropy(gf.linear(x, w), label)

    found = gf.vmap(gf.grad(loss), in_axes=(None, 0, 0))(w, xs, labels)
    close(found, np.stack([gf.grad(loss)(w, xs[i], labels[i]).numpy() for i in range(5)]))


def test_a_cotangent_is_a_variable_too(x):
    def weighted(g):
        return (gf.vjp(gf.sin, x)[1](g)[0] ** 2).sum()

    close(gf.grad(weighted)(gf.ones_like(x)), 2 * np.cos(x.numpy()) ** 2)


def test_forward_mode_of_forward_values_chooses_branches(x):
    def g(x):
        return x * x if x > 0 else -x

    close(gf.jvp(g, (gf.tensor(2.0),), (gf.tensor(1.0),))[1], 4.0)
    close(gf.jvp(lambda x: x[x > 0.5].sum(), (x,), (x,))[1], x.numpy()[x.numpy() > 0.5].sum())


def test_detach_stops_tangents(x):
    close(gf.jvp(lambda x: x * x.detach(), (x,), (x,))[1], x.numpy() ** 2)


def test_batch_norm_updates_its_statistics_inside_derivatives(rng):
    layer = gf.nn.BatchNorm1d(3)
    batch = gf.tensor(rng.standard_normal((5, 3)).astype("float32"))
    gf.jvp(layer, (batch,), (batch,))
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * batch.numpy().mean(0), rtol=1e-5)


# ---- containers


@dataclass
class Weights:
    w: Any
    b: Any


class Pair(NamedTuple):
    first: Any
    second: Any


def test_containers_keep_their_kind(x):
    given = {"a": Weights(x, [2 * x]), "b": Pair(x[0], None)}

    def g(p):
        return (p["a"].w ** 2).sum() + (p["a"].b[0] ** 3).sum() + p["b"].first

    gradient = gf.grad(g)(given)
    assert isinstance(gradient["a"], Weights)
    assert isinstance(gradient["b"], Pair)
    assert gradient["b"].second is None
    close(gradient["a"].b[0], 12 * x.numpy() ** 2)
    out, t = gf.jvp(lambda p: {"sum": g(p), "p": p}, (given,), (given,))
    close(t["sum"], (2 * x.numpy() ** 2).sum() + (24 * x.numpy() ** 3).sum() + x.numpy()[0])
    assert isinstance(t["p"]["a"], Weights)
    assert isinstance(out["p"]["b"], Pair)


@pytest.mark.parametrize("jacobian", [gf.jacfwd, gf.jacrev])
def test_a_jacobian_of_containers_is_a_container_of_containers(jacobian, x):
    def g(x, p):
        return {"s": x + p["a"], "t": (x * p["b"]).sum()}

    found = jacobian(g, argnums=(0, 1))(x, {"a": x, "b": gf.stack([x, x])[0]})
    close(found["s"][0], np.eye(4))
    close(found["s"][1]["b"], np.zeros((4, 4)))
    close(found["t"][1]["b"], x.numpy())
    assert found["t"][0].shape == (4,)


def test_a_hessian_of_a_container_has_a_block_for_each_pair(x):
    found = gf.hessian(lambda p: (p["a"] ** 2 * p["b"]).sum())({"a": x, "b": x[:1]})
    assert found["a"]["b"].shape == (4, 1)
    close(found["a"]["b"][:, 0], 2 * x.numpy())
    close(found["b"]["b"], [[0.0]])


def test_trees_are_taken_apart_and_put_together():
    given = {"b": (1, [2, None]), "a": Weights(3, {})}
    assert tree.leaves(given) == [1, 2, 3]
    assert tree.filled(given, iter("xyz")) == {"b": ("x", ["y", None]), "a": Weights("z", {})}
    with pytest.raises(ArgumentError, match="containers differ"):
        tree.mapped(lambda a, b: a, {"a": 1}, {"b": 1})


# ---- errors


def test_the_gradient_of_what_is_no_scalar_is_refused(x):
    with pytest.raises(ShapeError, match=r"grad: the function must return a floating scalar.*returned shape \(4,\)"):
        gf.grad(lambda x: 2 * x)(x)
    with pytest.raises(ShapeError, match="returned 2 tensors"):
        gf.grad(lambda x: (x.sum(), x.sum()))(x)
    with pytest.raises(ShapeError, match="int64"):
        gf.grad(lambda x: x.argmax())(x)


def test_wrong_argnums_are_refused(x):
    with pytest.raises(ArgumentError, match="argnums 1 is out of range for 1 positional"):
        gf.grad(f, argnums=1)(x)
    with pytest.raises(ArgumentError, match="each once"):
        gf.grad(lambda a, b: (a * b).sum(), argnums=(0, -2))(x, x)
    with pytest.raises(DTypeError, match="argnums is an integer"):
        gf.grad(f, argnums="x")(x)


def test_integers_have_no_derivative():
    with pytest.raises(DTypeError, match="grad: an argument to differentiate by is int64"):
        gf.grad(lambda n: n * 2.0)(gf.tensor(3))
    with pytest.raises(DTypeError, match="jvp: an argument is int64"):
        gf.jvp(lambda n: n * 2, (gf.tensor(3),), (gf.tensor(1),))


def test_tangents_that_do_not_fit_are_refused(x):
    with pytest.raises(ShapeError, match=r"a tangent is \(3,\), its argument \(4,\)"):
        gf.jvp(f, (x,), (x[:3],))
    with pytest.raises(DTypeError, match="a tangent is float32, its argument float64"):
        gf.jvp(f, (x,), (x.astype("float32"),))
    with pytest.raises(DTypeError, match=r"write jvp\(f, \(x,\), \(t,\)\)"):
        gf.jvp(f, x, x)
    with pytest.raises(ArgumentError, match="containers differ"):
        gf.jvp(f, (x,), ())


def test_gradients_of_results_that_do_not_fit_are_refused(x):
    _, pullback = gf.vjp(lambda x: {"out": 2 * x}, x)
    with pytest.raises(ShapeError, match=r"vjp: a gradient is \(3,\), and the output it belongs to \(4,\)"):
        pullback({"out": x[:3]})
    with pytest.raises(ArgumentError, match="containers differ"):
        pullback(x)


def test_what_is_no_function_is_refused(x):
    with pytest.raises(DTypeError, match=r"grad: takes a function, not Tensor; write grad\(f\)\(x\)"):
        gf.grad(x)


def test_writing_in_place_inside_jvp_is_refused(x):
    def g(x):
        room = gf.zeros(4, dtype="float64")
        room[1:] = x[1:]
        return room

    with pytest.raises(TransformError, match="setitem: writes in place, to or from a tensor inside jvp"):
        gf.jvp(g, (x,), (x,))


def test_numpy_and_backward_inside_jvp_are_refused(x):
    with pytest.raises(TransformError, match="NumPy would drop the tangent"):
        gf.jvp(lambda x: x.numpy(), (x,), (x,))
    with pytest.raises(GradientError, match=r"inside vmap and jvp gradients are taken by gf\.grad"):
        gf.jvp(lambda x: x.sum().backward(), (x,), (x,))


def test_a_tensor_that_outlives_its_jvp_is_refused(x):
    kept = []
    gf.jvp(lambda x: kept.append(x) or x, (x,), (x,))
    with pytest.raises(TransformError, match="belongs to a call of jvp that has returned"):
        kept[0] * 2


def test_nothing_is_left_of_a_level_that_raised(x):
    with pytest.raises(ZeroDivisionError):
        gf.jvp(lambda x: 1 / 0, (x,), (x,))
    assert gf.mode.mode.level is None
    close(gf.grad(lambda x: (x * x).sum())(x), 2 * x.numpy())


def test_memory_is_freed_by_reference_counting_alone(x):
    gc.collect()
    gc.disable()
    try:
        before = len([each for each in gc.get_objects() if type(each) is gf.Tensor])
        gf.hessian(f)(x)
        gf.jvp(f, (x,), (x,))
        gf.vjp(f, x)[1](1.0)
        assert len([each for each in gc.get_objects() if type(each) is gf.Tensor]) <= before
    finally:
        gc.enable()


# ---- compiled

COMPILED = {
    "grad": gf.grad(f),
    "second order": gf.grad(lambda y: gf.grad(f)(y).sum()),
    "value and grad": gf.value_and_grad(f),
    "jvp": lambda x: gf.jvp(f, (x,), (x,)),
    "vjp": lambda x: gf.vjp(gf.sin, x)[1](x),
    "hessian": gf.hessian(f),
    "hvp": lambda x: gf.hvp(f, (x,), (x,)),
    "vmap of grad": gf.vmap(gf.grad(lambda y: y**3)),
    "checkpoint": gf.grad(lambda y: gf.checkpoint(lambda z: gf.sin(gf.exp(z)), y).sum()),
}


@pytest.mark.parametrize("step", COMPILED)
def test_a_compiled_step_takes_derivatives(step):
    compiled = gf.compile(COMPILED[step])
    for seed in range(4):
        given = gf.tensor(np.random.default_rng(seed).uniform(0.1, 1, 4))
        for found, expected in zip(tree.leaves(compiled(given)), tree.leaves(COMPILED[step](given)), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9, atol=1e-11)
    assert len(compiled.reasons) == 2, compiled.explain()


def test_a_compiled_function_is_differentiated(x):
    compiled = gf.compile(f)
    for _ in range(4):
        close(gf.grad(compiled)(x), gf.grad(f)(x).numpy())
    close(gf.jacrev(lambda x: compiled(x) * gf.ones(2))(x), np.stack([gf.grad(f)(x).numpy()] * 2))
    close(gf.hessian(compiled)(x), gf.hessian(f)(x).numpy())
    close(gf.jvp(compiled, (x,), (x,))[1], gf.jvp(f, (x,), (x,))[1].numpy())
    close(gf.vmap(compiled)(gf.stack([x, 2 * x]))[1], f(2 * x).numpy())


def test_a_gradient_penalty_is_compiled(x):
    w = gf.tensor(np.random.default_rng(0).standard_normal((4, 4)), requires_grad=True)

    def step(x):
        w.grad = None
        gradient = gf.grad(lambda y: gf.tanh(gf.linear(y, w)).sum())(x)
        (gradient * gradient).sum().backward()
        return w.grad

    compiled = gf.compile(step)
    for scale in (1.0, 2.0, 3.0, 4.0):
        close(compiled(scale * x).detach(), step(scale * x).detach().numpy())
