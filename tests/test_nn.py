"""Modules: what they hold, how it is saved and loaded, and layers against PyTorch."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import (
    ArgumentError,
    CheckpointError,
    DeviceError,
    DTypeError,
    GradientError,
    IndexOutOfRange,
    ShapeError,
    StateKeyError,
)


class Branches(nn.Module):
    """A parameter, buffers, a list and a nested sequence, assigned in no particular order."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", gf.zeros((), dtype="int64"))
        self.branches = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 2, bias=False)])
        self.register_buffer("cache", gf.zeros(4), persistent=False)
        self.scale = nn.Parameter([1.0, 2.0])
        self.head = nn.Sequential({"norm": nn.Identity(), "out": nn.Linear(2, 1)})

    def forward(self, x):
        for branch in self.branches:
            x = branch(x)
        return self.head(self.scale * x)


def values(module: nn.Module) -> dict[str, list]:
    return {name: value.tolist() for name, value in module.state_dict().items()}


# What a module holds


def test_parameters_buffers_and_modules_are_found_under_dotted_names():
    model = Branches()
    linear = ["branches.0.weight", "branches.0.bias", "branches.1.weight", "head.out.weight", "head.out.bias"]
    assert [name for name, _ in model.named_parameters()] == ["scale", *linear]
    assert [name for name, _ in model.named_buffers()] == ["count", "cache"]
    assert list(model.state_dict()) == ["scale", "count", *linear]
    assert [name for name, _ in model.named_children()] == ["branches", "head"]
    paths = ["", "branches", "branches.0", "branches.1", "head", "head.norm", "head.out"]
    assert [name for name, _ in model.named_modules()] == paths
    assert list(model.children()) == [model.branches, model.head]
    assert len(list(model.modules())) == 7
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in model.parameters())


def test_a_shared_parameter_appears_once_and_is_saved_under_both_names():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight"]
    twice = nn.Sequential(model[0], model[0])
    assert len(list(twice.parameters())) == 2 and len(list(twice.modules())) == 2
    assert list(twice.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_an_attribute_set_to_none_is_no_longer_held():
    layer = nn.Linear(2, 3)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(gf.ones((1, 2))).shape == (1, 3)


def test_parameters_are_plain_attributes():
    layer = nn.Linear(2, 3)
    assert vars(layer)["weight"] is layer.weight
    assert not hasattr(nn.Module, "__getattr__")
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        _ = layer.wieght


def test_a_parameter_owns_its_memory_and_is_floating():
    array = np.ones(3, np.float32)
    parameter = nn.Parameter(array)
    array[0] = 7
    assert parameter.tolist() == [1, 1, 1]
    assert parameter.requires_grad and parameter.dtype == gf.float32
    with pytest.raises(DTypeError, match="only floating tensors can require grad, and this one is int64"):
        nn.Parameter([1, 2])
    assert not nn.Parameter([1, 2], requires_grad=False).requires_grad


def test_forgetting_to_call_init_is_said_when_the_first_layer_is_assigned():
    class Forgetful(nn.Module):
        def __init__(self):
            self.width = 3
            self.layer = nn.Linear(3, 3)

    with pytest.raises(ArgumentError, match=r"Forgetful: 'layer' is assigned before super\(\).__init__\(\)"):
        Forgetful()


def test_a_parameter_or_module_is_not_silently_replaced_by_something_else():
    layer = nn.Linear(2, 3)
    weight = layer.weight
    with pytest.raises(DTypeError, match="Linear: 'weight' is a Parameter, and cannot become a Tensor"):
        layer.weight = gf.zeros((3, 2))
    assert layer.weight is weight
    model = nn.Sequential(layer)
    with pytest.raises(DTypeError, match="Sequential: '0' is a Module, and cannot become a function"):
        model[0] = lambda x: x
    assert model[0] is layer


def test_names_that_are_taken_or_dotted_are_refused():
    model = Branches()
    with pytest.raises(ArgumentError, match="'forward' is an attribute already"):
        model.register_buffer("forward", gf.zeros(1))
    with pytest.raises(ArgumentError, match=r"that is not empty and has no dot, got 'a\.b'"):
        nn.Sequential({"a.b": nn.Identity()})
    with pytest.raises(ArgumentError, match="a name is a string that is not empty and has no dot, got 1"):
        nn.ModuleDict({1: nn.Identity()})
    with pytest.raises(ArgumentError, match="'train' is an attribute already"):
        nn.Sequential({"train": nn.Identity()})
    with pytest.raises(DTypeError, match=r"'mean' must be a gf\.tensor, not a list"):
        model.register_buffer("mean", [0.0])
    with pytest.raises(DTypeError, match=r"'0' must be an nn\.Module, not the class Identity; write Identity\(\)"):
        nn.Sequential(nn.Identity)


def test_a_module_without_forward_says_so_when_called():
    with pytest.raises(AttributeError, match="'Module' object has no attribute 'forward'"):
        nn.Module()(1)


# Saving and loading


def test_a_state_dict_is_a_copy_that_training_leaves_alone():
    model = nn.Linear(2, 1)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)  # which moves the parameters once, now
    state = model.state_dict()
    before = state["weight"].tolist()
    model(gf.ones((4, 2))).sum().backward()
    optimizer.step()
    assert state["weight"].tolist() == before != model.weight.tolist()
    assert not state["weight"].requires_grad
    model.load_state_dict(state)
    assert model.weight.tolist() == before


