"""custom_vjp and custom_jvp: the declared derivative is the one that is used, in every mode and nesting."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, GradientError, ShapeError, TransformError


@gf.custom_vjp
def tripled(x, y):
    """sin(x) * y, with three times its gradient in x, so that one sees whose gradient it is."""
    return gf.sin(x) * y


tripled.defvjp(
    lambda x, y: (gf.sin(x) * y, (x, y)), lambda kept, g: (3 * g * gf.cos(kept[0]) * kept[1], g * gf.sin(kept[0]))
)


@gf.custom_jvp
def quintupled(x):
    """x**2, with the derivative 5x."""
    return x**2


@quintupled.defjvp
def rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return quintupled(x), 5 * x * t


@pytest.fixture
def x() -> gf.Tensor:
    return gf.tensor(np.linspace(0.1, 1, 4))


@pytest.fixture
def y(x) -> gf.Tensor:
    return 2 * x


def close(found, expected):
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_a_declared_pullback_is_used_in_every_mode(x, y):
    v, u = x.numpy(), y.numpy()
    close(tripled(x, y), np.sin(v) * u)
    close(gf.grad(lambda x: tripled(x, y).sum())(x), 3 * np.cos(v) * u)
    close(gf.grad(lambda y: tripled(x, y).sum())(y), np.sin(v))
    close(gf.jvp(lambda x: tripled(x, y), (x,), (y,))[1], 3 * np.cos(v) * u * u)
    close(gf.jacfwd(lambda x: tripled(x, y))(x), np.diag(3 * np.cos(v) * u))
    close(gf.jacrev(lambda x: tripled(x, y))(x), np.diag(3 * np.cos(v) * u))
    leaf = gf.tensor(v, requires_grad=True)
    tripled(leaf, y).sum().backward()
    close(leaf.grad, 3 * np.cos(v) * u)


def test_second_derivatives_are_those_of_the_declared_pullback(x, y):
    def g(x):
        return tripled(x, y).sum()

    expected = np.diag(-3 * np.sin(x.numpy()) * y.numpy())
    for second in (gf.hessian(g), gf.jacrev(gf.jacrev(g)), gf.jacrev(gf.jacfwd(g)), gf.jacfwd(gf.jacfwd(g))):
        close(second(x), expected)


def test_a_declared_pullback_is_vectorized(x, y):
    v, u = x.numpy(), y.numpy()
    close(gf.vmap(tripled)(x, y), np.sin(v) * u)
    close(gf.vmap(gf.grad(tripled))(x, y), 3 * np.cos(v) * u)
    close(gf.grad(lambda x: gf.vmap(tripled)(x, y).sum())(x), 3 * np.cos(v) * u)
    close(gf.grad(lambda z: gf.vmap(lambda x: tripled(z, x))(x).sum())(y[0]), 3 * np.cos(u[0]) * v.sum())
    close(gf.grad(lambda z: gf.vmap(lambda x: tripled(x, z))(x).sum())(y[0]), np.sin(v).sum())
    close(gf.jvp(gf.vmap(lambda x: tripled(x, x)), (x,), (y,))[1], (3 * np.cos(v) * v + np.sin(v)) * u)


def test_a_declared_tangent_is_used_in_every_mode(x, y):
    v = x.numpy()
    close(quintupled(x), v**2)
    close(gf.jvp(quintupled, (x,), (y,))[1], 5 * v * y.numpy())
    close(gf.grad(lambda x: quintupled(x).sum())(x), 5 * v)
    close(gf.hessian(lambda x: quintupled(x).sum())(x), 5 * np.eye(4))
    close(gf.vmap(gf.grad(quintupled))(x), 5 * v)
    close(gf.grad(lambda x: gf.vmap(quintupled)(x).sum())(x), 5 * v)


def test_containers_and_arguments_without_a_gradient(x):
    @gf.custom_vjp
    def f(p, n):
        return {"out": p["w"] * n}, p["b"]

    f.defvjp(
        lambda p, n: (({"out": p["w"] * n}, p["b"]), n),
        lambda n, g: ({"w": 7 * n * g[0]["out"], "b": g[1]}, None),
    )
    found = gf.grad(lambda p: f(p, 2)[0]["out"].sum() + 3 * f(p, 2)[1].sum())({"w": x, "b": x})
    close(found["w"], np.full(4, 14.0))
    close(found["b"], np.full(4, 3.0))


def test_a_function_without_its_rule_is_refused(x):
    with pytest.raises(TransformError, match=r"f has no gradient yet; call \.defvjp"):

        @gf.custom_vjp
        def f(x):
            return x

        f(x)
    with pytest.raises(TransformError, match=r"f has no derivative yet; call \.defjvp"):

        @gf.custom_jvp
        def f(x):
            return x

        f(x)


def test_wrong_gradients_are_refused(x):
    @gf.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda _, g: g)
    with pytest.raises(ArgumentError, match="returns a tuple, a gradient for each of 1 arguments, and returned Tensor"):
        gf.grad(lambda x: f(x).sum())(x)
    f.defvjp(lambda x: (x, None), lambda _, g: (g.sum(),))
    with pytest.raises(ShapeError, match=r"returned a gradient of \(\) for a \(4,\)"):
        gf.grad(lambda x: f(x).sum())(x)


def test_residuals_that_were_overwritten_are_refused(x):
    leaf = gf.tensor(x.numpy(), requires_grad=True)
    kept = gf.ones(4, dtype="float64")
    f = gf.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x * 2, kept), lambda kept, g: (kept * g,))
    out = f(leaf)
    kept.add_(1.0)
    with pytest.raises(GradientError, match="custom_vjp kept an array"):
        out.sum().backward()


def test_a_compiled_step_uses_them(x, y):
    compiled = gf.compile(
        lambda x: (gf.grad(lambda x: tripled(x, y).sum())(x), gf.grad(lambda x: quintupled(x).sum())(x))
    )
    for scale in (1, 2, 3, 4):
        first, second = compiled(scale * x)
        close(first, 3 * np.cos(scale * x.numpy()) * y.numpy())
        close(second, 5 * scale * x.numpy())
