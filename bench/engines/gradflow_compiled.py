"""gradflow, the step compiled by gf.compile, without the extra ``fast``."""

from __future__ import annotations

from bench.cases import Case
from bench.engines import Step, Unavailable
from bench.engines.gradflow import build_from

PACKAGE = "gradflow"
ENVIRONMENT = {"GRADFLOW_FAST": "0"}
CACHE = "GRADFLOW_CACHE_DIR"


def build(case: Case) -> Step:
    import gradflow as gf

    if not hasattr(gf, "compile"):
        raise Unavailable("no gf.compile yet")
    return build_from(case, gf.compile)
