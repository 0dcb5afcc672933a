"""Transformers against PyTorch's, with its weights: results, gradients, masks, and how they begin."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError

E, HEADS, WIDE = 8, 2, 12


@pytest.fixture
def agree(torch, rng):
    """Run a module of PyTorch and ours with its weights on the same arrays, and compare results and gradients."""

    def compare(theirs, ours, *shapes, **masks):
        theirs, ours = theirs.to(torch.float64).eval(), ours.to("float64").eval()
        for parameter in theirs.parameters():  # biases and norms begin trivially
            torch.nn.init.normal_(parameter, std=0.5)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
        arrays = [rng.normal(size=shape) for shape in shapes]
        xs = [gf.tensor(each, requires_grad=True) for each in arrays]
        ys = [torch.tensor(each, requires_grad=True) for each in arrays]
        out = ours(*xs, **masks)
        expected = theirs(*ys, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in masks.items()})
        np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
        seed = rng.normal(size=expected.shape)
        out.backward(seed)
        expected.backward(torch.tensor(seed))
        pairs = zip([*xs, *ours.parameters()], [*ys, *theirs.parameters()], strict=True)
        for x, y in pairs:
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-8, atol=1e-10)

    return compare


def both(torch, name, *arguments, **settings):
    return [getattr(lib, name)(*arguments, **settings) for lib in (torch.nn, nn)]


SETTINGS = [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_encoder_layer_is_pytorchs(settings, agree, torch):
    hidden = np.triu(np.ones((5, 5), bool), 1)
    padding = np.zeros((5, 5), bool)
    padding[2, 3:] = True
    layers = both(torch, "TransformerEncoderLayer", E, HEADS, WIDE, **settings)
    agree(*layers, (5, 5, E), src_mask=hidden, src_key_padding_mask=padding)
    agree(*layers, (5, E))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_decoder_layer_is_pytorchs(settings, agree, torch):
    shapes = ((3, 4, E), (3, 5, E)) if settings.get("batch_first") else ((4, 3, E), (5, 3, E))
    padding = np.zeros((3, 5), bool)
    padding[1, 2:] = True
    layers = both(torch, "TransformerDecoderLayer", E, HEADS, WIDE, **settings)
    agree(*layers, *shapes, tgt_mask=np.triu(np.ones((4, 4), bool), 1), memory_key_padding_mask=padding)


def test_a_transformer_is_pytorchs(agree, torch, rng):
    models = both(torch, "Transformer", E, HEADS, 2, 2, WIDE, batch_first=True)
    later = np.triu(np.full((4, 4), -np.inf), 1)
    agree(*models, (3, 5, E), (3, 4, E), tgt_mask=later, memory_mask=rng.normal(size=(4, 5)))


def test_is_causal_hides_later_places(rng):
    layer = nn.TransformerEncoderLayer(E, HEADS, WIDE, batch_first=True).eval().requires_grad_(False)
    x = gf.tensor(rng.normal(size=(2, 5, E)).astype(np.float32))
    later = nn.Transformer.generate_square_subsequent_mask(5)
    np.testing.assert_allclose(layer(x, is_causal=True).numpy(), layer(x, later).numpy(), rtol=1e-5, atol=1e-6)
    assert not np.allclose(layer(x).numpy(), layer(x, later).numpy(), atol=1e-2)


def test_a_stack_is_of_copies_that_begin_alike_and_train_apart():
    layer = nn.TransformerEncoderLayer(E, HEADS, WIDE)
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(E))
    first, second = (each.linear1.weight for each in encoder.layers)
    assert first is not second and first.tolist() == second.tolist() == layer.linear1.weight.tolist()
    encoder(gf.ones((3, 2, E))).sum().backward()
    assert layer.linear1.weight.grad is None and first.grad is not second.grad


def test_a_transformer_drops_out_in_training_only_and_begins_by_glorot():
    model = nn.Transformer(E, HEADS, 1, 1, WIDE, dropout=0.5)
    x = gf.ones((4, 2, E))
    assert model(x, x).tolist() != model(x, x).tolist()
    assert model.eval()(x, x).tolist() == model(x, x).tolist()
    bound = (6 / (E + WIDE)) ** 0.5
    largest = max(abs(each.linear1.weight.detach().numpy()).max() for each in model.encoder.layers)
    assert 0.8 * bound < largest <= bound


def test_settings_and_inputs_that_do_not_fit_are_named():
    with pytest.raises(ArgumentError, match=r"TransformerEncoderLayer: activation is .* got 'tanh'"):
        nn.TransformerEncoderLayer(E, HEADS, activation="tanh")
    with pytest.raises(ArgumentError, match="embed_dim 8 is no multiple of num_heads 3"):
        nn.TransformerDecoderLayer(E, 3)
    with pytest.raises(ShapeError, match=r"in encoder\.layers\.0\.self_attn"):
        nn.Transformer(E, HEADS, 1, 1, WIDE)(gf.ones((4, 2, 6)), gf.ones((4, 2, E)))


def test_a_compiled_step_of_a_stack_is_the_eager_one(rng):
    arrays = [gf.tensor(rng.normal(size=shape).astype(np.float32)) for shape in ((4, 3, E), (5, 3, E))]

    def losses(through):
        gf.manual_seed(0)
        model = nn.Transformer(E, HEADS, 2, 1, WIDE)  # with lists of modules, and dropout
        optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

        def step(src, tgt):
            optimizer.zero_grad()
            loss = (model(src, tgt, tgt_is_causal=True) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = through(step)
        return [run(*arrays).item() for _ in range(3)]

    np.testing.assert_allclose(losses(gf.compile), losses(lambda step: step), rtol=1e-4)
