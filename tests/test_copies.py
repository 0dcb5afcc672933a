"""Copies, pickles and buffers: tensors, parameters, modules with their optimizers, on both devices."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import CompileError, ExportError, GradientError

ways = pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)


@ways
def test_a_leaf_has_its_values_and_a_life_of_its_own(twin):
    x = gf.tensor([[1.0, 2.0]], requires_grad=True)
    (x * x).sum().backward()
    y = twin(x)
    assert type(y) is gf.Tensor and y.requires_grad and y.is_leaf and y.grad is None
    assert y.tolist() == x.tolist() and y.dtype == x.dtype and not np.shares_memory(x.data, y.data)


@ways
@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float64", "complex64"])
def test_every_dtype_and_an_empty_tensor(twin, dtype):
    for shape in ((), (2, 3), (0, 2)):
        y = twin(gf.ones(shape, dtype=dtype))
        assert (y.shape, y.dtype, y.requires_grad) == (shape, np.dtype(dtype), False)


@ways
def test_a_computed_tensor_would_lose_its_history(twin):
    y = gf.tensor([1.0], requires_grad=True) * 2
    with pytest.raises(GradientError, match=r"computed, by multiply.* use \.detach\(\)"):
        twin(y)
    assert twin(y.detach()).tolist() == [2.0]


def test_a_shallow_copy_shares_memory_and_the_place_on_the_tape():
    x = gf.tensor([1.0, 2.0], requires_grad=True)
    y = copy.copy(x * 3)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    leaf = copy.copy(x)
    assert leaf is not x and np.shares_memory(leaf.data, x.data) and leaf.requires_grad


@ways
def test_a_tensor_stays_on_its_device(twin, cuda):
    x = gf.tensor([1.0, 2.0], device="cuda")
    y = twin(x)
    assert y.device == x.device and y.tolist() == [1.0, 2.0]
    y[0] = 7.0
    assert x.tolist() == [1.0, 2.0]


@ways
def test_what_is_shared_stays_shared(twin):
    p = gf.nn.Parameter([1.0])
    a, b = twin([p, p])
    assert a is b is not p and type(a) is gf.nn.Parameter and a.requires_grad


@ways
@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop", "Lion"])
def test_a_module_and_its_optimizer_go_on_as_the_originals_do(twin, kind):
    gf.manual_seed(0)
    model = gf.nn.Sequential(gf.nn.Linear(3, 4), gf.nn.Tanh(), gf.nn.Linear(4, 1))
    optimizer = getattr(gf.optim, kind)(model.parameters(), lr=0.01)
    schedule = gf.optim.lr_scheduler.StepLR(optimizer, 1)
    x = gf.random.normal((5, 3))

    def train(model, optimizer, schedule):
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    train(model, optimizer, schedule)
    copied = twin((model, optimizer, schedule))
    assert copied[1].param_groups[0]["params"][0] is copied[0][0].weight is not model[0].weight
    expected = [train(model, optimizer, schedule) for _ in range(3)]
    assert [train(*copied) for _ in range(3)] == expected
    assert copied[1].param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_a_copy_inside_a_compiled_step_is_refused_or_made_anew():
    @gf.compile
    def step(x):
        return copy.deepcopy(x) * 2

    with pytest.raises(CompileError, match="deepcopy"):
        for i in range(3):
            step(gf.full(2, float(i)))


def test_inside_a_transform_there_is_nothing_to_copy():
    with pytest.raises(GradientError, match="inside vmap"):
        gf.vmap(copy.deepcopy)(gf.ones((2, 2)))


@pytest.mark.parametrize("dtype", ["bool", "float16", "float64", "complex64"])
def test_a_pickle_hands_memory_over_out_of_band(dtype):
    x = gf.tensor(np.arange(6).reshape(2, 3) % 2, dtype)
    buffers = []
    y = pickle.loads(pickle.dumps(x, protocol=5, buffer_callback=buffers.append), buffers=buffers)
    assert len(buffers) == 1 and np.shares_memory(x.data, y.data) and y.dtype == x.dtype and y.tolist() == x.tolist()
    turned = pickle.loads(pickle.dumps(x.T, protocol=5, buffer_callback=buffers.append), buffers=buffers[1:])
    assert turned.tolist() == x.T.tolist()


def test_a_pickle_of_a_gpu_goes_through_the_memory_of_the_cpu(cuda):
    x, buffers = gf.tensor([1.0, 2.0], device="cuda"), []
    y = pickle.loads(pickle.dumps(x, protocol=5, buffer_callback=buffers.append), buffers=buffers)
    assert len(buffers) == 1 and y.device == x.device and y.tolist() == [1.0, 2.0]


# Python asks for __buffer__ from 3.12 on; before, memoryview(np.asarray(x)) is the way
view = memoryview if sys.version_info >= (3, 12) else lambda x: x.__buffer__(0)


def test_a_buffer_is_the_memory_itself():
    x = gf.tensor([[1.0, 2.0], [3.0, 4.0]])
    for taken in (view(x), memoryview(np.asarray(x))):
        assert (taken.format, taken.shape, taken.readonly) == ("f", (2, 2), False)
        taken[0, 0] += 1.0
    assert x.tolist() == [[3.0, 2.0], [3.0, 4.0]]
    assert np.frombuffer(view(x), np.float32).tolist() == [3.0, 2.0, 3.0, 4.0]
    assert view(x.T).tolist() == [[3.0, 3.0], [2.0, 4.0]] and view(gf.zeros((0, 2))).nbytes == 0
    shared = gf.from_numpy(np.frombuffer(view(x), np.float32))
    assert np.shares_memory(shared.data, x.data)
    fixed = gf.tensor(np.frombuffer(b"\0" * 8, np.float64))
    assert view(fixed).readonly


def test_a_buffer_is_refused_where_something_would_be_lost(cuda):
    with pytest.raises(ExportError, match=r"memoryview: this tensor requires grad.*use \.detach"):
        view(gf.ones(2, requires_grad=True))
    with pytest.raises(ExportError, match=r"the memory is on cuda:0; bring the tensor to the CPU with \.cpu"):
        view(gf.ones(2, device="cuda"))
    with pytest.raises(ExportError, match="inside vmap"):
        gf.vmap(view)(gf.ones((2, 2)))
    with pytest.raises(BufferError, match="Python's buffers have no bfloat16"):
        view(gf.ones(2, dtype="bfloat16"))
    with pytest.raises(CompileError, match="memoryview"):
        step = gf.compile(lambda x: x * view(x)[0])
        for i in range(3):
            step(gf.full(2, float(i)))
