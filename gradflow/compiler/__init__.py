"""gf.compile: a step is traced, becomes a plan, and is replayed."""

from gradflow.compiler.compiled import Compiled, RetraceWarning, compile

__all__ = ["Compiled", "RetraceWarning", "compile"]
