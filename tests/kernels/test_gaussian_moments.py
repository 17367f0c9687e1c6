import math

import numpy as np
import pytest
import torch

from overparam.kernels.gaussian_moments import (
    NAMED,
    Erf,
    Gelu,
    Hermite,
    LeakyReLU,
    Linear,
    Sin,
    named_moments,
)

PHI = {
    Erf(): torch.erf,
    Gelu(): lambda x: x * torch.special.ndtr(x),
    Hermite(1): lambda x: x,
    Hermite(2): lambda x: (x**2 - 1) / math.sqrt(2),
    Hermite(3): lambda x: (x**3 - 3 * x) / math.sqrt(6),
    Hermite(4): lambda x: (x**4 - 6 * x**2 + 3) / math.sqrt(24),
    LeakyReLU(0.0): torch.relu,
    LeakyReLU(0.3): lambda x: torch.where(x > 0, x, 0.3 * x),
    LeakyReLU(-1.0): torch.abs,
    Linear(): lambda x: x,
    Sin(): torch.sin,
}
VARIANCES = [(1.0, 1.0, 0.5), (1.0, 1.0, -0.9), (0.3, 1.7, 0.4), (2.0, 0.5, -0.7), (0.8, 0.8, 0.0)]


def polar(phi, k12, k11, k22, nodes=60):
    """E[phi(u) phi(v)] in polar coordinates: a kink at 0 lies on four rays, between which Gauss'
    rule converges for every activation here."""
    theta = math.acos(k12 / math.sqrt(k11 * k22))
    x, w = np.polynomial.legendre.leggauss(nodes)
    edges = np.unique(
        np.mod([math.pi / 2, -math.pi / 2, theta + math.pi / 2, theta - math.pi / 2], 2 * math.pi)
    )
    edges = np.append(edges, edges[0] + 2 * math.pi)
    half = np.diff(edges)[:, None] / 2
    angle = torch.from_numpy((edges[:-1, None] + half * (1 + x)).ravel())
    arc = torch.from_numpy((half * w).ravel())
    r, dr = torch.from_numpy(6 * (1 + x)), torch.from_numpy(6 * w)
    u = math.sqrt(k11) * torch.outer(torch.cos(angle), r)
    v = math.sqrt(k22) * torch.outer(torch.cos(angle - theta), r)
    weight = torch.outer(arc, dr * r * torch.exp(-r * r / 2)) / (2 * math.pi)
    return float((weight * phi(u) * phi(v)).sum())


@pytest.mark.parametrize("moments", PHI, ids=str)
@pytest.mark.parametrize(("k11", "k22", "k12"), VARIANCES)
def test_the_value_is_the_expectation(moments, k11, k22, k12):
    pair = torch.tensor([k12, k11, k22], dtype=torch.float64)
    value, _ = moments.pair(*pair)
    assert float(value) == pytest.approx(polar(PHI[moments], k12, k11, k22), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("moments", PHI, ids=str)
@pytest.mark.parametrize(("k11", "k22", "k12"), VARIANCES)
def test_the_slope_is_the_derivative_of_the_value(moments, k11, k22, k12):
    # Central difference: step^2 ~ 1e-10 against rounding 1e-16 / step.
    k11, k22, k12 = (torch.tensor(v, dtype=torch.float64) for v in (k11, k22, k12))
    up, down = moments.pair(k12 + 1e-5, k11, k22)[0], moments.pair(k12 - 1e-5, k11, k22)[0]
    slope = moments.pair(k12, k11, k22)[1]
    assert float(slope) == pytest.approx(float(up - down) / 2e-5, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("moments", PHI, ids=str)
def test_the_variance_is_the_pair_of_a_row_with_itself(moments):
    k = torch.linspace(0.1, 3.0, 7, dtype=torch.float64)
    for one, other in zip(moments.variance(k), moments.pair(k, k, k), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_row_of_variance_0_gives_numbers():
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for moments in PHI:
        for part in moments.pair(zero, zero, one):
            assert torch.isfinite(part).all(), moments


def test_sin_does_not_overflow_at_large_variances():
    value, slope = Sin().pair(*torch.tensor([1e4, 1e4, 1e4], dtype=torch.float64))
    assert float(value) == float(slope) == 0.5


def test_names():
    assert named_moments("relu") == LeakyReLU(0.0)
    assert named_moments("h_7") == Hermite(7)
    assert set(NAMED) == {"erf", "gelu", "leaky_relu", "linear", "relu", "sin"}
    with pytest.raises(ValueError, match=r"activation must be one of .*'relu'.*; got 'rleu'"):
        named_moments("rleu")


def test_keys_tell_parameters_apart():
    assert LeakyReLU(0.1).key == LeakyReLU(0.1).key != LeakyReLU(0.2).key
    assert Sin().key != Linear().key
