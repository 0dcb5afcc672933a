"""The tape: what is recorded, what a sweep leaves, and what it refuses."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import DTypeError, GradientError, ShapeError
from gradflow.op import OPS, Op, like_first
from gradflow.tape import gradients


def leaf(values, dtype="float64"):
    return gf.tensor(values, dtype=dtype, requires_grad=True)


def test_a_neuron_by_hand():
    w = leaf(0.4)
    loss = (1 - 0.5 * w) ** 2
    loss.backward()
    assert loss.item() == pytest.approx(0.64)
    assert w.grad.item() == pytest.approx(-0.8)


def test_gradients_accumulate_over_backward_passes():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_a_tensor_used_twice_gets_both_parts():
    x = leaf(3.0)
    (x * x + x).backward()
    assert x.grad.item() == 7.0


def test_a_diamond_is_swept_once_through_each_node():
    x = leaf(2.0)
    shared = x * x
    (shared * shared + shared).backward()
    assert x.grad.item() == pytest.approx(4 * 2**3 + 2 * 2)


def test_only_leaves_get_a_gradient_unless_it_is_retained():
    x = leaf(2.0)
    y = x * x
    z = x * 3
    z.retain_grad()
    (y * z).backward()
    assert y.grad is None
    assert z.grad.item() == 4.0
    assert x.is_leaf
    assert not y.is_leaf


def test_retain_grad_on_data_is_refused():
    with pytest.raises(GradientError, match="does not require grad"):
        gf.tensor(1.0).retain_grad()


def test_detach_cuts_the_graph_and_shares_memory():
    x = leaf([1.0, 2.0])
    y = (x * 2).detach()
    assert not y.requires_grad
    assert np.shares_memory(x.detach().data, x.data)
    (x * y).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = leaf(1.0)
    with gf.no_grad():
        assert not (x * 2).requires_grad
        with gf.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_ends_after_an_exception():
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), gf.no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad


def test_no_grad_decorates_functions():
    x = leaf(1.0)

    @gf.no_grad()
    def double():
        return x * 2

    assert not double().requires_grad
    assert not double().requires_grad


def test_no_grad_concerns_its_own_thread_only():
    x = leaf(1.0)
    seen = []
    with gf.no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_gradients_of_gradients():
    x = leaf(2.0)
    (first,) = gradients(x**4, [x], create_graph=True)
    (second,) = gradients(first, [x], create_graph=True)
    (third,) = gradients(second, [x])
    assert [first.item(), second.item(), third.item()] == [32.0, 48.0, 48.0]
    assert x.grad is None


def test_backward_with_create_graph_leaves_gradients_that_can_be_differentiated():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    g, x.grad = x.grad, None
    g.backward()
    assert x.grad.item() == pytest.approx(18.0)


def test_a_gradient_with_respect_to_a_computed_tensor():
    x = leaf(3.0)
    y = x * x
    dy, dx = gradients(y * y, [y, x])
    assert dy.item() == 18.0
    assert dx.item() == 108.0


def test_a_gradient_that_does_not_reach_is_none():
    x, other = leaf(1.0), leaf(1.0)
    assert gradients(x * 2, [x, other])[1] is None


def test_a_chain_of_100_000_ops_is_swept_and_freed():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 0.5
    y.backward()
    assert x.grad.item() == 1.0
    del y
    z = x
    for _ in range(100_000):
        z = z * 1.0
    del z  # a graph that was never swept must not overflow the stack either


def test_memory_is_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(1000))
        hidden = (x * 2).sigmoid()
        out = (hidden * hidden).sum()
        watched = [weakref.ref(hidden.node), weakref.ref(hidden), weakref.ref(out.node)]
        arrays = [weakref.ref(hidden.data)]
        del hidden
        out.backward()
        assert arrays[0]() is None, "what the tape kept must go as soon as the sweep has passed"
        del out
        assert [w() for w in watched] == [None, None, None]

        unswept = (x * 2).sigmoid().sum()
        node = weakref.ref(unswept.node)
        del unswept
        assert node() is None
    finally:
        gc.enable()


def test_only_what_formulas_name_is_kept():
    x, w = gf.tensor(np.ones((100, 100))), leaf(np.ones((100, 100)))
    product = x * w
    assert [kept is None for kept in product.node.inputs] == [False, True]  # w's gradient needs x, not w
    total = product + w
    assert [kept is None for kept in total.node.inputs] == [True, True]


def test_backward_without_a_graph_says_what_to_do():
    with pytest.raises(GradientError, match="requires grad; create its inputs with requires_grad=True"):
        gf.tensor(1.0).backward()


def test_backward_on_a_vector_says_what_to_do():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"shape \(2,\).*\.sum\(\) or \.mean\(\)"):
        (x * 2).backward()
    assert x.grad is None


def test_backward_with_a_gradient_of_another_shape_is_refused():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"grad has shape \(3,\), the tensor \(2,\)"):
        (x * 2).backward([1.0, 1.0, 1.0])


def test_backward_from_a_given_gradient():
    x = leaf([1.0, 2.0])
    (x * x).backward([1.0, 10.0])
    assert x.grad.tolist() == [2.0, 40.0]


def test_backward_twice_says_what_to_do_and_changes_nothing():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(GradientError, match=r"swept before.*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 4.0


def test_backward_twice_with_retain_graph():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_the_error_of_a_second_sweep_names_the_users_line():
    x = leaf(2.0)
    y = x * x  # this line
    y.backward()
    with pytest.raises(GradientError, match=r"test_tape\.py.*line \d+, in test_the_error_of_a_second"):
        y.backward()


def _broken_gradient(g, x):
    raise ShapeError("broken: on purpose")


_broken = Op(
    name="broken_for_a_test",
    forward=lambda xp, x, *, out=None: xp.add(x, 0, out=out),
    spec=like_first,
    vjp=(_broken_gradient,),
)


del OPS[_broken.name]  # the generic tests are not meant for it


def test_an_error_in_a_gradient_names_the_line_that_made_the_node_and_changes_no_gradient():
    x = leaf(2.0)
    y = gf.dispatch.apply(_broken, x) + x * x
    with pytest.raises(ShapeError) as caught:
        y.backward()
    assert "while differentiating broken_for_a_test, made at" in caught.value.__notes__[0]
    assert "test_tape.py" in caught.value.__notes__[0]
    assert x.grad is None


def test_overwriting_what_the_tape_kept_is_refused():
    x, data = leaf([1.0, 2.0]), gf.tensor([3.0, 4.0], dtype="float64")
    y = (x * data).sum()
    data.copy_(0.0)
    with pytest.raises(GradientError, match=r"multiply kept an array.*copy_ has overwritten it"):
        y.backward()
    assert x.grad is None


def test_overwriting_through_a_view_is_refused_too():
    x, data = leaf([1.0, 2.0]), gf.tensor([3.0, 4.0], dtype="float64")
    y = (x * data).sum()
    data.reshape(2, 1).T.add_(1.0)
    with pytest.raises(GradientError, match="overwritten"):
        y.backward()


def test_overwriting_what_no_gradient_reads_is_allowed():
    x = leaf([1.0, 2.0])
    y = (x + 1.0).sum()
    with gf.no_grad():
        x.add_(1.0)
    y.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_overwriting_something_else_is_allowed():
    x, data, other = leaf([1.0, 2.0]), gf.tensor([3.0, 4.0]), gf.zeros(3)
    y = (x * data).sum()
    other.add_(1.0)
    y.backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_more_writes_than_the_log_holds_are_not_forgotten_silently():
    x, data = leaf([1.0, 2.0]), gf.tensor([3.0, 4.0], dtype="float64")
    y = (x * data).sum()
    data.copy_(0.0)
    others = [gf.zeros(1) for _ in range(5000)]
    for other in others:
        other.add_(1.0)
    with pytest.raises(GradientError, match="written in place since"):
        y.backward()


def test_writing_to_a_tensor_that_requires_grad_names_the_functional_form():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"x\.at\[i\]\.set\(v\)"):
        x.add_(1.0)
    assert x.tolist() == [1.0, 2.0]
    with gf.no_grad():
        x.add_(1.0)
    assert x.tolist() == [2.0, 3.0]


def test_integers_cannot_require_grad():
    with pytest.raises(DTypeError, match="only floating tensors can require grad"):
        gf.tensor([1, 2], requires_grad=True)


def test_broadcast_gradients_are_summed_in_the_inputs_dtype():
    a, b = leaf(np.ones((3, 1)), "float32"), leaf(np.ones(4))
    (a * b).sum().backward()
    assert a.grad.tolist() == [[4.0]] * 3
    assert a.grad.dtype == np.float32
    assert b.grad.tolist() == [3.0] * 4


def test_two_threads_train_without_touching_each_other():
    def work(scale, results):
        x = leaf(float(scale))
        for _ in range(200):
            x.grad = None
            (x * x).backward()
        results[scale] = x.grad.item()

    results: dict[int, float] = {}
    threads = [threading.Thread(target=work, args=(i, results)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: 2.0 * i for i in range(4)}
