"""Special functions with SciPy's names and meanings, elementwise, with gradients of any order, on every device."""

from __future__ import annotations

from gradflow.ops.activation import sigmoid as expit
from gradflow.ops.bessel import i0, i0e, i1, i1e, j0, j1, y0, y1
from gradflow.ops.erf import erf
from gradflow.ops.error_function import erfc, erfcx, erfinv
from gradflow.ops.exponential import cbrt, entr, exp2, logit, xlog1py, xlogy
from gradflow.ops.gamma_function import beta, betaln, digamma, gamma, gammaln, polygamma
from gradflow.ops.softmax import log_softmax, logsumexp, softmax

__all__ = [
    "beta",
    "betaln",
    "cbrt",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "gamma",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "j0",
    "j1",
    "log_softmax",
    "logit",
    "logsumexp",
    "polygamma",
    "softmax",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
]