def test_loading_writes_into_the_arrays_that_an_optimizer_holds():
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = gf.optim.SGD(model.parameters(), lr=1.0)
    array = model.weight.data
    model.load_state_dict(other.state_dict())
    assert model.weight.data is array and model.weight.requires_grad
    model(gf.ones((1, 2))).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(model.weight.detach().numpy(), other.weight.detach().numpy() - 1, rtol=1e-6)


def test_loading_between_forward_and_backward_is_noticed():
    model = nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 9))
    loss = model(gf.ones((9, 9))).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(GradientError, match="copy_ has overwritten it since"):
        loss.backward()


def test_missing_and_unexpected_names_are_listed_and_nothing_is_loaded():
    model = Branches()
    before = values(model)
    state = {name: value * 0 - 1 for name, value in model.state_dict().items()}
    state["heads.weight"] = state.pop("head.out.weight")
    with pytest.raises(StateKeyError) as caught:
        model.load_state_dict(state)
    message = "the state lacks head.out.weight and the model has no heads.weight; nothing was loaded"
    assert message in str(caught.value)
    assert values(model) == before
    keys = model.load_state_dict(state, strict=False)
    assert keys == (["head.out.weight"], ["heads.weight"])
    assert keys.missing_keys == ["head.out.weight"]
    assert model.scale.tolist() == [-1, -1]
    assert values(model)["head.out.weight"] == before["head.out.weight"]


def test_other_shapes_are_named_and_nothing_is_loaded():
    model = Branches()
    before = values(model)
    state = {name: value * 0 - 1 for name, value in model.state_dict().items()}
    state["head.out.weight"] = np.zeros((1, 3), np.float32)
    state["count"] = np.float32(1.5)
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(state)
    assert "head.out.weight is (1, 2) in the model and (1, 3) in the state" in str(caught.value)
    assert "count is int64 in the model and float32 in the state" in str(caught.value)
    assert values(model) == before


def test_values_are_converted_to_the_dtype_of_the_parameter():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[0.5, 2.0]]), "bias": [3.0]})
    assert layer.weight.dtype == gf.float32
    assert layer.weight.tolist() == [[0.5, 2.0]] and layer.bias.tolist() == [3.0]


def test_copies_and_pickles_have_the_values_and_a_life_of_their_own():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False), Branches())
    model[1].weight = model[0].weight
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    model(gf.ones((1, 2))).sum().backward()
    before = values(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert values(twin) == before
        assert twin[1].weight is twin[0].weight is not model[0].weight
        assert twin[0].weight.grad is None
        twin(gf.ones((1, 2))).sum().backward()
        gf.optim.SGD(twin.parameters(), lr=0.1).step()
        assert values(model) == before != values(twin)
    optimizer.step()
    assert values(model) != before


# Modes, gradients, dtypes


def test_train_and_eval_reach_every_module():
    model = Branches()
    assert model.training and model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())
    model.head.train(False)
    assert [m.training for m in model.modules()] == [True] * 4 + [False] * 3


