"""How exactly matrices of float32 are multiplied on CUDA: a switch, exact unless it is set."""

from __future__ import annotations

from gradflow.errors import ArgumentError

CHOICES = ("highest", "high")
_chosen = CHOICES[0]


def set_float32_matmul_precision(precision: str) -> None:
    """Multiply float32 matrices on CUDA in float32 ("highest", the default), or their TF32 roundings ("high").

    TF32 keeps 10 bits of each factor's significand, a relative error of up to 5e-4, for a multiple of the speed on
    tensor cores; sums are float32. The CPU is not affected. Name and choices are PyTorch's. Raises ArgumentError.

    >>> import gradflow as gf
    >>> gf.set_float32_matmul_precision("highest")
    """
    global _chosen  # noqa: PLW0603
    if precision not in CHOICES:
        raise ArgumentError(f"set_float32_matmul_precision: {precision!r} is not one of {', '.join(CHOICES)}")
    _chosen = precision


def get_float32_matmul_precision() -> str:
    """What ``set_float32_matmul_precision`` chose: "highest" or "high"."""
    return _chosen
