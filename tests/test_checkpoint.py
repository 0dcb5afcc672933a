"""checkpoint: the gradients are those of the function itself, and less is kept for them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import GradientError


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.fixture
def x(rng) -> gf.Tensor:
    return gf.tensor(rng.standard_normal((5, 4)), requires_grad=True)


@pytest.fixture
def w(rng) -> gf.Tensor:
    return gf.tensor(rng.standard_normal((4, 4)), requires_grad=True)


def gradients(f, *leaves):
    for leaf in leaves:
        leaf.grad = None
    out = f()
    out.backward()
    return out, [leaf.grad for leaf in leaves]


def test_gradients_flow_to_arguments_and_to_what_the_function_closes_over(x, w):
    def block(x):
        return gf.tanh(gf.linear(gf.tanh(gf.linear(x, w)), w))

    def step(wrapped):
        scaled = 2 * w  # closed over, and computed outside
        return (wrapped(block, wrapped(lambda x: block(x) @ scaled, x)) ** 2).sum()

    expected, plain = gradients(lambda: step(lambda f, x: f(x)), x, w)
    found, checkpointed = gradients(lambda: step(gf.checkpoint), x, w)
    close(found, expected)
    for ours, theirs in zip(checkpointed, plain, strict=True):
        close(ours, theirs)


def test_what_is_inside_is_not_kept(x):
    inside = []

    def f(x):
        y = gf.exp(x)
        inside.append(weakref.ref(y.data if y.data.base is None else y.data.base))
        return gf.sin(y) * y

    gc.disable()
    try:
        plain = f(x)
        assert inside[0]() is not None
        out = gf.checkpoint(f, x)
        assert inside[1]() is None
    finally:
        gc.enable()
    (out + plain).sum().backward()
    assert len(inside) == 3  # it was run again


def test_random_numbers_are_the_same_the_second_time_and_others_go_on():
    gf.manual_seed(3)
    x = gf.ones(50, requires_grad=True)
    out = gf.checkpoint(lambda x: gf.nn.functional.dropout(x, 0.5) * x, x)
    drawn = gf.random.uniform(3)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * out.detach().numpy())
    after = gf.random.uniform(3)
    gf.manual_seed(3)
    gf.nn.functional.dropout(x.detach(), 0.5)
    np.testing.assert_array_equal(drawn.numpy(), gf.random.uniform(3).numpy())
    np.testing.assert_array_equal(after.numpy(), gf.random.uniform(3).numpy())


def test_containers_and_other_arguments(x):
    def f(p, power, *, flag):
        return {"a": p["x"] ** power, "b": (p["x"].sum(), flag)}

    out = gf.checkpoint(f, {"x": x}, 3, flag=gf.tensor(True))
    (out["a"].sum() + 2 * out["b"][0]).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * x.detach().numpy() ** 2 + 2)
    assert out["b"][1].item()


def test_an_output_that_is_not_used_has_no_part(x):
    a, _ = gf.checkpoint(lambda x: (x * x, gf.exp(x)), x)
    a.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())


def test_higher_derivatives(x, w):
    def loss(x, wrapped):
        return (wrapped(lambda x: gf.tanh(gf.linear(x, w)), x) ** 2).sum()

    v = gf.ones_like(x)
    for second in (
        lambda f: gf.grad(lambda x: (gf.grad(f)(x) ** 2).sum())(x),
        lambda f: gf.hvp(f, (x,), (v,)),
        lambda f: gf.vmap(gf.grad(lambda row: f(row[None])))(x),
        lambda f: gf.jacrev(gf.grad(f))(x),
    ):
        close(second(lambda x: loss(x, gf.checkpoint)), second(lambda x: loss(x, lambda f, x: f(x))))


def test_nested_checkpoints(x):
    inner = lambda x: gf.checkpoint(gf.sin, gf.checkpoint(gf.exp, x))  # noqa: E731
    gf.checkpoint(inner, x).sum().backward()
    v = x.detach().numpy()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.exp(v)) * np.exp(v))


def test_jacobians_vectorize_the_recomputation(x):
    close(gf.jacrev(lambda x: gf.checkpoint(gf.sin, x))(x[0]), gf.diag(gf.cos(x[0])))


def test_what_a_recomputation_inside_a_jacobian_closes_over_has_a_gradient(x, w):
    def g(w, wrapped):
        return (gf.jacrev(lambda x: wrapped(lambda x: gf.tanh(w @ x), x))(x.detach()[0]) ** 2).sum()

    row = x[0]
    close(gf.jacrev(lambda w: gf.checkpoint(lambda x: gf.sin(x) * w, row))(w[0].detach()), gf.diag(gf.sin(row)))
    found = gf.grad(lambda w: g(w, gf.checkpoint))(w.detach())
    close(found, gf.grad(lambda w: g(w, lambda f, x: f(x)))(w.detach()))


def test_nothing_is_recorded_where_nothing_requires_grad(x):
    out = gf.checkpoint(gf.sin, x.detach())
    assert not out.requires_grad
    with gf.no_grad():
        assert not gf.checkpoint(gf.sin, x).requires_grad


def test_an_argument_that_was_overwritten_is_refused(x):
    out = gf.checkpoint(gf.sin, x)
    with gf.no_grad():
        x.copy_(gf.zeros((5, 4), dtype="float64"))
    with pytest.raises(GradientError, match="checkpoint kept an array of shape"):
        out.sum().backward()


def test_it_is_swept_once(x):
    out = gf.checkpoint(gf.sin, x).sum()
    out.backward()
    with pytest.raises(GradientError, match="was swept before"):
        out.backward()


def test_memory_is_freed_by_reference_counting_alone(x):
    gc.collect()
    gc.disable()
    try:
        out = gf.checkpoint(lambda x: gf.sin(gf.exp(x)), x)
        gone = weakref.ref(out.node)
        out.sum().backward()
        del out
        assert gone() is None
    finally:
        gc.enable()


def test_a_training_step_with_a_checkpoint_is_compiled(rng):
    gf.manual_seed(0)
    net = gf.nn.Sequential(gf.nn.Linear(4, 8), gf.nn.Tanh(), gf.nn.Linear(8, 1))
    optimizer = gf.optim.SGD(net.parameters(), lr=0.1)
    xs = [gf.tensor(rng.standard_normal((6, 4)).astype("float32")) for _ in range(5)]
    start = {name: p.detach().numpy().copy() for name, p in net.state_dict().items()}

    def step(x):
        optimizer.zero_grad()
        loss = (gf.checkpoint(net, x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled = gf.compile(step)
    found = [compiled(x).item() for x in xs]
    assert len(compiled.reasons) == 2
    net.load_state_dict({name: gf.tensor(value) for name, value in start.items()})
    np.testing.assert_allclose(found, [step(x).item() for x in xs], rtol=1e-5)