def test_gradients_are_forgotten_and_asked_for_everywhere():
    model = Branches()
    model(gf.ones((1, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert model.requires_grad_(False) is model
    assert not model(gf.ones((1, 2))).requires_grad
    model.head.requires_grad_()
    assert model(gf.ones((1, 2))).requires_grad


def test_to_converts_what_is_floating_in_place():
    model = Branches()
    model(gf.ones((1, 2))).sum().backward()
    scale, before = model.scale, values(model)
    assert model.to("float64") is model
    assert model.scale is scale and scale.grad.dtype == gf.float64 and scale.requires_grad
    assert {p.dtype for p in model.parameters()} == {gf.float64}
    assert (model.cache.dtype, model.count.dtype) == (gf.float64, gf.int64)
    assert values(model) == before
    assert model(gf.ones((1, 2), dtype="float64")).dtype == gf.float64
    assert model.to("cpu") is model and scale.dtype == gf.float64


def test_to_something_impossible_changes_nothing():
    model = Branches()
    with pytest.raises(DTypeError, match="int32"):
        model.to(gf.int32)
    with pytest.raises(DTypeError, match="'folat32' is not a dtype"):
        model.to("folat32")
    with pytest.raises(DeviceError, match="cuda:99"):
        model.to("cuda:99")
    assert {p.dtype for p in model.parameters()} == {gf.float32}


def test_a_converted_model_is_trained_by_a_new_optimizer():
    model = nn.Linear(2, 1)
    gf.optim.SGD(model.parameters(), lr=0.5)
    model.to("float64")
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)
    before = model.weight.detach().numpy().copy()
    model(gf.ones((1, 2), dtype="float64")).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(model.weight.detach().numpy(), before - 0.5, rtol=1e-12)


# Containers


def test_a_sequence_runs_its_modules_in_order():
    first, second = nn.Linear(2, 3), nn.Linear(3, 1)
    model = nn.Sequential(first, second)
    x = gf.ones((4, 2))
    assert model(x).tolist() == second(first(x)).tolist()
    assert nn.Sequential()(x) is x
    assert list(model) == [first, second] and len(model) == 2
    assert model[0] is first and model[-1] is second
    assert isinstance(model[:1], nn.Sequential) and list(model[1:]) == [second]
    model[1] = nn.Identity()
    assert model(x).shape == (4, 3)
    assert model.append(second) is model
    assert [name for name, _ in model.named_children()] == ["0", "1", "2"]
    with pytest.raises(IndexOutOfRange, match="Sequential: there is no module 3; it has 3"):
        _ = model[3]


def test_a_sequence_can_be_named():
    model = nn.Sequential({"hidden": nn.Linear(2, 3), "out": nn.Linear(3, 1)})
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert model[1] is model.out


def test_a_list_grows_and_is_no_function():
    layers = nn.ModuleList().extend(nn.Linear(2, 2) for _ in range(3))
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[1:], nn.ModuleList) and len(layers[1:]) == 2
    with pytest.raises(AttributeError, match="'ModuleList' object has no attribute 'forward'"):
        layers(gf.ones(2))


def test_modules_and_parameters_have_names_in_dicts_as_in_pytorch(torch):
    def build(lib, one):
        heads = lib.ModuleDict({"b": lib.Linear(2, 1), "a": lib.Identity()})
        heads["c"] = lib.Linear(2, 2, bias=False)
        heads.update({"b": lib.Linear(2, 3)})
        scales = lib.ParameterDict({"x": lib.Parameter(one)})
        return lib.ModuleList([heads, scales, lib.ParameterList([lib.Parameter(one), lib.Parameter(one)])])

    ours, theirs = build(nn, gf.ones(1)), build(torch.nn, torch.ones(1))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    heads, scales, values = ours
    assert list(heads) == list(heads.keys()) == ["b", "a", "c"] and "a" in heads and len(heads) == 3
    assert [type(each) for each in heads.values()] == [nn.Linear, nn.Identity, nn.Linear]
    assert heads.pop("a") and "a" not in heads
    del heads["b"]
    assert list(dict(heads.items())) == ["c"]
    with pytest.raises(KeyError, match="a"):
        _ = heads["a"]
    with pytest.raises(ArgumentError, match="'train' is an attribute already"):
        heads["train"] = nn.Identity()
    scales["y"] = [2.0, 3.0]
    assert isinstance(scales["y"], nn.Parameter) and len(scales) == 2
    assert values.append([5.0])[-1].tolist() == [5.0] and len(values[1:]) == 2
    with pytest.raises(IndexOutOfRange, match="ParameterList: there is no parameter 3; it has 3"):
        _ = values[3]
    with pytest.raises(DTypeError, match=r"'w' must be an nn\.Parameter, not a Tensor"):
        nn.Module().register_parameter("w", gf.ones(1))


def test_a_model_prints_as_a_tree_with_counts():
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10, bias=False))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(64, 128)  8,320\n"
        "  (1): ReLU()\n"
        "  (2): Linear(128, 10, bias=False)  1,280\n"
        ")  9,600 parameters"
    )
    assert repr(nn.Sequential(nn.Sequential(nn.Flatten()))) == (
        "Sequential(\n  (0): Sequential(\n    (0): Flatten()\n  )\n)"
    )
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert repr(model).endswith("  (1): Linear(3, 3)  12\n)  15 parameters")


