"""Every layer as an example: how it is made on a device, what it is given there, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow import nn
from gradflow.device import Device
from gradflow.ops.generator import manual_seed
from gradflow.tensor import Tensor, tensor

Make = Callable[[Device], nn.Module]


def real(device: Device) -> Tensor:
    """Normally distributed numbers that require grad, (8, 6), the same on every device."""
    values = np.random.default_rng(0).standard_normal((8, 6)).astype(np.float32)
    return tensor(values, device=device, requires_grad=True)


def labels(device: Device) -> Tensor:
    """A label below 6 for each row of ``real``."""
    return tensor([0, 1, 2, 3, 4, 5, 0, 1], device=device)


def shares(device: Device) -> Tensor:
    """Numbers in [0, 1], (8, 6)."""
    return tensor(np.random.default_rng(1).random((8, 6), np.float32), device=device)


def numbers(*shape: int) -> Callable[[Device], tuple[Tensor, ...]]:
    """Normally distributed numbers of ``shape`` that require grad."""
    values = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    return lambda device: (tensor(values, device=device, requires_grad=True),)


def _signs(device: Device) -> Tensor:
    """1 and -1 by turns, (8,)."""
    return tensor(np.array([1, -1] * 4), device=device)


def _more(*loss: Any) -> tuple[Make, Callable[[Device], tuple[Tensor, ...]]]:
    """A loss, made by the first, of ``real`` and what the others make."""
    make, *others = loss
    return lambda device: make(), lambda device: (real(device), *(each(device) for each in others))


def _corners(device: Device, *shape: int) -> Tensor:
    """Places in planes twice as large along each dimension, all different within a plane."""
    planes = np.broadcast_to(2 * np.arange(int(np.prod(shape[2:]))).reshape(shape[2:]), shape)
    return tensor(planes.copy(), device=device)


def _lazy(rank: int) -> dict[str, tuple[Make, Any]]:
    """The layers of a rank that learn their number of channels."""
    given = numbers(*(2, 3, 4, 3, 4)[: rank + 2])

    def made(name: str, *settings: int) -> Make:
        return lambda device: getattr(nn, name)(*settings, device=device)

    return {
        f"LazyConv{rank}d": (made(f"LazyConv{rank}d", 2, 2), given),
        f"LazyConvTranspose{rank}d": (made(f"LazyConvTranspose{rank}d", 2, 2), given),
        f"LazyBatchNorm{rank}d": (made(f"LazyBatchNorm{rank}d"), given),
    }


def _plain(make: Callable[[], nn.Module]) -> tuple[Make, Callable[[Device], tuple[Tensor, ...]]]:
    return lambda device: make(), lambda device: (real(device),)


def _loss(make: Callable[[], nn.Module], target: Callable[[Device], Tensor]) -> tuple[Make, Any]:
    return lambda device: make(), lambda device: (real(device), target(device))


def _two_sequences(device: Device) -> tuple[Tensor, ...]:
    return (*numbers(4, 3, 6)(device), *numbers(5, 3, 6)(device))


def _pads(rank: int) -> dict[str, tuple[Make, Any]]:
    """The layers that pad signals, images or volumes."""
    given = numbers(*(2, 3, 4, 3, 4)[: rank + 2])
    kinds = ("ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad", "ConstantPad")

    def made(kind: str) -> Make:
        return lambda device: getattr(nn, kind)(1, *((0.5,) if kind.startswith("Constant") else ()))

    return {f"{kind}{rank}d": (made(f"{kind}{rank}d"), given) for kind in kinds}


# how each layer is made on a device, and what it is given
LAYERS: dict[str, tuple[Make, Callable[[Device], tuple[Tensor, ...]]]] = {
    **_pads(1),
    **_pads(2),
    **_pads(3),
    **_lazy(1),
    **_lazy(2),
    **_lazy(3),
    "LazyLinear": (lambda device: nn.LazyLinear(4, device=device), numbers(2, 3)),
    "AdaptiveAvgPool1d": (lambda device: nn.AdaptiveAvgPool1d(2), numbers(2, 3, 6)),
    "AdaptiveAvgPool2d": (lambda device: nn.AdaptiveAvgPool2d(2), numbers(2, 3, 6, 5)),
    "AdaptiveAvgPool3d": (lambda device: nn.AdaptiveAvgPool3d(2), numbers(1, 2, 4, 5, 4)),
    "AdaptiveMaxPool1d": (lambda device: nn.AdaptiveMaxPool1d(2), numbers(2, 3, 6)),
    "AdaptiveMaxPool2d": (lambda device: nn.AdaptiveMaxPool2d(2), numbers(2, 3, 6, 5)),
    "AdaptiveMaxPool3d": (lambda device: nn.AdaptiveMaxPool3d(2), numbers(1, 2, 4, 5, 4)),
    "AvgPool1d": (lambda device: nn.AvgPool1d(2), numbers(2, 3, 6)),
    "AvgPool2d": (lambda device: nn.AvgPool2d(2), numbers(2, 3, 6, 5)),
    "AvgPool3d": (lambda device: nn.AvgPool3d(2), numbers(1, 2, 4, 5, 4)),
    "LPPool1d": (lambda device: nn.LPPool1d(2, 2), numbers(2, 3, 6)),
    "LPPool2d": (lambda device: nn.LPPool2d(2, 2), numbers(2, 3, 6, 5)),
    "LPPool3d": (lambda device: nn.LPPool3d(2, 2), numbers(1, 2, 4, 5, 4)),
    "MaxPool1d": (lambda device: nn.MaxPool1d(2), numbers(2, 3, 6)),
    "MaxPool2d": (lambda device: nn.MaxPool2d(2), numbers(2, 3, 6, 5)),
    "MaxPool3d": (lambda device: nn.MaxPool3d(2), numbers(1, 2, 4, 5, 4)),
    "MaxUnpool1d": (
        lambda device: nn.MaxUnpool1d(2),
        lambda device: (*numbers(2, 3, 4)(device), _corners(device, 2, 3, 4)),
    ),
    "MaxUnpool2d": (
        lambda device: nn.MaxUnpool2d(2),
        lambda device: (*numbers(2, 3, 2, 2)(device), _corners(device, 2, 3, 2, 2)),
    ),
    "MaxUnpool3d": (
        lambda device: nn.MaxUnpool3d(2),
        lambda device: (*numbers(1, 2, 2, 1, 2)(device), _corners(device, 1, 2, 2, 1, 2)),
    ),
    "BatchNorm2d": (lambda device: nn.BatchNorm2d(3, device=device), numbers(4, 3, 2, 5)),
    "BatchNorm3d": (lambda device: nn.BatchNorm3d(3, device=device), numbers(4, 3, 2, 2, 5)),
    "Fold": (lambda device: nn.Fold((4, 5), 2), numbers(1, 12, 12)),
    "GroupNorm": (lambda device: nn.GroupNorm(2, 6, device=device), numbers(4, 6, 5)),
    "InstanceNorm1d": (
        lambda device: nn.InstanceNorm1d(3, 1e-5, 0.1, True, True, device=device),
        numbers(2, 3, 5),
    ),
    "InstanceNorm2d": (lambda device: nn.InstanceNorm2d(3, affine=True, device=device), numbers(2, 3, 5, 4)),
    "InstanceNorm3d": (lambda device: nn.InstanceNorm3d(3), numbers(2, 3, 3, 2, 4)),
    "Bilinear": (
        lambda device: nn.Bilinear(3, 2, 4, device=device),
        lambda device: (*numbers(5, 3)(device), *numbers(5, 2)(device)),
    ),
    "ChannelShuffle": (lambda device: nn.ChannelShuffle(2), numbers(2, 4, 3)),
    "LocalResponseNorm": (lambda device: nn.LocalResponseNorm(3, alpha=0.5), numbers(2, 4, 3)),
    "Unflatten": (lambda device: nn.Unflatten(1, (2, 3)), numbers(4, 6)),
    "PixelShuffle": (lambda device: nn.PixelShuffle(2), numbers(1, 8, 2, 3)),
    "PixelUnshuffle": (lambda device: nn.PixelUnshuffle(2), numbers(1, 2, 4, 6)),
    "RMSNorm": (lambda device: nn.RMSNorm(6, device=device), numbers(2, 3, 6)),
    "Unfold": (lambda device: nn.Unfold(2), numbers(1, 3, 4, 5)),
    "Upsample": (lambda device: nn.Upsample((7, 5), mode="bicubic"), numbers(1, 2, 4, 6)),
    "MultiheadAttention": (
        lambda device: nn.MultiheadAttention(6, 2, device=device),
        lambda device: tuple(each for f in (4, 5, 5) for each in numbers(f, 3, 6)(device)),
    ),
    "TransformerEncoderLayer": (
        lambda device: nn.TransformerEncoderLayer(6, 2, 8, device=device),
        numbers(4, 3, 6),
    ),
    "TransformerEncoder": (
        lambda device: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, device=device), 2),
        numbers(4, 3, 6),
    ),
    "TransformerDecoderLayer": (lambda device: nn.TransformerDecoderLayer(6, 2, 8, device=device), _two_sequences),
    "TransformerDecoder": (
        lambda device: nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8, device=device), 1),
        _two_sequences,
    ),
    "Transformer": (lambda device: nn.Transformer(6, 2, 1, 1, 8, device=device), _two_sequences),
    "CTCLoss": (
        lambda device: nn.CTCLoss(),
        lambda device: (
            *numbers(6, 2, 4)(device),
            tensor([[1, 2], [3, 3]], device=device),
            *(tensor(lengths, device=device) for lengths in ([6, 5], [2, 2])),
        ),
    ),
    "CosineSimilarity": _loss(nn.CosineSimilarity, shares),
    "PairwiseDistance": _loss(nn.PairwiseDistance, shares),
    "CosineEmbeddingLoss": _more(nn.CosineEmbeddingLoss, shares, _signs),
    "GaussianNLLLoss": _more(nn.GaussianNLLLoss, shares, shares),
    "HingeEmbeddingLoss": _loss(nn.HingeEmbeddingLoss, lambda device: shares(device).round() * 2 - 1),
    "KLDivLoss": _loss(nn.KLDivLoss, shares),
    "MarginRankingLoss": _more(nn.MarginRankingLoss, shares, lambda device: shares(device).round() * 2 - 1),
    "MultiLabelMarginLoss": _loss(nn.MultiLabelMarginLoss, lambda device: (shares(device) * 6).to("int64")),
    "MultiLabelSoftMarginLoss": _loss(nn.MultiLabelSoftMarginLoss, shares),
    "MultiMarginLoss": _loss(nn.MultiMarginLoss, labels),
    "PoissonNLLLoss": _loss(nn.PoissonNLLLoss, shares),
    "SoftMarginLoss": _loss(nn.SoftMarginLoss, lambda device: shares(device).round() * 2 - 1),
    "TripletMarginLoss": _more(nn.TripletMarginLoss, shares, lambda device: shares(device) * 0.5),
    "TripletMarginWithDistanceLoss": _more(
        nn.TripletMarginWithDistanceLoss, shares, lambda device: shares(device) * 0.5
    ),
    "GRU": (lambda device: nn.GRU(3, 4, 2, bidirectional=True, device=device), numbers(3, 2, 3)),
    "GRUCell": (lambda device: nn.GRUCell(3, 4, device=device), numbers(2, 3)),
    "LSTM": (lambda device: nn.LSTM(3, 4, device=device), numbers(3, 2, 3)),
    "LSTMCell": (lambda device: nn.LSTMCell(3, 4, device=device), numbers(2, 3)),
    "RNN": (lambda device: nn.RNN(3, 4, device=device), numbers(3, 2, 3)),
    "RNNCell": (lambda device: nn.RNNCell(3, 4, device=device), numbers(2, 3)),
    "BCELoss": (lambda device: nn.BCELoss(), lambda device: (shares(device).requires_grad_(), shares(device))),
    "BCEWithLogitsLoss": _loss(nn.BCEWithLogitsLoss, shares),
    "BatchNorm1d": (lambda device: nn.BatchNorm1d(6, device=device), lambda device: (real(device),)),
    "Conv1d": (lambda device: nn.Conv1d(4, 6, 3, stride=2, device=device), numbers(2, 4, 7)),
    "Conv2d": (lambda device: nn.Conv2d(4, 6, 3, padding=1, groups=2, device=device), numbers(2, 4, 5, 4)),
    "Conv3d": (lambda device: nn.Conv3d(2, 3, 2, dilation=2, device=device), numbers(2, 2, 3, 4, 5)),
    "ConvTranspose1d": (lambda device: nn.ConvTranspose1d(4, 6, 3, stride=2, device=device), numbers(2, 4, 5)),
    "ConvTranspose2d": (lambda device: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, device=device), numbers(2, 4, 3, 4)),
    "ConvTranspose3d": (lambda device: nn.ConvTranspose3d(2, 3, 2, device=device), numbers(2, 2, 3, 2, 3)),
    "CrossEntropyLoss": _loss(nn.CrossEntropyLoss, labels),
    "Dropout": _plain(lambda: nn.Dropout(0.25)),
    "Dropout1d": (lambda device: nn.Dropout1d(0.25), numbers(3, 4, 5)),
    "Dropout2d": (lambda device: nn.Dropout2d(0.25), numbers(3, 4, 2, 5)),
    "Dropout3d": (lambda device: nn.Dropout3d(0.25), numbers(3, 4, 2, 2, 3)),
    "AlphaDropout": _plain(lambda: nn.AlphaDropout(0.25)),
    "FeatureAlphaDropout": (lambda device: nn.FeatureAlphaDropout(0.25), numbers(3, 4, 5)),
    "ELU": _plain(nn.ELU),
    "Embedding": (lambda device: nn.Embedding(6, 3, device=device), lambda device: (labels(device),)),
    "EmbeddingBag": (
        lambda device: nn.EmbeddingBag(6, 3, padding_idx=2, device=device),
        lambda device: (labels(device), tensor([0, 3, 3], device=device)),
    ),
    "Flatten": _plain(nn.Flatten),
    "GELU": _plain(nn.GELU),
    "Hardtanh": _plain(nn.Hardtanh),
    "HuberLoss": _loss(nn.HuberLoss, shares),
    "Identity": _plain(nn.Identity),
    "L1Loss": _loss(nn.L1Loss, shares),
    "LayerNorm": (lambda device: nn.LayerNorm(6, device=device), lambda device: (real(device),)),
    "LeakyReLU": _plain(nn.LeakyReLU),
    "Linear": (lambda device: nn.Linear(6, 5, device=device), lambda device: (real(device),)),
    "LogSoftmax": _plain(lambda: nn.LogSoftmax(-1)),
    "MSELoss": _loss(nn.MSELoss, shares),
    "NLLLoss": _loss(nn.NLLLoss, labels),
    "ReLU": _plain(nn.ReLU),
    "SELU": _plain(nn.SELU),
    "SiLU": _plain(nn.SiLU),
    "Sigmoid": _plain(nn.Sigmoid),
    "SmoothL1Loss": _loss(nn.SmoothL1Loss, shares),
    "Softmax": _plain(lambda: nn.Softmax(-1)),
    "Softplus": _plain(nn.Softplus),
    "Tanh": _plain(nn.Tanh),
    "CELU": _plain(nn.CELU),
    "GLU": _plain(nn.GLU),
    "Hardshrink": _plain(nn.Hardshrink),
    "Hardsigmoid": _plain(nn.Hardsigmoid),
    "Hardswish": _plain(nn.Hardswish),
    "LogSigmoid": _plain(nn.LogSigmoid),
    "Mish": _plain(nn.Mish),
    "PReLU": (lambda device: nn.PReLU(6, device=device), lambda device: (real(device),)),
    "RReLU": _plain(nn.RReLU),
    "ReLU6": _plain(nn.ReLU6),
    "Softmax2d": (lambda device: nn.Softmax2d(), numbers(2, 3, 2, 2)),
    "Softmin": _plain(nn.Softmin),
    "Softshrink": _plain(nn.Softshrink),
    "Softsign": _plain(nn.Softsign),
    "Tanhshrink": _plain(nn.Tanhshrink),
    "Threshold": _plain(lambda: nn.Threshold(0.1, -1.0)),
}


def layer(name: str, device: Device) -> list[Any]:
    """What the layer ``name`` gives on ``device``: its output, gradients of input and parameters, parameters, buffers.

    Parameters begin on ``device`` itself, from a fixed seed.
    """
    make, given = LAYERS[name]
    manual_seed(0)
    module, inputs = make(device), given(device)
    out = module(*inputs)
    out = out[0] if isinstance(out, tuple) else out  # of several results the first, which depends on all parameters
    weights = tensor(np.random.default_rng(2).standard_normal(out.shape).astype(np.float32), device=device)
    out.backward(weights)
    leaves = [*(x for x in inputs if x.requires_grad), *module.parameters()]
    return [copied(x) for x in (out, *(x.grad for x in leaves), *leaves, *(b for _, b in module.named_buffers()))]


def copied(x: Tensor | None) -> Any:
    """The elements of ``x``, as they are now."""
    assert x is not None
    return x.detach().cpu().numpy().copy()  # which on the CPU would change as training goes on
