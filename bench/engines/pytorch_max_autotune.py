"""PyTorch, the whole step in one graph of torch.compile, mode max-autotune-no-cudagraphs."""

from __future__ import annotations

from bench.cases import Case
from bench.engines import Step
from bench.engines.pytorch_compile import build_in_mode

PACKAGE = "torch"
CACHE = "TORCHINDUCTOR_CACHE_DIR"


def build(case: Case) -> Step:
    return build_in_mode(case, "max-autotune-no-cudagraphs")
