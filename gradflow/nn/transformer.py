"""Transformers: stacks of layers of attention and of two linear layers, each added to what it was given."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError
from gradflow.nn import init
from gradflow.nn.attention import MultiheadAttention
from gradflow.nn.container import ModuleList
from gradflow.nn.dropout import Dropout
from gradflow.nn.linear import Linear
from gradflow.nn.module import Module
from gradflow.nn.normalization import LayerNorm
from gradflow.ops.create import full
from gradflow.ops.diagonal import triu
from gradflow.ops.gelu import gelu
from gradflow.ops.rectifier import relu
from gradflow.tensor import Tensor, TensorLike

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu}


class _Layer(Module):
    """What both kinds have: ``attentions``, two linear layers, and a norm and a dropout for each of these parts."""

    attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ArgumentError(f"{type(self).__name__}: activation is relu, gelu or a function, got {activation!r}")
        beside: dict[str, Any] = {"device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **beside)
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **beside)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **beside)
        self.norm_first = norm_first
        parts = range(1, len(self.attentions) + 2)
        for i in parts:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, **beside))
        for i in parts:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _added(self, x: Tensor, part: int, function: Callable[[Tensor], Tensor]) -> Tensor:
        norm, dropout = getattr(self, f"norm{part}"), getattr(self, f"dropout{part}")
        result: Tensor = x + dropout(function(norm(x))) if self.norm_first else norm(x + dropout(function(x)))
        return result

    def _fed_forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return result


class TransformerEncoderLayer(_Layer):
    """Self-attention and two linear layers: (L, N, d_model), kept; (N, L, d_model) if ``batch_first``, or without N.

    Each part is dropped out, added to its input and normalised; ``norm_first`` normalises the input instead.
    ``dim_feedforward`` are the features between the linear layers, ``activation`` is "relu", "gelu" or a function.
    Masks are those of ``MultiheadAttention``: True, or -inf, hides. ``is_causal`` hides later places, where no
    ``src_mask`` is given. Raises ArgumentError unless ``nhead`` divides ``d_model``, ShapeError.
    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    >>> import gradflow as gf
    >>> gf.nn.TransformerEncoderLayer(8, 2, 16)(gf.ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    keeps_shape = True
    attentions = ("self_attn",)
    self_attn: MultiheadAttention

    def forward(
        self,
        src: Tensor,
        src_mask: TensorLike = None,
        src_key_padding_mask: TensorLike = None,
        is_causal: bool = False,
    ) -> Tensor:
        masks = src_key_padding_mask, False, src_mask, False, is_causal
        x = self._added(src, 1, lambda x: self.self_attn(x, x, x, *masks)[0])
        return self._added(x, 2, self._fed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to ``memory`` and two linear layers: (T, N, d_model), kept.

    ``memory`` is (S, N, d_model), what an encoder gave. See ``TransformerEncoderLayer``.

    >>> import gradflow as gf
    >>> gf.nn.TransformerDecoderLayer(8, 2, 16)(gf.ones((5, 3, 8)), gf.ones((4, 3, 8))).shape
    (5, 3, 8)
    """

    keeps_shape = True
    attentions = ("self_attn", "multihead_attn")
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: TensorLike = None,
        memory_mask: TensorLike = None,
        tgt_key_padding_mask: TensorLike = None,
        memory_key_padding_mask: TensorLike = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        own = tgt_key_padding_mask, False, tgt_mask, False, tgt_is_causal
        other = memory_key_padding_mask, False, memory_mask, False, memory_is_causal
        x = self._added(tgt, 1, lambda x: self.self_attn(x, x, x, *own)[0])
        x = self._added(x, 2, lambda x: self.multihead_attn(x, memory, memory, *other)[0])
        return self._added(x, 3, self._fed_forward)


class _Stack(Module):
    """``num_layers`` copies of ``layer``, which begin alike, one after the other, and ``norm`` after the last."""

    keeps_shape = True

    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def _through(self, x: Tensor, *given: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *given)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """A stack of ``num_layers`` copies of an encoder layer; they begin alike, so initialise their parameters anew.

    >>> import gradflow as gf
    >>> layer = gf.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> gf.nn.TransformerEncoder(layer, 6)(gf.ones((3, 5, 8)), is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: TensorLike = None,
        src_key_padding_mask: TensorLike = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        return self._through(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    """A stack of ``num_layers`` copies of a decoder layer; they begin alike, so initialise their parameters anew.

    >>> import gradflow as gf
    >>> decoder = gf.nn.TransformerDecoder(gf.nn.TransformerDecoderLayer(8, 2, 16), 6)
    >>> decoder(gf.ones((5, 3, 8)), gf.ones((4, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: TensorLike = None,
        memory_mask: TensorLike = None,
        tgt_key_padding_mask: TensorLike = None,
        memory_key_padding_mask: TensorLike = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self._through(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


class Transformer(Module):
    """An encoder and a decoder: source (S, N, d_model) and target (T, N, d_model) -> (T, N, d_model).

    ``custom_encoder`` and ``custom_decoder`` take the place of the stacks. Matrices begin by Glorot's initialisation.
    See ``TransformerEncoderLayer`` for the other settings, masks and errors.

    >>> import gradflow as gf
    >>> model = gf.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(gf.ones((3, 4, 8)), gf.ones((3, 5, 8)), tgt_is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        how = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        beside: dict[str, Any] = {"device": device, "dtype": dtype}

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, **beside)

        self.encoder: Module = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*how, **beside), num_encoder_layers, norm()
        )
        self.decoder: Module = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*how, **beside), num_decoder_layers, norm()
        )
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: TensorLike = None,
        tgt_mask: TensorLike = None,
        memory_mask: TensorLike = None,
        src_key_padding_mask: TensorLike = None,
        tgt_key_padding_mask: TensorLike = None,
        memory_key_padding_mask: TensorLike = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        result: Tensor = self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)
        return result

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, *, device: str | Device | None = None, dtype: DTypeLike = None
    ) -> Tensor:
        """A mask (sz, sz) that hides later places: -inf above the diagonal, 0 elsewhere.

        >>> import gradflow as gf
        >>> gf.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[  0., -inf],
                [  0.,   0.]])
        """
        return triu(full((sz, sz), float("-inf"), dtype=dtype, device=device), 1)
