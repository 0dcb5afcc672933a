"""Weights by direction and length, and weights of spectral norm 1."""

from __future__ import annotations

from gradflow.errors import ArgumentError
from gradflow.mode import no_grad
from gradflow.nn.convolution import _ConvTranspose
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.nn.utils.parametrize import register_parametrization
from gradflow.ops import random
from gradflow.ops.channels import normalize
from gradflow.ops.norm import norm
from gradflow.ops.shape import flatten, moveaxis
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _lengths(self, v: Tensor) -> Tensor:
        if self.dim is None:
            return norm(v)
        kept = normalize_axis("weight_norm", self.dim, v.ndim)
        return norm(v, 2, tuple(i for i in range(v.ndim) if i != kept), keepdims=True)

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / self._lengths(v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return self._lengths(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Make the parameter ``name`` a length times a direction: ``original0 * original1 / norm(original1)``.

    The lengths are those of the parts along ``dim``, or of the whole if that is None. Returns ``module``.
    Source: Salimans & Kingma, "Weight normalization", NeurIPS 2016.

    >>> from gradflow import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    >>> {name: value.shape for name, value in layer.named_parameters() if name != "bias"}
    {'parametrizations.weight.original0': (2, 1), 'parametrizations.weight.original1': (2, 3)}
    """
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.dim = normalize_axis("spectral_norm", dim, weight.ndim)
        self.n_power_iterations, self.eps = n_power_iterations, eps
        with no_grad():
            matrix = self._matrix(weight)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                begun = random.normal((size,), dtype=weight.dtype, device=weight.device)
                self.register_buffer(name, normalize(begun, 2.0, 0, eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        return flatten(moveaxis(weight, self.dim, 0), 1) if weight.ndim > 1 else weight.reshape(-1, 1)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            self._u.copy_(normalize(matrix @ self._v, 2.0, 0, self.eps))
            self._v.copy_(normalize(matrix.T @ self._u, 2.0, 0, self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            with no_grad():
                self._iterate(self._matrix(weight).detach(), self.n_power_iterations)
        u, v = self._u.copy(), self._v.copy()  # which later calls overwrite
        return weight / (u * (self._matrix(weight) @ v)).sum()


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide the parameter ``name``, as a matrix with a row for each part along ``dim``, by its largest singular value.

    That is estimated by ``n_power_iterations`` from the vectors of the last call, in training. ``dim`` is 0, and 1 for
    transposed convolutions. Returns ``module``. Source: Miyato et al., "Spectral normalization", ICLR 2018.

    >>> import gradflow as gf
    >>> layer = gf.nn.utils.parametrizations.spectral_norm(gf.nn.Linear(1, 3))
    >>> round(gf.linalg.norm(layer.weight, 2).item(), 5)
    1.0
    """
    if n_power_iterations < 1:
        raise ArgumentError(f"spectral_norm: n_power_iterations is {n_power_iterations}; it must be 1 or more")
    weight = vars(module).get(name)
    if not isinstance(weight, Parameter):
        raise ArgumentError(f"spectral_norm: {name!r} is no parameter of {module.heading}")
    along = (1 if isinstance(module, _ConvTranspose) else 0) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, along, eps))