# Layers


def copied(torch_module, module: nn.Module) -> nn.Module:
    """``module`` with the weights of ``torch_module``, which has the same names."""
    assert list(module.state_dict()) == list(torch_module.state_dict())
    module.load_state_dict({name: value.numpy() for name, value in torch_module.state_dict().items()})
    return module


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_pytorchs(shape, bias, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(4, 3, bias=bias, dtype=torch.float64)
    ours = copied(theirs, nn.Linear(4, 3, bias=bias, dtype="float64"))
    data, seed = rng.normal(size=shape), rng.normal(size=(*shape[:-1], 3))
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    out, expected = ours(x), theirs(y)
    out.backward(seed)
    expected.backward(torch.tensor(seed))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12, atol=1e-12)
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), getattr(theirs, name).grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (2, 5)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_is_pytorchs(shape, bias, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Bilinear(3, 4, 2, bias=bias, dtype=torch.float64)
    ours = copied(theirs, nn.Bilinear(3, 4, 2, bias=bias, dtype="float64"))
    arrays = rng.normal(size=(*shape, 3)), rng.normal(size=(*shape, 4))
    out = ours(*(gf.tensor(each) for each in arrays))
    expected = theirs(*(torch.tensor(each) for each in arrays))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for (_, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-11)
    with pytest.raises(ShapeError, match=r"inputs \(5, 3\) and \(5, 3\) do not fit a weight \(out, m, n\)"):
        ours(gf.ones((5, 3)), gf.ones((5, 3)))


def test_unflatten_undoes_flatten():
    x = gf.ones((2, 12))
    assert nn.Unflatten(1, (3, 4))(x).shape == nn.Unflatten(-1, [3, -1])(x).shape == (2, 3, 4)
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(1, (3, 4))"
    for sizes in ((5, -1), (3, 5), (-1, -1), ()):
        with pytest.raises(ShapeError, match=r"Unflatten: dimension 1 of \(2, 12\) does not make"):
            nn.Unflatten(1, sizes)(x)


def test_a_model_has_pytorchs_names_and_takes_its_weights(rng):
    torch = pytest.importorskip("torch")

    def build(lib):
        class Net(lib.Module):
            def __init__(self):
                super().__init__()
                self.encoder = lib.Sequential(lib.Flatten(), lib.Linear(6, 5), lib.ReLU())
                self.heads = lib.ModuleList([lib.Linear(5, 2), lib.Linear(5, 2, bias=False)])

            def forward(self, x):
                code = self.encoder(x)
                return self.heads[0](code) + self.heads[1](code)

        return Net()

    theirs, ours = build(torch.nn), build(nn)
    ours.load_state_dict(theirs.state_dict())
    data = rng.normal(size=(7, 2, 3)).astype(np.float32)
    out, expected = ours(gf.tensor(data)), theirs(torch.tensor(data))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})


def test_linear_begins_uniform_within_one_over_the_root_of_its_inputs():
    layer = nn.Linear(16, 4000)
    for parameter in (layer.weight, layer.bias):
        drawn = parameter.detach().numpy()
        assert 0.249 < np.abs(drawn).max() <= 0.25
        assert abs(drawn.std() - 0.25 / np.sqrt(3)) < 4 * 0.25 / np.sqrt(3 * 2 * drawn.size)
    assert nn.Linear(0, 2)(gf.zeros((3, 0))).shape == (3, 2)


def test_the_same_seed_makes_the_same_model():
    models = []
    for seed in (0, 0, 1):
        gf.manual_seed(seed)
        models.append(values(Branches()))
    assert models[0] == models[1] != models[2]


