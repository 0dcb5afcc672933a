"""Special functions with SciPy's names and meanings, elementwise, with gradients of any order, on every device."""

from __future__ import annotations

from gradflow.ops.activation import sigmoid as expit
from gradflow.ops.activation_formulas import logsigmoid as log_expit
from gradflow.ops.bessel import i0, i0e, i1, i1e, j0, j1, k0, k0e, k1, k1e, y0, y1
from gradflow.ops.dilogarithm import spence
from gradflow.ops.divergence import huber, kl_div, pseudo_huber, rel_entr
from gradflow.ops.elliptic import ellipe, ellipk, ellipkm1
from gradflow.ops.erf import erf
from gradflow.ops.error_function import dawsn, erfc, erfcinv, erfcx, erfi, erfinv, log_ndtr, ndtr, ndtri
from gradflow.ops.exponential import cbrt, entr, exp2, logit, xlog1py, xlogy
from gradflow.ops.exponential_integral import exp1, expi, expn
from gradflow.ops.gamma_function import beta, betaln, digamma, gamma, gammaln, multigammaln, polygamma
from gradflow.ops.gamma_function import digamma as psi
from gradflow.ops.incomplete import betainc, gammainc, gammaincc
from gradflow.ops.lambert import lambertw
from gradflow.ops.near_zero import (
    boxcox,
    boxcox1p,
    cosm1,
    exp10,
    exprel,
    inv_boxcox,
    inv_boxcox1p,
    log1mexp,
)
from gradflow.ops.softmax import log_softmax, logsumexp, softmax
from gradflow.ops.spherical_bessel import spherical_jn, spherical_yn
from gradflow.ops.zeta_function import zeta

__all__ = [
    "beta",
    "betainc",
    "betaln",
    "boxcox",
    "boxcox1p",
    "cbrt",
    "cosm1",
    "dawsn",
    "digamma",
    "ellipe",
    "ellipk",
    "ellipkm1",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfi",
    "erfinv",
    "exp1",
    "exp10",
    "exp2",
    "expi",
    "expit",
    "expn",
    "exprel",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "huber",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "inv_boxcox",
    "inv_boxcox1p",
    "j0",
    "j1",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kl_div",
    "lambertw",
    "log1mexp",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "pseudo_huber",
    "psi",
    "rel_entr",
    "softmax",
    "spence",
    "spherical_jn",
    "spherical_yn",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "zeta",
]
