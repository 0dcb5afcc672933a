"""gradflow, the step compiled by gf.compile, with the extra ``fast``."""

from __future__ import annotations

from importlib import util

from bench.cases import Case
from bench.engines import Step, Unavailable, gradflow_compiled

PACKAGE = "gradflow"
CACHE = "GRADFLOW_CACHE_DIR"


def build(case: Case) -> Step:
    if util.find_spec("llvmlite") is None:
        raise Unavailable("the extra fast is not installed; pip install llvmlite")
    return gradflow_compiled.build(case)
