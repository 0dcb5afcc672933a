"""SciPy's and scikit-learn's functions that take any array API's arrays take tensors and return them."""

from __future__ import annotations

import pytest

from process import python

# both import SciPy, which asks the environment whether it may: hence a process for each
SCIPY = """
import os, warnings
os.environ["SCIPY_ARRAY_API"] = "1"
warnings.simplefilter("ignore")
import numpy as np, gradflow as gf
from scipy import cluster, fft, integrate, ndimage, optimize, signal, special, stats
from scipy.spatial.transform import Rotation

a, b = np.linspace(0.1, 0.9, 8), np.linspace(0.2, 1.9, 8)
m = np.random.default_rng(0).normal(size=(10, 2))
PURE = {  # the gradient flows through these
    "special.softmax": lambda x, y: special.softmax(x), "special.xlogy": lambda x, y: special.xlogy(x, y),
    "integrate.trapezoid": lambda x, y: integrate.trapezoid(x, y), "stats.moment": lambda x, y: stats.moment(x, 2),
    "stats.skew": lambda x, y: stats.skew(x), "stats.kurtosis": lambda x, y: stats.kurtosis(x),
    "stats.gmean": lambda x, y: stats.gmean(x), "stats.hmean": lambda x, y: stats.hmean(x),
    "stats.pmean": lambda x, y: stats.pmean(x, 2), "stats.kstat": lambda x, y: stats.kstat(x),
    "stats.sem": lambda x, y: stats.sem(x), "stats.circmean": lambda x, y: stats.circmean(x),
    "signal.fftconvolve": lambda x, y: signal.fftconvolve(x, y),
    "signal.oaconvolve": lambda x, y: signal.oaconvolve(x, y), "fft.rfft": lambda x, y: fft.rfft(x).real,
    "optimize.rosen": lambda x, y: optimize.rosen(x),
}
OTHERS = {  # these write into arrays or ask NumPy: tensors without grad, the rest is an error
    "special.expit": lambda x, y: special.expit(x), "special.gammaln": lambda x, y: special.gammaln(x),
    "special.logsumexp": lambda x, y: special.logsumexp(x), "special.i0": lambda x, y: special.i0(x),
    "special.erf": lambda x, y: special.erf(x), "special.kl_div": lambda x, y: special.kl_div(x, y),
    "special.betaln": lambda x, y: special.betaln(x, y),
    "stats.zscore": lambda x, y: stats.zscore(x), "stats.variation": lambda x, y: stats.variation(x),
    "stats.entropy": lambda x, y: stats.entropy(x), "stats.pearsonr": lambda x, y: stats.pearsonr(x, y)[0],
    "stats.ttest_1samp": lambda x, y: stats.ttest_1samp(x, 0.0)[1], "signal.detrend": lambda x, y: signal.detrend(x),
    "signal.hilbert": lambda x, y: signal.hilbert(x), "signal.convolve": lambda x, y: signal.convolve(x, y),
    "fft.dct": lambda x, y: fft.dct(x), "ndimage.gaussian_filter": lambda x, y: ndimage.gaussian_filter(x, 1.0),
    "cluster.vq.whiten": lambda x, y: cluster.vq.whiten(x[:, None]),
}
for name, f in {**PURE, **OTHERS}.items():
    result, expected = f(gf.tensor(a), gf.tensor(b)), f(a, b)
    assert isinstance(result, gf.Tensor), (name, type(result))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-8, atol=1e-12, err_msg=name)
for name, f in PURE.items():
    x, y = (gf.tensor(each, requires_grad=True) for each in (a, b))
    d = np.cos(np.arange(8.0))
    f(x, y).sum().backward()
    slope = (np.sum(f(a + 1e-6 * d, b)) - np.sum(f(a - 1e-6 * d, b))) / 2e-6
    np.testing.assert_allclose((x.grad.numpy() * d).sum(), slope, rtol=1e-5, atol=1e-7, err_msg=name)
for name, f in OTHERS.items():
    x, y = (gf.tensor(each, requires_grad=True) for each in (a, b))
    try:
        result = f(x, y)
    except gf.errors.GradientError:
        continue
    assert result.requires_grad, name  # never a result that has quietly lost its gradient
print("done", len(PURE) + len(OTHERS))
"""

SKLEARN = """
import os, warnings
os.environ["SCIPY_ARRAY_API"] = "1"
warnings.simplefilter("ignore")
import numpy as np, gradflow as gf
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, pairwise, r2_score
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, PolynomialFeatures, StandardScaler

rng = np.random.default_rng(0)
X, y, c = rng.normal(size=(20, 4)), rng.normal(size=20), rng.integers(0, 2, 20)
ARRAYS = {
    "StandardScaler": lambda X, y, c: StandardScaler().fit_transform(X),
    "MinMaxScaler": lambda X, y, c: MinMaxScaler().fit_transform(X),
    "MaxAbsScaler": lambda X, y, c: MaxAbsScaler().fit_transform(X),
    "Normalizer": lambda X, y, c: Normalizer().fit_transform(X),
    "PolynomialFeatures": lambda X, y, c: PolynomialFeatures().fit_transform(X),
    "PCA": lambda X, y, c: PCA(2, svd_solver="full").fit_transform(X),
    "Ridge": lambda X, y, c: Ridge(solver="svd").fit(X, y).predict(X),
    "LDA": lambda X, y, c: LinearDiscriminantAnalysis().fit(X, c).predict(X),
    "euclidean_distances": lambda X, y, c: pairwise.euclidean_distances(X),
    "rbf_kernel": lambda X, y, c: pairwise.rbf_kernel(X),
}
for name, f in ARRAYS.items():
    with config_context(array_api_dispatch=True):
        result = f(gf.tensor(X), gf.tensor(y), gf.tensor(c))
    assert isinstance(result, gf.Tensor), (name, type(result))
    np.testing.assert_allclose(result.numpy(), f(X, y, c), rtol=1e-6, atol=1e-7, err_msg=name)
with config_context(array_api_dispatch=True):
    assert abs(r2_score(gf.tensor(y), gf.tensor(y * 0.9)) - r2_score(y, y * 0.9)) < 1e-12
    assert abs(mean_squared_error(gf.tensor(y), gf.tensor(y * 0.9)) - mean_squared_error(y, y * 0.9)) < 1e-12
print("done", len(ARRAYS))
"""


def test_scipys_functions_take_tensors_and_return_them_with_gradients_where_they_are_pure():
    pytest.importorskip("scipy", minversion="1.17")
    assert python("-c", SCIPY).split() == ["done", "34"]


def test_scikit_learns_estimators_take_tensors_and_return_them():
    pytest.importorskip("sklearn", minversion="1.9")
    assert python("-c", SKLEARN).split() == ["done", "10"]
