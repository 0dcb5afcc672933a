"""gradflow.numpy.random: NumPy's names and distributions, with gradients of their parameters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import gradflow as gf
import gradflow.numpy as gnp
from gradflow.errors import ArgumentError, DTypeError, LinAlgError, ShapeError
from gradflow.testing import gradcheck

DISTRIBUTIONS = {  # the call, and SciPy's name of the distribution
    "random(n)": stats.uniform(), "uniform(-1.0, 2.0, n)": stats.uniform(-1, 3), "standard_normal(n)": stats.norm(),
    "normal(1.0, 2.0, n)": stats.norm(1, 2), "standard_exponential(n)": stats.expon(),
    "exponential(2.0, n)": stats.expon(scale=2), "gumbel(1.0, 2.0, n)": stats.gumbel_r(1, 2),
    "logistic(1.0, 2.0, n)": stats.logistic(1, 2), "laplace(1.0, 2.0, n)": stats.laplace(1, 2),
    "lognormal(0.3, 0.5, n)": stats.lognorm(0.5, scale=np.exp(0.3)), "rayleigh(2.0, n)": stats.rayleigh(scale=2),
    "weibull(1.5, n)": stats.weibull_min(1.5), "pareto(3.0, n)": stats.lomax(3), "power(3.0, n)": stats.powerlaw(3),
    "standard_cauchy(n)": stats.cauchy(), "triangular(-1.0, 0.0, 3.0, n)": stats.triang(0.25, -1, 4),
    "multivariate_normal([1.0, 0.0], [[4.0, 1.0], [1.0, 1.0]], n)[:, 0]": stats.norm(1, 2),
    "multivariate_normal([1.0, 0.0], [[4.0, 1.0], [1.0, 1.0]], n).sum(1)": stats.norm(1, 7**0.5),
    "choice([0.0, 1.0], n) + rng.random(n)": stats.uniform(0, 2),
    "choice(2, n, p=[0.25, 0.75])": stats.rv_discrete(values=([0, 1], [0.25, 0.75])),
}  # fmt: skip


@pytest.mark.parametrize("call", DISTRIBUTIONS)
def test_numbers_are_distributed_as_scipy_says(call):
    rng, n, expected = gnp.random.default_rng(1), 4000, DISTRIBUTIONS[call]
    x = eval(f"rng.{call}", {"rng": rng, "n": n}).numpy()
    assert x.shape == (n,) and x.dtype == (np.int64 if call.startswith("choice(2") else np.float64)
    if x.dtype == np.int64:
        assert abs(x.mean() - expected.mean()) < 5 * expected.std() / n**0.5
    else:
        assert stats.kstest(x, expected.cdf).pvalue > 1e-4


OF_NUMBERS = [call for call in DISTRIBUTIONS if "." in call and "[" not in call]


@pytest.mark.parametrize("call", OF_NUMBERS)
def test_gradients_flow_to_parameters(call):
    name, _, rest = call.partition("(")
    at = np.array([float(each) for each in rest.split(", ") if "." in each])

    def f(p):
        return getattr(gnp.random.default_rng(5), name)(*p, 3).sum()

    found = gf.grad(f)(gnp.array(at)).numpy()
    for i, step in enumerate(1e-6 * np.eye(len(at))):
        slope = (f(gnp.array(at + step)).item() - f(gnp.array(at - step)).item()) / 2e-6
        np.testing.assert_allclose(found[i], slope, rtol=1e-5, atol=1e-7)


def test_gradients_flow_to_a_mean_and_a_covariance():
    def f(mean, cov):
        return (gnp.random.default_rng(5).multivariate_normal(mean, cov + cov.T, 4) ** 2).sum()

    mean, cov = (gf.tensor(x, "float64", requires_grad=True) for x in ([1.0, 0.5], [[2.0, 0.5], [0.1, 1.0]]))
    gradcheck(f, mean, cov, order=1)


def test_parameters_say_how_many_numbers_there_are():
    rng = gnp.random.default_rng(0)
    assert rng.integers(5, size=3).shape == (3,) and sorted(rng.permutation(4).tolist()) == [0, 1, 2, 3]
    assert rng.uniform(gnp.zeros(3), 1.0).shape == rng.exponential(gnp.ones(3)).shape == (3,)
    assert rng.random().shape == rng.laplace().shape == () and rng.random(2, "float32").dtype == gf.float32
    assert rng.choice(5).shape == () and rng.choice(gnp.ones((2, 3)), (4, 2), axis=1).shape == (2, 4, 2)
    assert gnp.random.default_rng(3).random(4).tolist() == gnp.random.default_rng(3).random(4).tolist()


def test_without_replacement_nothing_is_drawn_twice():
    rng = gnp.random.default_rng(0)
    assert sorted(rng.choice(6, 6, replace=False).tolist()) == list(range(6))
    firsts = [rng.choice(3, 2, replace=False, p=[0.0, 0.1, 0.9]).tolist() for _ in range(200)]
    assert all(sorted(each) == [1, 2] for each in firsts)
    assert 150 < sum(each == [2, 1] for each in firsts) < 200
    x = gnp.arange(10)
    rng.shuffle(x)
    assert x.tolist() != list(range(10)) and sorted(x.tolist()) == list(range(10))


def test_numpys_older_functions_draw_from_the_default_generator():
    gnp.random.seed(3)
    before = [gnp.random.rand(2, 3), gnp.random.randn(2), gnp.random.normal(size=2), gnp.random.random_sample(2)]
    gf.manual_seed(3)
    again = [gnp.random.rand(2, 3), gnp.random.randn(2), gnp.random.normal(size=2), gnp.random.random_sample(2)]
    assert [x.tolist() for x in before] == [x.tolist() for x in again]
    assert before[0].shape == (2, 3) and before[0].dtype == gf.float64
    assert gnp.random.randint(3, 5, (2,), "int32").dtype == gf.int32 and gnp.random.randint(1).item() == 0


def test_arrays_of_numpys_are_drawn_from_and_put_in_order():
    rng, x = gnp.random.default_rng(0), np.array([[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]])
    assert set(rng.choice(x[:, 0], 50).tolist()) == {10, 20, 30}
    assert sorted(rng.permutation(x).tolist()) == x.tolist()


def test_mistakes_are_told():
    rng = gnp.random.default_rng(0)
    with pytest.raises(ArgumentError, match="choice: 4 of 3 elements without replacement"):
        rng.choice(3, 4, replace=False)
    with pytest.raises(ShapeError, match=r"choice: p is \(2,\); there must be a probability for each of 3"):
        rng.choice(3, 4, p=[0.5, 0.5])
    for p in ([0.5, 0.5, 0.1], [1.5, -0.5, 0.0]):
        with pytest.raises(ArgumentError, match="choice: probabilities are not negative and sum to 1"):
            rng.choice(3, 4, p=p)
    with pytest.raises(ArgumentError, match="choice: 2 without replacement, and 1 have a probability above 0"):
        rng.choice(3, 2, replace=False, p=[1.0, 0.0, 0.0])
    with pytest.raises(DTypeError, match="float32 or float64"):
        rng.random(2, "int64")
    with pytest.raises(LinAlgError):
        rng.multivariate_normal([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