@pytest.mark.parametrize(
    ("dims", "expected"), [((), (2, 60)), ((0,), (120,)), ((2, 3), (2, 3, 20)), ((-2, -1), (2, 3, 20))]
)
def test_flatten_joins_dimensions(dims, expected):
    x = gf.tensor(np.arange(120.0).reshape(2, 3, 4, 5))
    out = nn.Flatten(*dims)(x)
    assert out.shape == expected
    assert out.reshape(-1).tolist() == list(range(120))


def test_flatten_keeps_an_empty_batch_and_names_a_dimension_that_is_not_there():
    assert nn.Flatten()(gf.zeros((0, 3, 4))).shape == (0, 12)
    with pytest.raises(IndexOutOfRange, match="Flatten: axis 1 is out of range for 1 dimension"):
        nn.Flatten()(gf.zeros(3))


def test_identity_is_its_input():
    x = gf.ones(3)
    assert nn.Identity()(x) is x


def test_dropout_drops_in_training_only():
    layer = nn.Dropout(0.25)
    x = gf.ones(4000)
    gf.manual_seed(0)
    out = layer(x).numpy()
    kept = out != 0
    np.testing.assert_allclose(out[kept], 1 / 0.75, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    assert not np.array_equal(layer(x).numpy(), out)
    gf.manual_seed(0)
    assert np.array_equal(layer(x).numpy(), out)
    assert layer.eval()(x) is x
    assert repr(layer) == "Dropout(0.25)"


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_dropout_needs_a_probability(p):
    with pytest.raises(ArgumentError, match=r"Dropout: p is .*; a probability is in \[0, 1\]"):
        nn.Dropout(p)


ACTIVATIONS = {
    "ReLU": [()],
    "LeakyReLU": [(), (0.2,)],
    "ELU": [(), (0.5,)],
    "SELU": [()],
    "GELU": [(), ("tanh",)],
    "SiLU": [()],
    "Sigmoid": [()],
    "Tanh": [()],
    "Hardtanh": [(), (-0.5, 2.0)],
    "Softplus": [(), (2.0, 3.0)],
    "Softmax": [(0,), (-1,)],
    "LogSoftmax": [(0,), (-1,)],
    "Softmin": [(0,), (-1,)],
    "Softmax2d": [()],
    "ReLU6": [()],
    "CELU": [(), (2.0,)],
    "Mish": [()],
    "LogSigmoid": [()],
    "Hardswish": [()],
    "Softsign": [()],
    "Tanhshrink": [()],
    "Softshrink": [(), (2.0,)],
    "Hardshrink": [(), (2.0,)],
    "Threshold": [(1.0, -2.0)],
    "PReLU": [(), (5, 0.5)],
}


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n, each in ACTIVATIONS.items() for a in each], ids=str)
def test_activations_are_pytorchs(name, arguments, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(*arguments).to("float64"), getattr(torch.nn, name)(*arguments).to(torch.float64)
    data, seed = rng.normal(size=(2, 5, 7)) * 3, rng.normal(size=(2, 5, 7))
    x, y = gf.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    out, expected = ours(x), theirs(y)
    out.backward(seed)
    expected.backward(torch.tensor(seed))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-12)
    assert ours.keeps_shape and list(ours.state_dict()) == list(theirs.state_dict())
    for (_, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert weight.tolist() == other.tolist()
        np.testing.assert_allclose(weight.grad.numpy(), other.grad.numpy(), rtol=1e-10)


def test_activations_show_the_options_that_differ_from_the_defaults():
    shown = [nn.LeakyReLU(0.2), nn.Hardtanh(0, 6), nn.GELU("tanh"), nn.GELU(), nn.Softmax(1), nn.ELU(), nn.Softplus()]
    expected = (
        "LeakyReLU(negative_slope=0.2) Hardtanh(min_val=0, max_val=6) GELU(approximate='tanh') GELU() "
        "Softmax(dim=1) ELU() Softplus()"
    )
    assert " ".join(map(repr, shown)) == expected


def test_embedding_looks_rows_up_and_adds_their_gradients_up():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Embedding(5, 3)
    ours = copied(theirs, nn.Embedding(5, 3))
    words = np.array([[1, 4], [1, 0]])
    out, expected = ours(words), theirs(torch.tensor(words))
    assert out.tolist() == expected.tolist()
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-6)
    assert repr(ours) == "Embedding(5, 3)  15 parameters"


def test_embedding_begins_standard_normal():
    weight = nn.Embedding(100, 100).weight.detach().numpy()
    assert abs(weight.mean()) < 4 / 100 and abs(weight.std() - 1) < 4 / np.sqrt(2 * weight.size)
