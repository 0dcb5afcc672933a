"""SciPy's and scikit-learn's functions that take any array API's arrays take tensors and return them."""

from __future__ import annotations

import pytest

from process import python

# these import SciPy, which asks the environment whether it may: hence a process for each
SCIPY = """
import os, warnings
os.environ["SCIPY_ARRAY_API"] = "1"
warnings.simplefilter("ignore")
import numpy as np, gradflow as gf
from scipy import cluster, differentiate, fft, integrate, interpolate, ndimage, optimize, signal, special, stats
from scipy.spatial.transform import Rotation

a, b = np.linspace(0.1, 0.9, 8), np.linspace(0.2, 1.9, 8)
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
    "special.expit": lambda x, y: special.expit(x), "special.gammaln": lambda x, y: special.gammaln(x),
    "special.i0": lambda x, y: special.i0(x), "special.erf": lambda x, y: special.erf(x),
    "special.betaln": lambda x, y: special.betaln(x, y), "special.entr": lambda x, y: special.entr(x),
    "special.polygamma": lambda x, y: special.polygamma(1, x), "special.logit": lambda x, y: special.logit(x),
    "integrate.cumulative_trapezoid": lambda x, y: integrate.cumulative_trapezoid(y, x),
    "stats.zmap": lambda x, y: stats.zmap(x, y), "stats.trim_mean": lambda x, y: stats.trim_mean(x, 0.2),
    "stats.tvar": lambda x, y: stats.tvar(x), "stats.circvar": lambda x, y: stats.circvar(x),
    "signal.freqz": lambda x, y: abs(signal.freqz(x, y, worN=5)[1]),
    "Rotation.as_matrix": lambda x, y: Rotation.from_quat(x.reshape(2, 4)).as_matrix(),
    "Rotation.apply": lambda x, y: Rotation.from_rotvec(x[:3]).apply(y[:3]),
}
OTHERS = {  # these write into arrays or ask NumPy: tensors without grad, the rest is an error
    "special.logsumexp": lambda x, y: special.logsumexp(x), "special.lpmv": lambda x, y: special.lpmv(1, 2, x),
    "stats.zscore": lambda x, y: stats.zscore(x), "stats.variation": lambda x, y: stats.variation(x),
    "stats.entropy": lambda x, y: stats.entropy(x), "stats.pearsonr": lambda x, y: stats.pearsonr(x, y)[0],
    "stats.ttest_1samp": lambda x, y: stats.ttest_1samp(x, 0.0)[1], "signal.detrend": lambda x, y: signal.detrend(x),
    "signal.hilbert": lambda x, y: signal.hilbert(x), "signal.convolve": lambda x, y: signal.convolve(x, y),
    "fft.dct": lambda x, y: fft.dct(x), "ndimage.gaussian_filter": lambda x, y: ndimage.gaussian_filter(x, 1.0),
    "cluster.vq.whiten": lambda x, y: cluster.vq.whiten(x[:, None]),
    "integrate.cumulative_simpson": lambda x, y: integrate.cumulative_simpson(y, x=x),
    "integrate.tanhsinh": lambda x, y: integrate.tanhsinh(lambda t: t * t, x, y).integral,
    "differentiate.derivative": lambda x, y: differentiate.derivative(lambda t: t**3, x).df,
    "interpolate.CubicSpline": lambda x, y: interpolate.CubicSpline(x, y)(x[:4] + 0.01),
    "interpolate.PchipInterpolator": lambda x, y: interpolate.PchipInterpolator(x, y)(x[:4] + 0.01),
    "interpolate.make_interp_spline": lambda x, y: interpolate.make_interp_spline(x, y)(x[:4]),
    "signal.lfilter": lambda x, y: signal.lfilter(x[:2], y[:2], x), "signal.savgol_filter": lambda x, y:
        signal.savgol_filter(y, 5, 2), "signal.resample": lambda x, y: signal.resample(x, 5),
    "signal.sosfilt": lambda x, y: signal.sosfilt(x[:6].reshape(1, 6) / x[3], y),
    "ndimage.zoom": lambda x, y: ndimage.zoom(x, 2.0),
    "ndimage.median_filter": lambda x, y: ndimage.median_filter(x, 3),
    "ndimage.map_coordinates": lambda x, y: ndimage.map_coordinates(x, y[None]),
    "stats.quantile": lambda x, y: stats.quantile(x, 0.3), "stats.ttest_rel": lambda x, y: stats.ttest_rel(x, y)[0],
    "stats.iqr": lambda x, y: stats.iqr(x), "stats.f_oneway": lambda x, y: stats.f_oneway(x, y)[0],
    "cluster.hierarchy.linkage": lambda x, y: cluster.hierarchy.linkage(x.reshape(4, 2)),
    "Rotation.as_euler": lambda x, y: Rotation.from_quat(x.reshape(2, 4)).as_euler("xyz"),
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

# without the variable, SciPy's special functions are ufuncs, which ask their arguments
UFUNCS = """
import sys, numpy as np, gradflow as gf
from scipy import special

