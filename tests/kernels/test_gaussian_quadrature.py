import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.gaussian_moments import Erf, Gelu, Hermite, LeakyReLU, Sin
from overparam.kernels.gaussian_quadrature import Quadrature

CLOSED = [
    (Erf(), torch.erf),
    (Gelu(), torch.nn.GELU()),
    (Hermite(3), lambda x: (x**3 - 3 * x) / math.sqrt(6)),
    (LeakyReLU(0.0), torch.relu),
    (LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
    (Sin(), torch.sin),
]


@pytest.fixture(scope="module", name="triple")
def random_triple():
    """Covariances (30, 20) and variances between 0.3 and 3, the correlation up to +-1."""
    rng = np.random.default_rng(0)
    k11, k22 = (
        torch.from_numpy(rng.uniform(0.3, 3, (30, 1))),
        torch.from_numpy(rng.uniform(0.3, 3, (1, 20))),
    )
    cosine = torch.from_numpy(np.cos(rng.uniform(0, np.pi, (30, 20))))
    cosine[0], cosine[1] = 1.0, -1.0
    return cosine * torch.sqrt(k11 * k22), k11, k22


@pytest.mark.parametrize(("closed", "function"), CLOSED, ids=lambda x: str(x)[:20])
def test_tables_equal_the_closed_forms(closed, function, triple):
    k12, k11, k22 = triple
    ours = Quadrature(function).joint(0.3, 3.0)(k12, k11, k22)
    for one, other in zip(ours, closed.pair(k12, k11, k22), strict=True):
        torch.testing.assert_close(one, other.expand_as(one), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("closed", "function"), CLOSED, ids=lambda x: str(x)[:20])
def test_variances_equal_the_closed_forms(closed, function):
    k = torch.linspace(0.0, 3.0, 50, dtype=torch.float64)[1:]
    for one, other in zip(Quadrature(function).variance(k), closed.variance(k), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def test_equal_variances_need_one_table():
    k = torch.ones(4, 1, dtype=torch.float64)
    k12 = torch.linspace(-1, 1, 9, dtype=torch.float64).expand(4, 9)
    ours = Quadrature(torch.erf).joint(1.0, 1.0)(k12, k, torch.ones(1, 9, dtype=torch.float64))
    for one, other in zip(ours, Erf().pair(k12, k, k), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_kinks_elsewhere_than_at_0_are_split():
    # The slope of the hard tanh is an indicator: the slope's moment is a box's probability.
    k12, k11, k22 = 0.4, 1.3, 1.3
    box = multivariate_normal(cov=[[k11, k12], [k12, k22]])
    inside = box.cdf([1, 1]) - box.cdf([1, -1]) - box.cdf([-1, 1]) + box.cdf([-1, -1])
    moments = Quadrature(torch.nn.functional.hardtanh, kinks=(-1.0, 1.0), tolerance=1e-7)
    triple = [torch.tensor([[v]], dtype=torch.float64) for v in (k12, k11, k22)]
    _, slope = moments.joint(1.3, 1.3)(*triple)
    assert slope.item() == pytest.approx(inside, abs=3e-5)  # scipy's cdf is good to 1e-5


def test_a_kernel_of_a_callable_is_that_of_the_name():
    X = np.random.default_rng(1).normal(size=(12, 5))
    ours = fully_connected(torch.relu, 3, 2.0, 0.1)(X, kind="both")
    theirs = fully_connected("relu", 3, 2.0, 0.1)(X, kind="both")
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_a_kink_that_was_not_named_is_warned_about():
    step = Quadrature(lambda x: (x - 0.5).abs(), kinks=())
    with pytest.warns(RuntimeWarning, match=r"known to about .* only; name its kinks"):
        step.joint(1.0, 1.0)


def test_functions_that_are_not_elementwise_are_refused():
    with pytest.raises(ValueError, match=r"activation must be an elementwise function.*got .*2"):
        fully_connected(lambda x: x.sum(0))
