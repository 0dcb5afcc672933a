"""vmap: where the examples lie, what is the same for all, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError, TransformError
from gradflow.op import OPS, Op, like_first
from gradflow.samples import unary


@pytest.fixture
def a(rng) -> gf.Tensor:
    return gf.tensor(rng.standard_normal((3, 4)))


@pytest.fixture
def b(rng) -> gf.Tensor:
    return gf.tensor(rng.standard_normal((4, 3)))


def close(found, expected):
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.fixture
def declared():
    """An op that nothing is known of."""
    op = Op("fixture_op", lambda xp, x, *, turns, out=None: xp.roll(x, turns), like_first, samples=unary())
    yield op
    del OPS["fixture_op"]


def test_examples_lie_along_any_axis(a, b):
    close(gf.vmap(gf.dot, in_axes=(0, 1))(a, b), (a.numpy() * b.numpy().T).sum(1))
    close(gf.vmap(gf.dot, in_axes=(-2, -1))(a, b), (a.numpy() * b.numpy().T).sum(1))
    close(gf.vmap(lambda x: 2 * x, in_axes=1, out_axes=0)(a), 2 * a.numpy().T)
    close(gf.vmap(lambda x: 2 * x, in_axes=1, out_axes=1)(a), 2 * a.numpy())
    close(gf.vmap(lambda x: gf.outer(x, x), out_axes=-1)(a), np.einsum("ni,nj->ijn", a.numpy(), a.numpy()))


def test_what_is_the_same_for_all_is_not_repeated(a, b, monkeypatch):
    seen = []
    run = gf.backend.cpu.run
    monkeypatch.setattr(gf.backend.cpu, "run", lambda op, arrays, *rest: seen.append(arrays) or run(op, arrays, *rest))
    close(gf.vmap(lambda x, w: w @ x, in_axes=(0, None))(a, gf.tensor(b.numpy().T)), a.numpy() @ b.numpy())
    assert all(array.size <= a.size for arrays in seen for array in arrays)


def test_functions_of_one_example_need_not_know(a):
    def f(x):
        assert x.shape == (4,)
        assert x.ndim == 1
        assert len(x) == 4
        assert x.size == 4
        y = x[None, 1:] * x[::2].sum() + x.mean()
        return gf.concat([y.reshape(-1), x[[0, 0]]])

    v = a.numpy()
    close(gf.vmap(f)(a), [[*(e[1:] * e[::2].sum() + e.mean()), e[0], e[0]] for e in v])


def test_containers_have_axes_of_their_own(a, b):
    def f(p, scale):
        return {"s": p["a"].sum() * scale, "d": (p["a"], p["b"])}

    out = gf.vmap(f, in_axes=({"a": 0, "b": 1}, None), out_axes={"s": 0, "d": (1, 0)})({"a": a, "b": b}, 2.0)
    close(out["s"], 2 * a.numpy().sum(1))
    close(out["d"][0], a.numpy().T)
    close(out["d"][1], b.numpy().T)


def test_keywords_are_mapped_along_their_first_axis(a):
    close(gf.vmap(lambda x, *, y: x * y)(a, y=a), a.numpy() ** 2)


def test_a_result_that_is_the_same_for_all_is_repeated_unless_out_axes_is_none(a):
    one = gf.ones(2)
    close(gf.vmap(lambda x: one)(a), np.ones((3, 2)))
    close(gf.vmap(lambda x: (x, one), out_axes=(0, None))(a)[1], np.ones(2))
    with pytest.raises(ArgumentError, match="out_axes is None for a result that differs"):
        gf.vmap(lambda x: x, out_axes=None)(a)


def test_no_examples_at_all():
    assert gf.vmap(lambda x: gf.exp(x).sum() * x)(gf.zeros((0, 4))).shape == (0, 4)


def test_nested_maps_make_all_pairs(a):
    v = a.numpy()
    pairs = gf.vmap(gf.vmap(gf.dot, in_axes=(None, 0)), in_axes=(0, None))
    close(pairs(a, a), v @ v.T)


def test_a_loss_over_labelled_rows(rng):
    logits, labels = gf.tensor(rng.standard_normal((5, 6, 3))), gf.tensor(rng.integers(0, 3, (5, 6)))
    loss = gf.nn.functional.cross_entropy
    close(gf.vmap(loss)(logits, labels), [loss(logits[i], labels[i]).item() for i in range(5)])


DRAWS = {
    "uniform": lambda x: gf.random.uniform(3) + x[0] * 0,
    "normal": lambda x: gf.random.normal((2, 2), dtype="float64"),
    "randint": lambda x: gf.random.randint(0, 100, 4),
    "permutation": lambda x: gf.random.permutation(5),
    "dropout": lambda x: gf.nn.functional.dropout(x, 0.5),
    "gradient of dropout": gf.grad(lambda x: (gf.nn.functional.dropout(x, 0.5) ** 3).sum()),
    "recomputed": gf.grad(lambda x: gf.checkpoint(lambda x: gf.nn.functional.dropout(x, 0.5) ** 2, x).sum()),
}


@pytest.mark.parametrize("name", DRAWS)
def test_each_example_has_a_draw_of_its_own_or_all_have_the_same(name):
    f, x = DRAWS[name], gf.ones((6, 4), dtype="float64")
    gf.manual_seed(3)
    loop = [f(row).numpy() for row in x]
    after = gf.random.uniform(2).tolist()
    gf.manual_seed(3)
    np.testing.assert_array_equal(gf.vmap(f, randomness="different")(x).numpy(), loop)
    assert gf.random.uniform(2).tolist() == after  # as many draws as the loop made
    gf.manual_seed(3)
    np.testing.assert_array_equal(gf.vmap(f, randomness="same")(x).numpy(), [loop[0]] * 6)
    assert not np.array_equal(loop[0], loop[1])


def test_nested_maps_draw_for_every_pair_or_for_every_row():
    f, x = lambda x: gf.random.uniform(2), gf.ones((2, 3, 1))
    gf.manual_seed(3)
    draws = np.array([gf.random.uniform(2).numpy() for _ in range(6)]).reshape(2, 3, 2)
    gf.manual_seed(3)
    pairs = gf.vmap(gf.vmap(f, randomness="different"), randomness="different")(x)
    np.testing.assert_array_equal(pairs.numpy(), draws)
    gf.manual_seed(3)
    rows = gf.vmap(gf.vmap(f, randomness="same"), randomness="different")(x)
    np.testing.assert_array_equal(rows.numpy(), np.broadcast_to(draws.reshape(6, 2)[:2, None], (2, 3, 2)))
    with pytest.raises(TransformError, match="uniform draws random numbers"):
        gf.vmap(gf.vmap(f, randomness="different"))(x)


def test_random_numbers_of_a_compiled_map_are_drawn_anew():
    def f(x):
        return gf.vmap(lambda row: gf.nn.functional.dropout(row, 0.5), randomness="different")(x)

    x, compiled = gf.ones((3, 16)), gf.compile(f)
    gf.manual_seed(1)
    expected = [f(x).numpy() for _ in range(4)]
    gf.manual_seed(1)
    np.testing.assert_array_equal([compiled(x).numpy() for _ in range(4)], expected)


def test_random_numbers_of_a_jacobian_are_the_same_in_every_column():
    for jacobian in (gf.jacfwd, gf.jacrev):
        gf.manual_seed(0)
        found = jacobian(lambda x: gf.nn.functional.dropout(x, 0.5))(gf.ones(8)).numpy()
        gf.manual_seed(0)
        close(gf.diag(gf.nn.functional.dropout(gf.ones(8), 0.5)), found)


def test_random_numbers_are_refused_unless_it_is_said_whose_they_are(a):
    for draw in (lambda x: gf.nn.functional.dropout(x, 0.5), lambda x: x + gf.random.normal(4)):
        with pytest.raises(TransformError, match=r"draws random numbers; say randomness='different' for"):
            gf.vmap(draw)(a)
    with pytest.raises(ArgumentError, match="randomness is 'equal'; it must be 'same', 'different' or 'error'"):
        gf.vmap(draw, randomness="equal")


def test_a_print_shows_all_examples(a):
    shown = []
    gf.vmap(lambda x: shown.append(repr(x)) or x)(gf.tensor([1.0, 2.0]))
    assert shown == ["tensor([1., 2.])"]


def test_reading_elements_is_refused(a):
    for read in (bool, float, int, lambda x: x.item(), lambda x: x.tolist()):
        with pytest.raises(TransformError, match=r"stands for 3 examples at once; choose with gf\.where"):
            gf.vmap(lambda x, read=read: read(x.sum()))(a)
    with pytest.raises(TransformError, match="numpy reads"):
        gf.vmap(lambda x: x.numpy())(a)
    with pytest.raises(TransformError, match="a mask as an index reads"):
        gf.vmap(lambda x: x[x > 0])(a)


def test_a_new_tensor_of_another_dtype_is_refused(a):
    with pytest.raises(TransformError, match=r"inside vmap; use x\.astype\('float32'\)"):
        gf.vmap(lambda x: gf.tensor(x, "float32"))(a)
    assert gf.vmap(lambda x: x.astype("float32"))(a).dtype == gf.float32


def test_writing_in_place_is_refused(a):
    def f(x):
        x[0] = 1.0
        return x

    with pytest.raises(TransformError, match=r"setitem: writes in place.*inside vmap; use the functional form"):
        gf.vmap(f)(a)


def test_an_op_without_a_rule_is_named(a, declared):
    with pytest.raises(TransformError, match="vmap: fixture_op has no batching rule; call the function in a loop"):
        gf.vmap(lambda x: gf.dispatch.apply(declared, x, turns=1))(a)
    same = gf.vmap(lambda x: x + gf.dispatch.apply(declared, gf.zeros(4), turns=1))  # of what is the same, it runs
    close(same(a), a.numpy())


def test_a_jacobian_of_an_op_without_a_rule_is_made_in_a_loop(declared, monkeypatch):
    op = Op(
        "fixture_linear",
        lambda xp, x, *, turns, out=None: xp.roll(x, turns),
        like_first,
        vjp=(lambda g, turns: gf.dispatch.apply(op, g, turns=-turns),),
        samples=unary(),
    )
    try:
        for jacobian in (gf.jacfwd, gf.jacrev):
            found = jacobian(lambda x: gf.dispatch.apply(op, x, turns=1))(gf.zeros(3))
            close(found, np.roll(np.eye(3), 1, 0))
    finally:
        del OPS["fixture_linear"]


def test_numbers_of_examples_must_agree(a, b):
    with pytest.raises(ShapeError, match=r"different numbers of examples along their axes, \[3, 4\]"):
        gf.vmap(lambda x, y: x.sum() + y.sum())(a, b)


def test_axes_must_fit(a, b):
    with pytest.raises(ArgumentError, match="in_axes does not fit"):
        gf.vmap(gf.dot, in_axes=(0, 0, 0))(a, b)
    with pytest.raises(ArgumentError, match="in_axes is None for all arguments"):
        gf.vmap(gf.sin, in_axes=None)(a)
    with pytest.raises(IndexOutOfRange, match=r"in_axes has axis 2 for an argument of shape \(3, 4\)"):
        gf.vmap(gf.sin, in_axes=2)(a)
    with pytest.raises(ShapeError, match="an argument with axis 0 is a scalar; give it None"):
        gf.vmap(gf.add)(a, 2.0)
    with pytest.raises(DTypeError, match="in_axes is made of integers and None"):
        gf.vmap(gf.sin, in_axes="0")(a)
    with pytest.raises(ArgumentError, match="out_axes does not fit"):
        gf.vmap(gf.sin, out_axes=(0, 0))(a)
    with pytest.raises(IndexOutOfRange, match="vmap: axis 5"):
        gf.vmap(gf.sin, out_axes=5)(a)
    with pytest.raises(DTypeError, match="vmap: takes a function"):
        gf.vmap(a)


def test_shapes_in_errors_are_those_of_one_example(a):
    with pytest.raises(ShapeError, match=r"add: cannot broadcast \(4,\), \(3,\)"):
        gf.vmap(lambda x: x + gf.ones(3))(a)


def test_a_compiled_step_maps(a):
    compiled = gf.compile(gf.vmap(lambda x: gf.softmax(x, 0) * x.sum()))
    for scale in range(1, 5):
        v = scale * a.numpy()
        e = np.exp(v) / np.exp(v).sum(1, keepdims=True)
        close(compiled(gf.tensor(v)), e * v.sum(1, keepdims=True))


def test_it_runs_on_the_device_of_its_arguments(cuda):
    x = gf.tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda")
    out = gf.vmap(gf.grad(lambda x: (x**3).sum()))(x)
    assert out.device == x.device
    np.testing.assert_allclose(out.cpu().numpy(), [[3, 12], [27, 48]], rtol=1e-6)
    _, t = gf.jvp(lambda x: gf.softmax(x, axis=1).sum(), (x,), (x,))
    assert t.device == x.device


def test_draws_for_each_example_are_the_same_on_every_device(cuda):
    for draw in (lambda x: gf.random.normal(3, device=x.device), lambda x: gf.nn.functional.dropout(x, 0.5)):
        found = []
        for device in ("cpu", "cuda"):
            gf.manual_seed(4)
            found.append(gf.vmap(draw, randomness="different")(gf.ones((5, 3), device=device)))
        assert found[1].device.kind == "cuda"
        np.testing.assert_array_equal(found[0].numpy(), found[1].cpu().numpy())