x, y = np.linspace(0.1, 0.9, 5), np.linspace(0.2, 1.9, 5)
count = 0
for name in gf.special.__all__:
    ufunc = getattr(special, name, None)
    if not isinstance(ufunc, np.ufunc) or name == "expn":  # whose order is one number
        continue
    given = (x, y, x[::-1].copy())[: ufunc.nin]
    given = (np.arange(5), *given[1:]) if "i" in ufunc.types[0].split("->")[0] else given
    tensors = [gf.tensor(each, requires_grad=each.dtype.kind == "f") for each in given]
    result = ufunc(*tensors)
    assert isinstance(result, gf.Tensor) and result.requires_grad, name
    np.testing.assert_allclose(result.detach().numpy(), ufunc(*given), rtol=1e-7, err_msg=name)
    count += 1
for call in (lambda t: special.airy(t), lambda t: special.expit(t, out=np.ones(5)), lambda t: special.xlogy.reduce(t)):
    try:
        call(tensors[0])
        raise AssertionError("not refused")
    except gf.errors.NumPyCallError:
        pass
print("done", count)
"""

SKLEARN = """
import os, warnings
os.environ["SCIPY_ARRAY_API"] = "1"
warnings.simplefilter("ignore")
import numpy as np, gradflow as gf
from sklearn import config_context
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV, RidgeClassifier
from sklearn.metrics import pairwise
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer, LabelBinarizer, LabelEncoder, MaxAbsScaler, MinMaxScaler, Normalizer
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

gf.set_default_dtype("float64")  # in which the arrays are that it is compared with
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
    "KernelCenterer": lambda X, y, c: KernelCenterer().fit_transform(X @ X.T),
    "LabelEncoder": lambda X, y, c: LabelEncoder().fit_transform(c),
    "LabelBinarizer": lambda X, y, c: LabelBinarizer().fit_transform(c),
    "RidgeCV": lambda X, y, c: RidgeCV().fit(X, y).predict(X),
    "RidgeClassifier": lambda X, y, c: RidgeClassifier(solver="svd").fit(X, c).predict(X),
    "LogisticRegression": lambda X, y, c: LogisticRegression().fit(X, c).predict_proba(X),
    "Nystroem": lambda X, y, c: Nystroem(n_components=5, random_state=0).fit_transform(X),
    "GaussianMixture": lambda X, y, c: GaussianMixture(2, init_params="random", random_state=0).fit(X).predict(X),
    "GaussianNB": lambda X, y, c: GaussianNB().fit(X, c).predict(X),
    "train_test_split": lambda X, y, c: train_test_split(X, random_state=0)[0],
    "cross_val_predict": lambda X, y, c: cross_val_predict(Ridge(solver="svd"), X, y),
    "pipeline": lambda X, y, c: make_pipeline(StandardScaler(), Ridge(solver="svd")).fit(X, y).predict(X),
    "cosine_similarity": lambda X, y, c: pairwise.cosine_similarity(X),
    "laplacian_kernel": lambda X, y, c: pairwise.laplacian_kernel(X),
    "chi2_kernel": lambda X, y, c: pairwise.chi2_kernel(abs(X)),
    "euclidean_distances": lambda X, y, c: pairwise.euclidean_distances(X),
    "rbf_kernel": lambda X, y, c: pairwise.rbf_kernel(X),
}
for name, f in ARRAYS.items():
    with config_context(array_api_dispatch=True):
        result = f(gf.tensor(X), gf.tensor(y), gf.tensor(c))
    assert isinstance(result, gf.Tensor), (name, type(result))
    np.testing.assert_allclose(result.numpy(), f(X, y, c), rtol=1e-6, atol=1e-7, err_msg=name)
other, share = rng.integers(0, 2, 20), rng.uniform(0.05, 0.95, 20)
METRICS = {
    "accuracy_score balanced_accuracy_score f1_score precision_score recall_score jaccard_score hamming_loss "
    "zero_one_loss cohen_kappa_score matthews_corrcoef confusion_matrix": (c, other),
    "mean_absolute_error mean_squared_error root_mean_squared_error max_error median_absolute_error r2_score "
    "mean_absolute_percentage_error explained_variance_score mean_pinball_loss": (y, y * 0.9),
    "mean_squared_log_error mean_tweedie_deviance mean_gamma_deviance mean_poisson_deviance": (abs(y), abs(y) * 0.9),
    "brier_score_loss log_loss d2_log_loss_score roc_auc_score average_precision_score": (c, share),
}
count = 0
for names, given in METRICS.items():
    for name in names.split():
        with config_context(array_api_dispatch=True):
            result = getattr(metrics, name)(*map(gf.tensor, given))
        expected = getattr(metrics, name)(*given)
        np.testing.assert_allclose(getattr(result, "data", result), expected, rtol=1e-7, err_msg=name)
        count += 1
print("done", len(ARRAYS), count)
"""


def test_scipys_functions_take_tensors_and_return_them_with_gradients_where_they_are_pure():
    pytest.importorskip("scipy", minversion="1.17")
    assert python("-c", SCIPY).split() == ["done", "64"]


def test_scipys_ufuncs_are_gradflows_functions_with_gradients():
    pytest.importorskip("scipy", minversion="1.17")
    done, count = python("-c", UFUNCS).split()
    assert done == "done" and int(count) >= 23


def test_scikit_learns_estimators_take_tensors_and_return_them():
    pytest.importorskip("sklearn", minversion="1.9")
    assert python("-c", SKLEARN).split() == ["done", "25", "29"]
